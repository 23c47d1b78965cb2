"""What people should know, in `home.db`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import apsw

from homeguard.model import Alert
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import micros, moment
from homeguard.stores.sqlite.database import Database

_PUT = (
    "INSERT INTO alerts (id, home_id, at, kind, severity, title, text, device_id, event_ids, state, is_simulated)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (home_id, id) DO NOTHING"
)
_QUERY = (
    "SELECT id, home_id, at, kind, severity, title, text, device_id, event_ids, state, is_simulated FROM alerts"
    " WHERE home_id = ? AND at >= ? AND at < ? ORDER BY at DESC, id LIMIT ?"
)


class SqliteAlerts:
    """An `AlertStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def raise_(self, alerts: Sequence[Alert]) -> list[Alert]:
        def put(c: apsw.Connection) -> list[Alert]:
            new = []
            for a in alerts:
                c.execute(
                    _PUT,
                    (
                        a.id, a.home_id, micros(a.at), a.kind, a.severity, a.title, a.text, a.device_id,
                        json_text(a.event_ids), a.state, int(a.is_simulated),
                    ),
                )  # fmt: skip
                if c.changes():
                    new.append(a)
            return new

        return await self._database.write(put)

    async def query(self, home_id: str, *, start: datetime, end: datetime, limit: int = 100) -> list[Alert]:
        given = (home_id, micros(start), micros(end), min(max(limit, 1), 1000))
        rows = await self._database.rows(_QUERY, given)
        return [_alert(row) for row in rows]


def _alert(row: Any) -> Alert:
    id_, home_id, at, kind, severity, title, text, device_id, event_ids, state, is_simulated = row
    return Alert(
        id=id_, home_id=home_id, at=moment(at), kind=kind, severity=severity, title=title, text=text,
        device_id=device_id, event_ids=tuple(json_value(event_ids)), state=state, is_simulated=bool(is_simulated),
    )  # fmt: skip
