"""What is to be done at a time, in `home.db`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

import apsw

from homeguard.ports.schedules import Schedule, ScheduleKind
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import micros, micros_or_none, moment_or_none
from homeguard.stores.sqlite.database import Database

_SELECT: Final = "SELECT home_id, id, kind, due_at, user_id, made_from, detail, created_at FROM schedules "
_PUT: Final = (
    "INSERT OR REPLACE INTO schedules (home_id, id, kind, due_at, user_id, made_from, detail, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_OF_HOME: Final = _SELECT + "WHERE home_id = ? AND ? IN ('', kind) ORDER BY due_at IS NULL, due_at, id"
#: `:not` is a JSON list of homes.
_DUE: Final = """
SELECT home_id, id, kind, due_at, user_id, made_from, detail, created_at FROM schedules
WHERE due_at <= :due AND (taken_by IN ('', :by) OR taken_until <= :now)
    AND (kind <> 'rule' OR home_id NOT IN (SELECT value FROM json_each(:not)))
ORDER BY due_at, home_id, id LIMIT :limit
"""
_TAKE: Final = "UPDATE schedules SET taken_by = ?, taken_until = ? WHERE home_id = ? AND id = ?"
_NEXT: Final = """
SELECT due_at FROM schedules
WHERE due_at IS NOT NULL AND (kind <> 'rule' OR home_id NOT IN (SELECT value FROM json_each(:not)))
ORDER BY due_at LIMIT 1
"""
_DELETE: Final = "DELETE FROM schedules WHERE home_id = ? AND id = ?"
_MOVE: Final = (
    "UPDATE schedules SET due_at = ?, detail = ?, taken_by = '', taken_until = 0"
    " WHERE home_id = ? AND id = ? AND due_at IS ? AND made_from = ?"
)
_END: Final = "DELETE FROM schedules WHERE home_id = ? AND id = ? AND due_at IS ? AND made_from = ?"


class SqliteSchedules:
    """A `Schedules`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, schedule: Schedule) -> None:
        s = schedule
        row = (
            s.home_id, s.id, s.kind, micros_or_none(s.due_at), s.user_id, s.made_from, json_text(s.detail),
            micros_or_none(s.created_at),
        )  # fmt: skip
        await self._database.change(_PUT, row)

    async def get(self, home_id: str, schedule_id: str) -> Schedule | None:
        row = await self._database.row(_SELECT + "WHERE home_id = ? AND id = ?", (home_id, schedule_id))
        return None if row is None else _schedule(row)

    async def of_home(self, home_id: str, *, kind: ScheduleKind | None = None) -> list[Schedule]:
        return [_schedule(row) for row in await self._database.rows(_OF_HOME, (home_id, kind or ""))]

    async def delete(self, home_id: str, schedule_id: str) -> bool:
        return await self._database.change(_DELETE, (home_id, schedule_id)) == 1

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
        given = {
            "due": micros(due_at), "by": by, "now": micros(now), "limit": limit,
            "not": json_text(sorted(without_rules)),
        }  # fmt: skip

        def take(c: apsw.Connection) -> list[Schedule]:
            found = [_schedule(row) for row in c.execute(_DUE, given).fetchall()]
            c.executemany(_TAKE, [(by, micros(until), s.home_id, s.id) for s in found])
            return found

        return await self._database.write(take)

    async def next_due(self, *, without_rules: Collection[str] = ()) -> datetime | None:
        row = await self._database.row(_NEXT, {"not": json_text(sorted(without_rules))})
        return moment_or_none(row[0]) if row is not None else None

    async def move(self, moves: Sequence[tuple[Schedule, Schedule | None]]) -> list[bool]:
        def move(c: apsw.Connection) -> list[bool]:
            done = []
            for s, then in moves:
                as_read = (s.home_id, s.id, micros_or_none(s.due_at), s.made_from)
                if then is None:
                    c.execute(_END, as_read)
                else:
                    c.execute(_MOVE, (micros_or_none(then.due_at), json_text(then.detail), *as_read))
                done.append(c.changes() == 1)
            return done

        return await self._database.write(move) if moves else []


def _schedule(row: Any) -> Schedule:
    home_id, id_, kind, due_at, user_id, made_from, detail, created_at = row
    return Schedule(
        home_id=home_id, id=id_, kind=kind, due_at=moment_or_none(due_at), user_id=user_id, made_from=made_from,
        detail=json_value(detail), created_at=moment_or_none(created_at),
    )  # fmt: skip
