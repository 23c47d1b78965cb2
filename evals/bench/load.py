"""A load generator over raw sockets: it shares the machine with the server, so it does as little as it can."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Measured:
    """Seconds of each request, and the whole run's length in seconds."""

    latencies_s: list[float] = field(default_factory=list)
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
        """The status of the answer; its body is read and dropped."""
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
                await self._reader.readexactly(length)
        return status

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def request(method: str, path: str, body: bytes, token: str) -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def drive(
    port: int, requests: Sequence[bytes], *, connections: int, expected: int, rate: float | None = None
) -> Measured:
    """Send every request once over `connections` connections; `rate` (a second) paces the start of each."""
    measured = Measured()
    queue = iter(list(enumerate(requests)))
    begun = time.perf_counter()

    async def one() -> None:
        connection = Connection("127.0.0.1", port)
        await connection.open()
        for index, raw in queue:
            due = begun + index / rate if rate else 0.0
            wait_s = due - time.perf_counter() if rate else 0.0
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            start = max(due, begun) if rate else time.perf_counter()
            status = await connection.send(raw)
            measured.latencies_s.append(time.perf_counter() - start)
            measured.failed += status != expected
        connection.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(one())
    measured.elapsed_s = time.perf_counter() - begun
    return measured
