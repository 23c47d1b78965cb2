"""`make bench-engines`: our stores beside the bare drivers, on real servers, alternately in one process."""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import uvloop

from evals.bench import engines_adapters_stores as stores
from evals.bench import engines_bare, engines_ours
from evals.bench.engines_adapters import beside, measure
from evals.bench.engines_adapters_kafka import kafka
from evals.bench.engines_counted import counted, states
from evals.bench.engines_ours import Taken
from evals.bench.engines_place import SIDES, Place, place
from evals.bench.engines_records import events, strange
from evals.bench.table import Row, table
from homeguard.clock import SystemClock
from homeguard.stores.kafka.open import open_kafka
from pipeline.envelope import encode
from pipeline.processor import BATCH

_ADAPTERS: Final = {
    "kafka": kafka, "cassandra": stores.cassandra, "readings": stores.readings, "redis": stores.redis,
    "postgres": stores.postgres, "mongo": stores.mongo,
}  # fmt: skip
_LIMIT_S: Final = 300.0
_APPENDED: Final = 500
_COLUMNS: Final[Mapping[str, int]] = {
    "n": 0, "ours/s": 0, "bare/s": 0, "of bare": 2, "ours CPU us": 1, "bare CPU us": 1, "CPU of bare": 2,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=Path, default=Path(".services/env"), help="the file of `make services`")
    parser.add_argument("--events", type=int, default=20_000, help="events of a round through Kafka")
    parser.add_argument("--repeat", type=int, default=5, help="rounds, each of both sides")
    parser.add_argument(
        "--only",
        default="",
        help="comma-separated: plain timescale (through Kafka), "
        "adapters or some of kafka cassandra readings redis postgres mongo",
    )
    options = parser.parse_args()
    lines = options.services.read_text(encoding="utf-8").splitlines()
    services = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    folder = Path(tempfile.mkdtemp(prefix="homeguard-bench-"))
    try:
        uvloop.run(_bench(services, folder, options))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


async def _bench(services: Mapping[str, str], folder: Path, options: argparse.Namespace) -> None:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    print(
        f"machine: {os.cpu_count()} cores shared with all engines, {memory_gib:.0f} GiB, Python "
        f"{platform.python_version()}; load average {os.getloadavg()[0]:.1f}"
    )
    print(
        f"both sides: batches of {BATCH} from Kafka, each into Cassandra (events, anomalies), PostgreSQL (readings) "
        "and Redis (live state) at the same time, then committed; handlers: events, readings, anomalies, live state; "
        "our side behind its guards; CPU: of this process, per event"
    )
    only = set(filter(None, options.only.split(",")))
    async with place(services, folder) as found:
        rows: dict[str, list[Row]] = defaultdict(list)
        for ground in found.grounds:
            if not only or ground in only:
                await _rounds(found, ground, options.events, options.repeat, rows)
        several = [pairs for name, pairs in _ADAPTERS.items() if not only or name in only or "adapters" in only]
        await measure(found, several, options.repeat, rows)
        if rows:
            print(f"\neach figure: median (smallest-largest) of {options.repeat} rounds\n")
            print(table(rows, _COLUMNS))


async def _rounds(found: Place, ground: str, n: int, repeat: int, rows: dict[str, list[Row]]) -> None:
    for number in range(repeat + 1):
        warms = number == 0
        name = f"{ground}-{number}"
        count = n // 10 if warms else n
        told = events(name, count)
        judged = strange(told)
        async with open_kafka(found.brokers, SystemClock(), instance="bench-feed", prefix=found.prefix) as kafka:
            for first in range(0, count, _APPENDED):
                await kafka.log.append([encode(event) for event in told[first : first + _APPENDED]])
        del told
        taken: dict[str, Taken] = {}
        for side in SIDES if number % 2 else reversed(SIDES):
            if side == "ours":
                taken[side] = await engines_ours.run(found, ground, count, _LIMIT_S)
            else:
                taken[side] = await engines_bare.run(found, ground, count, judged, _LIMIT_S)
        stored = await _compare(found, ground, name, count, sum(len(a) for a in judged.values()))
        row = beside(count, taken["ours"], taken["bare"])
        figures = ", ".join(f"{column} {row[column]:,.{digits}f}" for column, digits in _COLUMNS.items())
        print(f"{name}: {figures}; both stored {stored}, equal live states", flush=True)
        if not warms:
            rows[f"Kafka to Cassandra, PostgreSQL ({ground}), Redis"].append(row)


async def _compare(found: Place, ground: str, name: str, n: int, anomalies: int) -> Mapping[str, int]:
    """The rows of a round by table, the same on both sides.

    Raises:
        RuntimeError: they differ, or some are missing.
    """
    sides: Sequence[Mapping[str, int]] = [await counted(found, ground, side, name) for side in SIDES]
    ours, bare = sides
    if ours != bare or {ours[t] for t in ours if t.startswith("event")} != {n} or ours["anomalies"] != anomalies:
        raise RuntimeError(
            f"{name}: ours has {dict(ours)}, bare {dict(bare)}, expected {n} events, {anomalies} anomalies"
        )
    if await states(found, "ours", name) != await states(found, "bare", name):
        raise RuntimeError(f"{name}: live states differ")
    return ours


if __name__ == "__main__":
    sys.exit(main())
