"""What happens in the home, for the open chats: one live stream for each signed-in session, shared by its tabs."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from chat_ui.rest import RestProblem, SignedOut

Json = dict[str, Any]
Happening = tuple[str, Json]
log = logging.getLogger("homeguard.chat")

#: A chat that falls further behind gets one `gap` instead and looks things up.
_QUEUE: Final = 500
_RETRY_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


class HomeStreams:
    """`live(token)` opens the stream of a session: `("connected", {})` first, then `(name, data)`.

    Listeners get what it gives, and of our own: `gap` when something may have been missed until then, which is also
    said first, and `signed_out` when the session is over (nothing comes after it).
    """

    def __init__(
        self, live: Callable[[str], AsyncGenerator[Happening, None]], *, retry_s: tuple[float, ...] = _RETRY_S
    ) -> None:
        self._live = live
        self._retry_s = retry_s
        self._listeners: dict[str, set[asyncio.Queue[Happening]]] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._connected: set[str] = set()

    @asynccontextmanager
    async def listen(self, token: str) -> AsyncIterator[asyncio.Queue[Happening]]:
        """What happens from now on in the home of the session behind `token`."""
        queue: asyncio.Queue[Happening] = asyncio.Queue(_QUEUE)
        listeners = self._listeners.setdefault(token, set())
        listeners.add(queue)
        if token in self._connected:
            queue.put_nowait(("gap", {}))
        if token not in self._readers:
            self._readers[token] = asyncio.create_task(self._read(token), name="live stream of a chat")
        try:
            yield queue
        finally:
            listeners.discard(queue)
            if not listeners:
                self._listeners.pop(token, None)
                if reader := self._readers.pop(token, None):
                    reader.cancel()

    async def _read(self, token: str) -> None:
        attempt = 0
        while True:
            try:
                async for name, data in self._live(token):
                    attempt = 0
                    if name != "connected":
                        self._tell(token, (name, data))
                    else:
                        self._connected.add(token)
                        self._tell(token, ("gap", {}))
                log.debug("the live stream of a chat ended")
            except SignedOut:
                self._tell(token, ("signed_out", {}))
                return
            except RestProblem as problem:
                log.info("the live stream of a chat broke: %s", problem)
            finally:
                self._connected.discard(token)
            await asyncio.sleep(self._retry_s[min(attempt, len(self._retry_s) - 1)])
            attempt += 1

    def _tell(self, token: str, happening: Happening) -> None:
        for queue in self._listeners.get(token, ()):
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(("gap", {}))
            queue.put_nowait(happening)
