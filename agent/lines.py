"""Turns of one conversation one after the other, in the order in which they came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from homeguard.errors import Overloaded

#: Turns that wait for the ones before them in one conversation.
MAX_IN_LINE: Final = 8


class Lines:
    """One line a key; a key without anybody is forgotten."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._people: dict[str, int] = {}

    def check(self, key: str) -> None:
        """Raises Overloaded: the line is full."""
        if self._people.get(key, 0) > MAX_IN_LINE:
            raise Overloaded("your last messages are still being worked on", retry_after_s=5)

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Yields when everybody who came before is through."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._people[key] = self._people.get(key, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._people[key] -= 1
            if not self._people[key]:
                del self._people[key], self._locks[key]
