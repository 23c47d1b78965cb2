"""What just happened: told in this process at once, and carried to and from the other processes by an engine."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from homeguard.clock import Clock, pause
from homeguard.errors import HomeGuardError
from homeguard.ports.live_state import Live, LiveFeed
from homeguard.stores.guarded.background import beside
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithFeed

log = logging.getLogger("homeguard.engines")

WAITING: Final = 1_000
BATCH: Final = 100
IDLE_S: Final = 1.0


@asynccontextmanager
async def bridge(local: LiveFeed, engine: GuardedEngine[WithFeed], clock: Clock) -> AsyncIterator["BridgedFeed"]:
    """A feed that is bridged for the length of the block."""
    bridged = BridgedFeed(local, engine, clock)
    async with beside(bridged._send(), bridged._receive()):
        yield bridged


class BridgedFeed:
    """A `LiveFeed`, made by `bridge`. Between processes at most once: what the engine cannot take now is counted in
    `dropped`, since live news are none later."""

    def __init__(self, local: LiveFeed, engine: GuardedEngine[WithFeed], clock: Clock) -> None:
        self._local = local
        self._engine = engine
        self._clock = clock
        self._waiting: deque[Live] = deque(maxlen=WAITING)
        self._wake = asyncio.Event()
        self.dropped = 0

    async def publish(self, items: Sequence[Live]) -> None:
        await self._local.publish(items)
        for item in items:
            if len(self._waiting) == WAITING:
                self.dropped += 1
            self._waiting.append(item)
        self._wake.set()

    def subscribe(
        self, home_id: str, *, user_id: str = "", limit: int = 256
    ) -> AbstractAsyncContextManager[AsyncIterator[Live]]:
        return self._local.subscribe(home_id, user_id=user_id, limit=limit)

    async def _send(self) -> None:
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._engine.call(_publishing(batch), idempotent=False)
            except HomeGuardError:
                self.dropped += len(batch)
            except Exception:
                self.dropped += len(batch)
                log.exception("%s does not take what just happened", self._engine.name)

    async def _receive(self) -> None:
        while True:
            stores = self._engine.stores
            if stores is not None:
                try:
                    async with stores.feed.subscribe_foreign(WAITING) as items:
                        async for item in items:
                            await self._local.publish([item])
                except (HomeGuardError, OSError) as error:
                    log.warning("%s: news of other processes are missing: %s", self._engine.name, error)
                except Exception:
                    log.exception("%s: news of other processes are missing", self._engine.name)
            await pause(self._clock, IDLE_S)


def _publishing(batch: Sequence[Live]) -> Callable[[WithFeed], Awaitable[None]]:
    return lambda s: s.feed.publish(batch)
