"""One subscriber's bounded queue of what just happened, the same for every `LiveFeed`."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final

from homeguard.ports.live_state import Live

EVERY_HOME: Final = "*"


class Watcher:
    """Filled with `put`, read by iterating. One that is `limit` behind loses what it had not read and gets a gap."""

    def __init__(self, home_id: str, user_id: str, limit: int) -> None:
        self.home_id = home_id
        self._user_id = user_id
        self._limit = max(1, limit)
        self._items: deque[Live] = deque()
        self._missed = 0
        self._arrived = asyncio.Event()

    def sees(self, item: Live) -> bool:
        """May this subscriber see what is meant for that person? One of every home, for nobody, sees everything."""
        return (
            not item.user_id
            or self._user_id == item.user_id
            or (self.home_id == EVERY_HOME and not self._user_id)
        )  # fmt: skip

    def offer(self, items: Sequence[Live]) -> None:
        """`put` each that this subscriber may see."""
        mine = [item for item in items if not item.user_id or self.sees(item)]
        if mine and len(self._items) + len(mine) <= self._limit:
            self._items.extend(mine)
            self._arrived.set()
            return
        for item in mine:
            self.put(item)

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
            return gap(self.home_id, missed)
        return self._items.popleft()


def gap(home_id: str, missed: int) -> Live:
    """Stands where items are missing; `missed` 0: nobody knows how many."""
    return Live(home_id=home_id, kind="gap", data={"missed": missed})
