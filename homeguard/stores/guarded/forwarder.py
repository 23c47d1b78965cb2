"""Hands over to one engine what waits for it in the spool, in order, as soon as and as long as it answers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import takewhile
from typing import Any, Final, TypeAlias

from homeguard.clock import Clock, pause
from homeguard.errors import HomeGuardError, Overloaded, StoreUnavailable
from homeguard.ports.spool import Entry, Spool, Waiting
from homeguard.stores.guarded.background import beside
from homeguard.stores.guarded.engine import GuardedEngine

log = logging.getLogger("homeguard.engines")

#: Gives values of one concern, in order, to the opened stores. Safe to repeat with values that were taken before.
Taker: TypeAlias = Callable[[Any, Sequence[str]], Awaitable[None]]

#: Entries handed over in one call, all of one concern.
BATCH: Final = 100
BATCH_LIMIT_S: Final = 10.0
#: What the engine refuses so often, though it answers, is set aside.
TRIES: Final = 5
FIRST_WAIT_S: Final = 0.1
IDLE_S: Final = 1.0


@asynccontextmanager
async def forward(
    engine: GuardedEngine[Any], spool: Spool, clock: Clock, takers: Mapping[str, Taker]
) -> AsyncIterator["Forwarder"]:
    """A forwarder that works for the length of the block. `takers`: by concern; `takers.TAKERS` has them all."""
    forwarder = Forwarder(engine, spool, clock, takers)
    async with beside(forwarder._run()):
        yield forwarder


class Forwarder:
    """Made by `forward`; one for an engine."""

    def __init__(self, engine: GuardedEngine[Any], spool: Spool, clock: Clock, takers: Mapping[str, Taker]) -> None:
        self._engine = engine
        self._spool = spool
        self._clock = clock
        self._takers = takers
        self._wake = asyncio.Event()
        self._empty = asyncio.Condition()
        self.lost = 0
        engine.on_return(self._wake.set)

    async def keep(self, concern: str, values: Sequence[str], *, reserved: bool = False) -> None:
        """Have these handed over, behind all that waits already; on disk when this returns.

        Raises:
            Overloaded: the spool is full; nothing was kept.
            StoreUnavailable: the disk did not answer.
        """
        await self._spool.put(
            self._engine.name, [Entry(concern=concern, value=value) for value in values], reserved=reserved
        )
        self._wake.set()

    async def keep_or_count(self, concern: str, values: Sequence[str]) -> None:
        """As `keep`, with the reserve, for what is safe on this machine already and must not fail for the sake of a
        copy elsewhere: what finds no room is counted in `lost`."""
        try:
            await self.keep(concern, values, reserved=True)
        except (Overloaded, StoreUnavailable) as error:
            self.lost += len(values)
            log.error("%d of %s stay on this machine only: %s", len(values), concern, error.message)  # noqa: TRY400

    def waiting(self, concern: str = "") -> int:
        """How many wait (of one concern), the one that is just being handed over too."""
        return self._spool.count(self._engine.name, concern)

    async def drained(self) -> None:
        """Returns when nothing waits."""
        async with self._empty:
            await self._empty.wait_for(lambda: self.waiting() == 0)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                went_on = await self._hand_over()
            except HomeGuardError as error:
                log.warning("%s: what waits for it cannot be handed over now: %s", self._engine.name, error.message)
                went_on = False
            except Exception:
                log.exception("%s: what waits for it cannot be handed over now", self._engine.name)
                went_on = False
            if not went_on:
                await pause(self._clock, IDLE_S, until=self._wake)

    async def _hand_over(self) -> bool:
        """One batch; False when there is nothing to do, or nobody to do it with."""
        if self.waiting() == 0:
            async with self._empty:
                self._empty.notify_all()
            return False
        if not self._engine.is_up:
            return False
        found = await self._spool.next(self._engine.name, limit=BATCH)
        if not found:
            return False
        same = list(takewhile(lambda waiting: waiting.entry.concern == found[0].entry.concern, found))
        return await self._give(same)

    async def _give(self, batch: Sequence[Waiting]) -> bool:
        """False when the engine went away: the batch stays."""
        taker = self._takers.get(batch[0].entry.concern)
        values = [waiting.entry.value for waiting in batch]
        try:
            if taker is None:
                raise LookupError(f"nobody takes {batch[0].entry.concern}")  # noqa: TRY301 - refused like the others
            await self._engine.call(lambda stores: taker(stores, values), deadline_s=BATCH_LIMIT_S)
        except (StoreUnavailable, Overloaded):
            return False
        except Exception as error:
            if len(batch) > 1:
                for waiting in batch:
                    if not await self._give([waiting]):
                        return False
                return True
            return await self._refuse(batch[0], error)
        await self._spool.taken(self._engine.name, [waiting.number for waiting in batch])
        return True

    async def _refuse(self, waiting: Waiting, error: Exception) -> bool:
        """Try it again in its place a few times, then let the others pass it."""
        reason = error.message if isinstance(error, HomeGuardError) else f"{type(error).__name__}: {error}"
        tries = await self._spool.refused(self._engine.name, waiting.number, reason)
        if tries >= TRIES:
            await self._spool.set_aside(self._engine.name, waiting.number)
            log.error("%s refused %s, set aside: %s", self._engine.name, waiting.entry.concern, reason)
            return True
        await pause(self._clock, FIRST_WAIT_S * 2 ** (tries - 1))
        return await self._give([waiting])
