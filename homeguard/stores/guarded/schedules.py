"""What is to be done at a time, on an engine that several processes share: one of them takes what is due."""

from collections.abc import Collection, Sequence
from datetime import datetime

from homeguard.ports.schedules import Schedule, ScheduleKind
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithSchedules


class GuardedSchedules:
    """A `Schedules`. While the engine is away nothing is set and nothing is due; what was due then is late."""

    def __init__(self, engine: GuardedEngine[WithSchedules]) -> None:
        self._engine = engine

    async def put(self, schedule: Schedule) -> None:
        await self._engine.call(lambda s: s.schedules.put(schedule))

    async def get(self, home_id: str, schedule_id: str) -> Schedule | None:
        return await self._engine.call(lambda s: s.schedules.get(home_id, schedule_id))

    async def of_home(self, home_id: str, *, kind: ScheduleKind | None = None) -> list[Schedule]:
        return await self._engine.call(lambda s: s.schedules.of_home(home_id, kind=kind))

    async def delete(self, home_id: str, schedule_id: str) -> bool:
        # once only: a second try would say "there was none" of what the first one took away
        return await self._engine.call(lambda s: s.schedules.delete(home_id, schedule_id), idempotent=False)

    async def take(
        self,
        due_at: datetime,
        *,
        by: str,
        now: datetime,
        until: datetime,
        without_rules: Collection[str] = (),
        limit: int = 500,
    ) -> list[Schedule]:
        return await self._engine.call(
            lambda s: s.schedules.take(due_at, by=by, now=now, until=until, without_rules=without_rules, limit=limit)
        )

    async def next_due(self, *, without_rules: Collection[str] = ()) -> datetime | None:
        return await self._engine.call(lambda s: s.schedules.next_due(without_rules=without_rules))

    async def move(self, moves: Sequence[tuple[Schedule, Schedule | None]]) -> list[bool]:
        return await self._engine.call(lambda s: s.schedules.move(moves), idempotent=False)
