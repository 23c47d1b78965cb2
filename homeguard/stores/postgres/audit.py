"""Who asked for what and what was decided, in PostgreSQL, chained so that a changed or missing row shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from homeguard.chain import Head, Row, Walk, as_row, as_told, canonical_json, linked, microseconds, moment, taken_over
from homeguard.model import Json
from homeguard.stores.postgresql import Connection, Pool

#: Reading every row of every home takes as long as they are many.
VERIFY_DEADLINE_S: Final = 600.0
_ROWS_AT_ONCE: Final = 500

#: Makes the head of a home's first row, and holds it until the transaction ends: one writer a home.
_HOLD: Final = """
INSERT INTO audit_heads AS head (home_id, seq, hash) VALUES ($1, 0, '')
ON CONFLICT (home_id) DO UPDATE SET seq = head.seq RETURNING seq, hash
"""
_PUT: Final = """
INSERT INTO audit_logs (home_id, seq, at, actor, action, decision, rule, detail, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_PUT_HEAD: Final = "UPDATE audit_heads SET seq = $2, hash = $3 WHERE home_id = $1"
_SELECT: Final = "SELECT home_id, seq, at, actor, action, decision, rule, detail, hash FROM audit_logs "
_ROWS: Final = (
    _SELECT + "WHERE home_id = $1 AND seq < coalesce($2::bigint, 9223372036854775807) ORDER BY seq DESC LIMIT $3"
)
_ALL: Final = _SELECT + "ORDER BY home_id, seq"
_HASHES: Final = "SELECT seq, hash FROM audit_logs WHERE home_id = $1 AND seq BETWEEN $2 AND $3"
_HEADS: Final = "SELECT home_id, seq, hash FROM audit_heads ORDER BY home_id"


class PostgresAudit:
    """An `Audit`: each home has its own chain, numbered from 1."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def write(
        self,
        home_id: str,
        *,
        at: datetime,
        actor: str,
        action: str,
        decision: str,
        rule: str,
        detail: Mapping[str, Json],
    ) -> None:
        row = Row(home_id, 0, microseconds(at), actor, action, decision, rule, canonical_json(detail))
        async with self._pool.transaction() as connection:
            await _append(connection, [linked(await _hold(connection, home_id), row)])

    async def rows(self, home_id: str, *, limit: int = 100, before: int | None = None) -> list[Mapping[str, Json]]:
        return [as_told(_row(row)) for row in await self._pool.fetch(_ROWS, home_id, before, limit)]

    async def adopt(self, home_id: str, rows: Sequence[Mapping[str, Json]]) -> int:
        given = [as_row(home_id, row) for row in rows]
        if not given:
            return 0
        numbers = [row.seq for row in given]
        async with self._pool.transaction() as connection:
            head = await _hold(connection, home_id)
            here = await connection.fetch(_HASHES, home_id, min(numbers), max(numbers))
            new = taken_over(head, {row[0]: row[1] for row in here}, given)
            await _append(connection, new)
        return len(new)

    async def verify(self) -> int:
        walk = Walk()
        async with self._pool.transaction(deadline_s=VERIFY_DEADLINE_S, snapshot=True) as connection:
            async for row in connection.cursor(_ALL, prefetch=_ROWS_AT_ONCE):
                walk.step(_row(row))
            noted = await connection.fetch(_HEADS)
        return walk.end((row[0], row[1], row[2]) for row in noted)


async def _hold(connection: Connection, home_id: str) -> Head:
    seq, hash_ = await connection.fetchrow(_HOLD, home_id)
    return seq, hash_


async def _append(connection: Connection, rows: Sequence[Row]) -> None:
    """Behind the head that the transaction holds."""
    if rows:
        await connection.executemany(_PUT, [(row.home_id, row.seq, moment(row.at_us), *row[3:]) for row in rows])
        await connection.execute(_PUT_HEAD, rows[-1].home_id, rows[-1].seq, rows[-1].hash)


def _row(row: Any) -> Row:
    home_id, seq, at, *texts = row
    return Row(home_id, seq, microseconds(at), *texts)
