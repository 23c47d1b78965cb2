"""Who asked for what and what was decided, in PostgreSQL, chained so that a changed or missing row shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from homeguard.chain import (
    EMPTY,
    Anchor,
    Head,
    Row,
    Walk,
    anchor_as_told,
    as_anchor,
    as_row,
    as_told,
    canonical_json,
    leaving,
    linked,
    microseconds,
    moment,
    taken_over,
)
from homeguard.model import Json
from homeguard.stores.leaving import trimmed
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
_ANCHOR: Final = "SELECT home_id, seq, hash, left_at, seal FROM audit_anchors WHERE home_id = $1"
_ANCHORS: Final = "SELECT home_id, seq, hash, left_at, seal FROM audit_anchors"
_PUT_ANCHOR: Final = """
INSERT INTO audit_anchors (home_id, seq, hash, left_at, seal) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (home_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, left_at = excluded.left_at,
    seal = excluded.seal
"""
_FIRST: Final = _SELECT + "WHERE home_id = $1 ORDER BY seq LIMIT $2"
_LEAVE: Final = "DELETE FROM audit_logs WHERE home_id = $1 AND seq <= $2"


class PostgresAudit:
    """An `Audit`: each home has its own chain, numbered from 1."""

    def __init__(self, pool: Pool, key: bytes = b"") -> None:
        """`key` seals where a chain begins once rows have left it."""
        self._pool = pool
        self._key = key

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

    async def adopt(
        self, home_id: str, rows: Sequence[Mapping[str, Json]], *, anchor: Mapping[str, Json] | None = None
    ) -> int:
        given = [as_row(home_id, row) for row in rows]
        if not given and anchor is None:
            return 0
        numbers = [row.seq for row in given]
        async with self._pool.transaction() as connection:
            head = await _hold(connection, home_id)
            if anchor is not None and head == EMPTY:
                begins = as_anchor(home_id, anchor)
                await _put_anchor(connection, begins)
                await connection.execute(_PUT_HEAD, home_id, begins.seq, begins.hash)
                head = (begins.seq, begins.hash)
            if not given:
                return 0
            here = await connection.fetch(_HASHES, home_id, min(numbers), max(numbers))
            first = await _anchor(connection, home_id)
            left = 0 if first is None else first.seq
            new = taken_over(head, {row[0]: row[1] for row in here}, given, left=left)
            await _append(connection, new)
        return len(new)

    async def trim(self, before: datetime, *, at: datetime) -> int:
        """In steps, each with its anchor in a transaction of its own; several processes may do this at once."""
        homes = [home_id for home_id, *_ in await self._pool.fetch(_HEADS)]
        return await trimmed(homes, partial(self._leave, microseconds(before), microseconds(at)))

    async def _leave(self, before: int, now: int, home_id: str) -> int:
        async with self._pool.transaction() as connection:
            await _hold(connection, home_id)
            rows = [_row(row) for row in await connection.fetch(_FIRST, home_id, _ROWS_AT_ONCE)]
            anchor = leaving(self._key, await _anchor(connection, home_id), rows, before, now)
            if anchor is None:
                return 0
            await _put_anchor(connection, anchor)
            return int((await connection.execute(_LEAVE, home_id, anchor.seq)).rpartition(" ")[2])

    async def anchor(self, home_id: str) -> Mapping[str, Json] | None:
        row = await self._pool.fetchrow(_ANCHOR, home_id)
        return None if row is None else anchor_as_told(_as_anchor(row))

    async def verify(self) -> int:
        walk = Walk(self._key)
        async with self._pool.transaction(deadline_s=VERIFY_DEADLINE_S, snapshot=True) as connection:
            walk.begin([_as_anchor(row) for row in await connection.fetch(_ANCHORS)])
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


async def _anchor(connection: Connection, home_id: str) -> Anchor | None:
    row = await connection.fetchrow(_ANCHOR, home_id)
    return None if row is None else _as_anchor(row)


async def _put_anchor(connection: Connection, anchor: Anchor) -> None:
    home_id, seq, hash_, left_us, seal = anchor
    await connection.execute(_PUT_ANCHOR, home_id, seq, hash_, moment(left_us), seal)


def _as_anchor(row: Any) -> Anchor:
    home_id, seq, hash_, left_at, seal = row
    return Anchor(home_id, seq, hash_, microseconds(left_at), seal)


def _row(row: Any) -> Row:
    home_id, seq, at, *texts = row
    return Row(home_id, seq, microseconds(at), *texts)
