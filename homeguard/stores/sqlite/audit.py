"""Who asked for what and what was decided, in `home.db`, chained so that a changed or missing row shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw

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
    taken_over,
)
from homeguard.errors import StartRefused
from homeguard.model import Json
from homeguard.stores.leaving import trimmed
from homeguard.stores.sqlite.columns import micros
from homeguard.stores.sqlite.database import BUSY_TIMEOUT_MS, Database

_HEAD: Final = "SELECT seq, hash FROM audit_heads WHERE home_id = ?"
_HEADS: Final = "SELECT home_id, seq, hash FROM audit_heads ORDER BY home_id"
_PUT: Final = (
    "INSERT INTO audit (home_id, seq, at, actor, action, decision, rule, detail, hash)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_HEAD: Final = (
    "INSERT INTO audit_heads (home_id, seq, hash) VALUES (?, ?, ?)"
    " ON CONFLICT (home_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash"
)
_ROWS: Final = (
    "SELECT home_id, seq, at, actor, action, decision, rule, detail, hash FROM audit"
    " WHERE home_id = ? AND seq < coalesce(?, 9223372036854775807) ORDER BY seq DESC LIMIT ?"
)
_ALL: Final = "SELECT home_id, seq, at, actor, action, decision, rule, detail, hash FROM audit ORDER BY home_id, seq"
_HASHES: Final = "SELECT seq, hash FROM audit WHERE home_id = ? AND seq BETWEEN ? AND ?"
_ANCHOR: Final = "SELECT home_id, seq, hash, left_at, seal FROM audit_anchors WHERE home_id = ?"
_ANCHORS: Final = "SELECT home_id, seq, hash, left_at, seal FROM audit_anchors"
_PUT_ANCHOR: Final = "INSERT OR REPLACE INTO audit_anchors (home_id, seq, hash, left_at, seal) VALUES (?, ?, ?, ?, ?)"
_FIRST: Final = (
    "SELECT home_id, seq, at, actor, action, decision, rule, detail, hash FROM audit WHERE home_id = ? ORDER BY seq"
    " LIMIT ?"
)
_LEAVE: Final = "DELETE FROM audit WHERE home_id = ? AND seq <= ?"
#: Rows that leave in one write.
_STEP: Final = 500


class SqliteAudit:
    """An `Audit`: each home has its own chain, numbered from 1."""

    def __init__(self, database: Database, key: bytes = b"") -> None:
        """`key` seals where a chain begins once rows have left it."""
        self._database = database
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
        row = Row(home_id, 0, micros(at), actor, action, decision, rule, canonical_json(detail))
        await self._database.write(lambda c: _append(c, home_id, [linked(_head(c, home_id), row)]))

    async def rows(self, home_id: str, *, limit: int = 100, before: int | None = None) -> list[Mapping[str, Json]]:
        return [as_told(Row(*row)) for row in await self._database.rows(_ROWS, (home_id, before, limit))]

    async def adopt(
        self, home_id: str, rows: Sequence[Mapping[str, Json]], *, anchor: Mapping[str, Json] | None = None
    ) -> int:
        given = [as_row(home_id, row) for row in rows]
        numbers = [row.seq for row in given]
        begins = None if anchor is None else as_anchor(home_id, anchor)

        def adopt(c: apsw.Connection) -> int:
            if begins is not None and _head(c, home_id) == EMPTY:
                c.execute(_PUT_ANCHOR, begins)
                c.execute(_PUT_HEAD, (home_id, begins.seq, begins.hash))
            if not given:
                return 0
            here: Any = c.execute(_HASHES, (home_id, min(numbers), max(numbers))).fetchall()
            first = _anchor(c, home_id)
            left = 0 if first is None else first.seq
            new = taken_over(_head(c, home_id), dict(here), given, left=left)
            _append(c, home_id, new)
            return len(new)

        return await self._database.write(adopt)

    async def trim(self, before: datetime, *, at: datetime) -> int:
        """In steps beside all other work, each with its anchor."""
        homes = [home_id for home_id, *_ in await self._database.rows(_HEADS)]

        async def leave(home_id: str) -> int:
            return await self._database.write(partial(self._leave, home_id, micros(before), micros(at)))

        return await trimmed(homes, leave)

    def _leave(self, home_id: str, before: int, now: int, c: apsw.Connection) -> int:
        rows: Any = c.execute(_FIRST, (home_id, _STEP)).fetchall()
        anchor = leaving(self._key, _anchor(c, home_id), [Row(*row) for row in rows], before, now)
        if anchor is None:
            return 0
        c.execute(_PUT_ANCHOR, anchor)
        c.execute(_LEAVE, (home_id, anchor.seq))
        return c.changes()

    async def anchor(self, home_id: str) -> Mapping[str, Json] | None:
        row = await self._database.row(_ANCHOR, (home_id,))
        return None if row is None else anchor_as_told(Anchor(*row))

    async def verify(self) -> int:
        return await self._database.read(lambda c: _verify(c, self._key))


def verify_file(path: Path, key: bytes = b"") -> int:
    """Rows checked in a `home.db`, also while a process writes to it. Raises as `verify`; StartRefused: unreadable."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            # One snapshot: a row written between the rows and the heads would look like a missing one.
            connection.execute("BEGIN")
            return _verify(connection, key)
        finally:
            connection.close()
    except apsw.Error as error:
        raise StartRefused(f"{path} cannot be read: {error}") from error


def _head(c: apsw.Connection, home_id: str) -> Head:
    found: Any = c.execute(_HEAD, (home_id,)).fetchone()
    return found or EMPTY


def _append(c: apsw.Connection, home_id: str, rows: Sequence[Row]) -> None:
    for row in rows:
        c.execute(_PUT, row)
    if rows:
        c.execute(_PUT_HEAD, (home_id, rows[-1].seq, rows[-1].hash))


def _anchor(c: apsw.Connection, home_id: str) -> Anchor | None:
    found: Any = c.execute(_ANCHOR, (home_id,)).fetchone()
    return None if found is None else Anchor(*found)


def _verify(c: apsw.Connection, key: bytes) -> int:
    walk = Walk(key)
    if c.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_anchors'").fetchone():
        anchors: Any = c.execute(_ANCHORS)
        walk.begin(Anchor(*row) for row in anchors)
    rows: Any = c.execute(_ALL)
    for row in rows:
        walk.step(Row(*row))
    noted: Any = c.execute(_HEADS)
    return walk.end(noted)
