"""Readers of the live stream that never read: each costs a bounded piece of memory, and nobody else waits for it."""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from instances import Up

from evals.bench.listen import Listener, listen, until

pytestmark = pytest.mark.timeout(180)

IS_LONG = os.environ.get("HOMEGUARD_LONG") == "1"
SLOW_SOCKETS, SLOW_STREAMS = (60, 60) if IS_LONG else (10, 10)
#: Events of one wave, each about a kilobyte on a stream: without bounds a reader would hold all of them.
BATCHES, BATCH = (300, 100) if IS_LONG else (60, 100)
#: What a reader may cost: 256 messages or 1 MB waiting, twice over for what lies in buffers on the way.
READER_MIB = 2.0
SLACK_MIB = 25.0
SETTINGS = {"HOMEGUARD_RATE_LIMITS": "off", "HOMEGUARD_DEMO_HISTORY_DAYS": "0", "HOMEGUARD_LOG_LEVEL": "warning"}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path, "--no-simulator", env=SETTINGS)
    running.wait_for_the_assistant()
    yield running
    code, _, rest = running.stop()
    assert (code, rest) == (0, "")
    assert "Traceback" not in running.log.read_text()


def rss_mib(up: Up) -> float:
    return int(Path(f"/proc/{up.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


class Sleeper:
    """Opens a stream, as a WebSocket or as server-sent events, and never reads what comes on it."""

    def __init__(self, up: Up, *, is_socket: bool) -> None:
        self.is_socket = is_socket
        self._socket = socket.socket()
        # a small window, so that the kernel holds little of what the server believes to have sent
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(30)
        self._socket.connect(("127.0.0.1", up.port))
        upgrade = (
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n"
        )
        head = f"GET /api/v1/events/stream HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {up.token()}\r\n"
        self._socket.sendall(f"{head}{upgrade if is_socket else ''}\r\n".encode())
        self._left = b""
        while b"\r\n\r\n" not in self._left:
            self._left += self._socket.recv(1)

    def wakes(self) -> bytes:
        """All that comes when it reads at last, until nothing more does or the connection ends."""
        back = self._left.partition(b"\r\n\r\n")[2]
        self._socket.settimeout(2)
        try:
            while some := self._socket.recv(1 << 16):
                back += some
        except OSError:
            pass
        return back

    def close(self) -> None:
        self._socket.close()


def frames(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """(opcode, body) of the whole frames of a server."""
    at = 0
    while len(raw) - at >= 2:
        kind, size, start = raw[at] & 0x0F, raw[at + 1] & 0x7F, at + 2
        if size == 126:
            size, start = struct.unpack_from("!H", raw, at + 2)[0], at + 4
        elif size == 127:
            size, start = struct.unpack_from("!Q", raw, at + 2)[0], at + 10
        if start + size > len(raw):
            return
        yield kind, raw[start : start + size]
        at = start + size


async def wave(up: Up, reader: Listener) -> None:
    """So many events of about a kilobyte, the next batch when the good reader has the one before."""
    with up.http(up.token()) as http:
        items = http.get("/api/v1/devices").json()["items"]
        device = next(d["id"] for d in items if "motion" in d["capabilities"])
        events = [
            {"device_id": device, "event_type": "motion_detected", "payload": {"note": f"{i} " + "x" * 800}}
            for i in range(BATCH)
        ]
        for _ in range(BATCHES):
            wanted = reader.count + reader.missed + BATCH
            while http.post("/api/v1/events", json=events).status_code == 503:  # noqa: ASYNC110 - as a client waits
                await asyncio.sleep(0.2)
            assert await until(lambda n=wanted: reader.count + reader.missed >= n, every_s=0.002, limit_s=60)  # type: ignore[misc]


async def test_readers_that_never_read_cost_a_bounded_piece_and_others_get_everything(up: Up) -> None:
    reader = await listen(up.port, up.token())
    await wave(up, reader)
    before = rss_mib(up)
    sleepers = [Sleeper(up, is_socket=number < SLOW_SOCKETS) for number in range(SLOW_SOCKETS + SLOW_STREAMS)]
    try:
        got = reader.count
        await wave(up, reader)
        grown = rss_mib(up) - before
        assert reader.missed == 0
        assert reader.count - got >= BATCHES * BATCH
        assert grown <= READER_MIB * len(sleepers) + SLACK_MIB
        said = await asyncio.gather(*(asyncio.to_thread(sleeper.wakes) for sleeper in sleepers))
        for sleeper, raw in zip(sleepers, said, strict=True):
            assert len(raw) < BATCHES * BATCH * 800, "it was given everything, so all of it was kept for it"
            if sleeper.is_socket:
                kinds = list(frames(raw))
                closes = [struct.unpack("!H", body[:2])[0] for kind, body in kinds if kind == 0x8 and len(body) >= 2]
                gaps = [body for kind, body in kinds if kind == 0x1 and b'"gap"' in body[:60]]
                # a connection that was cut says as much as a code
                assert gaps or closes in ([1013], [])
                assert all(json.loads(gap)["missed"] >= 0 for gap in gaps)
    finally:
        for sleeper in sleepers:
            sleeper.close()
        reader.close()
    if IS_LONG:
        print(f"\n{len(sleepers)} sleepers, {BATCHES * BATCH:,} events: grown by {grown:.1f} MiB")
    with up.http(up.token()) as http:
        assert http.get("/api/v1/devices").status_code == 200


def test_the_frames_of_a_server_are_told_apart() -> None:
    raw = b"\x81\x02hi" + b"\x81\x7e\x00\x80" + b"a" * 128 + b"\x88\x02" + struct.pack("!H", 1013)
    assert list(frames(raw)) == [(1, b"hi"), (1, b"a" * 128), (8, struct.pack("!H", 1013))]
    assert list(frames(raw[:10])) == [(1, b"hi")]
