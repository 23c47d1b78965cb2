"""MQTT updates a second through Mosquitto, stored and pushed, beside a subscriber that only receives in the same run.

QoS 1 from end to end: a message is acknowledged when the log is on disk. `python -m evals.bench.mqtt`.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.bench.bare import fdatasync_ms
from evals.bench.instance import (
    DEVICES,
    HOME,
    Cores,
    Instance,
    in_a_folder,
    machine,
    mosquitto,
    pinned,
    prepare,
    serving,
    token_for,
)
from evals.bench.listen import listen, until
from evals.bench.load import get_json
from evals.bench.publish import packets, publish
from evals.bench.table import Row, spread, table
from homeguard.clock import iso

_LIMIT_S = 120.0
_COLUMNS = {
    "n": 0, "stored/s": 0, "pushed/s": 0, "of bare": 2, "missed": 0, "CPU us/message": 1, "broker %": 0,
    "generator %": 0,
}  # fmt: skip
#: In this order: the second one ends the session that the first one leaves at the broker.
_BARE = {"link": "HomeGuard's connection alone", "paho": "paho-mqtt alone, its own thread"}
_WHOLE = "HomeGuard: stored, one subscriber"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000, help="of a run")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=None, help="where the data folder goes (default: a temporary one)")
    options = parser.parse_args()
    return in_a_folder(lambda folder: _bench(folder, options.messages, options.repeat), within=options.dir)


async def _bench(folder: Path, messages: int, repeat: int) -> None:
    cores = pinned()
    print(f"machine: {machine(cores)}")
    print(
        f"server: every handler on, one WebSocket subscriber, demo, simulator and rate limits off, {DEVICES} devices; "
        "QoS 1 both ways, log: fdatasync before each acknowledgement; stores: WAL, synchronous=FULL"
    )
    data = folder / "data"
    await prepare(data)
    rows: dict[str, list[Row]] = defaultdict(list)
    synced: list[float] = []
    sent = 0
    with mosquitto(folder) as broker:
        if not broker:
            return
        made = packets([(f"homeguard/{HOME}/sensor-{i % DEVICES}/events", _said(i)) for i in range(messages)])
        for _ in range(repeat):
            for kind, name in _BARE.items():
                rows[name].append(await _bare(kind, broker, made, cores))
        async with serving(data, broker, cores) as instance:
            for turn in range(repeat + 1):
                synced.append(fdatasync_ms(folder)[1])
                # the first turn warms up: what is built at the first message of its kind is no part of a figure
                now = made[: messages // 10] if not turn else made
                measured = await _whole(instance, token_for(data), broker, now)
                sent += len(now)
                if turn:
                    fastest = statistics.median(row["received/s"] for row in rows[_BARE["paho"]])
                    rows[_WHOLE].append({**measured, "of bare": measured["stored/s"] / fastest})
            before = await _stored(instance.port, token_for(data))
        async with serving(data, "", cores) as instance:
            after = await _stored(instance.port, token_for(data))
    print(f"fdatasync p99 ms: {spread(synced, 2)}")
    print(f"each figure: median (smallest-largest) of {repeat}; of bare: of the library alone\n")
    print(table(rows, {"received/s": 0, **_COLUMNS}))
    print(f"\nrows before the restart {before:,}, after it {after:,}, expected {sent:,}")


async def _bare(kind: str, broker: str, made: list[bytes], cores: Cores) -> Row:
    """Receive and acknowledge, no more; the subscriber runs on the same cores as the server does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "evals.bench.subscriber", kind, broker, str(len(made))],
        stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, cores.server),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while "up" not in await asyncio.to_thread(process.stdout.readline):
            if process.poll() is not None:
                raise RuntimeError("the subscriber did not start")
        shares = _Shares()
        await publish(_port(broker), made)
        elapsed_s, cpu_s = map(float, (await asyncio.to_thread(process.stdout.readline)).split())
    finally:
        process.terminate()
        process.wait(10)
    n = len(made)
    return {"n": n, "received/s": n / elapsed_s, "CPU us/message": cpu_s / n * 1e6, **shares.since()}


async def _whole(instance: Instance, token: str, broker: str, made: list[bytes]) -> Row:
    """Until all are processed by the record group and came over the WebSocket."""
    n = len(made)
    processed, listener = await _processed(instance.port, token), await listen(instance.port, token)
    begun, cpu_s, shares = time.perf_counter(), instance.cpu_s(), _Shares()

    async def is_stored() -> bool:
        return await _processed(instance.port, token) >= processed + n

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(publish(_port(broker), made))
        stored = tasks.create_task(until(is_stored, every_s=0.05, limit_s=_LIMIT_S))
        pushed = tasks.create_task(
            until(lambda: listener.count + listener.missed >= n, every_s=0.005, limit_s=_LIMIT_S)
        )
    cpu_s = instance.cpu_s() - cpu_s
    listener.close()
    if not stored.result() or not pushed.result():
        raise RuntimeError(f"not everything was stored and pushed within {_LIMIT_S:.0f} s")
    return {
        "n": n, "stored/s": n / (stored.result() - begun), "pushed/s": listener.count / (pushed.result() - begun),
        "missed": n - listener.count, "CPU us/message": cpu_s / n * 1e6, **shares.since(),
    }  # fmt: skip


class _Shares:
    """How much of a core the broker and this process (the generator, and who listens) use."""

    def __init__(self) -> None:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        self._brokers = [c for c in children if Path(f"/proc/{c}/comm").read_text().strip() == "mosquitto"]
        self._begun = self._now()

    def _now(self) -> tuple[float, float, float]:
        used = 0.0
        for pid in self._brokers:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), used, time.process_time()

    def since(self) -> Row:
        (begun, *before), (now, *after) = self._begun, self._now()
        broker, generator = (100 * (b - a) / (now - begun) for a, b in zip(before, after, strict=True))
        return {"broker %": broker, "generator %": generator}


async def _processed(port: int, token: str) -> int:
    """Records that the record group has stored and committed since the server's start."""
    return int((await get_json(port, "/ready", token))["checks"]["record"]["processed"])


async def _stored(port: int, token: str) -> int:
    """Rows in the event store, counted."""
    return int((await get_json(port, "/api/v1/analytics/summary", token))["events_total"])


def _port(broker: str) -> int:
    return int(broker.rpartition(":")[2])


def _said(i: int) -> bytes:
    """Three motions, then one telemetry with two numbers; the numbers stay in their usual range."""
    payload: dict[str, Any] = {"zone": "living_room", "intensity": 0.85, "signature": "human"}
    if i % 4 == 0:
        payload = {"metrics": {"temperature": 20 + i % 7 / 10, "humidity": 45}}
    return json.dumps(
        {
            "event_type": "motion_detected" if i % 4 else "telemetry", "timestamp": iso(datetime.now(UTC)),
            "payload": payload,
            "metadata": {"firmware_version": "1.2.3", "signal_strength": -45, "is_simulated": False},
        }
    ).encode()  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
