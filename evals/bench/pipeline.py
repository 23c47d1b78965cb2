"""`make bench`: how many events a second are taken, stored and pushed, beside the bare store of the same run."""

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.bench.bare import fdatasync_ms, store_rows_per_s, woken
from evals.bench.instance import (
    DEVICES,
    HOME,
    Instance,
    Stolen,
    in_a_folder,
    machine,
    mosquitto,
    pinned,
    prepare,
    serving,
    token_for,
)
from evals.bench.listen import Listener, listen, until
from evals.bench.load import Measured, drive, get_json, request
from evals.bench.publish import packets, publish
from evals.bench.table import Row, spread, table
from homeguard.clock import iso

_LIMIT_S = 120.0
_COLUMNS = {
    "n": 0, "taken/s": 0, "ack p50 ms": 1, "ack p99 ms": 1, "stored/s": 0, "of bare": 2, "pushed/s": 0, "missed": 0,
    "refused": 0, "CPU us/event": 1, "stolen %": 1,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=40_000, help="events of a flat-out run, in batches of 100")
    parser.add_argument("--paced", type=int, default=20_000, help="events of a run at 10,000/s")
    parser.add_argument("--singles", type=int, default=6_000, help="events of a run with one event a request")
    parser.add_argument("--messages", type=int, default=20_000, help="MQTT messages of a run")
    parser.add_argument("--pushes", type=int, default=1_500, help="events of a run at 500/s")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default="", help="names of runs, comma-separated: flat paced singles mqtt push")
    parser.add_argument("--dir", type=Path, default=None, help="where the data folder goes (default: a temporary one)")
    options = parser.parse_args()
    return in_a_folder(lambda folder: _bench(folder, options), within=options.dir)


async def _bench(folder: Path, options: argparse.Namespace) -> None:
    cores = pinned()
    print(f"machine: {machine(cores)}")
    print(
        f"server: every handler on, one WebSocket subscriber, demo, simulator and rate limits off, {DEVICES} devices; "
        "log: fdatasync before each acknowledgement; stores: WAL, synchronous=FULL"
    )
    data = folder / "data"
    await prepare(data)
    only = set(filter(None, options.only.split(",")))
    with mosquitto(folder) as broker:
        async with serving(data, broker, cores) as instance:
            bench = _Bench(folder, instance, broker, token_for(data))
            await bench.warm()
            for _ in range(options.repeat):
                bench.measure_bare()
                for name in ("flat", "paced", "singles", "mqtt", "push"):
                    if (not only or name in only) and (broker or name != "mqtt"):
                        bench.token = token_for(data)
                        await getattr(bench, f"run_{name}")(options)
            # what was pushed last may not be stored yet
            await until(bench.has_stored, every_s=0.05, limit_s=30)
            before = await bench.stored()
        async with serving(data, "", cores) as instance:
            after = await _Bench(folder, instance, "", token_for(data)).stored()
    for title, values, digits in (
        ("fdatasync p50 ms", bench.sync_p50, 2), ("fdatasync p99 ms", bench.sync_p99, 2),
        ("bare store rows/s (3 indexes, WAL, FULL, 1,000 a transaction)", bench.bare, 0),
        ("the same work after 2 ms of rest takes so many times as long", bench.woken, 1),
    ):  # fmt: skip
        print(f"{title}: {spread(values, digits)}")
    print(f"each figure: median (smallest-largest) of {options.repeat}\n")
    print(table(bench.rows, _COLUMNS))
    if bench.pushes:
        columns = {"n": 0, "p50 ms": 1, "p99 ms": 1, "x fdatasync p99": 1, "stolen %": 1}
        print("\n" + table({"push delay at 500/s": bench.pushes}, columns))
    print(f"\nrows before the restart {before:,}, after it {after:,}, expected {bench.sent:,}")


@dataclass
class _Bench:
    folder: Path
    instance: Instance
    broker: str
    token: str
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    pushes: list[Row] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    sync_p50: list[float] = field(default_factory=list)
    sync_p99: list[float] = field(default_factory=list)
    woken: list[float] = field(default_factory=list)
    sent: int = 0

    @property
    def port(self) -> int:
        return self.instance.port

    async def warm(self) -> None:
        """What is built at the first request of its kind is no part of a figure."""
        await drive(self.port, self._batches(1_000), connections=1, expected=202)
        self.sent += 1_000
        await until(self._has_all, every_s=0.05, limit_s=30)

    async def has_stored(self) -> bool:
        return await self.stored() >= self.sent

    async def _has_all(self) -> bool:
        return await self._processed() >= self.sent and await self.stored() == self.sent

    def measure_bare(self) -> None:
        median, p99 = fdatasync_ms(self.folder)
        self.sync_p50.append(median)
        self.sync_p99.append(p99)
        self.bare.append(store_rows_per_s(self.folder))
        self.woken.append(woken())

    async def run_flat(self, options: argparse.Namespace) -> None:
        requests = self._batches(options.events)
        await self._measure("HTTP, batches of 100, flat out", requests, options.events, 4)

    async def run_paced(self, options: argparse.Namespace) -> None:
        requests = self._batches(options.paced)
        await self._measure("HTTP, batches of 100, 10,000/s", requests, options.paced, 8, rate=100.0)

    async def run_singles(self, options: argparse.Namespace) -> None:
        requests = [self._post(_event(i)) for i in range(options.singles)]
        await self._measure("HTTP, single events, 32 connections", requests, options.singles, 32)

    async def run_mqtt(self, options: argparse.Namespace) -> None:
        n = options.messages
        made = packets([(f"homeguard/{HOME}/sensor-{i % DEVICES}/events", _said(i)) for i in range(n)])
        processed, listener = await self._processed(), await listen(self.port, self.token)
        begun, cpu_s, stolen = time.perf_counter(), self.instance.cpu_s(), Stolen()
        sending = asyncio.create_task(publish(int(self.broker.rpartition(":")[2]), made))
        await self._finish("MQTT, QoS 1, Mosquitto", n, processed, listener, begun, cpu_s, stolen, None)
        await sending

    async def run_push(self, options: argparse.Namespace) -> None:
        """From the moment a single event is due to its message on a WebSocket; only motion, so each is pushed."""
        n, rate = options.pushes, 500.0
        ids = [f"push-{time.time_ns()}-{i}" for i in range(n)]
        requests = [self._post({**_event(i * 4 + 1), "event_id": name}) for i, name in enumerate(ids)]
        listener, stolen = await listen(self.port, self.token, keep=True), Stolen()
        measured = await drive(self.port, requests, connections=16, expected=202, rate=rate)
        await until(lambda: listener.count + listener.missed >= n, every_s=0.01, limit_s=5)
        stolen_percent = stolen.percent()
        listener.close()
        self.sent += n
        delays = [
            listener.arrived[name] - (measured.begun + i / rate)
            for i, name in enumerate(ids)
            if name in listener.arrived
        ]
        seen = Measured(latencies_s=delays)
        p99 = seen.quantile_ms(0.99)
        times = p99 / self.sync_p99[-1]
        self.pushes.append(
            {
                "n": len(delays), "p50 ms": seen.quantile_ms(0.5), "p99 ms": p99, "x fdatasync p99": times,
                "stolen %": stolen_percent,
            }
        )  # fmt: skip

    async def stored(self) -> int:
        """Rows in the event store, counted."""
        answer = await get_json(self.port, "/api/v1/analytics/summary", self.token)
        return int(answer["events_total"])

    def _batches(self, n: int) -> list[bytes]:
        return [self._post([_event(i) for i in range(first, first + 100)]) for first in range(0, n, 100)]

    def _post(self, body: object) -> bytes:
        return request("POST", "/api/v1/events", json.dumps(body).encode(), self.token)

    async def _measure(
        self, name: str, requests: list[bytes], n: int, connections: int, *, rate: float | None = None
    ) -> None:
        processed, listener = await self._processed(), await listen(self.port, self.token)
        begun, cpu_s, stolen = time.perf_counter(), self.instance.cpu_s(), Stolen()
        sending = asyncio.create_task(drive(self.port, requests, connections=connections, expected=202, rate=rate))
        await self._finish(name, n, processed, listener, begun, cpu_s, stolen, sending)

    async def _finish(
        self, name: str, n: int, processed: int, listener: Listener, begun: float, cpu_s: float, stolen: "Stolen",
        sending: "asyncio.Task[Measured] | None",
    ) -> None:  # fmt: skip
        """Wait until all n are processed by the record group and pushed, then count the rows."""

        async def is_stored() -> bool:
            return await self._processed() >= processed + n

        stored, pushed = await asyncio.gather(
            until(is_stored, every_s=0.05, limit_s=_LIMIT_S),
            until(lambda: listener.count + listener.missed >= n, every_s=0.005, limit_s=_LIMIT_S),
        )
        cpu_s, stolen_percent = self.instance.cpu_s() - cpu_s, stolen.percent()
        listener.close()
        self.sent += n
        rows = await self.stored()
        if rows != self.sent:
            raise RuntimeError(f"{name}: {rows:,} rows are stored, {self.sent:,} were sent")
        figures: dict[str, float] = {
            "n": n, "stored/s": n / (stored - begun), "of bare": n / (stored - begun) / self.bare[-1],
            "missed": n - listener.count, "CPU us/event": cpu_s / n * 1e6,
            "stolen %": stolen_percent,
        }  # fmt: skip
        if pushed:
            figures["pushed/s"] = listener.count / (pushed - begun)
        if sending is not None:
            measured = await sending
            figures |= {
                "taken/s": n / measured.elapsed_s, "ack p50 ms": measured.quantile_ms(0.5),
                "ack p99 ms": measured.quantile_ms(0.99), "refused": measured.failed,
            }  # fmt: skip
        self.rows[name].append(figures)

    async def _processed(self) -> int:
        """Records that the record group has stored and committed since the server's start."""
        return int((await get_json(self.port, "/ready", self.token))["checks"]["record"]["processed"])


def _event(i: int) -> dict[str, Any]:
    """Three motions, then one telemetry with two numbers; the numbers stay in their usual range."""
    return {
        "device_id": f"sensor-{i % DEVICES}",
        "event_type": "motion_detected" if i % 4 else "telemetry",
        "timestamp": iso(datetime.now(UTC)),
        "payload": {"zone": "living_room", "intensity": 0.85, "signature": "human"}
        if i % 4
        else {"metrics": {"temperature": 20 + i % 7 / 10, "humidity": 45}},
        "metadata": {"firmware_version": "1.2.3", "signal_strength": -45, "is_simulated": False},
    }


def _said(i: int) -> bytes:
    return json.dumps({k: v for k, v in _event(i).items() if k != "device_id"}).encode()


if __name__ == "__main__":
    sys.exit(main())
