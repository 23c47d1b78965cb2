"""What the detectors found, in `events.db`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from homeguard.model import Anomaly
from homeguard.stores.sqlite.columns import Cell, micros, moment
from homeguard.stores.sqlite.database import Database
from homeguard.stores.sqlite.many_rows import ManyRows

_PUT: Final = ManyRows(
    "INSERT INTO anomalies (id, home_id, device_id, at, kind, score, severity, explanation, event_id, metric, value,"
    " expected_low, expected_high)",
    13,
    "ON CONFLICT (home_id, id) DO NOTHING",
)
_SELECT = (
    "SELECT id, home_id, device_id, at, kind, score, severity, explanation, event_id, metric, value, expected_low,"
    " expected_high FROM anomalies "
)
_BY_TIME = _SELECT + "WHERE home_id = ? AND at >= ? AND at < ? ORDER BY at DESC, id LIMIT ?"
_BY_DEVICE = _SELECT + "WHERE home_id = ? AND device_id = ? AND at >= ? AND at < ? ORDER BY at DESC, id LIMIT ?"


class SqliteAnomalies:
    """An `AnomalyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, anomalies: Sequence[Anomaly]) -> int:
        cells: list[Cell] = []
        for a in anomalies:
            cells += (
                a.id, a.home_id, a.device_id, micros(a.at), a.kind, a.score, a.severity, a.explanation, a.event_id,
                a.metric, a.value, a.expected_low, a.expected_high,
            )  # fmt: skip
        return await self._database.write(lambda c: _PUT.put(c, cells))

    async def query(
        self, home_id: str, *, start: datetime, end: datetime, device_id: str = "", limit: int = 100
    ) -> list[Anomaly]:
        span = (micros(start), micros(end), min(max(limit, 1), 1000))
        sql, given = (_BY_DEVICE, (home_id, device_id, *span)) if device_id else (_BY_TIME, (home_id, *span))
        rows = await self._database.rows(sql, given)
        return [_anomaly(row) for row in rows]


def _anomaly(row: Any) -> Anomaly:
    (id_, home_id, device_id, at, kind, score, severity, explanation, event_id, metric, value, low, high) = row
    return Anomaly(
        id=id_, home_id=home_id, device_id=device_id, at=moment(at), kind=kind, score=score, severity=severity,
        explanation=explanation, event_id=event_id, metric=metric, value=value, expected_low=low, expected_high=high,
    )  # fmt: skip
