"""How long HomeGuard takes to be ready, what it weighs before anyone chats, and how fast it answers single requests."""

import argparse
import compileall
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from evals.bench.instance import (
    DEVICES,
    HOME,
    Instance,
    arrive,
    in_a_folder,
    machine,
    pinned,
    prepare,
    serving,
    token_for,
)
from evals.bench.load import drive, request
from evals.bench.reads import fill
from evals.bench.table import Row, table
from homeguard.clock import SystemClock, iso
from homeguard.stores.sqlite.open import open_embedded

_ROOT = Path(__file__).parents[2]
_ROOMS = ("agent", "api", "chat_ui", "deploy", "homeguard", "mcp_servers", "memory", "pipeline", "scenarios", "tools")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--requests", type=int, default=3_000, help="of each kind, a start")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--stored", default="0,1000000", help="events and readings that lie there at the start")
    options = parser.parse_args()
    return in_a_folder(lambda folder: _bench(folder, options))


async def _bench(folder: Path, options: argparse.Namespace) -> None:
    cores = pinned()
    print(f"machine: {machine(cores)}")
    print(
        "server: compiled, every handler on, demo, simulator, broker and rate limits off, "
        f"{DEVICES} devices; log: fdatasync before each acknowledgement; the chat is never opened"
    )
    for room in _ROOMS:
        compileall.compile_dir(_ROOT / room, quiet=1)
    starts: dict[str, list[Row]] = {}
    asked: dict[str, list[Row]] = {}
    for stored in map(int, options.stored.split(",")):
        data, sent = folder / f"data-{stored}", 0
        await prepare(data)
        if stored:
            fill(data / "events.db", stored, stored, datetime.now(UTC))
        for _ in range(options.repeat):
            async with serving(data, "", cores, settled=False) as instance:
                idle_mib, begun = instance.rss_mib(), time.perf_counter()
                await arrive(instance)
                late_s = instance.started_s + time.perf_counter() - begun
                starts.setdefault(f"{stored:,} events stored", []).append(
                    {
                        "ready s": instance.started_s,
                        "RSS MiB": idle_mib,
                        "agent s": late_s,
                        "then MiB": instance.rss_mib(),
                    }
                )
                token = token_for(data)
                for name, requests, status in (
                    ("GET /api/v1/devices", [request("GET", "/api/v1/devices", b"", token)] * options.requests, 200),
                    ("POST /api/v1/events, one each", _events(options.requests + 50, token), 202),
                ):
                    row = await _asked(instance, requests, status, options.connections)
                    asked.setdefault(name, []).append(row)
                sent += options.requests + 50
        async with open_embedded(data, SystemClock()) as stores:
            found = await stores.events.count(HOME)
        print(f"events found after the last end: {found:,} of {stored + sent:,}")
    print(f"each figure: median (smallest-largest) of {options.repeat} a line; {options.connections} connections\n")
    print(table(starts, {"ready s": 2, "RSS MiB": 0, "agent s": 2, "then MiB": 0}))
    columns = {"n": 0, "requests/s": 0, "p50 ms": 1, "p99 ms": 1, "refused": 0, "CPU us/request": 0}
    print("\n" + table(asked, columns))


def _events(count: int, token: str) -> list[bytes]:
    at = iso(SystemClock().now())
    return [
        request(
            "POST", "/api/v1/events",
            json.dumps(
                {"device_id": f"sensor-{n % DEVICES}", "event_type": "motion_detected", "timestamp": at,
                 "payload": {"zone": "living_room", "intensity": 0.85}}
            ).encode(),
            token,
        )
        for n in range(count)
    ]  # fmt: skip


async def _asked(instance: Instance, requests: Sequence[bytes], status: int, connections: int) -> Row:
    await drive(instance.port, requests[:50], connections=1, expected=status)
    rest = requests[50:] if status == 202 else requests
    cpu_s = instance.cpu_s()
    measured = await drive(instance.port, rest, connections=connections, expected=status)
    return {
        "n": len(rest),
        "requests/s": len(rest) / measured.elapsed_s,
        "p50 ms": measured.quantile_ms(0.5),
        "p99 ms": measured.quantile_ms(0.99),
        "refused": measured.failed,
        "CPU us/request": (instance.cpu_s() - cpu_s) / len(rest) * 1e6,
    }


if __name__ == "__main__":
    sys.exit(main())
