"""Local copies of what lives on an engine: one lock and one version for each, so that old news never undo new ones."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Generic, TypeVar

from homeguard.errors import StoreUnavailable
from homeguard.staleness import note
from homeguard.stores.guarded.engine import GuardedEngine, Opened
from homeguard.stores.guarded.followed import Followed

S = TypeVar("S")
T = TypeVar("T", bound=Opened)
R = TypeVar("R")


class LocalCopy(Generic[S]):
    """An embedded store of `concern` that follows an engine's.

    Whoever changes `store` holds `lock` and raises `version`; who read the engine at another version than this one
    has now drops what it read.
    """

    def __init__(self, concern: str, store: S, followed: Followed | None = None) -> None:
        self.concern = concern
        #: Whether it was the same as the engine's once, in this run or an earlier one.
        self.followed = followed if followed is not None else Followed()
        self.is_own_told = False
        self.store = store
        self.lock = asyncio.Lock()
        self.version = 0
        #: When it was last the same as the engine's; None: not yet since the start.
        self.synced_at: datetime | None = None

    async def follow(self, change: Callable[[S], Awaitable[R]]) -> R:
        """Make the change that the engine has already made."""
        async with self.lock:
            self.version += 1
            return await change(self.store)


async def engine_first(
    engine: GuardedEngine[T],
    copy: LocalCopy[S],
    ask: Callable[[T], Awaitable[R]],
    ask_copy: Callable[[S], Awaitable[R]],
) -> R:
    """The engine's answer; while it is away the copy's, noted as stale since it was last in step."""
    try:
        return await engine.call(ask)
    except StoreUnavailable:
        answer = await ask_copy(copy.store)
        note(copy.concern, copy.synced_at or engine.away_since)
        return answer
