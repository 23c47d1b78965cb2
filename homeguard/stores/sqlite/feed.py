"""What just happened, handed to those who watch a home in this process: at most once, in order, bounded."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from operator import attrgetter
from typing import Final

from homeguard.ports.live_state import Live
from homeguard.stores.watching import EVERY_HOME, Watcher

_HOME: Final = attrgetter("home_id")


class MemoryFeed:
    """A `LiveFeed` in memory. Publishing never waits for a subscriber."""

    def __init__(self) -> None:
        self._watchers: dict[str, list[Watcher]] = {}

    async def publish(self, items: Sequence[Live]) -> None:
        """Hand each item, in order, to those who watch its home and may see it."""
        for home_id, found in groupby(items, key=_HOME):
            run = list(found)
            for watcher in self._watchers.get(home_id, ()):
                watcher.offer(run)
            if home_id != EVERY_HOME:
                for watcher in self._watchers.get(EVERY_HOME, ()):
                    watcher.offer(run)

    @asynccontextmanager
    async def subscribe(
        self, home_id: str, *, user_id: str = "", limit: int = 256
    ) -> AsyncIterator[AsyncIterator[Live]]:
        """What is published from now on.

        A subscriber that is `limit` behind loses what it had not read and gets one `gap` in its place
        (`{"missed": n}`), so that it goes on with what is true now. A subscriber without `user_id` sees only what is
        meant for the whole home, except that one of `home_id="*"` sees everything.
        """
        watcher = Watcher(home_id, user_id, limit)
        self._watchers.setdefault(home_id, []).append(watcher)
        try:
            yield watcher
        finally:
            watchers = self._watchers[home_id]
            watchers.remove(watcher)
            if not watchers:
                del self._watchers[home_id]
