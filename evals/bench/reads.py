"""How long reads take where much is stored: through the door, through the store, and the bare statement itself."""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlencode

import apsw

from evals.bench.instance import DEVICES, HOME, Cores, Instance, machine, pinned, prepare, serving, token_for
from evals.bench.load import Measured, drive, request
from evals.bench.table import Row, table
from homeguard.clock import SystemClock, iso, parse_time
from homeguard.stores.sqlite.columns import micros
from homeguard.stores.sqlite.open import open_embedded
from homeguard.stores.sqlite.page_sums import sums_path

Ask: TypeAlias = Callable[[], Awaitable[object]]

#: Everything lies in the last 30 days, at even steps, the devices in turn.
SPAN: Final = timedelta(days=30)
METRIC: Final = "temperature_c"
_HOUR: Final = timedelta(hours=1)
#: At rest half a second takes less processor than that.
_IDLE_S: Final = 0.025
_CHUNK: Final = 250_000
_NUMBERS: Final = (
    "WITH RECURSIVE numbers (value) AS (VALUES (:first) UNION ALL SELECT value + 1 FROM numbers WHERE value < :last)"
)
_EVENTS: Final = """
    INSERT INTO events (home_id, event_id, event_type, at, received_at, device_id, user_id, payload, firmware_version,
        signal_strength, is_simulated, source, trust, lane, cause, traceparent)
    SELECT :home, printf('%08x-0000-7000-8000-%012x', value * 2654435761 & 0xffffffff, value), 'telemetry',
        :start + value * :step, :start + value * :step, 'sensor-' || (value % :devices), '',
        '{"metrics":{"temperature":' || (20 + value % 70 / 10.0) || ',"humidity":45}}', '1.2.3', -45, 0, 'http',
        'device', 'bulk', '', ''
    FROM numbers
"""
_SERIES: Final = """
    INSERT INTO series (home_id, device_id, metric, unit)
    SELECT :home, 'sensor-' || value, :metric, '°C' FROM numbers
"""
_READINGS: Final = """
    INSERT INTO readings (series, at, event_id, value, is_simulated)
    SELECT 1 + value % :devices, :start + value * :step,
        printf('%08x-0000-7000-8000-%012x', value * 2654435761 & 0xffffffff, value), 20 + value % 70 / 10.0, 0
    FROM numbers ORDER BY 1, 2
"""
_ROLL: Final = """
    INSERT INTO {table} (series, slot, count, total, low, high)
    SELECT series, at / :length, count(*), sum(value), min(value), max(value) FROM readings GROUP BY 1, 2
"""
_BARE: Final = {
    "24 h of one device": (
        "SELECT at, event_id, value, is_simulated FROM readings WHERE series = 8 AND at >= :day AND at < :now"
        " ORDER BY at"
    ),
    "events of one device, 24 h": (
        "SELECT * FROM events WHERE home_id = :home AND device_id = 'sensor-7' AND at >= :day AND at < :now"
        " ORDER BY at DESC LIMIT 1000"
    ),
    "last 100 of the home": "SELECT * FROM events WHERE home_id = :home ORDER BY at DESC, event_id LIMIT 100",
    "hourly, all devices, 30 days": (
        "SELECT series, slot, total / count, low, high FROM hours WHERE slot >= :month / 3600000000"
    ),
    "count": "SELECT count(*) FROM events WHERE home_id = :home",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question asked again and again: milliseconds, and those of processor each took of who answered."""

    p50_ms: float
    p99_ms: float
    cpu_ms: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", default="1000000,10000000", help="sizes, one after the other, each events or readings"
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="events stored at most, whatever the readings")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--asks", type=int, default=30, help="of each question, one after the other")
    parser.add_argument("--keep", type=Path, default=None, help="where filled folders stay, to be asked again")
    options = parser.parse_args()
    cores = pinned()
    print(f"machine: {machine(cores)}")
    print(
        f"stores: WAL, synchronous=FULL, page cache 8 MiB a connection; {DEVICES} devices; one home; nothing else asks"
    )
    for rows in map(int, options.rows.split(",")):
        folder = options.keep / str(rows) if options.keep else Path(tempfile.mkdtemp(prefix="homeguard-bench-"))
        try:
            asyncio.run(_bench(folder / "data", cores, rows, options))
        finally:
            if not options.keep:
                shutil.rmtree(folder, ignore_errors=True)
    return 0


async def _bench(data: Path, cores: Cores, readings: int, options: argparse.Namespace) -> None:
    events = min(readings, options.events)
    path, filled = data / "events.db", data.with_name("filled-at")
    if not filled.exists():
        await prepare(data)
        fill(path, events, readings, datetime.now(UTC))
        filled.write_text(iso(datetime.now(UTC)))
    # a kept folder is asked as if it were the hour in which it was filled
    now = parse_time(filled.read_text())
    size_mib = path.stat().st_size / (1 << 20)
    print(f"\n{events:,} events and {readings:,} readings over 30 days, {size_mib:,.0f} MiB")
    rows: dict[str, list[Row]] = {}
    starts: list[Row] = []
    counted = set()
    for _ in range(options.repeat):
        os.sched_setaffinity(0, cores.server)
        bare = _ask_bare(path, now, options.asks)
        within = await _ask_store(data, now, options.asks)
        os.sched_setaffinity(0, {cores.generator})
        async with serving(data, "", cores) as instance:
            starts.append({"ready s": instance.started_s, "RSS with the assistant MiB": instance.rss_mib()})
            through = await _ask_door(instance, token_for(data), now, options.asks)
        for name in bare:
            found = {"n": float(options.asks), "bare p50": bare[name].p50_ms}
            for column, asked in (("store", within[name]), ("HTTP", through[name])):
                found |= {
                    f"{column} p50": asked.p50_ms, f"{column} p99": asked.p99_ms, f"{column} CPU": asked.cpu_ms,
                    f"{column}/bare": asked.p50_ms / bare[name].p50_ms,
                }  # fmt: skip
            rows.setdefault(name, []).append(found)
    async with open_embedded(data, SystemClock()) as stores:
        counted.add(await stores.events.count(HOME))
    print(
        f"milliseconds; each figure: median (smallest-largest) of {options.repeat}; rows after the restarts: {counted}"
    )
    columns = {
        "n": 0, "bare p50": 2, "store p50": 2, "store p99": 2, "store CPU": 2, "store/bare": 1, "HTTP p50": 2,
        "HTTP p99": 2, "HTTP CPU": 1, "HTTP/bare": 1,
    }  # fmt: skip
    print("\n" + table(rows, columns))
    print("\n" + table({"homeguard up": starts}, {"ready s": 2, "RSS with the assistant MiB": 0}))


def fill(path: Path, events: int, readings: int, now: datetime) -> None:
    """Write into a file that has the schema and nothing in it; its rollups are those of its readings."""
    sums_path(path).unlink(missing_ok=True)
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144")
    start = micros(now - SPAN)
    same = {"home": HOME, "metric": METRIC, "devices": DEVICES, "start": start}
    connection.execute("BEGIN")
    connection.execute(_NUMBERS + _SERIES, {**same, "first": 0, "last": DEVICES - 1})
    for sql, count in ((_EVENTS, events), (_READINGS, readings)):
        step = (micros(now) - start) // count
        for first in range(0, count, _CHUNK):
            last = min(first + _CHUNK, count) - 1
            connection.execute(_NUMBERS + sql, {**same, "step": step, "first": first, "last": last})
    for name, length in (("minutes", 60_000_000), ("hours", 3_600_000_000)):
        connection.execute(_ROLL.format(table=name), {"length": length})
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _ask_bare(path: Path, now: datetime, asks: int) -> dict[str, Asked]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.execute("PRAGMA cache_size = -8192")
    given = {
        "home": HOME, "day": micros(now - timedelta(days=1)), "month": micros(now - SPAN), "now": micros(now),
    }  # fmt: skip
    found = {}
    for name, sql in _BARE.items():
        times, cpu_s = Measured(), time.process_time()
        for _ in range(asks):
            begun = time.perf_counter()
            connection.execute(sql, given).fetchall()
            times.latencies_s.append(time.perf_counter() - begun)
        found[name] = _asked(times, time.process_time() - cpu_s)
    connection.close()
    return found


async def _ask_store(data: Path, now: datetime, asks: int) -> dict[str, Asked]:
    day, month = now - timedelta(days=1), now - SPAN
    async with open_embedded(data, SystemClock()) as stores:
        readings, events = stores.readings, stores.events

        async def every_device() -> None:
            for device_id, metric, _ in await readings.metrics(HOME):
                assert await readings.windows(HOME, device_id, metric, start=month, end=now, every=_HOUR)

        asked: dict[str, Ask] = {
            "24 h of one device": lambda: readings.raw(HOME, "sensor-7", METRIC, start=day, end=now, limit=1_000_000),
            "events of one device, 24 h": lambda: events.query(
                HOME, device_id="sensor-7", start=day, end=now, limit=1_000
            ),
            "last 100 of the home": lambda: events.query(HOME, limit=100),
            "hourly, all devices, 30 days": every_device,
            "count": lambda: events.count(HOME),
        }
        await _at_rest()
        return {name: await _timed(ask, asks) for name, ask in asked.items()}


async def _at_rest() -> None:
    """Returns when the check of the files, which runs behind the start, is through."""
    used = -1.0
    while (now := time.process_time()) - used > _IDLE_S:
        used = now
        await asyncio.sleep(0.5)


async def _timed(ask: Ask, asks: int) -> Asked:
    times, cpu_s = Measured(), time.process_time()
    for _ in range(asks):
        begun = time.perf_counter()
        await ask()
        times.latencies_s.append(time.perf_counter() - begun)
    return _asked(times, time.process_time() - cpu_s)


def _asked(times: Measured, cpu_s: float) -> Asked:
    return Asked(times.quantile_ms(0.5), times.quantile_ms(0.99), cpu_s * 1000 / len(times.latencies_s))


async def _ask_door(instance: Instance, token: str, now: datetime, asks: int) -> dict[str, Asked]:
    """The same questions as a client asks them; the home's averages are one request for each device, 8 at a time."""

    def get(path: str, **given: object) -> bytes:
        return request("GET", f"/api/v1{path}?{urlencode(given)}", b"", token)

    day, month = iso(now - timedelta(days=1)), iso(now - SPAN)
    asked = {
        # as the windows of a chart: one minute holds one reading here
        "24 h of one device": [
            get("/analytics/aggregates", device_id="sensor-7", metric=METRIC, **{"from": day}, every=1)
        ],
        "events of one device, 24 h": [get("/events", device_id="sensor-7", **{"from": day}, limit=1_000)],
        "last 100 of the home": [get("/events", limit=100)],
        "hourly, all devices, 30 days": [
            get("/analytics/aggregates", device_id=f"sensor-{i}", metric=METRIC, **{"from": month}, every=60)
            for i in range(DEVICES)
        ],
        "count": [get("/analytics/summary")],
    }
    found = {}
    for name, requests in asked.items():
        await drive(instance.port, requests[:1], connections=1, expected=200)
        times, cpu_s = Measured(), instance.cpu_s()
        for _ in range(asks):
            measured = await drive(instance.port, requests, connections=min(8, len(requests)), expected=200)
            if measured.failed:
                raise RuntimeError(f"{name}: {measured.failed} were refused")
            times.latencies_s.append(measured.elapsed_s)
        found[name] = _asked(times, instance.cpu_s() - cpu_s)
    return found


if __name__ == "__main__":
    sys.exit(main())
