"""Who asked for what and what was decided, in `home.db`, chained so that a changed or missing row shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import apsw

from homeguard.chain import EMPTY, Head, Row, Walk, as_row, as_told, canonical_json, linked, taken_over
from homeguard.errors import StartRefused
from homeguard.model import Json
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


class SqliteAudit:
    """An `Audit`: each home has its own chain, numbered from 1."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    async def adopt(self, home_id: str, rows: Sequence[Mapping[str, Json]]) -> int:
        given = [as_row(home_id, row) for row in rows]
        numbers = [row.seq for row in given]

        def adopt(c: apsw.Connection) -> int:
            if not given:
                return 0
            here: Any = c.execute(_HASHES, (home_id, min(numbers), max(numbers))).fetchall()
            new = taken_over(_head(c, home_id), dict(here), given)
            _append(c, home_id, new)
            return len(new)

        return await self._database.write(adopt)

    async def verify(self) -> int:
        return await self._database.read(_verify)


def verify_file(path: Path) -> int:
    """Rows checked in a `home.db`, also while a process writes to it. Raises as `verify`; StartRefused: unreadable."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            # One snapshot: a row written between the rows and the heads would look like a missing one.
            connection.execute("BEGIN")
            return _verify(connection)
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


def _verify(c: apsw.Connection) -> int:
    walk = Walk()
    rows: Any = c.execute(_ALL)
    for row in rows:
        walk.step(Row(*row))
    noted: Any = c.execute(_HEADS)
    return walk.end(noted)
