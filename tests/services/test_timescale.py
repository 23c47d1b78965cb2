"""What only readings in PostgreSQL promise: two grounds, weeks that come and go, a server that dies or freezes."""

import asyncio
import logging
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from freezing import freeze, thaw

from deploy.services.site import Site
from homeguard.clock import SystemClock
from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.ids import device_uuid
from homeguard.model import Reading, Window
from homeguard.stores.postgresql import open_pool
from homeguard.stores.timescale.ground import EXTENSION, LEDGER, PLAIN
from homeguard.stores.timescale.open import open_timescale
from homeguard.stores.timescale.retention import Retention

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
SERIES = ("h1", "d1", "temperature_c")
#: Longer than any recovery here is allowed to take.
BACK_WITHIN_S = 15.0
GROUNDS = {"plain": "TIMESCALE_URL", "extension": "TIMESCALE_EXTENSION_URL"}


class SetClock(SystemClock):
    """The machine's clock until it is set."""

    at: datetime | None = None

    def now(self) -> datetime:
        return self.at or super().now()


def services(config: pytest.Config) -> dict[str, str]:
    lines = Path(config.getoption("services")).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On each of the grounds that the servers have; one that they lack is named by the contract's own run."""
    if "ground" in metafunc.fixturenames:
        given = services(metafunc.config)
        metafunc.parametrize("ground", [ground for ground, name in GROUNDS.items() if name in given])


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A database of its own: on the server of the test's ground, or on that without the extension."""
    params = getattr(getattr(request.node, "callspec", None), "params", {})
    name = f"s{uuid.uuid4().hex[:12]}"
    shared = services(request.config)[GROUNDS[params.get("ground", "plain")]]
    async with raw(shared) as server:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield other(shared, path=f"/{name}")
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def open_on(ground: str, url: str, clock: SetClock):
    return lambda: open_timescale(url, clock, extension=ground == "extension")


def other(url: str, *, user: str | None = None, password: str | None = None, **changes: str) -> str:
    """The URL with another user, password or part."""
    parts = urlsplit(url)
    sign_in = f"{user or parts.username}:{password or parts.password}"
    return parts._replace(netloc=f"{sign_in}@{parts.hostname}:{parts.port}")._replace(**changes).geturl()


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url, timeout=10, server_settings={"timezone": "UTC"})
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


@asynccontextmanager
async def retention(url: str, ground: str, clock: SetClock) -> AsyncIterator[Retention]:
    chosen = EXTENSION if ground == "extension" else PLAIN
    async with open_pool(url, chosen.migrations(), ledger=LEDGER) as pool:
        yield Retention(pool=pool, clock=clock, keep=90 * DAY, partitioned=ground == "plain")


def reading(number: int, at: datetime, value: float = 20.0, device_id: str = "d1") -> Reading:
    return Reading(
        home_id="h1", device_id=device_id, metric="temperature_c", value=value, unit="°C", at=at,
        event_id=f"e{number:06}",
    )  # fmt: skip


async def counted(stores, start: datetime, end: datetime) -> list[int]:
    """Readings of the series as days, hours, minutes and rows have them: the four are always the same."""
    found = [
        sum(w.count for w in await stores.readings.windows(*SERIES, start=start, end=end, every=every))
        for every in (DAY, HOUR, MINUTE)
    ]
    return [*found, len(await stores.readings.raw(*SERIES, start=start, end=end, limit=100_000))]


# --- which ground


async def test_the_engine_says_on_which_ground_it_stands_and_the_log_too(open_on, ground, url, caplog):
    with caplog.at_level(logging.INFO, logger="homeguard"):
        async with open_on() as stores:
            await stores.engine.ping()
            name, version = stores.engine.name, stores.engine.version

    async with raw(url) as server:
        installed = await server.fetchval("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
        server_version = (await server.fetchval("SHOW server_version")).split()[0]
    if ground == "plain":
        assert (name, version) == ("PostgreSQL (partitions)", server_version)
    else:
        assert (name, version) == ("TimescaleDB", f"{installed} on PostgreSQL {server_version}")
    parts = urlsplit(url)
    assert f"readings are kept in {name} {version} at {parts.hostname}:{parts.port}" in caplog.messages
    assert parts.password not in caplog.text


async def test_a_database_stays_on_the_ground_that_it_was_set_up_on(open_on, ground, url, clock):
    async with open_on() as stores:
        await stores.readings.append([reading(1, NOW)])
        name = stores.engine.name

    with pytest.raises(StartRefused, match="TimescaleDB"):
        async with open_timescale(url, clock, extension=ground == "plain"):
            pass
    async with open_timescale(url, clock) as stores:
        assert stores.engine.name == name
        assert await stores.readings.append([reading(1, NOW)]) == 0


async def test_the_extension_is_used_where_it_can_be(url, ground, clock):
    async with raw(url) as server:
        loaded = await server.fetchval("SELECT count(*) > 0 FROM pg_settings WHERE name LIKE 'timescaledb.%'")
    async with open_timescale(url, clock) as stores:
        assert stores.engine.name.startswith("TimescaleDB") == loaded
    assert loaded or ground == "plain"


async def test_who_may_not_create_the_extension_does_without_unless_it_was_asked_for(url, clock):
    guest = f"g{uuid.uuid4().hex[:12]}"
    async with raw(url) as server:
        await server.execute(f"CREATE ROLE {guest} LOGIN PASSWORD 'word'; GRANT CREATE ON SCHEMA public TO {guest}")
        try:
            theirs = other(url, user=guest, password="word")
            with pytest.raises(StartRefused, match="TimescaleDB"):
                async with open_timescale(theirs, clock, extension=True):
                    pass
            async with open_timescale(theirs, clock) as stores:
                assert stores.engine.name == "PostgreSQL (partitions)"
                assert await stores.readings.append([reading(1, NOW)]) == 1
        finally:
            for left in (3, 2, 1, 0):
                try:
                    await server.execute(f"DROP OWNED BY {guest}; DROP ROLE {guest}")
                    break
                except asyncpg.DeadlockDetectedError:  # a statement of theirs was still under way
                    if not left:
                        raise


@pytest.mark.parametrize("wrong", [{"password": "s3cret"}, {"user": "s3cret"}, {"path": "/nothing"}, {"scheme": "ftp"}])
async def test_what_waiting_would_not_mend_is_refused_in_one_line(url, clock, wrong):
    with pytest.raises(StartRefused) as refused:
        async with open_timescale(other(url, **wrong), clock):
            pass
    parts = urlsplit(url)
    assert "scheme" in wrong or f"{parts.hostname}:{parts.port}" in refused.value.message
    assert "\n" not in refused.value.message
    assert not {"s3cret", parts.password} & set(refused.value.message.replace(":", " ").replace("@", " ").split())


async def test_a_server_that_is_not_there_is_unavailable(clock):
    with pytest.raises(StoreUnavailable):
        async with open_timescale("postgresql://a:b@127.0.0.1:1/readings", clock):
            pass


async def test_a_schema_that_is_newer_is_refused_and_left_alone(open_on, url):
    async with open_on() as stores:
        await stores.readings.append([reading(1, NOW)])
    async with raw(url) as server:
        await server.execute("INSERT INTO timescale_migrations (number, name) VALUES (2, 'later_0002')")
        with pytest.raises(StartRefused, match="newer"):
            async with open_on():
                pass
        assert await server.fetchval("SELECT count(*) FROM sensor_readings") == 1


async def test_many_that_open_a_new_database_at_once_all_get_it(open_on, url):
    async def put(number: int) -> int:
        async with open_on() as stores:
            return await stores.readings.append([reading(number, NOW), reading(99, NOW)])

    counts = await asyncio.gather(*(put(n) for n in range(6)))

    async with open_on() as stores, raw(url) as server:
        assert sum(counts) == 7
        assert await counted(stores, NOW, NOW + HOUR) == [7, 7, 7, 7]
        assert await server.fetchval("SELECT count(*) FROM timescale_migrations") == 1


async def test_two_processes_with_the_same_readings_store_them_once(open_on):
    batches = [[reading(n, NOW + n * timedelta(seconds=9)) for n in range(b, b + 40)] for b in range(0, 160, 20)]
    async with open_on() as one, open_on() as two:
        counts = await asyncio.gather(
            *(s.readings.append(b[::step]) for b in batches for s, step in ((one, 1), (two, -1)))
        )
        assert sum(counts) == 180
        assert await counted(one, NOW, NOW + DAY) == [180] * 4


# --- the schema as it was asked for


async def test_the_table_has_the_columns_and_indexes_that_people_ask_by(open_on, url):
    async with open_on() as stores, raw(url) as server:
        await stores.readings.append([reading(1, NOW, 21.5)])
        row = await server.fetchrow(
            "SELECT time, device_id, user_id, reading_type, value, unit FROM sensor_readings WHERE user_id = 'h1'"
        )
        indexes = await server.fetch("SELECT indexdef FROM pg_indexes WHERE tablename = 'sensor_readings'")
    assert tuple(row) == (NOW, device_uuid("h1", "d1"), "h1", "temperature_c", 21.5, "°C")
    defined = " ".join(i["indexdef"] for i in indexes)
    assert "idx_sensor_device ON" in defined
    assert '(device_id, "time" DESC)' in defined
    assert "idx_sensor_user ON" in defined
    assert '(user_id, "time" DESC)' in defined


async def test_hours_and_days_can_be_read_by_their_names(open_on, ground, url):
    at = (NOW - 40 * DAY).replace(hour=5)
    async with open_on() as stores, raw(url) as server:
        await stores.readings.append([reading(n, at + n * 30 * MINUTE, n) for n in range(4)])
        if ground == "extension":
            await server.execute("CALL refresh_late_events(0, NULL)")
        columns = "bucket, event_count, avg_value, min_value, max_value"
        hours = await server.fetch(f"SELECT {columns} FROM hourly_events WHERE device_id = $1", device_uuid("h1", "d1"))
        days = await server.fetch(f"SELECT {columns} FROM daily_events WHERE reading_type = 'temperature_c'")
    assert sorted(map(tuple, hours)) == [(at, 2, 0.5, 0, 1), (at + HOUR, 2, 2.5, 2, 3)]
    assert [tuple(row) for row in days] == [(at.replace(hour=0), 4, 1.5, 0, 3)]


async def test_the_server_itself_compresses_and_refreshes_but_drops_nothing(open_on, ground, url, clock):
    async with open_on(), retention(url, ground, clock) as keeper, raw(url) as server:
        if ground == "plain":
            await keeper.retain(NOW)
            ranges = await server.fetch("SELECT starts, ends FROM reading_ranges ORDER BY starts")
            assert [r["ends"] - r["starts"] for r in ranges] == [7 * DAY] * 2
            assert ranges[0]["starts"] <= NOW < ranges[0]["ends"] == ranges[1]["starts"]
            return
        jobs = await server.fetch(
            "SELECT j.proc_name AS job, coalesce(c.view_name, j.hypertable_name, '') AS of,"
            " j.schedule_interval AS every, j.config->>'start_offset' AS first, j.config->>'end_offset' AS behind,"
            " j.config->>'compress_after' AS after FROM timescaledb_information.jobs AS j LEFT JOIN"
            " timescaledb_information.continuous_aggregates AS c ON j.hypertable_name ="
            " c.materialization_hypertable_name WHERE j.job_id >= 1000 ORDER BY 1, 2"
        )
    assert {(j["job"], j["of"]): (j["first"], j["behind"], j["after"]) for j in jobs} == {
        ("policy_compression", "sensor_readings"): (None, None, "7 days"),
        ("policy_refresh_continuous_aggregate", "daily_events"): ("3 days", "1 day", None),
        ("policy_refresh_continuous_aggregate", "hourly_events"): ("03:00:00", "01:00:00", None),
        ("refresh_late_events", ""): (None, None, None),
    }
    assert [j["every"] for j in jobs if j["job"].startswith("policy_refresh")] == [DAY, HOUR]


# --- late readings


async def compress(ground: str, server: Any) -> int:
    """Compress all weeks as the policy does with old ones; returns how many there were."""
    if ground == "plain":
        return 0
    return len(await server.fetch("SELECT compress_chunk(c) FROM show_chunks('sensor_readings') AS c", timeout=60))


async def test_what_comes_late_is_counted_at_once_in_weeks_that_are_compressed(open_on, ground, url):
    at = NOW - 30 * DAY
    batch = [reading(n, at + n * 10 * MINUTE, n % 50) for n in range(2_000)]
    async with open_on() as stores, raw(url) as server:
        await stores.readings.append(batch[::2])
        assert await compress(ground, server) == (0 if ground == "plain" else 3)

        assert await stores.readings.append(batch[:1_500]) == 750
        assert await stores.readings.append(batch[:1_500]) == 0
        assert await compress(ground, server) == (0 if ground == "plain" else 3)
        assert await stores.readings.append(batch) == 250

        assert await counted(stores, at, NOW) == [2_000] * 4
        assert await stores.readings.raw(*SERIES, start=at, end=NOW) == batch
        assert await stores.readings.latest(*SERIES, before=batch[777].at) == batch[776]
        assert (await stores.readings.windows(*SERIES, start=at, end=at + HOUR, every=HOUR))[0] == Window(
            start=at, count=6, average=2.5, minimum=0, maximum=5
        )


async def test_a_late_batch_may_touch_all_that_is_compressed(open_on, ground, url):
    """More compressed rows lie in the way than TimescaleDB would open for one statement."""
    at = NOW - 12 * DAY
    async with open_on() as stores, raw(url) as server:
        assert await stores.readings.append([reading(0, at)]) == 1
        await server.execute(
            "INSERT INTO sensor_readings SELECT $1::timestamptz + n * interval '5 seconds', device_id, home_id,"
            " reading_type, 20, unit, md5(n::text), false, $2 FROM reading_series, generate_series(1, 110000) AS n"
            if ground == "extension"
            else "SELECT $1::timestamptz, $2::timestamptz",
            at, NOW, timeout=60,
        )  # fmt: skip
        assert bool(await compress(ground, server)) == (ground == "extension")

        late = [reading(n, at + n * 500 * timedelta(seconds=5)) for n in range(1, 220)]
        assert await stores.readings.append(late) == 219
        assert await stores.readings.append(late) == 0


async def test_what_a_continuous_aggregate_has_yet_to_learn_is_in_the_windows_already(open_on, ground, url):
    at = NOW - 2 * DAY
    hourly = "SELECT coalesce(sum(event_count), 0) FROM hourly_events"
    async with open_on() as stores, raw(url) as server:
        await stores.readings.append([reading(n, at + n * MINUTE) for n in range(10)])
        if ground == "extension":
            await server.execute("CALL refresh_continuous_aggregate('hourly_events', NULL, NULL)")
        await stores.readings.append([reading(50, at + MINUTE)])

        assert await server.fetchval(hourly) == (11 if ground == "plain" else 10)
        assert await counted(stores, at, at + HOUR) == [11] * 4
        if ground == "extension":
            await server.execute("CALL refresh_late_events(0, NULL)")
            assert await server.fetchval(hourly) == 11


# --- what is let go of


async def ranges(server: Any) -> list[tuple[datetime, datetime]]:
    return [tuple(row) for row in await server.fetch("SELECT starts, ends FROM reading_ranges ORDER BY starts")]


async def test_weeks_go_when_they_came_long_ago_and_not_because_they_speak_of_long_ago(open_on, ground, url, clock):
    old, late = NOW - 70 * DAY, NOW - 300 * DAY
    async with open_on() as stores, retention(url, ground, clock) as keeper, raw(url) as server:
        await stores.readings.append([reading(n, old + n * MINUTE) for n in range(5)])
        await stores.readings.append([reading(8, NOW)])
        assert await keeper.retain(clock.now()) == 0

        clock.at = NOW + 60 * DAY
        await stores.readings.append([reading(9, late)])
        await compress(ground, server)
        # All of `old` lies more than 90 days back by its own time, and was received 60 days ago.
        assert await keeper.retain(clock.at) == 0

        clock.at = NOW + 91 * DAY
        assert await keeper.retain(clock.at) >= 1
        assert await keeper.retain(clock.at) == 0
        assert await counted(stores, old - DAY, old + DAY) == [0] * 4
        assert await stores.readings.latest(*SERIES, before=NOW) == reading(9, late)
        assert await counted(stores, late, late + HOUR) == [1] * 4
        assert not [r for r in await ranges(server) if r[0] <= old < r[1]]

        clock.at = NOW + 200 * DAY
        assert await keeper.retain(clock.at) >= 1
        assert await stores.readings.latest(*SERIES, before=clock.at) is None
        assert await server.fetchval("SELECT count(*) FROM reading_days") == 0


async def test_what_was_let_go_of_may_come_again_and_counts_once(open_on, ground, url, clock):
    batch = [reading(n, NOW - DAY + n * MINUTE, n) for n in range(10)]
    async with open_on() as stores, retention(url, ground, clock) as keeper:
        await stores.readings.append(batch)
        clock.at = NOW + 120 * DAY
        assert await keeper.retain(clock.at) >= 1
        assert await stores.readings.append(batch) == 10
        assert await stores.readings.append(batch) == 0
        assert await counted(stores, NOW - 2 * DAY, NOW + DAY) == [10] * 4
        assert await keeper.retain(clock.at) == 0
        assert await stores.readings.metrics("h1") == [("d1", "temperature_c", "°C")]


async def test_nothing_that_was_taken_goes_with_a_week_that_is_dropped_meanwhile(open_on, ground, url, clock):
    """Each round an old week is due, and readings of it come while it is dropped."""
    async with open_on() as stores, retention(url, ground, clock) as keeper:
        for turn in range(6):
            at = NOW - turn * 7 * DAY
            clock.at = NOW + turn * DAY
            await stores.readings.append([reading(n, at + n * MINUTE) for n in range(50)])
            clock.at += 100 * DAY
            late = [stores.readings.append([reading(100 + n, at + n * MINUTE)]) for n in range(12)]
            await asyncio.gather(*late[:6], keeper.retain(clock.at), *late[6:])
            found = {r.event_id for r in await stores.readings.raw(*SERIES, start=at, end=at + DAY)}
            assert found >= {f"e{100 + n:06}" for n in range(12)}
            # The four agree, whether the week went or stayed.
            assert len(set(await counted(stores, at - DAY, at + 2 * DAY))) == 1


async def test_one_who_reads_for_long_does_not_hold_up_those_who_append(open_on, ground, url, clock):
    async with open_on() as stores, retention(url, ground, clock) as keeper, raw(url) as reader:
        await stores.readings.append([reading(1, NOW - 100 * DAY)])
        clock.at = NOW + 200 * DAY
        async with reader.transaction():
            await reader.fetch("SELECT * FROM sensor_readings")
            with pytest.raises(StoreUnavailable):
                await keeper.retain(clock.at)
            assert await stores.readings.append([reading(2, NOW - 100 * DAY)]) == 1
        assert await counted(stores, NOW - 101 * DAY, NOW) == [2] * 4


async def test_old_years_are_one_partition_each_and_never_overlap_weeks(url, clock):
    clock.at = datetime(2026, 11, 21, tzinfo=UTC)
    async with open_timescale(url, clock, extension=False) as stores, raw(url) as server:
        await stores.readings.append([reading(1, datetime(2026, 1, 1, tzinfo=UTC))])
        clock.at = datetime(2027, 6, 1, tzinfo=UTC)
        days = [datetime(1971, 1, 1, tzinfo=UTC) + n * 91 * DAY for n in range(220)]
        far = [datetime(2026, 1, 4, 23, 59, 59, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC), *days]
        assert await stores.readings.append([reading(n, at) for n, at in enumerate(far)]) == 222

        found = [r for r in await ranges(server) if r[1] <= datetime(2026, 2, 1, tzinfo=UTC)]
        assert len(found) <= 57
        assert all(first[1] <= second[0] for first, second in pairwise(found))
        assert (datetime(2025, 12, 29, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)) in found
        assert (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 12, 29, tzinfo=UTC)) in found
        start, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
        assert await counted(stores, start, end) == [223] * 4


# --- a server that is ill


class Private:
    """A server of this module's own."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._site = Site(folder, cache)

    def start(self) -> None:
        (outcome,) = self._site.start(["postgres"])
        assert outcome.state in ("ready", "kept"), outcome.note
        self._pid = outcome.pid

    def url(self) -> str:
        lines = self._site.env.read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)["TIMESCALE_URL"]

    def kill(self) -> None:
        self._site.kill(["postgres"])

    def wipe(self) -> None:
        self._site.wipe(["postgres"])

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Connections stay and take bytes, and nothing is answered: neither new ones nor those there are."""
        pids = [self._pid, *_children(self._pid)]
        freeze(*pids)
        try:
            yield
        finally:
            thaw(*pids)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="module")
def private(request: pytest.FixtureRequest) -> Iterator[Private]:
    beside = Path(request.config.getoption("services")).absolute().parent / "cache"
    cache = Path(os.environ.get("HOMEGUARD_SERVICES_CACHE", beside))
    with tempfile.TemporaryDirectory(prefix="homeguard-timescale-") as folder:
        server = Private(Path(folder) / "site", cache)
        server.start()
        yield server
        server.wipe()


async def taken(stores, batch: list[Reading]) -> int:
    """Appended, tried until somebody answers."""
    async with asyncio.timeout(BACK_WITHIN_S):
        while True:
            try:
                return await stores.readings.append(batch)
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def test_a_server_that_was_killed_is_used_again_when_it_is_back_and_lost_nothing(private, clock):
    async with open_timescale(private.url(), clock) as stores:
        batch = [reading(n, NOW + n * timedelta(seconds=1), device_id="killed") for n in range(200)]
        assert await stores.readings.append(batch[:150]) == 150
        private.kill()
        for call in (
            stores.readings.append(batch), stores.readings.metrics("h1"), stores.engine.ping(),
            stores.readings.latest("h1", "killed", "temperature_c", before=NOW + DAY),
        ):  # fmt: skip
            with pytest.raises(StoreUnavailable):
                await call

        private.start()

        assert await taken(stores, batch) == 50
        found = await stores.readings.raw("h1", "killed", "temperature_c", start=NOW, end=NOW + DAY)
        hours = await stores.readings.windows("h1", "killed", "temperature_c", start=NOW, end=NOW + DAY, every=HOUR)
        assert found == batch
        assert sum(w.count for w in hours) == 200


async def batches_of(progress: asyncio.Semaphore, number: int) -> None:
    for _ in range(number):
        await progress.acquire()


async def test_a_server_that_is_killed_under_load_has_all_that_it_took_and_its_rollups(private, clock):
    """Windows and rows agree afterwards: a reading and its rollups live and die together."""
    done: list[Reading] = []
    stop, progress = asyncio.Event(), asyncio.Semaphore(0)

    async def load(stores, number: int) -> None:
        n = 0
        while not stop.is_set():
            batch = [reading(number * 100_000 + n + i, NOW + (n + i) * timedelta(seconds=1), i) for i in range(20)]
            try:
                await stores.readings.append(batch)
            except StoreUnavailable:
                await asyncio.sleep(0.05)
            else:
                done.extend(batch)
                progress.release()
                n += 20

    async with open_timescale(private.url(), clock) as stores, asyncio.timeout(40), asyncio.TaskGroup() as tasks:
        for number in range(3):
            tasks.create_task(load(stores, number))
        for _ in range(2):
            await batches_of(progress, 10)
            await asyncio.to_thread(private.kill)
            await asyncio.to_thread(private.start)
        await batches_of(progress, 10)
        stop.set()
    async with open_timescale(private.url(), clock) as stores:
        found = await stores.readings.raw(*SERIES, start=NOW, end=NOW + DAY, limit=100_000)
        assert {(r.event_id, r.at) for r in found} >= {(r.event_id, r.at) for r in done}
        assert await counted(stores, NOW, NOW + DAY) == [len(found)] * 4


async def test_a_server_that_freezes_holds_nobody_for_longer_than_the_deadline(private, clock):
    async with open_timescale(private.url(), clock) as stores:
        await stores.readings.append([reading(1, NOW, device_id="frozen")])
        with private.frozen():
            async with asyncio.timeout(20):
                for call in (stores.engine.ping(), stores.readings.append([reading(2, NOW, device_id="frozen")])):
                    with pytest.raises(StoreUnavailable):
                        await call
                with pytest.raises(StoreUnavailable):
                    async with open_timescale(private.url(), clock):
                        pass

        assert await taken(stores, [reading(3, NOW, device_id="frozen")]) == 1
        found = await stores.readings.raw("h1", "frozen", "temperature_c", start=NOW, end=NOW + MINUTE)
        assert {"e000001", "e000003"} <= {r.event_id for r in found}
