"""What only the log in Kafka promises: topics, shared partitions, and how it bears brokers that are ill."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.partitioner import murmur2
from freezing import freeze, thaw

from deploy.services.site import Site
from homeguard.clock import SystemClock
from homeguard.errors import (
    Conflict,
    HomeGuardError,
    InvalidInput,
    Overloaded,
    PayloadTooLarge,
    StartRefused,
    StoreUnavailable,
)
from homeguard.model import Event
from homeguard.ports.log import ALERTS, COMMANDS, DEAD_LETTERS, EVENTS, HEARTBEATS, SCENARIO_EVENTS, NewRecord
from homeguard.stores.kafka.appends import WAITING_BYTES
from homeguard.stores.kafka.open import KafkaStores, open_kafka
from homeguard.stores.kafka.topics import RETENTION
from pipeline.dead_letters import DeadLetters
from pipeline.envelope import encode
from pipeline.processor import Processor

pytestmark = pytest.mark.timeout(120)

#: Longer than any recovery here is allowed to take.
BACK_WITHIN_S = 15.0
PATIENCE_S = 40.0

READER = """
import asyncio, sys
from homeguard.clock import SystemClock
from homeguard.ports.log import EVENTS
from homeguard.stores.kafka.open import open_kafka

async def main(brokers, prefix, instance):
    async with open_kafka(brokers, SystemClock(), instance=instance, prefix=prefix) as stores:
        while True:
            found = await stores.log.read("record", [EVENTS], limit=20, wait_s=1)
            for record in found:
                print(record.partition, record.value.decode(), flush=True)
            await stores.log.commit("record", found)

asyncio.run(main(*sys.argv[1:]))
"""


class Private:
    """A broker of this test's own."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._site = Site(folder, cache)
        self._pid = 0

    @property
    def brokers(self) -> str:
        return f"127.0.0.1:{self._site.room('kafka').port}"

    def start(self) -> None:
        (outcome,) = self._site.start(["kafka"])
        assert outcome.state in ("ready", "kept"), outcome.note
        self._pid = outcome.pid

    def kill(self) -> None:
        self._site.kill(["kafka"])

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Its connections stay and take bytes, and nothing is answered."""
        freeze(self._pid)
        try:
            yield
        finally:
            thaw(self._pid)


@pytest.fixture(scope="module")
def nobody_elses(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Private]:
    beside = Path(request.config.getoption("services")).absolute().parent / "cache"
    cache = Path(os.environ.get("HOMEGUARD_SERVICES_CACHE", beside))
    server = Private(tmp_path_factory.mktemp("site"), cache)
    yield server
    server.kill()


@pytest.fixture
def private(nobody_elses: Private) -> Private:
    nobody_elses.start()
    return nobody_elses


@pytest.fixture
def own() -> str:
    """Before the names of topics and groups at the private broker."""
    return f"s{uuid.uuid4().hex[:12]}-"


@pytest.fixture
def brokers(request: pytest.FixtureRequest) -> str:
    lines = Path(request.config.getoption("services")).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["KAFKA_BROKERS"]


@pytest.fixture
async def admin(brokers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def prefix(admin: AIOKafkaAdminClient) -> AsyncIterator[str]:
    """Before the names of topics and groups; the topics are gone afterwards."""
    name = f"s{uuid.uuid4().hex[:12]}-"
    yield name
    await admin.delete_topics([topic for topic in await admin.list_topics() if topic.startswith(name)])


def opened(brokers: str, prefix: str = "", instance: str = "one"):
    return open_kafka(brokers, SystemClock(), instance=instance, prefix=prefix)


def new(number: int, key: str = "h1/d1", topic: str = EVENTS) -> NewRecord:
    return NewRecord(topic=topic, key=key, value=f"v{number}".encode())


def over_keys(count: int, start: int = 0) -> list[NewRecord]:
    return [new(number, f"h1/d{number % 30}") for number in range(start, start + count)]


async def read(stores: KafkaStores, count: int, group: str = "record") -> list:
    """The next records until there are `count`."""
    found: list = []
    until = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < until:
        found += await stores.log.read(group, [EVENTS], limit=count - len(found), wait_s=0.5)
    return found


def reading_process(brokers: str, prefix: str, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", READER, brokers, prefix, name], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip


async def until(holds) -> None:
    """Returns when that is true; the caller bounds the wait."""
    while True:
        value = holds()
        if await value if asyncio.iscoroutine(value) else value:
            return
        await asyncio.sleep(0.05)


async def no_lag(stores: KafkaStores) -> bool:
    return await stores.log.lag("record") == 0


async def until_it_works(attempt, *args, within_s: float = BACK_WITHIN_S, **kwargs):
    """What the call gives as soon as it no longer says that Kafka is away."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                return await attempt(*args, **kwargs)
            except StoreUnavailable:
                await asyncio.sleep(0.05)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- opening


async def test_the_engine_says_who_it_is_and_answers(brokers, prefix):
    async with opened(brokers, prefix) as stores:
        assert stores.engine.name == "Kafka"
        assert stores.engine.version
        await stores.engine.ping()


async def test_topics_have_the_partitions_and_the_retention_of_the_design(brokers, prefix, admin):
    async with opened(brokers, prefix):
        described = {topic["topic"]: topic for topic in await admin.describe_topics([prefix + t for t in RETENTION])}
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": None}) for name in described]
        (answer,) = await admin.describe_configs(wanted)
    kept = {name: int(entries[0][1]) for _, _, _, name, entries in answer.resources}

    assert {name: len(t["partitions"]) for name, t in described.items() if len(t["partitions"]) > 1} == {
        prefix + topic: 3 for topic in (EVENTS, COMMANDS, HEARTBEATS)
    }
    day_ms = 86_400_000
    for topic, days in ((EVENTS, 7), (COMMANDS, 1), (HEARTBEATS, 1), (ALERTS, 30), (DEAD_LETTERS, 30)):
        assert kept[prefix + topic] == days * day_ms
    assert kept[prefix + SCENARIO_EVENTS] == 3_600_000


async def test_many_that_open_at_once_all_find_the_topics(brokers, prefix):
    async def append(number: int) -> None:
        async with opened(brokers, prefix, f"p{number}") as stores:
            await stores.log.append([new(number)])

    await asyncio.gather(*(append(number) for number in range(5)))

    async with opened(brokers, prefix) as stores:
        assert sorted(r.value for r in await stores.log.tail(EVENTS, limit=10)) == [b"v%d" % n for n in range(5)]


async def test_a_topic_that_is_there_stays_as_it_is(brokers, prefix, admin):
    await admin.create_topics([NewTopic(prefix + EVENTS, 5, 1, topic_configs={"retention.ms": "123456789"})])
    async with opened(brokers, prefix) as stores:
        await stores.log.append(over_keys(60))
        found = await read(stores, 60)
    (topic,) = await admin.describe_topics([prefix + EVENTS])
    (answer,) = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, prefix + EVENTS, {"retention.ms": None})]
    )

    assert len(topic["partitions"]) == 5
    assert answer.resources[0][4][0][1] == "123456789"
    assert {record.partition for record in found} == set(range(5))


async def test_more_copies_than_there_are_brokers_are_refused_in_one_line(brokers, prefix):
    with pytest.raises(StartRefused) as caught:
        async with open_kafka(brokers, SystemClock(), instance="one", prefix=prefix, replication=7):
            pass
    assert "eplication" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "written",
    ["", " , ", "localhost", "localhost:", ":9092", "localhost:0", "localhost:99999", "local host:9092",
     "kafka://anna:s3cret@localhost:9092", "anna:s3cret@localhost:9092", "localhost:9092/s3cret"],
)  # fmt: skip
async def test_what_names_no_broker_is_refused_without_telling_a_password(written):
    with pytest.raises(StartRefused) as caught:
        async with opened(written):
            pass
    assert "KAFKA_BROKERS" in caught.value.message
    assert "s3cret" not in caught.value.message


async def test_brokers_that_do_not_answer_are_unavailable_and_named():
    where = f"127.0.0.1:{closed_port()}"
    with pytest.raises(StoreUnavailable, match=where):
        async with opened(where):
            pass


async def test_one_that_takes_connections_and_says_nothing_is_unavailable():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        where = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(StoreUnavailable, match=where):
            async with opened(where):
                pass


async def test_after_the_end_nothing_is_taken(brokers, prefix):
    async with opened(brokers, prefix) as stores:
        await stores.log.append([new(1)])
    with pytest.raises(StoreUnavailable):
        await stores.log.append([new(2)])
    with pytest.raises(StoreUnavailable):
        await stores.log.read("record", [EVENTS], limit=1, wait_s=0)


# --- appending


async def test_records_carry_our_time_and_lie_in_the_partition_that_any_client_would_choose(brokers, prefix):
    before = SystemClock().now() - timedelta(milliseconds=1)
    async with opened(brokers, prefix) as stores:
        await stores.log.append(over_keys(90))
        found = await read(stores, 90)
        assert all(before <= record.appended_at <= SystemClock().now() for record in found)
        assert {record.partition for record in found} == {0, 1, 2}
        at = {record.key: record.partition for record in found}

    assert at == {key: (murmur2(key.encode()) & 0x7FFFFFFF) % 3 for key in at}


async def test_a_topic_that_is_not_ours_is_refused(brokers, prefix):
    async with opened(brokers, prefix) as stores:
        with pytest.raises(InvalidInput):
            await stores.log.append([new(1, topic="somebody-elses")])
        with pytest.raises(InvalidInput):
            await stores.log.tail("somebody-elses", limit=1)
        with pytest.raises(InvalidInput):
            await stores.log.read("record", ["somebody-elses"], limit=1, wait_s=0)


async def test_a_record_that_only_the_broker_finds_too_large_is_refused_and_others_go_on(brokers, prefix, admin):
    async with opened(brokers, prefix) as stores:
        await stores.log.append([new(1)])
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, prefix + EVENTS, {"max.message.bytes": "5000"})]
        )
        large = NewRecord(topic=EVENTS, key="h1/d1", value=b"x" * 50_000)
        refused = 0
        async with asyncio.timeout(BACK_WITHIN_S):
            while not refused:
                try:
                    await stores.log.append([large])
                except PayloadTooLarge:
                    refused += 1
        await until_it_works(stores.log.append, [new(2)])
        await until_it_works(stores.log.append, [new(3)])
        last = [record.value for record in await stores.log.tail(EVENTS, limit=2)]

    assert last == [b"v2", b"v3"]


async def test_batches_keep_to_what_a_topic_takes(brokers, prefix, admin):
    small = {"max.message.bytes": "6000"}
    await admin.create_topics([NewTopic(prefix + EVENTS, 1, 1, topic_configs=small)])
    async with opened(brokers, prefix) as stores:
        body = b"x" * 300
        await stores.log.append([NewRecord(topic=EVENTS, key="k", value=b"%03d" % n + body) for n in range(200)])
        found = await read(stores, 200)
        with pytest.raises(PayloadTooLarge):
            await stores.log.append([NewRecord(topic=EVENTS, key="k", value=b"x" * 6_000)])

    assert [int(record.value[:3]) for record in found] == list(range(200))


async def test_too_much_on_its_way_is_refused_and_nothing_of_it_is_kept(private, own):
    async with opened(private.brokers, own) as stores:
        await stores.log.append([new(0)])
        big = [NewRecord(topic=EVENTS, key="h1/d1", value=b"x" * 100_000) for _ in range(WAITING_BYTES // 200_000)]
        async with private.paused():
            waiting = [asyncio.ensure_future(stores.log.append(big)) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded) as caught:
                await stores.log.append(big)
            assert caught.value.details["retry_after_s"] == 1
            told = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(error) for error in told] == [StoreUnavailable] * 2
        await until_it_works(stores.log.append, [new(1)])
        assert (await stores.log.tail(EVENTS, limit=1))[0].value == b"v1"


# --- groups


async def test_two_processes_share_the_partitions_and_nothing_is_lost(brokers, prefix):
    async with opened(brokers, prefix, "one") as one, opened(brokers, prefix, "two") as two:
        seen: dict[str, list] = {"one": [], "two": []}
        stop = asyncio.Event()

        async def take(name: str, stores: KafkaStores) -> None:
            while not stop.is_set():
                found = await stores.log.read("record", [EVENTS], limit=10, wait_s=0.2)
                seen[name] += found
                await stores.log.commit("record", found)

        readers = [asyncio.create_task(take("one", one)), asyncio.create_task(take("two", two))]
        sent = 0
        async with asyncio.timeout(PATIENCE_S):
            while len({r.partition for r in seen["one"][-30:]} | {r.partition for r in seen["two"][-30:]}) < 3 or not (
                seen["one"] and seen["two"]
            ):
                await one.log.append(over_keys(30, sent))
                sent += 30
            await until(lambda: no_lag(one))
        stop.set()
        await asyncio.gather(*readers)

    values = {r.value for found in seen.values() for r in found}
    assert values == {b"v%d" % n for n in range(sent)}


async def test_what_a_process_read_and_did_not_commit_goes_to_the_next_one(brokers, prefix):
    async with opened(brokers, prefix, "one") as one:
        await one.log.append(over_keys(60))
        found = await read(one, 60)
        await one.log.commit("record", found[:1])
    async with opened(brokers, prefix, "two") as two:
        again = await read(two, 59)

    assert {r.value for r in again} == {r.value for r in found[1:]}


async def test_a_process_that_comes_back_under_its_name_goes_on_at_once(brokers, prefix):
    async with opened(brokers, prefix, "one") as one:
        await one.log.append(over_keys(30))
        await one.log.commit("record", await read(one, 30))
    async with opened(brokers, prefix, "one") as one:
        await one.log.append(over_keys(30, 30))
        # before the six seconds are over after which its place would have been given up
        async with asyncio.timeout(5):
            found = await read(one, 30)

    assert {r.value for r in found} == {b"v%d" % n for n in range(30, 60)}


async def test_a_group_that_reads_other_topics_after_an_upgrade_gets_them(brokers, prefix):
    async with opened(brokers, prefix) as stores:
        await stores.log.append([new(1), new(2, topic=COMMANDS)])
        await stores.log.commit("record", await read(stores, 1))
    async with opened(brokers, prefix) as stores:
        found = []
        async with asyncio.timeout(PATIENCE_S):
            while not found:
                found = await stores.log.read("record", [COMMANDS], limit=10, wait_s=1)

    assert [r.value for r in found] == [b"v2"]


async def test_a_commit_for_partitions_that_went_to_another_is_left_to_it(brokers, prefix):
    async with opened(brokers, prefix, "one") as one, opened(brokers, prefix, "two") as two:
        await one.log.append(over_keys(90))
        mine = await read(one, 90)
        theirs: list = []
        async with asyncio.timeout(PATIENCE_S):
            while not theirs:
                await one.log.read("record", [EVENTS], limit=1, wait_s=0)
                theirs = await two.log.read("record", [EVENTS], limit=90, wait_s=0.2)
        gone = {record.partition for record in theirs}
        await one.log.commit("record", [record for record in mine if record.partition in gone])

        assert await two.log.lag("record") == 90


async def test_a_group_that_another_process_reads_is_not_moved_under_it(brokers, prefix):
    async with opened(brokers, prefix, "one") as one, opened(brokers, prefix, "two") as two:
        await one.log.append(over_keys(90))
        stop = asyncio.Event()
        seen: dict[str, set[int]] = {"one": set(), "two": set()}

        async def keep_reading(name: str, stores: KafkaStores) -> None:
            while not stop.is_set():
                found = await stores.log.read("record", [EVENTS], limit=100, wait_s=0.2)
                seen[name] = {record.partition for record in found} or seen[name]
                await stores.log.commit("record", found)

        tasks = [asyncio.create_task(keep_reading(name, stores)) for name, stores in (("one", one), ("two", two))]
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (seen["one"] and seen["two"] and len(seen["one"]) + len(seen["two"]) == 3):
                    await one.log.append(over_keys(90))
                    await asyncio.sleep(0.1)
            with pytest.raises(Conflict):
                await one.log.seek("record", None)
            async with asyncio.timeout(PATIENCE_S):
                await until(lambda: no_lag(one))
        finally:
            stop.set()
            await asyncio.gather(*tasks)


async def test_a_killed_process_leaves_its_partitions_and_its_open_records_to_the_other(brokers, prefix):
    processes = {name: reading_process(brokers, prefix, name) for name in ("one", "two")}
    async with opened(brokers, prefix, "feeder") as feeder:
        said: dict[str, list[str]] = {name: [] for name in processes}

        def heard(name: str) -> set[str]:
            return {line.split()[0] for line in said[name][-20:]}

        async def listen(name: str) -> None:
            out = processes[name].stdout
            assert out is not None
            while (line := await asyncio.to_thread(out.readline)).endswith("\n"):
                said[name].append(line)

        listeners = [asyncio.create_task(listen(name)) for name in processes]
        try:
            sent = 0
            async with asyncio.timeout(PATIENCE_S):
                # both have their part
                while not (said["one"] and said["two"] and len(heard("one") | heard("two")) == 3):
                    await feeder.log.append(over_keys(60, sent))
                    sent += 60
                    await asyncio.sleep(0.05)
            await feeder.log.append(over_keys(600, sent))
            sent += 600
            processes["one"].kill()
            processes["one"].wait()
            after = len(said["two"])
            await feeder.log.append(over_keys(600, sent))
            sent += 600
            async with asyncio.timeout(PATIENCE_S):
                await until(lambda: no_lag(feeder))
                await until(lambda: {line.split()[0] for line in said["two"][after:]} == {"0", "1", "2"})
        finally:
            for process in processes.values():
                process.kill()
                process.wait()
            await asyncio.gather(*listeners)

    seen = {line.split()[1] for lines in said.values() for line in lines}
    assert seen == {f"v{n}" for n in range(sent)}


# --- what the rooms do with it


class Strict:
    """Cannot do the events of this key, until told otherwise."""

    def __init__(self, poison: str = "") -> None:
        self.poison = poison
        self.seen: list[str] = []

    async def __call__(self, batch) -> None:
        if any(got.device_id == self.poison for _, got in batch):
            raise ValueError("cannot make sense of it")
        self.seen += [got.event_id for _, got in batch]


@asynccontextmanager
async def processing(stores: KafkaStores, handler: Strict) -> AsyncIterator[Processor]:
    processor, stop = Processor(stores.log, "record", [EVENTS], [handler], SystemClock()), asyncio.Event()
    running = asyncio.create_task(processor.run(stop))
    try:
        yield processor
    finally:
        stop.set()
        await running


def happened(count: int) -> list[NewRecord]:
    at = SystemClock().now()
    return [
        encode(Event(event_id=f"e{n}", home_id="h1", device_id=f"d{n % 9}", event_type="motion_detected", at=at,
                     received_at=at, source="http"))
        for n in range(count)
    ]  # fmt: skip


async def test_the_consume_loop_does_everything_once_and_twice_after_it_was_set_back(brokers, prefix):
    handler = Strict()
    async with opened(brokers, prefix) as stores, processing(stores, handler) as processor:
        await stores.log.append(happened(700))
        async with asyncio.timeout(PATIENCE_S):
            await processor.caught_up()
            assert sorted(handler.seen) == sorted(f"e{n}" for n in range(700))
            await processor.rewind(None)
            await processor.caught_up()
        assert sorted(handler.seen) == sorted([f"e{n}" for n in range(700)] * 2)
        assert await stores.log.lag("record") == 0


async def test_poison_holds_up_nothing_and_is_done_when_it_is_sent_again(brokers, prefix):
    handler = Strict("d4")
    async with opened(brokers, prefix) as stores, processing(stores, handler) as processor:
        await stores.log.append(happened(45))
        async with asyncio.timeout(PATIENCE_S):
            await processor.caught_up()
        assert processor.poisoned == 5
        assert len(handler.seen) == 40
    handler.poison = ""
    async with opened(brokers, prefix) as stores, processing(stores, handler) as processor:
        letters = DeadLetters(stores.log, stores.log)
        told = await letters.list(10)
        assert [(t.key, t.is_waiting, t.topic) for t in told] == [("h1/d4", True, EVENTS)] * 5
        done = await letters.retry()
        assert (done.letters, done.sent) == (5, 5)
        async with asyncio.timeout(PATIENCE_S):
            await processor.caught_up()
        assert [t.is_waiting for t in await letters.list(10)] == [False] * 5
        assert (await letters.retry()).letters == 0
    assert sorted(handler.seen) == sorted(f"e{n}" for n in range(45))


# --- brokers that are ill


async def test_brokers_that_are_killed_under_load_lose_nothing_that_was_acknowledged(private, own):
    ledger: list[int] = []
    stop = asyncio.Event()

    async def append(stores: KafkaStores, task: int) -> None:
        number = 0
        while not stop.is_set():
            batch = [1_000_000 * task + number + i for i in range(5)]
            try:
                await stores.log.append([new(n, f"h1/d{task}") for n in batch])
            except HomeGuardError:
                await asyncio.sleep(0.05)  # what is not known to be there is sent again
                continue
            ledger.extend(batch)
            number += 5

    async def enough(count: int, within_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(within_s):
            await until(lambda: len(ledger) >= count)

    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(opened(private.brokers, own))
        tasks = [asyncio.create_task(append(stores, task)) for task in range(6)]
        for _ in range(2):
            await enough(len(ledger) + 2_000)
            await asyncio.to_thread(private.kill)
            await asyncio.to_thread(private.start)
            await enough(len(ledger) + 500, BACK_WITHIN_S)
        stop.set()
        await asyncio.gather(*tasks)
        found: list[int] = []
        async with asyncio.timeout(PATIENCE_S):
            while not set(ledger) <= set(found):
                found += [int(r.value[1:]) for r in await stores.log.read("check", [EVENTS], limit=5_000, wait_s=0.5)]

    assert len(ledger) > 5_000
    for task in range(6):
        mine = [n for n in found if n // 1_000_000 == task]
        firsts = list(dict.fromkeys(mine))
        assert firsts == sorted(firsts)


async def test_readers_and_positions_outlive_brokers_that_are_killed(private, own):
    async with opened(private.brokers, own) as stores:
        await stores.log.append(over_keys(40))
        found = await read(stores, 40)
        await stores.log.commit("record", found)
        await asyncio.to_thread(private.kill)
        assert await stores.log.read("record", [EVENTS], limit=10, wait_s=0.2) == []
        for call in (stores.engine.ping(), stores.log.lag("record"), stores.log.append([new(1)]),
                     stores.log.tail(EVENTS, limit=1), stores.log.seek("record", None)):  # fmt: skip
            with pytest.raises(StoreUnavailable, match=private.brokers):
                await call
        with pytest.raises(StoreUnavailable, match=private.brokers):
            await stores.log.read("record", [EVENTS], limit=10, wait_s=0.2)
        await asyncio.to_thread(private.start)

        await until_it_works(stores.engine.ping)
        assert await until_it_works(stores.log.lag, "record") in (0, 1)
        await until_it_works(stores.log.append, [new(99)])
        async with asyncio.timeout(BACK_WITHIN_S):
            while b"v99" not in {r.value for r in found}:
                found = await until_it_works(stores.log.read, "record", [EVENTS], limit=10, wait_s=0.5)
                await stores.log.commit("record", found)
        assert await stores.log.lag("record") == 0


async def test_brokers_that_say_nothing_are_unavailable_in_time_and_then_go_on(private, own):
    async with opened(private.brokers, own) as stores:
        await stores.log.append(over_keys(10))
        await stores.log.commit("record", await read(stores, 10))
        async with private.paused():
            for call, within_s in (
                (stores.engine.ping(), 2), (stores.log.append([new(50)]), 5), (stores.log.lag("record"), 5),
            ):  # fmt: skip
                async with asyncio.timeout(within_s + 2):
                    with pytest.raises(StoreUnavailable):
                        await call
            assert await stores.log.read("record", [EVENTS], limit=10, wait_s=0.2) == []
        await until_it_works(stores.engine.ping)
        await until_it_works(stores.log.append, [new(51)])
        # its place in the group may have been given up meanwhile: then the records come again
        seen: set[bytes] = set()
        async with asyncio.timeout(BACK_WITHIN_S):
            while b"v51" not in seen or not await no_lag(stores):
                found = await until_it_works(stores.log.read, "record", [EVENTS], limit=10, wait_s=0.5)
                seen |= {r.value for r in found}
                await stores.log.commit("record", found)


async def test_a_log_is_closed_in_time_while_its_brokers_are_away(private, own):
    async with asyncio.timeout(PATIENCE_S), AsyncExitStack() as stack:
        stores = await stack.enter_async_context(opened(private.brokers, own))
        await stores.log.append(over_keys(10))
        await read(stores, 10)
        await asyncio.to_thread(private.kill)
        waiting = asyncio.ensure_future(stores.log.append([new(1)]))
        await asyncio.sleep(0)
        async with asyncio.timeout(BACK_WITHIN_S):
            await stack.aclose()
        with pytest.raises(StoreUnavailable):
            await waiting
