"""The HTTP server of one process: binds first, so that a taken port is one clear line, and leaves signals alone."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn

from homeguard.clock import Clock
from homeguard.errors import StartRefused

#: Open streams are given this long when the process ends.
GRACE_S: Final = 3
_BACKLOG: Final = 2048


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


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever started the process."""
        yield


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
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
        ws_max_size=1 << 20,
        ws_max_queue=64,
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
