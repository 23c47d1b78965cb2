"""Hands what just happens to every open stream: heard once, encoded once, and one write a stream for many items."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from api.access import Caller, still_holds
from api.deps import ApiDeps
from api.live import CHANNELS, is_wanted
from api.reader import Batch, FrameWriter, Reader, Told, batch_of, told
from homeguard.errors import NotSignedIn, StoreUnavailable
from homeguard.ports.live_state import Live

_log = logging.getLogger("homeguard.api")
_EVERY_HOME: Final = "*"
#: Items that may wait to be handed out, before all readers get a gap.
_AHEAD: Final = 1024
#: Items and bytes that are handed out together.
_TOGETHER: Final = 64
_TOGETHER_BYTES: Final = 64 * 1024
#: Streams that are written to before other work has its turn.
_STRETCH: Final = 64


class Hub:
    """All open streams of this process. It listens while there is one."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        #: Home -> its streams, in the order in which they were opened.
        self._readers: dict[str, dict[Reader, None]] = {}
        self._open = 0
        self._work: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()
        self._ahead: deque[Live] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()

    @asynccontextmanager
    async def reading(
        self, caller: Caller, channels: frozenset[str] = frozenset(CHANNELS), writer: FrameWriter | None = None
    ) -> AsyncIterator[Reader]:
        """A stream of what happens in the caller's home and concerns them: nothing from now on is missed unnoticed.

        It is ended with NotSignedIn when the session is revoked or over; noticed at once when it happens here, else
        within about `deps.recheck_s`.
        """
        reader = Reader(caller, channels, writer)
        home = self._readers.setdefault(caller.principal.home_id, {})
        home[reader] = None
        self._open += 1
        try:
            await self._listen()
            yield reader
        finally:
            del home[reader]
            if not home:
                self._readers.pop(caller.principal.home_id, None)
            self._open -= 1
            if not self._open:
                await self._stop()

    def readers(self) -> list[Reader]:
        """Every open stream."""
        return [reader for readers in self._readers.values() for reader in readers]

    async def _listen(self) -> None:
        if self._work is None:
            self._listening = asyncio.Event()
            self._work = asyncio.create_task(self._run(self._listening), name="live streams")
        listening = self._listening
        await listening.wait()

    async def _stop(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _run(self, listening: asyncio.Event) -> None:
        self._ahead.clear()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hear(listening))
                tasks.create_task(self._hand_out())
                tasks.create_task(self._look_again())
        except Exception as error:
            _log.exception("the live streams end")
            for reader in self.readers():
                reader.end(error)
            self._work = None
        finally:
            listening.set()

    async def _hear(self, listening: asyncio.Event) -> None:
        """A few items ahead of those who get them, so that what comes together goes out together."""
        async with self._deps.feed.subscribe(_EVERY_HOME, limit=_AHEAD) as items:
            listening.set()
            async for item in items:
                self._ahead.append(item)
                self._arrived.set()
                while len(self._ahead) >= _AHEAD:
                    self._room.clear()
                    await self._room.wait()
        raise StoreUnavailable("nothing more is told of what happens")

    async def _hand_out(self) -> None:
        while True:
            if not self._ahead:
                self._arrived.clear()
                await self._arrived.wait()
            homes: dict[str, list[Told]] = {}
            size = 0
            for _ in range(min(_TOGETHER, len(self._ahead))):
                item = self._ahead.popleft()
                concerned = list(self._readers) if item.home_id == _EVERY_HOME else [item.home_id]
                if item.home_id == _EVERY_HOME or item.home_id in self._readers:
                    shown = told(item)
                    size += len(shown.frame)
                    for home_id in concerned:
                        homes.setdefault(home_id, []).append(shown)
                if size >= _TOGETHER_BYTES:
                    break
            self._room.set()
            for home_id, items in homes.items():
                await self._tell(home_id, items)

    async def _tell(self, home_id: str, items: Sequence[Told]) -> None:
        is_for_all = not any(item.user_id or item.session_id for item in items)
        batches: dict[frozenset[str], Batch] = {}
        for number, reader in enumerate(list(self._readers.get(home_id, ()))):
            if number % _STRETCH == _STRETCH - 1:
                await asyncio.sleep(0)
            batch = batches.get(reader.channels) if is_for_all else None
            if batch is None:
                batch = _batch_for(reader, items)
                if is_for_all:
                    batches[reader.channels] = batch
            if batch.items:
                reader.put(batch)
            if batch.is_last:
                reader.end(_over())

    async def _look_again(self) -> None:
        """Does each session still hold? Those of one caller are looked at once."""
        while True:
            await asyncio.sleep(self._deps.recheck_s)
            callers: dict[tuple[str, ...], tuple[Caller, list[Reader]]] = {}
            for reader in self.readers():
                who = reader.caller.principal
                shown = (reader.caller.token,) if who.caller == "client" else (who.session_id, who.user_id, who.home_id)
                callers.setdefault(shown, (reader.caller, []))[1].append(reader)
            for caller, readers in callers.values():
                try:
                    holds = await still_holds(caller, self._deps)
                except StoreUnavailable:
                    continue  # nobody can know now; it is looked at again
                for reader in readers if not holds else ():
                    reader.end(_over())


def _batch_for(reader: Reader, items: Sequence[Told]) -> Batch:
    """What of these this reader gets: of their channels, for everybody or for them, up to the end of their session."""
    me = reader.caller.principal
    mine = []
    for item in items:
        if item.user_id in ("", me.user_id) and is_wanted(item.kind, reader.channels):
            mine.append(item)
            if item.session_id and item.session_id == me.session_id:
                return batch_of(mine, is_last=True)
    return batch_of(mine)


def _over() -> NotSignedIn:
    return NotSignedIn("the session is over: sign in again")
