"""What is to be done at a time, in PostgreSQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from homeguard.ports.schedules import Schedule, ScheduleKind
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.postgresql import Pool

_SELECT: Final = "SELECT home_id, id, kind, due_at, user_id, made_from, detail, created_at FROM schedules "
_PUT: Final = """
INSERT INTO schedules (home_id, id, kind, due_at, user_id, made_from, detail, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (home_id, id) DO UPDATE SET kind = excluded.kind, due_at = excluded.due_at, user_id = excluded.user_id,
    made_from = excluded.made_from, detail = excluded.detail, created_at = excluded.created_at, taken_by = '',
    taken_until = NULL
"""
_ONE: Final = _SELECT + "WHERE home_id = $1 AND id = $2"
_OF_HOME: Final = _SELECT + "WHERE home_id = $1 AND ($2 = '' OR kind = $2) ORDER BY due_at NULLS LAST, id"
#: Two that look at the same time get different rows, and neither waits for the other.
_TAKE: Final = """
UPDATE schedules SET taken_by = $2, taken_until = $4
WHERE (home_id, id) IN (
    SELECT home_id, id FROM schedules
    WHERE due_at <= $1 AND (taken_by IN ('', $2) OR taken_until <= $3)
        AND (kind <> 'rule' OR home_id <> ALL($5::text[]))
    ORDER BY due_at, home_id, id LIMIT $6 FOR UPDATE SKIP LOCKED
)
RETURNING home_id, id, kind, due_at, user_id, made_from, detail, created_at
"""
_NEXT: Final = """
SELECT due_at FROM schedules WHERE due_at IS NOT NULL AND (kind <> 'rule' OR home_id <> ALL($1::text[]))
ORDER BY due_at LIMIT 1
"""
_DELETE: Final = "DELETE FROM schedules WHERE home_id = $1 AND id = $2"
_MOVE: Final = """
UPDATE schedules SET due_at = $5, detail = $6, taken_by = '', taken_until = NULL
WHERE home_id = $1 AND id = $2 AND due_at IS NOT DISTINCT FROM $3 AND made_from = $4
"""
_END: Final = """
DELETE FROM schedules WHERE home_id = $1 AND id = $2 AND due_at IS NOT DISTINCT FROM $3 AND made_from = $4
"""


class PostgresSchedules:
    """A `Schedules`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, schedule: Schedule) -> None:
        s = schedule
        row = (s.home_id, s.id, s.kind, s.due_at, s.user_id, s.made_from, json_text(s.detail), s.created_at)
        await self._pool.execute(_PUT, *row)

    async def get(self, home_id: str, schedule_id: str) -> Schedule | None:
        row = await self._pool.fetchrow(_ONE, home_id, schedule_id)
        return None if row is None else _schedule(row)

    async def of_home(self, home_id: str, *, kind: ScheduleKind | None = None) -> list[Schedule]:
        return [_schedule(row) for row in await self._pool.fetch(_OF_HOME, home_id, kind or "")]

    async def delete(self, home_id: str, schedule_id: str) -> bool:
        return await self._pool.change(_DELETE, home_id, schedule_id) == 1

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
        given = (due_at, by, now, until, sorted(without_rules), limit)
        found = [_schedule(row) for row in await self._pool.fetch(_TAKE, *given)]
        return sorted(found, key=lambda s: (s.due_at or due_at, s.home_id, s.id))

    async def next_due(self, *, without_rules: Collection[str] = ()) -> datetime | None:
        found: datetime | None = await self._pool.fetchval(_NEXT, sorted(without_rules))
        return found

    async def move(self, moves: Sequence[tuple[Schedule, Schedule | None]]) -> list[bool]:
        done = [False] * len(moves)
        if not moves:
            return done
        async with self._pool.transaction() as connection:
            # in the order of their keys, so that two that move the same do not wait for each other in a circle
            for i in sorted(range(len(moves)), key=lambda n: (moves[n][0].home_id, moves[n][0].id)):
                schedule, then = moves[i]
                as_read = (schedule.home_id, schedule.id, schedule.due_at, schedule.made_from)
                said = (
                    await connection.execute(_END, *as_read)
                    if then is None
                    else await connection.execute(_MOVE, *as_read, then.due_at, json_text(then.detail))
                )
                done[i] = said.endswith(" 1")
        return done


def _schedule(row: Any) -> Schedule:
    home_id, id_, kind, due_at, user_id, made_from, detail, created_at = row
    return Schedule(
        home_id=home_id, id=id_, kind=kind, due_at=due_at, user_id=user_id, made_from=made_from,
        detail=json_value(detail), created_at=created_at,
    )  # fmt: skip
