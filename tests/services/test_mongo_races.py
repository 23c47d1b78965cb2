"""What happens between two steps of the stores on MongoDB: a gate between client and server holds one step back."""

import asyncio
import struct
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from homeguard.clock import SystemClock
from homeguard.model import Message
from homeguard.stores.mongo.migrate import MIGRATIONS
from homeguard.stores.mongo.open import open_mongo

NEWEST = len(list(MIGRATIONS.glob("[0-9]*.json")))
LINE = Message(
    id="m1", home_id="h1", user_id="anna", thread_id="t1", turn_id="u1", role="user", text="Hello",
    at=datetime(2026, 3, 1, tzinfo=UTC),
)  # fmt: skip
WAIT_S = 10.0


class Gate:
    """Lets all through but one command on one collection: that waits, once, until `opened` is set."""

    def __init__(self, command: str, collection: str) -> None:
        name = collection.encode() + b"\0"
        self._sign = b"\x02" + command.encode() + b"\0" + struct.pack("<i", len(name)) + name
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def pass_on(self, message: bytes) -> None:
        if self._sign in message and not self.reached.is_set():
            self.reached.set()
            await self.opened.wait()


@asynccontextmanager
async def behind(gate: Gate, url: str) -> AsyncIterator[str]:
    """The URL of the same database with the gate before it."""
    host, port = url.split("//")[1].split("/")[0].split(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_read, to_write = await asyncio.open_connection(host, int(port))
        answers = asyncio.ensure_future(_copy(to_read, writer))
        try:
            while True:
                size = await reader.readexactly(4)
                message = size + await reader.readexactly(struct.unpack("<i", size)[0] - 4)
                await gate.pass_on(message)
                to_write.write(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            answers.cancel()
            to_write.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        own = server.sockets[0].getsockname()[1]
        yield url.replace(f":{port}/", f":{own}/")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


@pytest.fixture(params=["MONGO_URL", "MONGO_DURABLE_URL"])
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    lines = (await asyncio.to_thread(Path(request.config.getoption("services")).read_text, "utf-8")).splitlines()
    server = dict(line.split("=", 1) for line in lines if "=" in line)[request.param].rpartition("/")[0]
    name = f"r{uuid.uuid4().hex[:12]}"
    yield f"{server}/{name}"
    async with AsyncMongoClient(server) as client:
        await client.drop_database(name)


@pytest.mark.parametrize("begun", [False, True])
async def test_a_thread_that_is_cleared_before_its_line_is_written_begins_anew_with_that_line(url, begun):
    gate = Gate("update", "agent_messages")
    async with (
        behind(gate, url) as gated,
        open_mongo(gated, SystemClock()) as slow,
        open_mongo(url, SystemClock()) as b,
    ):
        if begun:
            await b.conversations.append("h1", [replace(LINE, id="m0", text="Old")])
        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(slow.conversations.append("h1", [LINE]))
            await gate.reached.wait()
            assert await b.conversations.clear("h1", "anna", "t1") == 1
            gate.opened.set()

        assert await b.conversations.messages("h1", "anna", "t1") == [LINE]
        assert [t.title for t in await b.conversations.threads("h1", "anna", search="hello")] == ["Hello"]
        assert await _unseen(url, seen=1) == 0


@pytest.mark.parametrize("all_of_them", [False, True])
async def test_what_is_said_in_the_middle_of_clearing_is_cleared_too_and_leaves_nothing(url, all_of_them):
    gate = Gate("delete", "agent_conversations")
    async with (
        behind(gate, url) as gated,
        open_mongo(gated, SystemClock()) as slow,
        open_mongo(url, SystemClock()) as b,
    ):
        await b.conversations.append("h1", [replace(LINE, id="m0")])
        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
            clearing = tasks.create_task(slow.conversations.clear("h1", "anna", "" if all_of_them else "t1"))
            await gate.reached.wait()
            await b.conversations.append("h1", [LINE])
            gate.opened.set()

        assert clearing.result() == 1
        assert await b.conversations.messages("h1", "anna", "t1") == []
        assert await b.conversations.threads("h1", "anna") == []
        assert await _unseen(url, seen=0) == 0


async def test_a_thread_that_began_anew_in_the_middle_of_clearing_stays(url):
    gate = Gate("delete", "agent_conversations")
    async with (
        behind(gate, url) as gated,
        open_mongo(gated, SystemClock()) as slow,
        open_mongo(url, SystemClock()) as b,
    ):
        await b.conversations.append("h1", [replace(LINE, id="m0")])
        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
            clearing = tasks.create_task(slow.conversations.clear("h1", "anna"))
            await gate.reached.wait()
            assert await b.conversations.clear("h1", "anna") == 1
            await b.conversations.append("h1", [LINE])
            gate.opened.set()

        assert clearing.result() == 0
        assert await b.conversations.messages("h1", "anna", "t1") == [LINE]


async def test_a_migration_that_another_process_finished_meanwhile_is_not_done_again(url):
    gate = Gate("insert", "schema")
    async with behind(gate, url) as gated:

        async def open_slowly() -> None:
            async with open_mongo(gated, SystemClock()):
                pass

        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(open_slowly())
            await gate.reached.wait()
            async with open_mongo(url, SystemClock()), AsyncMongoClient(url) as client:
                await client.get_default_database().devices.drop_index("user_id_1_type_1")
            gate.opened.set()

    async with AsyncMongoClient(url) as client:
        database = client.get_default_database()
        assert sorted(await database.devices.index_information()) == ["_id_", "device_id_1_user_id_1"]
        assert await database.schema.find().to_list() == [{"_id": "version", "number": NEWEST}]


async def _unseen(url: str, *, seen: int) -> int:
    """How many lines lie in the database that nobody is shown."""
    async with AsyncMongoClient(url) as client:
        return await client.get_default_database().agent_messages.count_documents({}) - seen
