"""The HTTP server of one process: binds first, so that a taken port is one clear line, and leaves signals alone."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from api.routes.stream import FRAMES
from deploy.bounded_http import BoundedHttp
from homeguard.clock import Clock
from homeguard.errors import StartRefused

#: Open streams are given this long when the process ends.
GRACE_S: Final = 3
_BACKLOG: Final = 2048
_MOST_FILES: Final = 65_536
#: How long a connection whose reader fell too far behind stays open for it to read why.
LEAVE_S: Final = 5.0


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        StartRefused: the address is taken, or not of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        raise StartRefused(f"port {port} on {host} cannot be used: {error.strerror}; try another --port") from error
    listener.setblocking(False)
    return listener


def _allow_connections() -> None:
    """As many open files as this user may have: each connection is one, and the usual limit is 1,024."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if most == resource.RLIM_INFINITY else min(most, _MOST_FILES)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever started the process."""
        yield


class _WebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which also takes several frames in one piece, and ends a connection that nobody reads."""

    _leaving: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._leaving is not None:
            # a transport must not be ended twice
            self._leaving.cancel()
        super().connection_lost(exc)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions = self.scope["extensions"]
            assert extensions is not None
            extensions[FRAMES] = {"writer": self}

    def push(self, frames: bytes) -> bool:
        is_open = self.handshake_complete and not (self.disconnected or self.close_sent or self.transport.is_closing())
        if not is_open or not self.writable.is_set():
            return False
        self.transport.write(frames)
        return True

    async def write(self, frames: bytes) -> None:
        """Raises an OSError when the connection is gone."""
        await self.writable.wait()
        if not self.push(frames):
            raise ClientDisconnected

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close" and not self.writable.is_set():
            # Its turn behind what was never read would not come: it is written now, and time is given to read it.
            self._leaving = self.loop.call_later(LEAVE_S, self.transport.abort)
            self.writable.set()
        await super().send(message)


class Activity:
    """ASGI: notes when a request last was under way, for a process that ends when nobody needs it; ends streams."""

    def __init__(self, app: Any, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._open = 0
        self._last = clock.monotonic()
        self._leaving = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._open += 1
        if scope["type"] == "http" and scope["method"] == "GET":
            receive = self._until_leaving(receive)
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._last = self._clock.monotonic()

    def end_streams(self) -> None:
        """Every answer to a GET that has no end of its own now ends, as if its reader had left."""
        self._leaving.set()

    def _until_leaving(self, receive: Any) -> Any:
        has_request = False

        async def either() -> Any:
            nonlocal has_request
            if not has_request:
                message = await receive()
                has_request = not message.get("more_body", False)
                return message
            both = asyncio.ensure_future(receive()), asyncio.ensure_future(self._leaving.wait())
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                return both[0].result() if both[0].done() else {"type": "http.disconnect"}
            finally:
                for future in both:
                    future.cancel()

        return either

    @property
    def idle_s(self) -> float:
        """Seconds since the last request ended; 0 while one is under way."""
        return 0.0 if self._open else self._clock.monotonic() - self._last


@asynccontextmanager
async def serving(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    """The app on that socket, from the first line of the block to its last."""
    _allow_connections()
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
        http=BoundedHttp,
        ws=_WebSocket,
        ws_max_size=1 << 20,
        ws_per_message_deflate=False,
        h11_max_incomplete_event_size=64 * 1024,
        proxy_headers=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http server")
    try:
        while not server.started:
            if task.done():
                await task
                raise StartRefused("the HTTP server did not start")
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        await task
