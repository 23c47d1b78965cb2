"""Ten times what can be done, for a while: how much is still done, who is refused, and whether alarms notice."""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from evals.bench.bare import fdatasync_ms
from evals.bench.flood import Flooded, flood
from evals.bench.instance import DEVICES, Instance, in_a_folder, machine, pinned, prepare, serving, token_for
from evals.bench.listen import Listener, listen, until
from evals.bench.load import Connection, Measured, get_json, request
from evals.bench.table import Row, table

_PROBE_S: Final = 0.05
_LIMIT_S: Final = 60.0
_COLUMNS: Final = {
    "peak/s": 0, "goodput/s": 0, "of peak": 2, "of peak by CPU": 2, "offered x peak": 1,
    "shed": 0, "without Retry-After": 0, "failed": 0,
    "alarms": 0, "dropped": 0, "alarm ack p99 ms": 1, "alarm push p99 ms": 1, "RSS before MiB": 0, "RSS most MiB": 0,
    "x before": 2, "calm again s": 1,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of overload (the goal speaks of 300)")
    parser.add_argument("--peak", type=float, default=6.0, help="seconds in which the peak is measured")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    return in_a_folder(lambda folder: _bench(folder, options))


async def _bench(folder: Path, options: argparse.Namespace) -> None:
    cores = pinned()
    print(f"machine: {machine(cores)}")
    print(f"server: every handler on, one WebSocket subscriber, demo, simulator, rate limits off, {DEVICES} devices")
    rows: list[Row] = []
    for number in range(options.repeat):
        data = folder / str(number)
        await prepare(data)
        async with serving(data, "", cores) as instance:
            overload = _Overload(instance, data)
            rows.append(await overload.run(options))
            accepted = overload.accepted
        print(table({"so far": rows[-1:]}, _COLUMNS), flush=True)
        async with serving(data, "", cores) as instance:
            stored = await _Overload(instance, data).stored()
        print(f"rows found after the restart {stored:,}, accepted (with an alert each for alarms) {accepted:,}")
    print(f"fdatasync p50, p99 ms: {', '.join(f'{ms:.2f}' for ms in fdatasync_ms(folder))}\n")
    print(table({f"{options.seconds:g} s of overload": rows}, _COLUMNS))


@dataclass(slots=True)
class _Probe:
    """One event every 50 ms, each sent when it is due, as by a device of its own: on a connection that nobody uses
    just now. `at` is when each was due."""

    kind: str
    at: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    refused: int = 0
    pushed_s: list[float] = field(default_factory=list)

    free: list[Connection] = field(default_factory=list)

    async def run(self, overload: "_Overload", stop: asyncio.Event, listener: Listener | None = None) -> None:
        begun, number = time.perf_counter(), 0
        sent: dict[str, float] = {}
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                due = begun + number * _PROBE_S
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                name = f"{self.kind}-{time.time_ns()}"
                body = {"event_id": name, "device_id": f"sensor-{number % DEVICES}", "event_type": self.kind}
                # an alarm is stored with the alert that is raised for it
                tasks.create_task(self._send(overload, body, due, worth=2 if listener is not None else 1))
                sent[name] = due
                number += 1
        for connection in self.free:
            connection.close()
        if listener is not None:
            await until(lambda: all(name in listener.arrived for name in sent), every_s=0.02, limit_s=_LIMIT_S)
            self.pushed_s = [listener.arrived[name] - due for name, due in sent.items() if name in listener.arrived]

    async def _send(self, overload: "_Overload", body: dict[str, str], due: float, *, worth: int) -> None:
        raw = request("POST", "/api/v1/events", json.dumps(body).encode(), overload.token)
        status = 0
        while not status:
            is_new = not self.free
            connection = Connection("127.0.0.1", overload.instance.port) if is_new else self.free.pop()
            try:
                if is_new:
                    await connection.open()
                status = await connection.send(raw)
            except (asyncio.IncompleteReadError, ConnectionError):
                connection.close()
                if is_new:
                    raise
                # the server had closed it for its idleness: said again, with the same event id
        self.free.append(connection)
        self.at.append(due)
        self.latencies_s.append(time.perf_counter() - due)
        self.refused += status != 202
        overload.accepted += worth if status == 202 else 0

    def p99_ms(self, since: float = 0.0, to: float = float("inf")) -> float:
        chosen = [s for at, s in zip(self.at, self.latencies_s, strict=True) if since <= at < to]
        return Measured(latencies_s=chosen).quantile_ms(0.99)


class _Overload:
    def __init__(self, instance: Instance, data: Path) -> None:
        self.instance = instance
        self.accepted = 0
        self._data = data
        self._token, self._renew_at = "", 0.0

    @property
    def token(self) -> str:
        """One for a minute, as a client would use it: a token that was never seen costs the server more."""
        if time.monotonic() >= self._renew_at:
            self._token, self._renew_at = token_for(self._data), time.monotonic() + 60
        return self._token

    async def run(self, options: argparse.Namespace) -> Row:
        peak, peak_cpu = await self._peak(options.peak, options.batch)
        before_mib = self.instance.rss_mib()
        listener = await listen(self.instance.port, self.token, keep=True)
        stop = asyncio.Event()
        alarms, ordinary = _Probe("smoke_detected"), _Probe("motion_detected")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(alarms.run(self, stop, listener))
            tasks.create_task(ordinary.run(self, stop))
            await asyncio.sleep(2)
            begun, processed, cpu_s = time.perf_counter(), await self._processed(), self.instance.cpu_s()
            usual_ms = ordinary.p99_ms(to=begun)
            watching = tasks.create_task(self._most_mib(stop))
            told = await self._flood(options)
            ended = time.perf_counter()
            done = await self._processed() - processed
            goodput, goodput_cpu = done / (ended - begun), done / (self.instance.cpu_s() - cpu_s)
            calm_s = await self._calm(ordinary, ended, usual_ms)
            stop.set()
        listener.close()
        self.accepted += told.accepted
        await until(self._has_all, every_s=0.2, limit_s=_LIMIT_S)
        most_mib = watching.result()
        return {
            "peak/s": peak, "goodput/s": goodput, "of peak": goodput / peak,
            "of peak by CPU": goodput_cpu / peak_cpu,
            "offered x peak": told.offered / told.elapsed_s / peak, "shed": told.shed,
            "without Retry-After": told.silent, "failed": told.failed, "alarms": len(alarms.latencies_s),
            "dropped": alarms.refused + len(alarms.latencies_s) - len(alarms.pushed_s),
            "alarm ack p99 ms": alarms.p99_ms(begun, ended),
            "alarm push p99 ms": Measured(latencies_s=alarms.pushed_s).quantile_ms(0.99),
            "RSS before MiB": before_mib, "RSS most MiB": most_mib, "x before": most_mib / before_mib,
            "calm again s": calm_s,
        }  # fmt: skip

    async def _peak(self, seconds: float, batch: int) -> tuple[float, float]:
        """Records that are stored while a few connections send as fast as they are answered: a second, and a second of
        the server's processor."""
        await flood(self.instance.port, self.token, seconds=1, connections=2, batch=min(batch, 100))
        begun, processed, cpu_s = time.perf_counter(), await self._processed(), self.instance.cpu_s()
        await flood(self.instance.port, self.token, seconds=seconds, connections=4, batch=min(batch, 100))
        done = await self._processed() - processed
        rate, rate_cpu = done / (time.perf_counter() - begun), done / (self.instance.cpu_s() - cpu_s)
        # what is counted from here on begins from a known number of rows
        await until(self._is_idle, every_s=0.2, limit_s=_LIMIT_S)
        self.accepted = await self.stored()
        return rate, rate_cpu

    async def _flood(self, options: argparse.Namespace) -> Flooded:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "evals.bench.flood", "--port", str(self.instance.port),
            "--seconds", str(options.seconds), "--connections", str(options.connections), "--batch", str(options.batch),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await process.communicate(self.token.encode() + b"\n")
        return Flooded(**json.loads(said))

    async def _most_mib(self, stop: asyncio.Event) -> float:
        most = 0.0
        while not stop.is_set():
            most = max(most, self.instance.rss_mib())
            await asyncio.sleep(0.25)
        return most

    async def _calm(self, probe: _Probe, ended: float, usual_ms: float) -> float:
        """Seconds until a whole second of ordinary events was answered as it was before (at most twice as slow)."""
        wanted_ms = 2 * max(usual_ms, 5.0)
        for second in range(int(_LIMIT_S)):
            await asyncio.sleep(max(0.0, ended + second + 1.5 - time.perf_counter()))
            if 0 < probe.p99_ms(ended + second, ended + second + 1) <= wanted_ms:
                return float(second)
        return _LIMIT_S

    async def _has_all(self) -> bool:
        return await self.stored() >= self.accepted

    async def _is_idle(self) -> bool:
        before = await self._processed()
        await asyncio.sleep(0.5)
        return before == await self._processed()

    async def stored(self) -> int:
        return int((await get_json(self.instance.port, "/api/v1/analytics/summary", self.token))["events_total"])

    async def _processed(self) -> int:
        return int((await get_json(self.instance.port, "/ready", self.token))["checks"]["record"]["processed"])


if __name__ == "__main__":
    sys.exit(main())
