"""What only the cluster promises: refusals at the start, one schema, servers that die, freeze or are cut off."""

import asyncio
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from freezing import freeze, thaw

from deploy.services.engines.cassandra import CASSANDRA
from deploy.services.room import Room, free_ports
from homeguard.clock import SystemClock
from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.ids import device_uuid
from homeguard.model import Alert, Anomaly, Event
from homeguard.stores.scylla import alerts, days
from homeguard.stores.scylla.connect import connected
from homeguard.stores.scylla.cql import Cql
from homeguard.stores.scylla.open import open_scylla
from homeguard.stores.scylla.schema import migrations, statements

AT = datetime(2026, 3, 1, 23, 59, 58, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
CLOCK = SystemClock()
RECOVERY_S = 15
PASSWORD = "cassandra"  # of the private server only: the one that every new server has


@pytest.fixture
def home() -> str:
    return f"h{uuid.uuid4().hex[:12]}"


@pytest.fixture
def event(home: str) -> Callable[..., Event]:
    def event(number: int, **changes) -> Event:
        return msgspec.structs.replace(
            Event(
                home_id=home, event_id=f"e{number:05}", event_type="motion", at=AT + number * SECOND, received_at=AT,
                device_id=f"d{number % 7}", payload={"n": number},
            ),
            **changes,
        )  # fmt: skip

    return event


@pytest.fixture
def alert(home: str) -> Callable[..., Alert]:
    def alert(number: int, **changes) -> Alert:
        return replace(
            Alert(id=f"a{number}", home_id=home, at=AT, kind="intrusion", severity="high", title="t", text="x"),
            **changes,
        )

    return alert


def named(config: pytest.Config, name: str) -> str:
    lines = Path(config.getoption("services")).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)[name]


@pytest.fixture
def hosts(request: pytest.FixtureRequest) -> str:
    return named(request.config, "SCYLLA_HOSTS")


@asynccontextmanager
async def session(hosts: str, keyspace: str = "", login: str = ""):
    async with connected(hosts, login=login, deadline_s=30, in_flight=8) as cql:
        if keyspace:
            await cql.use(keyspace)
        yield cql


@pytest.fixture
async def new_keyspace(hosts: str) -> AsyncIterator[str]:
    """A name that nothing has, gone afterwards."""
    name = f"s{uuid.uuid4().hex[:12]}"
    yield name
    await dropped(hosts, name)


@pytest.fixture(scope="module")
def keyspace(request: pytest.FixtureRequest) -> Iterator[str]:
    """One for all tests that have a home of their own in it: making one takes seconds."""
    hosts, name = named(request.config, "SCYLLA_HOSTS"), f"s{uuid.uuid4().hex[:12]}"

    async def make() -> None:
        async with open_scylla(hosts, CLOCK, keyspace=name):
            pass

    asyncio.run(make())
    yield name
    asyncio.run(dropped(hosts, name))


async def dropped(hosts: str, name: str) -> None:
    async with session(hosts) as cql:
        await cql.run(f"DROP KEYSPACE IF EXISTS {name}")


async def until(works: Callable[[], Awaitable[object]], within_s: float) -> None:
    """Try again until it works; in the meantime it may fail with our error only."""
    end = time.monotonic() + within_s
    while True:
        try:
            await works()
        except StoreUnavailable:
            assert time.monotonic() < end, f"it did not work again within {within_s} s"
            await asyncio.sleep(0.1)
        else:
            return


async def all_of(stores, home: str, **query) -> list[Event]:
    found, cursor = [], None
    while True:
        page = await stores.events.query(home, limit=1000, cursor=cursor, **query)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


# --- refused at the start


@pytest.mark.parametrize(
    "wrong",
    ["", " ", "127.0.0.1:x", "127.0.0.1:70000", "a:1,,b:2", "http://127.0.0.1", "me:geheim@127.0.0.1:9042", "[::1"],
)
async def test_addresses_that_cannot_be_read_are_refused_in_one_line(wrong):
    with pytest.raises(StartRefused) as caught:
        async with open_scylla(wrong, CLOCK):
            pass

    assert "SCYLLA_HOSTS" in caught.value.message
    assert "geheim" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("wrong", ["", "Events", "a-b", "9x", "x" * 49, "a; DROP KEYSPACE system"])
async def test_a_keyspace_with_an_odd_name_is_refused(hosts, wrong):
    with pytest.raises(StartRefused, match="SCYLLA_KEYSPACE"):
        async with open_scylla(hosts, CLOCK, keyspace=wrong):
            pass


@pytest.mark.parametrize("wrong", ["geheim", ":geheim"])
async def test_a_login_that_cannot_be_read_is_refused_without_telling_it(hosts, wrong):
    with pytest.raises(StartRefused, match="SCYLLA_LOGIN") as caught:
        async with open_scylla(hosts, CLOCK, login=wrong):
            pass

    assert "geheim" not in caught.value.message


async def test_where_nobody_listens_the_store_is_unavailable():
    (port,) = free_ports(1, ())

    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}"):
        async with open_scylla(f"127.0.0.1:{port}", CLOCK):
            pass


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x84\x00\x00\x00"])
async def test_what_is_no_such_server_is_given_up_soon(answer):
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            writer.write(answer)
        writer.close()

    (port,) = free_ports(1, ())
    server = await asyncio.start_server(greet, "127.0.0.1", port)
    async with server, asyncio.timeout(20):
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}"):
            async with open_scylla(f"127.0.0.1:{port}", CLOCK):
                pass


async def test_a_newer_schema_is_refused_and_left_alone(hosts, new_keyspace, home, event):
    async with open_scylla(hosts, CLOCK, keyspace=new_keyspace) as stores:
        await stores.events.append([event(1)])
    async with session(hosts, new_keyspace) as cql:
        await cql.run("INSERT INTO schema_versions (part, number) VALUES ('events', 99)")

    with pytest.raises(StartRefused, match=f"{new_keyspace}.*{hosts}.*schema 99"):
        async with open_scylla(hosts, CLOCK, keyspace=new_keyspace):
            pass

    async with session(hosts, new_keyspace) as cql:
        await cql.run("DELETE FROM schema_versions WHERE part = 'events' AND number = 99")
    async with open_scylla(hosts, CLOCK, keyspace=new_keyspace) as stores:
        assert await stores.events.get(home, "e00001") == event(1)


# --- the schema


async def test_many_who_open_a_new_keyspace_at_once_make_it_once(hosts, new_keyspace, home, event):
    async with AsyncExitStack() as stack:
        opened = await asyncio.gather(
            *(stack.enter_async_context(open_scylla(hosts, CLOCK, keyspace=new_keyspace)) for _ in range(4))
        )
        assert [await stores.events.append([event(n)]) for n, stores in enumerate(opened)] == [1, 1, 1, 1]
        assert [await stores.events.count(home) for stores in opened] == [4, 4, 4, 4]
    async with session(hosts, new_keyspace) as cql:
        assert await cql.run("SELECT number FROM schema_versions") == [(n,) for n in range(1, len(migrations()) + 1)]
        assert await cql.run("SELECT holder FROM schema_lock") == []


async def test_a_migration_that_was_cut_off_is_finished_by_the_next(hosts, new_keyspace, event, alert):
    async with session(hosts) as cql:
        await cql.run(
            f"CREATE KEYSPACE {new_keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
        )
        await cql.use(new_keyspace)
        for statement in statements(migrations()[0])[:4]:
            await cql.run(statement)
        await cql.run("CREATE TABLE schema_lock (part text, holder uuid, PRIMARY KEY ((part)))")
        await cql.run("INSERT INTO schema_lock (part, holder) VALUES ('events', uuid()) USING TTL 3")

    async with open_scylla(hosts, CLOCK, keyspace=new_keyspace) as stores:
        assert await stores.events.append([event(1)]) == 1
        assert await stores.alerts.raise_([alert(1)]) == [alert(1)]


@pytest.mark.timeout(120)
async def test_the_schema_is_the_one_that_was_asked_for(hosts, keyspace):
    async with open_scylla(hosts, CLOCK, keyspace=keyspace):
        pass
    async with session(hosts) as cql:
        ((replication,),) = await cql.run(
            "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s", (keyspace,)
        )
        columns = await cql.run(
            "SELECT table_name, column_name, kind, position, clustering_order FROM system_schema.columns"
            " WHERE keyspace_name = %s", (keyspace,)
        )  # fmt: skip
        tables = await cql.run(
            "SELECT table_name, default_time_to_live, compaction FROM system_schema.tables WHERE keyspace_name = %s",
            (keyspace,),
        )
    assert replication["class"].endswith("SimpleStrategy")
    assert replication["replication_factor"] == "1"

    def key(table: str, kind: str) -> list[str]:
        found = sorted((position, name, order) for t, name, k, position, order in columns if (t, k) == (table, kind))
        return [name if order == "none" else f"{name} {order}" for _, name, order in found]

    for table, partition in {
        "events_by_device": ["device_id", "event_date"],
        "events_by_user": ["user_id", "event_date"],
        "events_by_type": ["user_id", "event_type", "event_date"],
    }.items():
        assert key(table, "partition_key") == partition
        assert key(table, "clustering") == ["event_time desc", "event_id asc"]
    kept = {table: (ttl, dict(compaction)) for table, ttl, compaction in tables}
    for table in ("events_by_device", "events_by_user", "events_by_type", "alerts", "anomalies"):
        ttl, compaction = kept[table]
        assert ttl == 90 * 86_400
        assert compaction["class"].endswith("TimeWindowCompactionStrategy")
        assert (compaction["compaction_window_unit"], compaction["compaction_window_size"]) == ("DAYS", "1")
    assert kept["device_heartbeats"][0] == 7 * 86_400


async def test_the_engine_says_what_it_is_and_answers(hosts, keyspace):
    async with open_scylla(hosts, CLOCK, keyspace=keyspace) as stores, session(hosts) as cql:
        ((version,),) = await cql.run("SELECT release_version FROM system.local")
        await stores.engine.ping()

        assert (stores.engine.name, stores.engine.version) == ("Cassandra", version)


async def test_rows_expire_by_themselves_and_a_heartbeat_is_noted_for_a_week(hosts, keyspace, home, event):
    async with open_scylla(hosts, CLOCK, keyspace=keyspace) as stores:
        await stores.events.append([event(1, event_type="heartbeat"), event(2)])
    async with session(hosts, keyspace) as cql:
        beats = await cql.run(
            "SELECT user_id, device_id, event_time, TTL(device) FROM device_heartbeats"
            " WHERE user_id = %s ALLOW FILTERING",
            (home,),
        )
        left = await cql.run("SELECT TTL(payload) FROM events_by_user WHERE user_id = %s ALLOW FILTERING", (home,))
        written = await cql.run(
            "SELECT WRITETIME(firmware_version) FROM events_by_user WHERE user_id = %s ALLOW FILTERING", (home,)
        )

    ((home_id, device, at, ttl),) = beats
    assert (home_id, device, at) == (home, device_uuid(home, "d1"), (AT + SECOND).replace(tzinfo=None))
    assert 6 * 86_400 < ttl <= 7 * 86_400
    assert all(89 * 86_400 < ttl <= 90 * 86_400 for (ttl,) in left)
    assert len(left) == 2
    # What an event does not say is not written, so that it leaves no tombstone.
    assert written == [(None,)] * 2


class Later(SystemClock):
    """Two minutes ahead: what was written just now is no news to it."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=2)


async def test_a_day_is_counted_again_only_when_it_changed(hosts, keyspace, home, event):
    async with (
        open_scylla(hosts, CLOCK, keyspace=keyspace) as soon,
        open_scylla(hosts, Later(), keyspace=keyspace) as later,
        session(hosts, keyspace) as cql,
    ):
        await soon.events.append([event(n, at=AT - n * DAY) for n in range(10)])
        assert await soon.events.count(home) == 10
        # Nothing is kept of a day that may be in change still.
        assert await cql.run("SELECT events FROM event_counts WHERE home_id = %s", (home,)) == []

        assert await later.events.count(home) == 10
        # Rows that go without a change, as by expiry, are noticed when the count itself expires.
        await cql.run("DELETE FROM events_by_user WHERE user_id = %s AND event_date = '2026-02-25'", (home,))
        assert await later.events.count(home) == 10
        await later.events.append([event(20, at=AT - 4 * DAY + SECOND)])
        assert await later.events.count(home) == 10


# --- several processes, and work that was cut short


async def test_of_two_processes_that_raise_one_alert_one_is_first(hosts, keyspace, home, alert):
    async with (
        open_scylla(hosts, CLOCK, keyspace=keyspace) as one,
        open_scylla(hosts, CLOCK, keyspace=keyspace) as other,
    ):
        for n in range(10):
            first, second = await asyncio.gather(one.alerts.raise_([alert(n)]), other.alerts.raise_([alert(n)]))
            assert first + second == [alert(n)]

        assert len(await one.alerts.query(home, start=AT, end=AT + SECOND)) == 10


async def test_two_processes_that_store_the_same_events_store_them_once(hosts, keyspace, home, event):
    events = [event(n) for n in range(200)]
    async with (
        open_scylla(hosts, CLOCK, keyspace=keyspace) as one,
        open_scylla(hosts, CLOCK, keyspace=keyspace) as other,
    ):
        await asyncio.gather(*(stores.events.append(events) for stores in (one, other, one, other)))

        assert await one.events.count(home) == 200
        assert await all_of(other, home) == events[::-1]


class AsksTwice:
    """As the driver does when an answer is lost: the server does it all twice, and the second answer counts."""

    def __init__(self, cql: Cql) -> None:
        self.deadline, self.write = cql.deadline, cql.write
        self._each = cql.each

    async def each(self, asks):
        asks = list(asks)
        await self._each(asks)
        return await self._each(asks)


async def test_an_alert_whose_first_answer_was_lost_is_new_all_the_same(hosts, keyspace, home, alert):
    async with open_scylla(hosts, CLOCK, keyspace=keyspace) as stores, session(hosts, keyspace) as cql:
        await cql.prepare((*alerts.STATEMENTS, *days.STATEMENTS))
        await stores.alerts.raise_([alert(2)])

        assert await alerts.ScyllaAlerts(AsksTwice(cql)).raise_([alert(1), alert(2), alert(3)]) == [alert(1), alert(3)]
        assert await stores.alerts.query(home, start=AT, end=AT + SECOND) == [alert(1), alert(2), alert(3)]


async def test_an_alert_that_was_cut_short_is_listed_when_it_is_raised_again(hosts, keyspace, home, alert):
    async with open_scylla(hosts, CLOCK, keyspace=keyspace) as stores:
        await stores.alerts.raise_([alert(1)])
        async with session(hosts, keyspace) as cql:
            await cql.run("DELETE FROM alerts WHERE home_id = %s AND event_date = '2026-03-01'", (home,))
            await cql.run("DELETE FROM days WHERE home_id = %s", (home,))
        assert await stores.alerts.query(home, start=AT, end=AT + SECOND) == []

        assert await stores.alerts.raise_([alert(1, text="again", at=AT + DAY)]) == []

        assert await stores.alerts.query(home, start=AT - DAY, end=AT + 9 * DAY) == [alert(1)]


async def test_a_day_whose_events_expired_hides_no_older_one(hosts, keyspace, home, event):
    async with open_scylla(hosts, CLOCK, keyspace=keyspace) as stores:
        await stores.events.append([event(1, at=AT - 9 * DAY, device_id="d"), event(2, at=AT, device_id="d")])
        async with session(hosts, keyspace) as cql:
            await cql.run(
                "DELETE FROM events_by_device WHERE device_id = %s AND event_date = '2026-03-01'",
                (device_uuid(home, "d"),),
            )

        assert await stores.events.latest(home, ["d"]) == {"d": event(1, at=AT - 9 * DAY, device_id="d")}


# --- between us and the server


class Wire:
    """Forwards to the server, or not."""

    def __init__(self, hosts: str) -> None:
        host, port = hosts.split(",")[0].split(":")
        self._server = (host, int(port))
        (self.port,) = free_ports(1, ())
        self.hosts = f"127.0.0.1:{self.port}"
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._ways: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self.delay_s = 0.0
        self.answered = 0
        #: Cut all connections once so many more bytes were asked.
        self.fuse: int | None = None
        #: Refuse version 5 of the protocol, as Scylla does.
        self.is_old = False

    async def listen(self) -> None:
        self._listener = await asyncio.start_server(self._meet, "127.0.0.1", self.port)

    def hold(self) -> None:
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    def cut(self) -> None:
        """Reset every connection; new ones are taken while it listens."""
        for writer in self._writers:
            with suppress(Exception):
                writer.transport.abort()
        self._writers.clear()

    async def refuse(self) -> None:
        assert self._listener is not None
        self._listener.close()
        self.cut()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65_536)
        if self.is_old and first[:1] == b"\x05":
            said = b"Invalid or unsupported protocol version (5); supported versions are (3/v3, 4/v4)"
            body = (10).to_bytes(4, "big") + len(said).to_bytes(2, "big") + said
            writer.write(b"\x84\x00" + first[2:4] + b"\x00" + len(body).to_bytes(4, "big") + body)
            await writer.drain()
            writer.close()
            return
        theirs, ours = await asyncio.open_connection(*self._server)
        ours.write(first)
        self._writers |= {writer, ours}
        for way in (self._carry(reader, ours, True), self._carry(theirs, writer, False)):
            task = asyncio.create_task(way)
            self._ways.add(task)
            task.add_done_callback(self._ways.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_asked: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._open.wait()
                if is_asked:
                    await asyncio.sleep(self.delay_s)
                    if self.fuse is not None:
                        self.fuse -= len(data)
                        if self.fuse < 0:
                            self.fuse = None
                            self.cut()
                            return
                else:
                    self.answered += len(data)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def close(self) -> None:
        self.go_on()
        await self.refuse()
        for way in list(self._ways):
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)


@pytest.fixture
async def wire(hosts: str) -> AsyncIterator[Wire]:
    wire = Wire(hosts)
    await wire.listen()
    yield wire
    await wire.close()


@pytest.mark.timeout(120)
async def test_a_server_that_swallows_everything_is_unavailable_and_works_again_when_it_answers(
    wire, keyspace, home, event, alert
):
    async with open_scylla(wire.hosts, CLOCK, keyspace=keyspace, deadline_s=1) as stores:
        await stores.events.append([event(1)])
        wire.hold()
        for call in (
            stores.events.append([event(2)]),
            stores.events.query(home),
            stores.events.count(home),
            stores.alerts.raise_([alert(1)]),
            stores.engine.ping(),
        ):
            with pytest.raises(StoreUnavailable):
                async with asyncio.timeout(5):
                    await call
        wire.go_on()

        await until(lambda: stores.events.append([event(2)]), RECOVERY_S)
        assert await all_of(stores, home) == [event(2), event(1)]


@pytest.mark.timeout(120)
async def test_a_connection_that_is_reset_or_refused_heals_by_itself(wire, keyspace, home, event):
    async with open_scylla(wire.hosts, CLOCK, keyspace=keyspace) as stores:
        await stores.events.append([event(1)])
        wire.cut()
        await until(lambda: stores.events.append([event(2)]), RECOVERY_S)

        await wire.refuse()
        with pytest.raises(StoreUnavailable):
            await stores.events.append([event(3)])
        await wire.listen()
        await until(lambda: stores.events.append([event(3)]), RECOVERY_S)

        assert await all_of(stores, home) == [event(3), event(2), event(1)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("fuse", [1_000, 20_000, 60_000, 120_000, 150_000, 170_000])
async def test_an_append_that_was_cut_short_is_made_whole_by_doing_it_again(wire, hosts, keyspace, fuse, home, event):
    events = [event(n, at=AT + (n % 3) * DAY) for n in range(200)]
    async with open_scylla(hosts, CLOCK, keyspace=keyspace):
        pass
    async with open_scylla(wire.hosts, CLOCK, keyspace=keyspace) as stores:
        wire.fuse = fuse
        with suppress(StoreUnavailable):
            await stores.events.append(events)
        wire.fuse = None
        await until(lambda: stores.events.append(events), RECOVERY_S)

        assert await stores.events.append(events) == 0
        assert await stores.events.count(home) == 200
        for query in ({}, {"event_types": ["motion"]}):
            assert {e.event_id for e in await all_of(stores, home, **query)} == {e.event_id for e in events}
        assert len(await all_of(stores, home, device_id="d3")) == len([e for e in events if e.device_id == "d3"])


async def test_a_server_two_seconds_away_is_waited_for(wire, keyspace, home, event):
    async with open_scylla(wire.hosts, CLOCK, keyspace=keyspace) as stores:
        await stores.events.append([event(1)])
        wire.delay_s = 2

        assert (await stores.events.query(home, start=AT, end=AT + DAY)).items == (event(1),)


async def test_a_server_that_speaks_an_older_protocol_is_spoken_to_in_it(wire, keyspace, home, event):
    wire.is_old = True

    async with open_scylla(wire.hosts, CLOCK, keyspace=keyspace) as stores:
        assert await stores.events.append([event(n) for n in range(30)]) == 30
        assert await all_of(stores, home) == [event(n) for n in range(29, -1, -1)]


async def test_a_question_moves_no_more_than_its_answer(wire, keyspace, home, event):
    events = [event(n, at=AT - (n % 10) * DAY - (n // 10) * SECOND, payload={"x": "y" * 200}) for n in range(1500)]
    async with open_scylla(wire.hosts, CLOCK, keyspace=keyspace) as stores:
        await stores.events.append(events)
        for query in ({}, {"device_id": "d3"}, {"event_types": ["motion", "telemetry"]}):
            before = wire.answered
            assert len((await stores.events.query(home, limit=3, **query)).items) == 3

            # Rows of ~400 bytes: four from each of the first two days, and the list of days.
            assert wire.answered - before < 12_000


# --- a server of our own


class Server:
    """A private Cassandra that asks for a login."""

    def __init__(self, room: Room) -> None:
        room.furnish(3, ())
        launch = CASSANDRA.launch(room)
        text = (room.data / "cassandra.yaml").read_text(encoding="utf-8")
        text += "\nauthenticator: PasswordAuthenticator\nauthorizer: CassandraAuthorizer"
        text += "\nrole_manager: CassandraRoleManager\n"
        room.write("cassandra.yaml", text)
        self._room, self._launch = room, launch
        self.hosts = f"127.0.0.1:{room.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._room.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self._launch.argv), cwd=self._launch.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 120
        while not self._is_healthy():
            assert self.process.poll() is None, self._room.log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < end, "it did not start"
            time.sleep(0.1)

    def _is_healthy(self) -> bool:
        with suppress(OSError):
            return CASSANDRA.is_healthy(self._room)
        return False

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    cache = Path(request.config.getoption("services")).resolve().parent / "cache"
    server = Server(Room(folder=tmp_path_factory.mktemp("cassandra") / "room", cache=cache))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
async def login(server: Server) -> str:
    """The server's own user, once it has been made."""
    end = time.monotonic() + 60
    while True:
        try:
            async with session(server.hosts, login=f"cassandra:{PASSWORD}") as cql:
                await cql.run("SELECT role FROM system_auth.roles")
        except (StartRefused, StoreUnavailable):
            assert time.monotonic() < end, "the user was never made"
            await asyncio.sleep(0.2)
        else:
            return f"cassandra:{PASSWORD}"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("wrong", ["", "cassandra:geheim", "nobody:geheim"])
async def test_a_wrong_login_is_refused_in_one_line_without_the_password(server, login, wrong):
    with pytest.raises(StartRefused, match="SCYLLA_LOGIN") as caught:
        async with open_scylla(server.hosts, CLOCK, login=wrong):
            pass

    assert server.hosts in caught.value.message
    assert "geheim" not in caught.value.message


@pytest.mark.timeout(240)
async def test_a_login_that_may_do_too_little_is_refused(server, login):
    async with session(server.hosts, login=login) as cql:
        await cql.run("CREATE ROLE IF NOT EXISTS guest WITH PASSWORD = 'geheim' AND LOGIN = true")

    with pytest.raises(StartRefused, match=server.hosts) as caught:
        async with open_scylla(server.hosts, CLOCK, keyspace="not_allowed", login="guest:geheim"):
            pass

    assert "geheim" not in caught.value.message


@pytest.mark.timeout(240)
async def test_what_was_acknowledged_outlives_a_killed_server_and_the_same_stores_go_on(server, login, home, event):
    acknowledged: list[Event] = []
    enough = asyncio.Event()

    async with open_scylla(server.hosts, CLOCK, keyspace="killed", login=login) as stores:

        async def write(numbers: range) -> None:
            for start in numbers:
                batch = [event(n) for n in range(start, start + 10)]
                try:
                    await stores.events.append(batch)
                except StoreUnavailable:
                    return
                acknowledged.extend(batch)
                if len(acknowledged) >= 500:
                    enough.set()

        writing = asyncio.create_task(write(range(0, 100_000, 10)))
        await asyncio.wait_for(enough.wait(), 60)
        await asyncio.to_thread(server.kill)
        await writing
        with pytest.raises(StoreUnavailable):
            await stores.events.query(home)
        with pytest.raises(StoreUnavailable):
            await stores.engine.ping()
        await asyncio.to_thread(server.start)

        await until(stores.engine.ping, RECOVERY_S)
        await until(lambda: stores.events.append([event(99_999)]), RECOVERY_S)
        found = {e.event_id for e in await all_of(stores, home)}
        assert {e.event_id for e in acknowledged} <= found
        # Whoever sends again what was not acknowledged finds it stored once.
        await stores.events.append([event(n) for n in range(len(acknowledged), len(acknowledged) + 10)])
        assert await stores.events.count(home) == len(acknowledged) + 11


@pytest.mark.timeout(240)
async def test_a_frozen_server_is_unavailable_in_time_and_the_same_stores_go_on_when_it_thaws(
    server, login, home, event
):
    odd = Anomaly(
        id="x", home_id=home, device_id="d", at=AT, kind="spike", score=0.5, severity="low", explanation="odd",
        event_id="e",
    )  # fmt: skip
    async with open_scylla(server.hosts, CLOCK, keyspace="frozen", login=login, deadline_s=2) as stores:
        await stores.events.append([event(1)])
        await stores.anomalies.append([odd])
        freeze(server.pid)
        try:
            for call in (stores.events.append([event(2)]), stores.events.latest(home, ["d1"]), stores.engine.ping()):
                with pytest.raises(StoreUnavailable):
                    async with asyncio.timeout(8):
                        await call
        finally:
            thaw(server.pid)

        await until(lambda: stores.events.append([event(2)]), RECOVERY_S)
        assert await all_of(stores, home) == [event(2), event(1)]
        assert await stores.anomalies.query(home, start=AT, end=AT + DAY) == [odd]
