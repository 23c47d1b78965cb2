"""HTTP/1.1 whose heads are bounded in size, number and time, and whose connections end though nobody reads them."""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.sse import LEAVE

#: Bytes in which no request begins, moves on or ends, such as those of one long header.
MAX_IDLE: Final = 64 * 1024
MAX_HEADERS: Final = 200
#: From the connection, or the first byte of a request, to the end of its head.
HEAD_S: Final = 30.0
#: How long a connection that is over stays open for its reader to take what was written.
LEAVE_S: Final = 5.0


class Gathering:
    """A transport that sends what is written in one turn of the loop as one piece: an answer's head and its body are
    two writes, and each one sent wakes its reader."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []
        self._leaving: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        self._send()
        self._transport.close()
        if self._leaving is None and self._transport.get_write_buffer_size():
            self._leaving = self._loop.call_later(LEAVE_S, self._transport.abort)

    def leave(self) -> None:
        """End it at once, whatever was not read."""
        self._written.clear()
        self._transport.abort()

    def lost(self) -> None:
        """It has ended: nothing can be written any more, and a transport must not be ended twice."""
        self._written.clear()
        if self._leaving is not None:
            self._leaving.cancel()

    def itself(self) -> asyncio.Transport:
        """The transport, with everything sent that was written."""
        self._send()
        return self._transport

    def _send(self) -> None:
        written, self._written = self._written, []
        if written and not self._transport.is_closing():
            self._transport.write(written[0] if len(written) == 1 else b"".join(written))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol, which ends a connection whose next request does not come to the point."""

    _is_in_head = True
    _has_moved = False
    _idle = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._gathering = Gathering(transport, self.loop)
        self._extensions: dict[str, dict[object, object]] = {LEAVE: {"now": self._gathering.leave}}
        super().connection_made(cast("asyncio.Transport", self._gathering))
        self._late = self.loop.call_later(HEAD_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._be_in_time()
        self._gathering.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._has_moved = False
        super().data_received(data)
        self._idle = 0 if self._has_moved else self._idle + len(data)
        if self._idle > MAX_IDLE and not self.transport.is_closing():
            if self._is_in_head:
                self.send_400_response("The head of the request is too long.")
            else:
                self.transport.close()
        elif self._is_in_head and self._late is None:
            self._late = self.loop.call_later(HEAD_S, self._give_up)

    def handle_websocket_upgrade(self) -> None:
        # frames go in large pieces already, and their reader must be seen to fall behind at once
        self.transport = self._gathering.itself()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        self._is_in_head = self._has_moved = True
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    def on_headers_complete(self) -> None:
        """Raises ValueError: the parser then answers 400 and closes."""
        self._is_in_head = False
        self._has_moved = True
        self._be_in_time()
        if len(self.headers) > MAX_HEADERS:
            raise ValueError("a request has too many headers")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._has_moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._has_moved = True
        super().on_message_complete()

    def _be_in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self._is_in_head and not self.transport.is_closing():
            self.transport.close()
