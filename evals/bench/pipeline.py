"""`make bench`: how many events a second are taken, stored and pushed, beside the bare store of the same run."""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import paho.mqtt.client as paho
import websockets

from evals.bench.bare import fdatasync_ms, store_rows_per_s
from evals.bench.load import Measured, drive, request
from homeguard.clock import SystemClock, iso
from homeguard.identity.keys import local_key
from homeguard.identity.tokens import Tokens
from homeguard.model import Device, Home, Member, User
from homeguard.runtime import open_stores

EMAIL = "bench@example.com"
HOME = "bench"
DEVICES = 50
ROWS: list[tuple[str, ...]] = []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="events in the batch runs")
    parser.add_argument("--singles", type=int, default=20_000)
    parser.add_argument("--messages", type=int, default=20_000, help="MQTT messages")
    parser.add_argument("--dir", type=Path, default=None, help="where the data folder goes (default: a temporary one)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homeguard-bench-", dir=options.dir))
    try:
        asyncio.run(bench(folder, options))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


async def bench(folder: Path, options: argparse.Namespace) -> None:
    median, p99 = fdatasync_ms(folder)
    bare = store_rows_per_s(folder)
    machine = f"{os.cpu_count()} cores, {_memory_gib():.0f} GiB, Python {platform.python_version()}"
    print(f"machine: {machine}; fdatasync p50 {median:.2f} ms, p99 {p99:.2f} ms; bare store {bare:,.0f} rows/s")
    print(f"handlers: all; synchronous=FULL; {DEVICES} devices; the generator shares the cores with the server\n")
    data = folder / "data"
    await _prepare(data)
    with _broker(folder) as broker:
        async with _server(data, broker) as port:
            token = Tokens(local_key(data), SystemClock()).operator(EMAIL, "api")
            await _batches(port, token, options.events, bare)
            await _paced(port, token, bare)
            await _singles(port, token, options.singles, bare)
            if broker:
                await _mqtt(port, token, broker, options.messages, bare, p99)
            stored = await _stored(port, token)
        async with _server(data, "") as port:
            token = Tokens(local_key(data), SystemClock()).operator(EMAIL, "api")
            after = await _stored(port, token)
    widths = [max(len(row[i]) for row in ROWS) for i in range(len(ROWS[0]))]
    for row in ROWS:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)))
    print(f"\nrows before the restart {stored:,}, after it {after:,}")


ROWS.append(("run", "n", "taken/s", "ack p50 ms", "ack p99 ms", "stored/s", "of bare", "pushed/s", "refused"))


def _row(name: str, n: int, measured: Measured, stored_s: float, pushed_s: float, bare: float) -> None:
    ROWS.append(
        (
            name, f"{n:,}", f"{n / measured.elapsed_s:,.0f}" if measured.elapsed_s else "-",
            f"{measured.quantile_ms(0.5):.1f}", f"{measured.quantile_ms(0.99):.1f}",
            f"{n / stored_s:,.0f}", f"{n / stored_s / bare:.2f}",
            f"{n / pushed_s:,.0f}" if pushed_s else "-", str(measured.failed),
        )
    )  # fmt: skip


def _event(i: int) -> dict[str, Any]:
    return {
        "device_id": f"sensor-{i % DEVICES}",
        "event_type": "motion_detected" if i % 4 else "telemetry",
        "timestamp": iso(datetime.now(UTC)),
        "payload": {"zone": "living_room", "intensity": 0.85, "signature": "human"}
        if i % 4
        else {"metrics": {"temperature": 20 + i % 7 / 10, "humidity": 45}},
        "metadata": {"firmware_version": "1.2.3", "signal_strength": -45, "is_simulated": False},
    }


async def _batches(port: int, token: str, n: int, bare: float) -> None:
    bodies = [json.dumps([_event(i) for i in range(first, first + 100)]).encode() for first in range(0, n, 100)]
    requests = [request("POST", "/api/v1/events", body, token) for body in bodies]
    await _measure("HTTP, batches of 100, flat out", port, token, requests, n, 4, bare)


async def _paced(port: int, token: str, bare: float) -> None:
    bodies = [json.dumps([_event(i) for i in range(100)]).encode() for _ in range(500)]
    requests = [request("POST", "/api/v1/events", body, token) for body in bodies]
    await _measure("HTTP, batches of 100 at 10,000/s", port, token, requests, 50_000, 8, bare, rate=100.0)


async def _singles(port: int, token: str, n: int, bare: float) -> None:
    requests = [request("POST", "/api/v1/events", json.dumps(_event(i)).encode(), token) for i in range(n)]
    await _measure("HTTP, single events", port, token, requests, n, 32, bare)


async def _measure(
    name: str, port: int, token: str, requests: list[bytes], n: int, connections: int, bare: float,
    rate: float | None = None,
) -> None:  # fmt: skip
    before = await _stored(port, token)
    async with _pushed(port, token) as pushed:
        begun = time.perf_counter()
        measured = await drive(port, requests, connections=connections, expected=202, rate=rate)
        stored_s = await _until_stored(port, token, before + n, begun)
        pushed_s = await pushed(n, begun)
    _row(name, n, measured, stored_s, pushed_s, bare)


async def _mqtt(port: int, token: str, broker: str, n: int, bare: float, sync_p99_ms: float) -> None:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(2_000)
    client.max_queued_messages_set(0)
    host, _, number = broker.removeprefix("mqtt://").partition(":")
    client.connect(host, int(number))
    client.loop_start()
    before = await _stored(port, token)
    async with _pushed(port, token) as pushed:
        begun = time.perf_counter()
        for i in range(n):
            body = json.dumps({k: v for k, v in _event(i).items() if k != "device_id"}).encode()
            client.publish(f"homeguard/{HOME}/sensor-{i % DEVICES}/events", body, qos=1)
        measured = Measured()
        stored_s = await _until_stored(port, token, before + n, begun)
        pushed_s = await pushed(n, begun)
        measured.elapsed_s = stored_s
    client.loop_stop()
    client.disconnect()
    _row("MQTT, QoS 1, Mosquitto", n, measured, stored_s, pushed_s, bare)
    await _push_delay(port, token, sync_p99_ms)


async def _push_delay(port: int, token: str, sync_p99_ms: float) -> None:
    """From the first byte of a single event's request to its message on a WebSocket, with 500 events/s behind."""
    async with websockets.connect(
        f"ws://127.0.0.1:{port}/api/v1/events/stream", additional_headers={"Authorization": f"Bearer {token}"}
    ) as socket_:
        await socket_.send(json.dumps({"action": "subscribe", "channels": ["events"]}))
        sent: dict[str, float] = {}
        delays: list[float] = []

        async def listen() -> None:
            async for raw in socket_:
                message = json.loads(raw)
                start = sent.pop(str(message.get("event_id", "")), None)
                if start is not None:
                    delays.append(time.perf_counter() - start)

        listener = asyncio.create_task(listen())
        requests = []
        for i in range(1_500):
            body = {**_event(i * 4 + 1), "event_id": f"push-{time.time_ns()}-{i}"}
            requests.append((body["event_id"], request("POST", "/api/v1/events", json.dumps(body).encode(), token)))
        begun = time.perf_counter()
        for i, (event_id, _) in enumerate(requests):
            sent[event_id] = begun + i / 500
        await drive(port, [raw for _, raw in requests], connections=16, expected=202, rate=500.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                while sent:
                    await asyncio.sleep(0.01)
        listener.cancel()
    measured = Measured(latencies_s=delays)
    p50, p99 = measured.quantile_ms(0.5), measured.quantile_ms(0.99)
    print(
        f"push delay at 500/s: n {len(delays)}, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {p99 / sync_p99_ms:.1f} x fdatasync p99\n"
    )


async def _stored(port: int, token: str) -> int:
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.get(
            f"http://127.0.0.1:{port}/api/v1/analytics/summary", headers={"Authorization": f"Bearer {token}"}
        )
        answer.raise_for_status()
        return int(answer.json()["events_total"])


async def _until_stored(port: int, token: str, wanted: int, begun: float) -> float:
    async with asyncio.timeout(300):
        while await _stored(port, token) < wanted:
            await asyncio.sleep(0.05)
    return time.perf_counter() - begun


@contextlib.asynccontextmanager
async def _pushed(port: int, token: str) -> AsyncIterator[Any]:
    """One WebSocket that counts what is pushed, gaps included; call it to wait for n."""
    count = 0
    async with websockets.connect(
        f"ws://127.0.0.1:{port}/api/v1/events/stream",
        additional_headers={"Authorization": f"Bearer {token}"},
        max_queue=10_000,
        compression=None,
    ) as connection:
        await connection.send(json.dumps({"action": "subscribe", "channels": ["events"]}))

        async def listen() -> None:
            nonlocal count
            async for raw in connection:
                if b'"gap"' in (raw if isinstance(raw, bytes) else raw.encode())[:40]:
                    count += int(json.loads(raw).get("missed", 0))
                else:
                    count += 1

        listener = asyncio.create_task(listen())

        async def wait_for(n: int, begun: float) -> float:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(30):
                    while count < n:
                        await asyncio.sleep(0.02)
            return time.perf_counter() - begun if count >= n else 0.0

        yield wait_for
        listener.cancel()


async def _prepare(data: Path) -> None:
    clock = SystemClock()
    async with open_stores(data, clock) as stores:
        await stores.users.put_user(User(id=HOME, email=EMAIL, name="Bench", created_at=clock.now()), "-")
        await stores.users.put_home(Home(id=HOME, name="Bench"))
        await stores.users.put_member(Member(home_id=HOME, user_id=HOME, role="owner"))
        kind = ("motion", "climate")
        await stores.devices.put(
            [
                Device(home_id=HOME, id=f"sensor-{i}", name=f"Sensor {i}", type="motion", capabilities=kind)
                for i in range(DEVICES)
            ]
        )
    local_key(data)


@contextlib.asynccontextmanager
async def _server(data: Path, broker: str) -> AsyncIterator[int]:
    port = _free_port()
    environment = {**os.environ, "HOMEGUARD_RATE_LIMITS": "off", "HOMEGUARD_LOG_LEVEL": "warning"}
    if broker:
        environment["MQTT_URL"] = broker
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli.main", "up", "--no-demo", "--no-simulator", "--port", str(port),
         "--data-dir", str(data)],
        stdout=subprocess.PIPE, env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        while b"ready" not in await asyncio.to_thread(process.stdout.readline):
            if process.poll() is not None:
                raise RuntimeError("the server did not start")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 30)


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[str]:
    """A Mosquitto of this run's own, or "" where there is none."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        print("no Mosquitto here: the MQTT rows are left out")
        yield ""
        return
    port = _free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n"
        "max_inflight_messages 2000\nlog_type error\n"
    )
    process = subprocess.Popen([program, "-c", str(config)], start_new_session=True)
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.05)
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


if __name__ == "__main__":
    sys.exit(main())
