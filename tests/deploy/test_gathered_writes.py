"""What an answer writes goes out in one piece, also when its reader has left in the meantime."""

import asyncio
from typing import Any, cast

import uvloop

from deploy.bounded_http import Gathering


class _Server(asyncio.Protocol):
    """Writes twice in one turn of the loop; `abort` ends the connection between the writing and the sending."""

    def __init__(self, *, abort: bool) -> None:
        self._abort = abort

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._gathering = Gathering(cast("asyncio.Transport", transport), asyncio.get_running_loop())
        self._gathering.write(b"one ")
        self._gathering.write(b"two")
        if self._abort:
            self._gathering.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gathering.lost()
        self._gathering.write(b"too late")


async def _visit(*, abort: bool) -> tuple[bytes, list[Any]]:
    """What the reader got, and what the loop had to complain of."""
    loop = asyncio.get_running_loop()
    complaints: list[Any] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    server = await loop.create_server(lambda: _Server(abort=abort), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            got = b"" if abort else await reader.readexactly(7)
        finally:
            writer.close()
        await asyncio.sleep(0.1)
    return got, complaints


def test_two_writes_are_one_piece() -> None:
    assert asyncio.run(_visit(abort=False)) == (b"one two", [])


def test_nothing_is_written_to_a_reader_who_has_left() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(_visit(abort=True)) == (b"", [])
