"""How fast the live stream reaches 1,000 open WebSockets, and whether one that never reads slows the others."""

import argparse
import asyncio
import json
import resource
import socket
import sys
import time
from array import array
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from evals.bench.instance import DEVICES, Instance, in_a_folder, machine, pinned, prepare, serving, token_for
from evals.bench.listen import handshake, text_frame, until
from evals.bench.load import Connection, request
from evals.bench.table import Row, table
from homeguard.clock import SystemClock, iso

_MARK = b'"event_id":"fan-'
_LIMIT_S = 30.0
#: Events of 40 kB: more than two sockets' buffers hold.
_FILL = 250
_COLUMNS = {
    "clients": 0, "events": 0, "messages/s": 0, "p50 ms": 1, "p99 ms": 1, "max ms": 1, "missed": 0, "closed": 0,
 "CPU us/message": 1,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=50.0, help="events a second of the paced runs")
    parser.add_argument("--events", type=int, default=150, help="events of a paced run")
    parser.add_argument("--together", type=int, default=32, help="events of a batch of the run without a pace")
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    return in_a_folder(lambda folder: _bench(folder / "data", options))


class _Client(asyncio.Protocol):
    """One WebSocket that counts and times what it gets."""

    def __init__(self, fan: "_Fan") -> None:
        self._fan = fan
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.is_open = False
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def subscribe(self, channel: str) -> None:
        assert self._transport is not None
        self._transport.write(text_frame(f'{{"action":"subscribe","channels":["{channel}"]}}'.encode()))

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        buffer = self._buffer + data if self._buffer else data
        if not self.is_open:
            head, ended, rest = buffer.partition(b"\r\n\r\n")
            if not ended:
                self._buffer = buffer
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise RuntimeError(head.decode(errors="replace"))
            self.is_open, buffer = True, rest
        at, size = 0, len(buffer)
        while size - at >= 2:
            length, start = buffer[at + 1] & 0x7F, at + 2
            if length == 126:
                length, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            if start + length > size:
                break
            self._fan.take(buffer, start, start + length, now)
            at = start + length
        self._buffer = buffer[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True


class _Fan:
    """All clients together: seconds from each event's publication to each receipt."""

    def __init__(self) -> None:
        self.clients: list[_Client] = []
        self.published: list[float] = []
        self.delays_s = array("d")
        self.missed = 0
        self.subscribed = 0
        #: Receipts of the event that was published last.
        self.newest = 0

    def take(self, buffer: bytes, start: int, end: int, now: float) -> None:
        at = buffer.find(_MARK, start, end)
        if at >= 0:
            number = int(buffer[at + len(_MARK) : buffer.index(b'"', at + len(_MARK))])
            self.delays_s.append(now - self.published[number])
            self.newest += number == len(self.published) - 1
        elif buffer.find(b'"subscribed"', start, end) >= 0:
            self.subscribed += 1
        elif buffer.find(b'"gap"', start, end) >= 0:
            self.missed += int(json.loads(buffer[start:end])["missed"])

    async def subscribe(self, channel: str) -> None:
        self.subscribed = 0
        for client in self.clients:
            client.subscribe(channel)
        await until(lambda: self.subscribed == len(self.clients), every_s=0.01, limit_s=_LIMIT_S)

    def begin(self) -> None:
        self.delays_s = array("d")
        self.missed = 0

    def has(self, messages: int) -> bool:
        return len(self.delays_s) + self.missed >= messages


@asynccontextmanager
async def _connected(port: int, token: str, clients: int) -> AsyncIterator[_Fan]:
    fan, loop, transports = _Fan(), asyncio.get_running_loop(), []
    try:
        for _ in range(clients):
            transport, client = await loop.create_connection(lambda: _Client(fan), "127.0.0.1", port)
            transport.write(handshake(token))
            fan.clients.append(client)
            transports.append(transport)
        if not await until(lambda: all(c.is_open for c in fan.clients), every_s=0.02, limit_s=_LIMIT_S):
            raise RuntimeError("the sockets did not open")
        yield fan
    finally:
        for transport in transports:
            transport.close()


def _never_reads(port: int, token: str) -> socket.socket:
    """A subscriber with a small buffer that takes nothing out of it."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", port))
    slow.sendall(handshake(token))
    return slow


async def _bench(data: Path, options: argparse.Namespace) -> None:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    cores = pinned()
    print(f"machine: {machine(cores)}")
    print(
        f"server: every handler on, demo, simulator and rate limits off, {DEVICES} devices; {options.clients} "
        "WebSocket clients of one home in the generator; an event is published when its POST is sent"
    )
    await prepare(data)
    rows: dict[str, list[Row]] = defaultdict(list)
    async with serving(data, "", cores) as instance, _connected(
        instance.port, token_for(data), options.clients
    ) as fan:  # fmt: skip
        bench = _Bench(instance, fan, token_for(data))
        await bench.paced(20, options.rate)
        for _ in range(options.repeat):
            rows["one event at a time"].append(await bench.paced(options.events, options.rate))
            slow = _never_reads(instance.port, token_for(data))
            try:
                await bench.fill()
                rows["the same, one never reads"].append(await bench.paced(options.events, options.rate))
            finally:
                slow.close()
            rows[f"batches of {options.together}"].append(await bench.batches(options.batches, options.together))
    print(f"each figure: median (smallest-largest) of {options.repeat}\n")
    print(table(rows, _COLUMNS))


class _Bench:
    def __init__(self, instance: Instance, fan: _Fan, token: str) -> None:
        self._instance = instance
        self._fan = fan
        self._token = token

    async def paced(self, events: int, rate: float) -> Row:
        """One event a request, each when it is due."""
        connection = await self._begin()
        begun, cpu_s = time.perf_counter(), self._instance.cpu_s()
        for number in range(events):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            await self._publish(connection, 1)
        return await self._row(events, begun, cpu_s)

    async def batches(self, batches: int, together: int) -> Row:
        """A batch a request; the next one once everybody has it."""
        connection = await self._begin()
        begun, cpu_s = time.perf_counter(), self._instance.cpu_s()
        for number in range(batches):
            await self._publish(connection, together)
            expected = (number + 1) * together * len(self._fan.clients)
            await until(lambda n=expected: self._fan.has(n), every_s=0.001, limit_s=_LIMIT_S)  # type: ignore[misc]
        return await self._row(batches * together, begun, cpu_s)

    async def fill(self) -> None:
        """Publish more than the kernel keeps for it to the one that never reads, and to nobody else."""
        await self._fan.subscribe("agent")
        connection = await self._begin()
        for _ in range(_FILL):
            await self._publish(connection, 1, note="x" * 40_000)
        await self._fan.subscribe("events")
        # once everybody has this one, nothing of the rest is under way any more
        self._fan.newest = 0
        await self._publish(connection, 1)
        await until(lambda: self._fan.newest == len(self._fan.clients), every_s=0.01, limit_s=_LIMIT_S)

    async def _begin(self) -> Connection:
        connection = Connection("127.0.0.1", self._instance.port)
        await connection.open()
        self._fan.begin()
        return connection

    async def _publish(self, connection: Connection, events: int, note: str = "") -> None:
        first, now = len(self._fan.published), time.perf_counter()
        self._fan.published += [now] * events
        at = iso(SystemClock().now())
        items = [
            {"event_id": f"fan-{n}", "device_id": f"sensor-{n % DEVICES}", "event_type": "motion_detected",
             "timestamp": at, "payload": {"zone": "living_room", "intensity": 0.85, "note": note}}
            for n in range(first, first + events)
        ]  # fmt: skip
        status = await connection.send(request("POST", "/api/v1/events", json.dumps(items).encode(), self._token))
        if status != 202:
            raise RuntimeError(f"an event was refused with {status}")

    async def _row(self, events: int, begun: float, cpu_s: float) -> Row:
        fan, clients = self._fan, len(self._fan.clients)
        ended = await until(lambda: fan.has(events * clients), every_s=0.002, limit_s=_LIMIT_S) or time.perf_counter()
        delays = sorted(fan.delays_s)
        return {
            "clients": clients,
            "events": events,
            "messages/s": len(delays) / (ended - begun),
            "p50 ms": delays[len(delays) // 2] * 1000,
            "p99 ms": delays[int(len(delays) * 0.99)] * 1000,
            "max ms": delays[-1] * 1000,
            "missed": events * clients - len(delays),
            "closed": sum(c.is_closed for c in fan.clients),
            "CPU us/message": (self._instance.cpu_s() - cpu_s) / max(1, len(delays)) * 1e6,
        }


if __name__ == "__main__":
    sys.exit(main())
