"""What PostgreSQL keeps about one person, told as it is and let go of, table by table of the data map."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from homeguard.clock import iso
from homeguard.ports.personal import Erasure, Subject
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.postgres.data_map import TABLES, Table
from homeguard.stores.postgresql import Connection, Pool

#: An audit may be long, and no index leads to one person's rows of it.
_DEADLINE_S: Final = 60.0
_UNHURRIED: Final = "SET LOCAL statement_timeout = '60s'"
_MOST: Final = " LIMIT 100000"

_BEGIN: Final = (
    "INSERT INTO erasures (user_id, homes, sole_homes, begun_at) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (user_id) DO NOTHING"
)
_ALL: Final = "SELECT user_id, homes, sole_homes, begun_at FROM erasures ORDER BY begun_at, user_id"


class PostgresPersonalData:
    """A `PersonalData`: all of it in one transaction."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def export(self, subject: Subject) -> Mapping[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        if not subject.user_id:
            return found
        async with self._pool.transaction(deadline_s=_DEADLINE_S, snapshot=True) as connection:
            await connection.execute(_UNHURRIED)
            for table in TABLES:
                if table.export:
                    rows = await connection.fetch(table.export + _MOST, subject.user_id)
                    found[table.name] = [_shown(table, row) for row in rows]
        return found

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        if not subject.user_id:
            return {}  # what has no person is the household's
        gone: dict[str, int] = {}
        async with self._pool.transaction(deadline_s=_DEADLINE_S) as connection:
            await connection.execute(_UNHURRIED)
            for table in TABLES:
                for sql in table.erase:
                    gone[table.name] = gone.get(table.name, 0) + await _change(connection, sql, subject.user_id)
                if table.home and subject.sole_homes:
                    count = await _change(connection, table.home, list(subject.sole_homes))
                    gone[table.name] = gone.get(table.name, 0) + count
        return {name: count for name, count in gone.items() if count}


class PostgresErasures:
    """The part of `Erasures` that all processes share: who was ever erased."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, erasure: Erasure) -> None:
        s = erasure.subject
        await self._pool.execute(_BEGIN, s.user_id, json_text(s.homes), json_text(s.sole_homes), erasure.begun_at)

    async def all(self) -> list[Erasure]:
        """Oldest first."""
        return [_erasure(row) for row in await self._pool.fetch(_ALL)]


async def _change(connection: Connection, sql: str, given: object) -> int:
    return int((await connection.execute(sql, given)).rpartition(" ")[2])


def _shown(table: Table, row: Any) -> dict[str, Any]:
    return {
        name: iso(value) if isinstance(value, datetime) else value
        for name, value in dict(row).items()
        if name not in table.hidden
    }


def _erasure(row: Any) -> Erasure:
    user_id, homes, sole_homes, begun_at = row
    subject = Subject(user_id=user_id, homes=tuple(json_value(homes)), sole_homes=tuple(json_value(sole_homes)))
    return Erasure(subject=subject, begun_at=begun_at)
