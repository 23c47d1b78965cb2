"""What just happened, handed to those who watch a home in this process: at most once, in order, bounded."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from homeguard.ports.live_state import Live

EVERY_HOME = "*"


class MemoryFeed:
    """A `LiveFeed` in memory. Publishing never waits for a subscriber."""

    def __init__(self) -> None:
        self._watchers: dict[str, list[_Watcher]] = {}

    async def publish(self, items: Sequence[Live]) -> None:
        """Hand each item, in order, to those who watch its home and may see it."""
        for item in items:
            for watcher in self._watching(item.home_id):
                if not item.user_id or watcher.sees(item.user_id):
                    watcher.put(item)

    def _watching(self, home_id: str) -> Iterator["_Watcher"]:
        yield from self._watchers.get(home_id, ())
        if home_id != EVERY_HOME:
            yield from self._watchers.get(EVERY_HOME, ())

    @asynccontextmanager
    async def subscribe(
        self, home_id: str, *, user_id: str = "", limit: int = 256
    ) -> AsyncIterator[AsyncIterator[Live]]:
        """What is published from now on.

        A subscriber that is `limit` behind loses what it had not read and gets one `gap` in its place
        (`{"missed": n}`), so that it goes on with what is true now. A subscriber without `user_id` sees only what is
        meant for the whole home, except that one of `home_id="*"` sees everything.
        """
        watcher = _Watcher(home_id, user_id, max(1, limit))
        self._watchers.setdefault(home_id, []).append(watcher)
        try:
            yield watcher
        finally:
            watchers = self._watchers[home_id]
            watchers.remove(watcher)
            if not watchers:
                del self._watchers[home_id]


class _Watcher:
    """One subscriber's queue, read by iterating."""

    def __init__(self, home_id: str, user_id: str, limit: int) -> None:
        self._home_id = home_id
        self._user_id = user_id
        self._limit = limit
        self._items: deque[Live] = deque()
        self._missed = 0
        self._arrived = asyncio.Event()

    def sees(self, user_id: str) -> bool:
        return self._user_id == user_id or (self._home_id == EVERY_HOME and not self._user_id)

    def put(self, item: Live) -> None:
        if len(self._items) >= self._limit:
            self._missed += len(self._items)
            self._items.clear()
        self._items.append(item)
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[Live]:
        return self

    async def __anext__(self) -> Live:
        while not self._items:
            self._arrived.clear()
            await self._arrived.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return Live(home_id=self._home_id, kind="gap", data={"missed": missed})
        return self._items.popleft()
