"""The connection to one database: its options, its deadlines, and who answers there."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from bson.errors import BSONError
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from homeguard.errors import StartRefused
from homeguard.stores.mongo.documents import Document
from homeguard.stores.mongo.failures import is_taken, of_call, of_opening

T = TypeVar("T")
Collection: TypeAlias = AsyncCollection[Document]

CALL_LIMIT_S: Final = 5.0
PING_LIMIT_S: Final = 2.0
DEFAULT_DATABASE: Final = "homeguard"
#: How often an upsert is tried when other writers insert the same key meanwhile.
TRIES: Final = 5

#: What holds unless the URL says otherwise. A write is acknowledged when a majority has it in the journal.
_OPTIONS: Final[dict[str, str | int | bool]] = {
    "appname": "homeguard",
    "maxPoolSize": 16,
    "serverSelectionTimeoutMS": 2_000,
    "connectTimeoutMS": 2_000,
    "heartbeatFrequencyMS": 5_000,
    "w": "majority",
    "journal": True,
}


class Link:
    """An open database. `open_link` makes one."""

    def __init__(self, database: AsyncDatabase[Document], address: str, engine: "MongoEngine") -> None:
        self._database = database
        self.address = address
        self.engine = engine

    def __getitem__(self, collection: str) -> Collection:
        return self._database[collection]

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """What is asked within has five seconds in all, and fails with our errors.

        Raises:
            StoreUnavailable: it did not answer.
            StorageFull: its disk is full.
        """
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                yield
        except (PyMongoError, BSONError, TimeoutError, OSError) as error:
            raise of_call(error, self.address) from error


class MongoEngine:
    """An `Engine`."""

    def __init__(self, database: AsyncDatabase[Document], address: str, name: str, version: str) -> None:
        self._database = database
        self._address = address
        self._name = name
        self._version = version

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> str:
        return self._version

    async def ping(self) -> None:
        try:
            async with asyncio.timeout(PING_LIMIT_S):
                await self._database.command("ping")
        except (PyMongoError, TimeoutError, OSError) as error:
            raise of_call(error, self._address) from error


@asynccontextmanager
async def open_link(url: str) -> AsyncIterator[Link]:
    """Connect, ask the server who it is, and disconnect at the end. The URL's path names the database.

    Raises:
        StartRefused: the URL cannot be read, or the server refuses the login.
        StoreUnavailable: nobody answered within five seconds.
    """
    address = address_of(url)
    client = _client(url, address)
    try:
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                database = client.get_default_database(DEFAULT_DATABASE)
                facts = await database.command("buildInfo")
        except (PyMongoError, TimeoutError, OSError) as error:
            raise of_opening(error, address) from error
        name = "FerretDB" if "ferretdbVersion" in facts else "MongoDB"
        yield Link(database, address, MongoEngine(database, address, name, str(facts.get("version", "unknown"))))
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(CALL_LIMIT_S):
                await client.close()


async def until_placed(write: Callable[[], Awaitable[T]]) -> T:
    """What an upsert answers. Two that insert the same key at once may fail each other: the loser tries again.

    Raises:
        PyMongoError: it failed otherwise, or five times.
    """
    for _ in range(TRIES - 1):
        try:
            return await write()
        except PyMongoError as error:
            if not is_taken(error):
                raise
    return await write()


def address_of(url: str) -> str:
    """host:port of a URL, for messages; nothing of what stands before the last `@`, where a password may be."""
    hosts = re.split(r"[/?]", url.removeprefix("mongodb+srv://").removeprefix("mongodb://").rpartition("@")[2])[0]
    return hosts if re.fullmatch(r"[\w.\-:,\[\]]+", hosts) else "the given address"


def _client(url: str, address: str) -> AsyncMongoClient[Document]:
    given = {name.lower() for name, _ in parse_qsl(url.partition("?")[2])}
    options: dict[str, Any] = {name: value for name, value in _OPTIONS.items() if name.lower() not in given}
    try:
        return AsyncMongoClient(url, **options)
    except (PyMongoError, ValueError, TypeError):
        # The driver's words may quote the URL, and with it the password: they end here.
        raise StartRefused(
            f"MONGO_URL ({address}) cannot be read: mongodb://user:password@host:27017/database is expected,"
            " with signs such as @ : / % in the password written as %40 %3A %2F %25"
        ) from None
