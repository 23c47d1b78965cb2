"""What only the stores on MongoDB promise: their documents, their schema, and how they bear a server that is ill."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freezing import freeze, thaw
from pymongo import AsyncMongoClient

from deploy.services.site import Site
from homeguard.clock import SystemClock
from homeguard.errors import PayloadTooLarge, StartRefused, StoreUnavailable
from homeguard.model import Automation, Device, Hardware, Message
from homeguard.stores.mongo.migrate import MIGRATIONS
from homeguard.stores.mongo.open import MongoStores, open_mongo

NEWEST = len(list(MIGRATIONS.glob("[0-9]*.json")))
AT = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
LOCK = Device(
    home_id="h1", id="lock", name="Back door", type="lock", capabilities=("lock",), area="Hall", floor="0",
    hardware=Hardware(id="0x1", vendor="Acme", model="A1", firmware="1.2"),
    config={"auto_lock_delay": 30, "volume": "medium", "a.b": 1, "grid": [[1, 2]]}, created_at=AT,
)  # fmt: skip
RULE = Automation(
    id="r1", home_id="h1", name="Night",
    trigger={"type": "device_event", "device_id": "lock", "conditions": {"time_range": {"start": "22:00"}}},
    actions=({"type": "notification", "channel": "push"},), created_at=AT, updated_at=AT,
)  # fmt: skip
LINE = Message(
    id="m1", home_id="h1", user_id="anna", thread_id="t1", turn_id="u1", role="user", text="We leave tomorrow", at=AT
)
#: Longer than any recovery here is allowed to take.
BACK_WITHIN_S = 15.0


class SteppingClock:
    """Sleeping makes it later at once."""

    def __init__(self) -> None:
        self.at = AT

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, delay_s: float) -> None:
        self.at += timedelta(seconds=delay_s)


class Private:
    """A server of this test's own, that remembers: FerretDB in a folder of its own."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._site = Site(folder, cache)

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self._site.room('ferretdb').port}/homeguard"

    def start(self) -> None:
        (outcome,) = self._site.start(["ferretdb"])
        assert outcome.state == "ready", outcome.note
        self._pid = outcome.pid

    def kill(self) -> None:
        self._site.kill(["ferretdb"])

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Its connections stay and take bytes, and nothing is answered."""
        freeze(self._pid)
        try:
            yield
        finally:
            thaw(self._pid)


@pytest.fixture
def private(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Private]:
    beside = Path(request.config.getoption("services")).absolute().parent / "cache"
    server = Private(tmp_path / "site", Path(os.environ.get("HOMEGUARD_SERVICES_CACHE", beside)))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["MONGO_URL", "MONGO_DURABLE_URL"])
def server(request: pytest.FixtureRequest) -> str:
    """The URL of each of the servers that stand in for MongoDB, without a path."""
    lines = Path(request.config.getoption("services")).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)[request.param].rpartition("/")[0]


@pytest.fixture
async def url(server: str) -> AsyncIterator[str]:
    """A database of its own there."""
    name = f"s{uuid.uuid4().hex[:12]}"
    yield f"{server}/{name}"
    async with AsyncMongoClient(server) as client:
        await client.drop_database(name)


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[object]:
    async with AsyncMongoClient(url) as client:
        yield client.get_default_database()


async def back(stores: MongoStores) -> list[Device]:
    """The devices of h1, asked for until somebody answers."""
    async with asyncio.timeout(BACK_WITHIN_S):
        while True:
            try:
                return await stores.devices.of_home("h1")
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def test_the_engine_says_who_it_is_and_answers(url):
    async with open_mongo(url, SystemClock()) as stores:
        assert stores.engine.name in ("MongoDB", "FerretDB")
        assert stores.engine.version[0].isdigit()
        await stores.engine.ping()


async def test_documents_can_be_found_by_what_people_ask_for(url):
    async with open_mongo(url, SystemClock()) as stores, raw(url) as database:
        await stores.devices.put([LOCK])
        await stores.automations.put(RULE)
        await stores.conversations.append("h1", [LINE])

        device = await database.devices.find_one({"user_id": "h1", "location.zone": "Hall", "location.floor": "0"})
        assert (device["device_id"], device["model"], device["firmware_version"]) == ("lock", "A1", "1.2")
        assert device["config"] == {"auto_lock_delay": 30, "volume": "medium", "grid": []}
        assert device["created_at"] == AT.replace(tzinfo=None, microsecond=123_000)
        assert device["updated_at"] > device["created_at"]
        rule = await database.automations.find_one({"trigger.device_id": "lock", "enabled": True})
        assert rule["trigger"] == RULE.trigger
        assert rule["actions"] == [{"type": "notification", "channel": "push"}]
        thread = await database.agent_conversations.find_one({"user_id": "anna", "session_id": "t1"})
        assert thread["title"] == "We leave tomorrow"
        line = await database.agent_messages.find_one({"life": thread["life"]})
        assert (line["role"], line["content"]) == ("user", "We leave tomorrow")


async def test_the_schema_has_its_indexes_however_often_it_is_opened(url):
    expected = {
        "devices": [[("_id", 1)], [("device_id", 1), ("user_id", 1)], [("user_id", 1), ("type", 1)]],
        "automations": [[("_id", 1)], [("trigger.device_id", 1)], [("user_id", 1), ("name", 1)]],
        "agent_conversations": [
            [("_id", 1)], [("user_id", 1), ("home_id", 1), ("updated_us", -1), ("session_id", -1)],
        ],
        "agent_messages": [[("_id", 1)], [("life", 1), ("at_us", -1), ("seq", -1)]],
    }  # fmt: skip
    for _ in range(2):
        async with open_mongo(url, SystemClock()), raw(url) as database:
            found = {
                name: sorted(index["key"] for index in (await database[name].index_information()).values())
                for name in expected
            }
            assert found == expected
            assert await database.schema.find().to_list() == [{"_id": "version", "number": NEWEST}]


async def test_many_that_open_a_new_database_at_once_all_get_it(url):
    async def put(number: int) -> None:
        async with open_mongo(url, SystemClock()) as stores:
            await stores.devices.put([replace(LOCK, id=f"d{number}", name=f"n{number}")])

    async with asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(put(number))

    async with open_mongo(url, SystemClock()) as stores, raw(url) as database:
        assert [d.id for d in await stores.devices.of_home("h1")] == [f"d{n}" for n in range(6)]
        assert await database.schema.find().to_list() == [{"_id": "version", "number": NEWEST}]


async def test_a_lock_of_one_who_died_is_taken_over_when_its_time_is_up(url):
    clock = SteppingClock()
    async with raw(url) as database:
        until = int((AT + timedelta(seconds=60)).timestamp() * 1_000_000)
        await database.schema.insert_one({"_id": "lock", "holder": "gone", "until_us": until})

        async with open_mongo(url, clock) as stores:
            assert await stores.devices.of_home("h1") == []

        assert clock.at - AT >= timedelta(seconds=60)
        assert await database.schema.find().to_list() == [{"_id": "version", "number": NEWEST}]


async def test_a_schema_that_is_newer_is_refused_and_left_alone(url):
    async with raw(url) as database:
        await database.schema.insert_one({"_id": "version", "number": 1_000})

        with pytest.raises(StartRefused, match=r"127\.0\.0\.1:\d+ was written by a newer HomeGuard \(schema 1000, "):
            async with open_mongo(url, SystemClock()):
                pass

        assert await database.list_collection_names() == ["schema"]


async def test_a_login_that_the_server_refuses_is_refused_in_one_line_without_the_password(url):
    wrong = url.replace("//", "//anna:s3cret@")
    with pytest.raises(StartRefused, match=r"^MongoDB at 127\.0\.0\.1:\d+ refused the login of MONGO_URL.*") as refusal:
        async with open_mongo(wrong, SystemClock()):
            pass

    assert "s3cret" not in refusal.value.message
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    "wrong",
    [
        "", "http://anna:s3cret@127.0.0.1:1/x", "mongodb://", "mongodb://anna:s3cret@", "mongodb://anna:s3:cret@h:1/x",
        "mongodb://anna:s3/cret@127.0.0.1:1/x", "mongodb://anna:s3cret@127.0.0.1:port/x",
        "mongodb://anna:s3cret@127.0.0.1:99999/x", "mongodb://anna:s3@cret@127.0.0.1:1/x",
        "mongodb://anna:s3%cret@127.0.0.1:1/x", "mongodb://anna:s3cret@127.0.0.1:1/a b",
        "mongodb://anna:s3cret@127.0.0.1:1/x?w=2&journal=maybe&tls=true&ssl=false",
    ],
)  # fmt: skip
async def test_a_url_that_cannot_be_read_is_refused_in_one_line_without_the_password(wrong):
    with pytest.raises(StartRefused, match="MONGO_URL") as refusal:
        async with open_mongo(wrong, SystemClock()):
            pass

    assert not any(part in refusal.value.message for part in ("s3", "cret"))
    assert "\n" not in refusal.value.message
    assert refusal.value.__cause__ is None


async def test_nobody_at_the_address_is_unavailable_and_no_mistake_of_the_operator(private):
    private.kill()

    with pytest.raises(StoreUnavailable, match=r"^MongoDB at 127\.0\.0\.1:\d+ did not answer"):
        async with open_mongo(private.url, SystemClock()):
            pass


async def test_without_a_path_the_database_is_homeguard(private):
    url = private.url.rpartition("/")[0]
    async with open_mongo(url, SystemClock()) as stores:
        await stores.devices.put([LOCK])
    async with AsyncMongoClient(url) as client:
        assert await client.homeguard.devices.count_documents({}) == 1


async def test_a_server_that_was_killed_has_what_it_acknowledged_and_is_used_again_without_a_restart(private):
    devices = [replace(LOCK, id=f"d{n:03}", name=f"n{n:03}") for n in range(120)]
    async with open_mongo(private.url, SystemClock()) as stores:
        await stores.devices.put(devices)
        await stores.automations.put(RULE)
        await stores.conversations.append("h1", [LINE])
        private.kill()

        calls = [
            stores.devices.get("h1", "d000"),
            stores.devices.put([LOCK]),
            stores.automations.of_home("h1"),
            stores.conversations.append("h1", [LINE]),
            stores.conversations.threads("h1", "anna", search="leave"),
            stores.conversations.clear("h1", "anna"),
            stores.engine.ping(),
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreUnavailable] * len(calls)

        private.start()
        assert await back(stores) == devices
        assert await stores.automations.of_home("h1") == [RULE]
        assert await stores.conversations.messages("h1", "anna", "t1") == [LINE]
        await stores.engine.ping()


async def test_what_was_written_until_the_kill_is_there_whole_and_once_after_it_is_said_again(private):
    acknowledged: list[Message] = []
    lines = [replace(LINE, id=f"m{n:04}", text=f"Line {n}", at=AT + timedelta(seconds=n)) for n in range(2_000)]

    enough = asyncio.Event()

    async def say(stores: MongoStores) -> None:
        for line in lines:
            await stores.conversations.append("h1", [line])
            acknowledged.append(line)
            if len(acknowledged) == 20:
                enough.set()

    async with open_mongo(private.url, SystemClock()) as stores:
        saying = asyncio.ensure_future(say(stores))
        async with asyncio.timeout(BACK_WITHIN_S):
            await enough.wait()
        private.kill()
        with pytest.raises(StoreUnavailable):
            await saying
        private.start()
        await back(stores)

        kept = await stores.conversations.messages("h1", "anna", "t1", limit=5_000)
        assert kept[: len(acknowledged)] == acknowledged
        said = lines[: len(acknowledged) + 1]
        for line in said[-3:]:
            await stores.conversations.append("h1", [line])
        assert await stores.conversations.messages("h1", "anna", "t1", limit=5_000) == said


async def test_a_server_that_takes_bytes_and_says_nothing_is_unavailable_and_leaves_no_connection_behind(private):
    async with open_mongo(private.url, SystemClock()) as stores:
        await stores.devices.put([LOCK])
        async with private.paused():
            # More calls than the pool has connections, so some of them wait for one.
            calls = [stores.devices.of_home("h1") for _ in range(30)]
            answers = await asyncio.gather(*calls, stores.engine.ping(), return_exceptions=True)
            assert {type(answer) for answer in answers} == {StoreUnavailable}

        assert await back(stores) == [LOCK]
        assert await asyncio.gather(*(stores.devices.of_home("h1") for _ in range(30))) == [[LOCK]] * 30


async def test_a_server_that_says_nothing_is_unavailable_when_it_is_opened(private):
    async with private.paused():
        with pytest.raises(StoreUnavailable):
            async with open_mongo(private.url, SystemClock()):
                pass


async def test_stores_that_were_closed_are_unavailable(url):
    async with open_mongo(url, SystemClock()) as stores:
        pass

    with pytest.raises(StoreUnavailable):
        await stores.devices.of_home("h1")
    with pytest.raises(StoreUnavailable):
        await stores.engine.ping()


async def test_more_than_one_document_can_hold_is_too_large(url):
    huge = "x" * 17_000_000
    async with open_mongo(url, SystemClock()) as stores:
        with pytest.raises(PayloadTooLarge):
            await stores.devices.put([replace(LOCK, name=huge)])
        with pytest.raises(PayloadTooLarge):
            await stores.automations.put(replace(RULE, name=huge))
        with pytest.raises(PayloadTooLarge):
            await stores.conversations.append("h1", [replace(LINE, text=huge)])

        assert await stores.devices.of_home("h1") == []
