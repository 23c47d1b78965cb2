"""Brings a database up to the newest schema: once, under a lock, however many start at a time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pymongo.errors import DuplicateKeyError, PyMongoError

from homeguard.clock import Clock
from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.ids import new_id
from homeguard.stores.mongo.documents import micros
from homeguard.stores.mongo.failures import of_opening
from homeguard.stores.mongo.link import CALL_LIMIT_S, Collection, Link, until_placed

MIGRATIONS: Final = Path(__file__).parent / "migrations"

#: How long one who migrates is left alone; a lock that is older belongs to a process that died.
_LEASE: Final = timedelta(seconds=60)
_PAUSE_S: Final = 0.1
_TURNS: Final = 900
_LIMIT_S: Final = 300


async def migrate(link: Link, clock: Clock, *, folder: Path = MIGRATIONS) -> int:
    """Apply the files `NNNN.json` that the database has not seen, oldest first; returns the version that it has now.

    A file lists indexes: `{"collection", "keys": [[field, 1 | -1], ...], "unique": false}`.

    Raises:
        StartRefused: the schema is newer than this program, or the login may not change it.
        StoreUnavailable: it did not answer, or another process did not finish.
    """
    steps = _steps(folder)
    try:
        async with asyncio.timeout(CALL_LIMIT_S):
            if await _version(link, len(steps)) == len(steps):
                return len(steps)
        async with asyncio.timeout(_LIMIT_S), _locked(link["schema"], clock, link.address):
            for number in range(await _version(link, len(steps)), len(steps)):
                for index in steps[number]:
                    keys = [(field, direction) for field, direction in index["keys"]]
                    await link[index["collection"]].create_index(keys, unique=index.get("unique", False))
                await _note(link["schema"], number + 1)
    except (PyMongoError, TimeoutError, OSError) as error:
        raise of_opening(error, link.address) from error
    return len(steps)


def _steps(folder: Path) -> list[Any]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[0-9]*.json"))]


async def _version(link: Link, known: int) -> int:
    row = await link["schema"].find_one({"_id": "version"})
    version = 0 if row is None else int(row["number"])
    if version > known:
        raise StartRefused(
            f"the MongoDB at {link.address} was written by a newer HomeGuard (schema {version}, this one knows {known})"
        )
    return version


@asynccontextmanager
async def _locked(schema: Collection, clock: Clock, address: str) -> AsyncIterator[None]:
    """Wait for the lock, hold it, give it back."""
    holder = await _acquired(schema, clock, address)
    try:
        yield
    finally:
        await schema.delete_one({"_id": "lock", "holder": holder})


async def _acquired(schema: Collection, clock: Clock, address: str) -> str:
    """The name under which the lock is now held."""
    holder = new_id()
    for _ in range(_TURNS):
        try:
            until = micros(clock.now() + _LEASE)
            await schema.insert_one({"_id": "lock", "holder": holder, "until_us": until})
        except DuplicateKeyError:
            held = await schema.find_one({"_id": "lock"})
            if held is not None and held["until_us"] < micros(clock.now()):
                await schema.delete_one({"_id": "lock", "holder": held["holder"]})
            else:
                await clock.sleep(_PAUSE_S)
        else:
            return holder
    raise StoreUnavailable(f"another process did not finish changing the schema of MongoDB at {address}")


async def _note(schema: Collection, number: int) -> None:
    await until_placed(lambda: schema.update_one({"_id": "version"}, {"$max": {"number": number}}, upsert=True))
