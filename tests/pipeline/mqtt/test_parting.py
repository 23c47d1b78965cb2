"""The end of a connection: the broker gets to read what was said last, though it was speaking itself."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest
from raw_broker import CONNACK_5, said

from pipeline.mqtt.address import parse_address
from pipeline.mqtt.connection import Connection, ConnectionRefused
from pipeline.mqtt.delivery import DeliveryNames

_PUBACK, _DISCONNECT = b"\x40\x02\x00\x07", b"\xe0\x00"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(10)
        yield made


async def opened(listener: socket.socket) -> tuple[Connection, socket.socket]:
    """A connection, and the broker's end of it, which has read the CONNECT."""
    address = f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
    connection = Connection(parse_address(address), "c", DeliveryNames(), version=5)

    def accept() -> socket.socket:
        accepted, _ = listener.accept()
        accepted.settimeout(10)
        accepted.recv(1000)
        accepted.sendall(CONNACK_5)
        return accepted

    end, _ = await asyncio.gather(asyncio.to_thread(accept), connection.open([]))
    return connection, end


def busy_broker(end: socket.socket) -> bytes:
    """Speaks before it listens, as one that is behind does; then reads to the end."""
    with end:
        for mid in range(100, 110):
            end.sendall(said(b"t", b"more", mid))
        heard = b""
        while piece := end.recv(1000):
            heard += piece
        return heard


async def test_a_busy_broker_hears_the_last_acknowledgement(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.mqtt.connection._PARTING_S", 10.0)
    connection, end = await opened(listener)
    end.sendall(said(b"t", b"first", 7))
    taken = await connection.take(5.0)

    connection.acknowledge(taken)
    end.sendall(said(b"t", b"not taken any more", 8))
    _, heard = await asyncio.gather(connection.close(), asyncio.to_thread(busy_broker, end))

    assert heard == _PUBACK + _DISCONNECT


async def test_a_broker_that_never_closes_is_not_waited_for_long(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.mqtt.connection._PARTING_S", 0.1)
    connection, end = await opened(listener)

    with end:
        async with asyncio.timeout(5):
            await connection.close()
        assert end.recv(1000) == _DISCONNECT
        assert end.recv(1000) == b""


async def test_a_broker_that_floods_us_does_not_hold_the_loop(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.mqtt.connection._PARTING_S", 0.3)
    connection, end = await opened(listener)
    turns = 0

    def flood() -> None:
        with end, contextlib.suppress(OSError):
            while True:
                end.sendall(bytes(1 << 20))

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async with asyncio.timeout(20):
        await asyncio.gather(connection.close(), asyncio.to_thread(flood))
    counting.cancel()

    assert turns > 10


async def test_a_broker_that_never_answered_is_left_at_once(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.mqtt.connection._CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr("pipeline.mqtt.connection._PARTING_S", 3600.0)
    address = f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
    connection = Connection(parse_address(address), "c", DeliveryNames(), version=5)

    with pytest.raises(ConnectionRefused):
        await connection.open([])

    async with asyncio.timeout(20):
        await connection.close()
