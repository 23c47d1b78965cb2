"""Who asked for what and what was decided, in `home.db`, chained so that a changed or missing row shows."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import apsw

from homeguard.clock import iso
from homeguard.errors import Conflict, StartRefused
from homeguard.model import Json
from homeguard.stores.sqlite.columns import canonical_json, json_value, micros, moment
from homeguard.stores.sqlite.database import BUSY_TIMEOUT_MS, Database

_HEAD: Final = "SELECT seq, hash FROM audit_heads WHERE home_id = ?"
_PUT: Final = (
    "INSERT INTO audit (home_id, seq, at, actor, action, decision, rule, detail, hash)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_HEAD: Final = (
    "INSERT INTO audit_heads (home_id, seq, hash) VALUES (?, ?, ?)"
    " ON CONFLICT (home_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash"
)
_ROWS: Final = (
    "SELECT seq, at, actor, action, decision, rule, detail, hash FROM audit WHERE home_id = ? ORDER BY seq DESC LIMIT ?"
)
_ALL: Final = "SELECT home_id, seq, at, actor, action, decision, rule, detail, hash FROM audit ORDER BY home_id, seq"


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
        texts = (actor, action, decision, rule, canonical_json(detail))
        stamp = micros(at)

        def put(c: apsw.Connection) -> None:
            head: Any = c.execute(_HEAD, (home_id,)).fetchone()
            last, before = head or (0, "")
            link = _link(before, home_id, last + 1, stamp, texts)
            c.execute(_PUT, (home_id, last + 1, stamp, *texts, link))
            c.execute(_PUT_HEAD, (home_id, last + 1, link))

        await self._database.write(put)

    async def rows(self, home_id: str, *, limit: int = 100) -> list[Mapping[str, Json]]:
        return [
            {
                "seq": seq, "at": iso(moment(at)), "actor": actor, "action": action, "decision": decision,
                "rule": rule, "detail": json_value(detail), "hash": link,
            }
            for seq, at, actor, action, decision, rule, detail, link in await self._database.rows(
                _ROWS, (home_id, limit)
            )
        ]  # fmt: skip

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


def _link(before: str, home_id: str, seq: int, at: int, texts: tuple[str, ...]) -> str:
    """SHA-256 over the row before's and this row's fields, as a JSON array so that no two rows read the same."""
    return hashlib.sha256(canonical_json([before, home_id, seq, at, *texts]).encode()).hexdigest()


def _verify(c: apsw.Connection) -> int:
    heads: dict[str, tuple[int, str]] = {}
    checked = 0
    rows: Any = c.execute(_ALL)
    for home_id, seq, at, actor, action, decision, rule, detail, link in rows:
        last, before = heads.get(home_id, (0, ""))
        if seq != last + 1:
            raise Conflict(f"the audit of home {home_id} lacks row {last + 1}", home_id=home_id, seq=last + 1)
        if link != _link(before, home_id, seq, at, (actor, action, decision, rule, detail)):
            raise Conflict(f"row {seq} of the audit of home {home_id} was changed", home_id=home_id, seq=seq)
        heads[home_id] = (seq, link)
        checked += 1
    noted: Any = c.execute("SELECT home_id, seq, hash FROM audit_heads ORDER BY home_id")
    for home_id, seq, link in noted:
        last, before = heads.pop(home_id, (0, ""))
        if (last, before) != (seq, link):
            missing = min(last + 1, seq)
            raise Conflict(f"the audit of home {home_id} lacks row {missing}", home_id=home_id, seq=missing)
    for home_id in heads:
        raise Conflict(f"the audit of home {home_id} lacks its end", home_id=home_id, seq=heads[home_id][0])
    return checked
