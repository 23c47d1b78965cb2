"""Listens to the live stream over a raw WebSocket: counts what is pushed, and when each event came."""

import asyncio
import base64
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

_EVENT = b'"event_id":"'


class Listener(asyncio.Protocol):
    """`count` events came, `missed` were passed over in gaps; `arrived` has each event's time when `keep` is set."""

    def __init__(self, *, keep: bool = False) -> None:
        self.count = 0
        self.missed = 0
        self.arrived: dict[str, float] = {}
        self.opened = asyncio.Event()
        self._keep = keep
        self._buffer = b""
        self._is_open = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            head, ended, rest = self._buffer.partition(b"\r\n\r\n")
            if not ended:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise RuntimeError(head.decode(errors="replace"))
            self._is_open, self._buffer = True, rest
            self._send(0x1, b'{"action":"subscribe","channels":["events"]}')
        self._read()

    def _read(self) -> None:
        buffer, at, size, now = self._buffer, 0, len(self._buffer), time.perf_counter()
        while size - at >= 2:
            length, start = buffer[at + 1] & 0x7F, at + 2
            if length == 126:
                length, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                length, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if start > size or start + length > size:
                break
            self._take(buffer[at] & 0x0F, buffer[start : start + length], now)
            at = start + length
        self._buffer = buffer[at:]

    def _take(self, kind: int, body: bytes, now: float) -> None:
        if kind == 0x9:
            self._send(0xA, body)
        elif kind == 0x1 and b'"device_event"' in body[:60]:
            self.count += 1
            if self._keep:
                start = body.index(_EVENT) + len(_EVENT)
                self.arrived[body[start : body.index(b'"', start)].decode()] = now
        elif kind == 0x1 and b'"gap"' in body[:60]:
            self.missed += int(json.loads(body)["missed"])
        elif kind == 0x1 and b'"subscribed"' in body[:60]:
            self.opened.set()

    def _send(self, kind: int, body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(_frame(kind, body))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def text_frame(text: bytes) -> bytes:
    """A client's text message of less than 126 bytes."""
    return _frame(0x1, text)


def _frame(kind: int, body: bytes) -> bytes:
    # A mask of zeros leaves the text as it is.
    return bytes((0x80 | kind, 0x80 | len(body), 0, 0, 0, 0)) + body


def handshake(token: str) -> bytes:
    """The request that opens the live stream as a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        "GET /api/v1/events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


async def listen(port: int, token: str, *, keep: bool = False) -> Listener:
    """Connected and subscribed to `events`."""
    _, listener = await asyncio.get_running_loop().create_connection(lambda: Listener(keep=keep), "127.0.0.1", port)
    assert listener._transport is not None
    listener._transport.write(handshake(token))
    async with asyncio.timeout(10):
        await listener.opened.wait()
    return listener


async def until(reached: Callable[[], bool | Awaitable[bool]], *, every_s: float, limit_s: float) -> float:
    """The `perf_counter` at which `reached` became true; 0.0 when it did not within `limit_s`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            while True:
                answer = reached()
                if await answer if isinstance(answer, Awaitable) else answer:
                    return time.perf_counter()
                await asyncio.sleep(every_s)
    return 0.0
