"""A client that does not read, on a real socket: it costs a bounded queue, and the others nothing."""

import asyncio
import contextlib
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from api.hub import Hub
from api.reader import BYTES, MESSAGES
from deploy.server import bind, serving
from evals.bench.listen import handshake, until
from homeguard.ports.live_state import Live

pytestmark = pytest.mark.timeout(120)
STREAM = "/api/v1/events/stream"
#: More than the kernel keeps for two sockets (a few megabytes each), in pieces that fit into one message.
EVENTS, NOTE = 500, "x" * 40_000
_TOO_SLOW = 1013


class Slow:
    """A raw WebSocket client with a small buffer that reads only when it is told to."""

    answer = b"HTTP/1.1 101"

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(self.asks(token))
        self._socket.setblocking(False)
        self._left = b""

    def asks(self, token: str) -> bytes:
        return handshake(token)

    async def opened(self) -> None:
        while b"\r\n\r\n" not in self._left:
            self._left += await self._some()
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        assert head.startswith(self.answer), head

    async def next(self) -> dict[str, Any] | int:
        """The next message, or the code that the connection was closed with."""
        while True:
            frame = self._frame()
            if frame is None:
                self._left += await self._some()
            elif frame[0] == 0x8:
                return int(struct.unpack("!H", frame[1][:2])[0])
            elif frame[0] == 0x1:
                return dict(json.loads(frame[1]))

    def close(self) -> None:
        self._socket.close()

    async def _some(self) -> bytes:
        async with asyncio.timeout(20):
            some = await asyncio.get_running_loop().sock_recv(self._socket, 1 << 20)
        if not some:
            raise EOFError
        return some

    def _frame(self) -> tuple[int, bytes] | None:
        left = self._left
        if len(left) < 2 or (len(left) < 10 and left[1] & 0x7F > 125):
            return None
        size, start = left[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(left[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(left[2:10], "big"), 10
        if len(left) < start + size:
            return None
        self._left = left[start + size :]
        return left[0] & 0x0F, left[start : start + size]


class SlowStream(Slow):
    """The same for server-sent events. A connection that was ended stands for the code of a WebSocket."""

    answer = b"HTTP/1.1 200"

    def asks(self, token: str) -> bytes:
        return f"GET {STREAM} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    async def next(self) -> dict[str, Any] | int:
        while True:
            line, found, rest = self._left.partition(b"\n")
            if not found:
                try:
                    self._left += await self._some()
                except (EOFError, ConnectionResetError):
                    return _TOO_SLOW
                continue
            self._left = rest
            if line.startswith(b"data: "):
                return dict(json.loads(line[6:]))


@asynccontextmanager
async def _served(world: Any) -> AsyncIterator[int]:
    listener = bind("127.0.0.1", 0)
    with contextlib.closing(listener):
        async with serving(world.app, listener):
            yield int(listener.getsockname()[1])


async def _happen(world: Any, quick: Any) -> tuple[list[int], tuple[int, int]]:
    """Let much happen; what the quick one got, and the most that waited for anybody."""
    hub: Hub = world.app.state.hub
    got, most = [], (0, 0)
    for n in range(EVENTS):
        await world.stores.feed.publish([Live(home_id="ann", kind="device_event", data={"n": n, "note": NOTE})])
        async with asyncio.timeout(20):
            got.append(json.loads(await quick.recv())["n"])
        waiting = [reader.waiting for reader in hub.readers()]
        most = max(most[0], *(w[0] for w in waiting)), max(most[1], *(w[1] for w in waiting))
    return got, most


async def _slow_beside_quick(
    world: Any, *, is_let_go: bool = False, kind: type[Slow] = Slow
) -> tuple[dict[str, Any] | int, int, int]:
    """What came last to the slow one, how many it was told that it missed, how many messages it got.

    It reads again when all has happened, with `is_let_go` when it has been given up. Fails when the quick one misses
    anything, or when more waits for the slow one than may.
    """
    token = await world.token("ann")
    async with _served(world) as port:
        slow = kind(port, token)
        with contextlib.closing(slow):
            await slow.opened()
            url = f"ws://127.0.0.1:{port}{STREAM}"
            async with connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as quick:
                got, most = await _happen(world, quick)
            assert got == list(range(EVENTS))
            assert most[0] <= MESSAGES
            assert most[1] <= BYTES
            if is_let_go:
                assert await until(lambda: not world.app.state.hub.readers(), every_s=0.02, limit_s=20)
            count = missed = 0
            while True:
                said = await slow.next()
                if isinstance(said, int):
                    return said, missed, count
                if "n" in said:
                    count += 1
                    if said["n"] == EVENTS - 1:
                        return said, missed, count
                elif said["type"] == "gap":
                    missed += said["missed"]


KINDS = pytest.mark.parametrize("kind", [Slow, SlowStream], ids=["socket", "server-sent"])


@KINDS
async def test_who_reads_again_in_time_gets_one_gap_and_the_newest_and_nobody_else_waited(
    open_one: Any, kind: type[Slow]
) -> None:
    async with open_one(send_limit_s=60.0) as world:
        last, missed, count = await _slow_beside_quick(world, kind=kind)
    assert not isinstance(last, int)
    assert missed > 0
    assert count + missed == EVENTS


@KINDS
async def test_who_does_not_read_is_closed_with_1013(open_one: Any, kind: type[Slow]) -> None:
    async with open_one(send_limit_s=0.2) as world:
        last, _, count = await _slow_beside_quick(world, is_let_go=True, kind=kind)
    assert last == _TOO_SLOW
    assert count < EVENTS


@KINDS
async def test_a_connection_that_is_never_read_is_let_go(
    open_one: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: type[Slow]
) -> None:
    monkeypatch.setattr("deploy.server.LEAVE_S", 0.2)
    assert await _is_let_go(open_one, kind)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_the_harness_sees_a_stream_that_is_not_let_go(open_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.bounded_http.Gathering.leave", lambda _: None)
    monkeypatch.setattr("deploy.bounded_http.LEAVE_S", 60.0)
    assert not await _is_let_go(open_one, SlowStream, limit_s=2.0)


async def test_an_answer_that_nobody_reads_holds_its_connection_for_a_moment(
    open_one: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a door that says so: the server itself ends what it closed and cannot get rid of."""
    monkeypatch.setattr("deploy.bounded_http.Gathering.leave", lambda _: None)
    monkeypatch.setattr("deploy.bounded_http.LEAVE_S", 0.2)
    assert await _is_let_go(open_one, SlowStream)


@KINDS
async def test_who_reads_what_was_left_is_not_ended_twice(
    open_one: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: type[Slow]
) -> None:
    # from when it is given up: long enough for the rest to happen and for it to read, on a busy machine too
    monkeypatch.setattr("deploy.server.LEAVE_S", 10.0)
    monkeypatch.setattr("deploy.bounded_http.LEAVE_S", 10.0)
    async with open_one(send_limit_s=0.2) as world:
        await _slow_beside_quick(world, is_let_go=True, kind=kind)
        await asyncio.sleep(10.1)  # what ends it a second time would come now
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


async def _is_let_go(open_one: Any, kind: type[Slow], *, limit_s: float = 20.0) -> bool:
    """Whether the server's end of a connection goes that never reads."""
    async with open_one(send_limit_s=0.2) as world:
        token = await world.token("ann")
        async with _served(world) as port:
            before = _sockets()
            slow = kind(port, token)
            with contextlib.closing(slow):
                await slow.opened()
                assert _sockets() == before + 2
                item = Live(home_id="ann", kind="device_event", data={"note": NOTE})
                for _ in range(EVENTS):
                    await world.stores.feed.publish([item])
                    await asyncio.sleep(0)
                is_gone = await until(lambda: _sockets() == before + 1, every_s=0.05, limit_s=limit_s)
                assert not is_gone or world.app.state.hub.readers() == []
                return bool(is_gone)


def _sockets() -> int:
    """Open sockets of this process."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(link.readlink()).startswith("socket:")
    return count


@KINDS
async def test_the_harness_sees_a_queue_without_bounds(
    open_one: Any, monkeypatch: pytest.MonkeyPatch, kind: type[Slow]
) -> None:
    monkeypatch.setattr("api.reader.MESSAGES", 1 << 40)
    monkeypatch.setattr("api.reader.BYTES", 1 << 40)
    async with open_one(send_limit_s=60.0) as world:
        with pytest.raises(AssertionError):
            await _slow_beside_quick(world, kind=kind)
