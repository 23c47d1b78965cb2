"""A load generator over raw sockets: it shares the machine with the server, so it does as little as it can."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

#: The last stretch before a request is due is spent looking at the clock: timers are too coarse for it.
_LOOK_S = 0.002


@dataclass(slots=True)
class Measured:
    """Seconds of each request, and the whole run's length in seconds; `begun` is a `perf_counter`."""

    latencies_s: list[float] = field(default_factory=list)
    begun: float = 0.0
    elapsed_s: float = 0.0
    failed: int = 0

    def quantile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


class Connection:
    """One keep-alive HTTP/1.1 connection."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 22)

    async def send(self, request: bytes) -> int:
        """The status of the answer; its body is dropped."""
        return (await self.ask(request))[0]

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status of the answer, and its body."""
        assert self._reader is not None
        assert self._writer is not None
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        if at >= 0:
            length = int(lowered[at + 15 : lowered.index(b"\r\n", at)])
            if length:
                return status, await self._reader.readexactly(length)
        return status, b""

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def request(method: str, path: str, body: bytes, token: str) -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def get_json(port: int, path: str, token: str) -> Any:
    """What is asked while a run is measured. A client of a library would build its certificates first, for longer than
    a hundred events take. Raises RuntimeError: the answer is no 200."""
    connection = Connection("127.0.0.1", port)
    await connection.open()
    try:
        status, body = await connection.ask(request("GET", path, b"", token))
    finally:
        connection.close()
    if status != 200:
        raise RuntimeError(f"GET {path}: {status} {body[:200]!r}")
    return json.loads(body)


async def drive(
    port: int, requests: Sequence[bytes], *, connections: int, expected: int, rate: float | None = None
) -> Measured:
    """Send every request once over `connections` connections.

    `rate` (a second) paces them; a request's time then counts from when it was due, so a server that stalls is charged
    for what had to wait.
    """
    measured = Measured()
    queue = iter(list(enumerate(requests)))
    open_ones = [Connection("127.0.0.1", port) for _ in range(connections)]
    for connection in open_ones:
        await connection.open()
    measured.begun = time.perf_counter()

    async def one(connection: Connection) -> None:
        for index, raw in queue:
            start = time.perf_counter()
            if rate:
                start = measured.begun + index / rate
                await _until(start)
            status = await connection.send(raw)
            measured.latencies_s.append(time.perf_counter() - start)
            measured.failed += status != expected
        connection.close()

    async with asyncio.TaskGroup() as tasks:
        for connection in open_ones:
            tasks.create_task(one(connection))
    measured.elapsed_s = time.perf_counter() - measured.begun
    return measured


async def _until(due: float) -> None:
    early_s = due - time.perf_counter()
    if early_s > _LOOK_S:
        await asyncio.sleep(early_s - _LOOK_S)
    while time.perf_counter() < due:
        await asyncio.sleep(0)
