"""Brings the keyspace's schema up to date: numbered scripts, each once, by one process at a time."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

from homeguard.clock import Clock
from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.stores.scylla.columns import milliseconds
from homeguard.stores.scylla.cql import Cql
from homeguard.stores.scylla.failures import is_unsettled

_FOLDER: Final = Path(__file__).parent / "migrations"
_PART: Final = "events"
_POLL_S: Final = 0.25
_LOCK_WAIT_S: Final = 90.0
#: What another process is just making can be listed before it can be used.
_SETTLE_TRIES: Final = 40

_KEYSPACE: Final = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s"
_TABLE: Final = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s"
#: The one place where a name stands in a statement, since CQL binds none; `_name` lets only plain ones through.
_CREATE_KEYSPACE: Final = (
    "CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
)
_VERSIONS: Final = "SELECT number FROM schema_versions WHERE part = %s"
_APPLIED: Final = "INSERT INTO schema_versions (part, number, applied_at) VALUES (%s, %s, %s)"
#: A holder that died is forgotten after a minute; one that lives says so before every statement.
_TAKE: Final = "INSERT INTO schema_lock (part, holder) VALUES (%s, %s) IF NOT EXISTS USING TTL 60"
_KEEP: Final = "UPDATE schema_lock USING TTL 60 SET holder = %s WHERE part = %s IF holder = %s"
_LEAVE: Final = "DELETE FROM schema_lock WHERE part = %s IF holder = %s"


async def up_to_date(cql: Cql, keyspace: str, clock: Clock) -> None:
    """Make the keyspace where there is none, use it, and run the scripts that it has not seen.

    A keyspace that is there keeps its replication.

    Raises:
        StartRefused: the name is not a plain one, or the schema is newer than this program.
        StoreUnavailable: another process has been at it for too long.
    """
    name = _name(keyspace)
    for _ in range(_SETTLE_TRIES):
        try:
            return await _bring_up(cql, name, clock)
        except StoreUnavailable as error:
            if not is_unsettled(error):
                raise
            await asyncio.sleep(_POLL_S)
    return await _bring_up(cql, name, clock)


async def _bring_up(cql: Cql, name: str, clock: Clock) -> None:
    if not await cql.run(_KEYSPACE, (name,)):
        await cql.run(_CREATE_KEYSPACE.format(name=name))
    await cql.use(name)
    scripts = migrations()
    if await cql.run(_TABLE, (name, "schema_versions")) and await _version(cql, name, cql.where) == len(scripts):
        return
    for statement in statements((_FOLDER / "0000_ground.cql").read_text(encoding="utf-8")):
        await cql.run(statement)
    holder = uuid4()
    await _lock(cql, holder)
    try:
        for number, script in enumerate(scripts, 1):
            if number <= await _version(cql, name, cql.where):
                continue
            for statement in statements(script):
                await _keep(cql, holder)
                await cql.run(statement)
            await cql.run(_APPLIED, (_PART, number, milliseconds(clock.now())))
    finally:
        await cql.run(_LEAVE, (_PART, holder))


def migrations() -> Sequence[str]:
    """The scripts, oldest first."""
    return [path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("[0-9]*.cql")) if path.name[:4] != "0000"]


def statements(script: str) -> list[str]:
    """What lies between the semicolons at the ends of lines; comments are left out."""
    text = "\n".join(line for line in script.splitlines() if not line.startswith("--"))
    return [part.strip() for part in re.split(r";\s*(?:\n|$)", text) if part.strip()]


def _name(keyspace: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", keyspace):
        raise StartRefused(f"SCYLLA_KEYSPACE is small letters, digits and _, at most 48; {keyspace!r} is not")
    return keyspace


async def _version(cql: Cql, keyspace: str, where: str) -> int:
    version = max((number for (number,) in await cql.run(_VERSIONS, (_PART,))), default=0)
    if version > len(migrations()):
        raise StartRefused(
            f"the keyspace {keyspace} at {where} has schema {version}, newer than this program knows"
            f" ({len(migrations())}); start a newer HomeGuard"
        )
    return version


async def _lock(cql: Cql, holder: object) -> None:
    for _ in range(round(_LOCK_WAIT_S / _POLL_S)):
        if (await cql.run(_TAKE, (_PART, holder)))[0][0]:
            return
        await asyncio.sleep(_POLL_S)
    raise StoreUnavailable(f"another process has been changing the schema at {cql.where} for too long; try again")


async def _keep(cql: Cql, holder: object) -> None:
    if not (await cql.run(_KEEP, (holder, _PART, holder)))[0][0]:
        raise StoreUnavailable(f"another process took over changing the schema at {cql.where}; try again")
