"""The stream behind a guard: what reads or appends is told at once when it is away, and tries again by itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from homeguard.ports.log import Log, NewRecord, Record
from homeguard.stores.guarded.engine import GuardedEngine, Opened

#: A batch of records is a longer call than one row; a group's first read waits for its partitions.
DEADLINE_S: Final = 15.0


class WithLog(Opened, Protocol):
    @property
    def log(self) -> Log: ...


class GuardedLog:
    """A `Log`. Nothing is kept here while the engine is away: whoever appends has a log of their own in front of it."""

    def __init__(self, engine: GuardedEngine[WithLog]) -> None:
        self._engine = engine

    async def append(self, records: Sequence[NewRecord]) -> None:
        await self._engine.call(lambda s: s.log.append(records), idempotent=False, deadline_s=DEADLINE_S)

    async def read(self, group: str, topics: Sequence[str], *, limit: int, wait_s: float) -> list[Record]:
        return await self._engine.call(
            lambda s: s.log.read(group, topics, limit=limit, wait_s=wait_s),
            idempotent=False,
            deadline_s=wait_s + DEADLINE_S,
        )

    async def commit(self, group: str, records: Sequence[Record]) -> None:
        await self._engine.call(lambda s: s.log.commit(group, records), deadline_s=DEADLINE_S)

    async def seek(self, group: str, at: datetime | None) -> None:
        await self._engine.call(lambda s: s.log.seek(group, at), deadline_s=DEADLINE_S)

    async def tail(self, topic: str, *, limit: int) -> list[Record]:
        return await self._engine.call(lambda s: s.log.tail(topic, limit=limit), deadline_s=DEADLINE_S)

    async def lag(self, group: str) -> int:
        return await self._engine.call(lambda s: s.log.lag(group), deadline_s=DEADLINE_S)

    async def trim(self, older_than: datetime) -> int:
        return await self._engine.call(lambda s: s.log.trim(older_than))
