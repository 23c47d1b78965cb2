"""What the detectors found, by home and by device."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from homeguard.ids import device_uuid
from homeguard.model import Anomaly
from homeguard.stores.scylla.batches import in_partitions
from homeguard.stores.scylla.columns import DAY_MS, date_cell, first_millisecond, milliseconds, moment, unless_none
from homeguard.stores.scylla.cql import Cql, Values
from homeguard.stores.scylla.days import Span, Strand, day_rows, newest
from homeguard.stores.scylla.ids import Claims, bucket, stored

_STORED: Final = "SELECT id FROM anomaly_ids WHERE home_id = ? AND bucket = ? AND id IN ?"
_PUT_ID: Final = "INSERT INTO anomaly_ids (home_id, bucket, id, at) VALUES (?, ?, ?, ?)"
_PUT: Final = (
    "INSERT INTO anomalies (home_id, event_date, at, id, device, kind, score, severity, explanation, event_id, metric,"
    " value, expected_low, expected_high) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_BY_DEVICE: Final = (
    "INSERT INTO anomalies_by_device (device_id, event_date, at, id, home_id, device, kind, score, severity,"
    " explanation, event_id, metric, value, expected_low, expected_high)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_IN_HOME: Final = (
    "SELECT at, id, device, kind, score, severity, explanation, event_id, metric, value, expected_low, expected_high"
    " FROM anomalies WHERE home_id = ? AND event_date = ? AND at >= ? AND at < ? LIMIT ?"
)
_OF_DEVICE: Final = (
    "SELECT at, id, device, kind, score, severity, explanation, event_id, metric, value, expected_low, expected_high"
    " FROM anomalies_by_device WHERE device_id = ? AND event_date = ? AND at >= ? AND at < ? LIMIT ?"
)
STATEMENTS: Final = (_STORED, _PUT_ID, _PUT, _PUT_BY_DEVICE, _IN_HOME, _OF_DEVICE)

#: Scopes of `days`.
IN_HOME_DAYS, OF_DEVICE_DAYS = "anomaly", "anomaly_device"
_AT_ONCE: Final = 500


class ScyllaAnomalies:
    """An `AnomalyStore`. Times keep their milliseconds; an id is written last, as with events."""

    def __init__(self, cql: Cql) -> None:
        self._cql = cql
        self._claims = Claims()

    async def append(self, anomalies: Sequence[Anomaly]) -> int:
        """At most 500 are stored in one go; one that fails leaves those of the goes before it."""
        new = 0
        for start in range(0, len(anomalies), _AT_ONCE):
            async with self._cql.deadline():
                new += await self._append(anomalies[start : start + _AT_ONCE])
        return new

    async def query(
        self, home_id: str, *, start: datetime, end: datetime, device_id: str = "", limit: int = 100
    ) -> list[Anomaly]:
        limit = min(max(limit, 1), 1000)
        if device_id:
            device = device_uuid(home_id, device_id)
            strand = Strand(scope=OF_DEVICE_DAYS, name=device_id, span=_OF_DEVICE, before=(device,))
        else:
            strand = Strand(scope=IN_HOME_DAYS, name="", span=_IN_HOME, before=(home_id,))
        span = Span(low=first_millisecond(start), high=first_millisecond(end))
        async with self._cql.deadline():
            rows = await newest(self._cql, home_id, [strand], span, limit)
        return [_anomaly(home_id, row) for row in rows]

    async def _append(self, anomalies: Sequence[Anomaly]) -> int:
        firsts: dict[tuple[str, str], Anomaly] = {}
        for anomaly in anomalies:
            firsts.setdefault((anomaly.home_id, anomaly.id), anomaly)
        async with self._claims.hold(firsts):
            known = await stored(self._cql, _STORED, firsts)
            new = [anomaly for key, anomaly in firsts.items() if key not in known]
            if new:
                await self._write(new)
        return len(new)

    async def _write(self, new: Sequence[Anomaly]) -> None:
        in_home: list[Values] = []
        of_device: list[Values] = []
        ids: list[Values] = []
        days: list[tuple[str, str, str, int]] = []
        for a in new:
            at = milliseconds(a.at)
            day = at // DAY_MS
            rest = (
                a.device_id, a.kind, a.score, a.severity, a.explanation, a.event_id, a.metric, unless_none(a.value),
                unless_none(a.expected_low), unless_none(a.expected_high),
            )  # fmt: skip
            in_home.append((a.home_id, date_cell(day), at, a.id, *rest))
            device = device_uuid(a.home_id, a.device_id)
            of_device.append((device, date_cell(day), at, a.id, a.home_id, *rest))
            days += ((a.home_id, IN_HOME_DAYS, "", day), (a.home_id, OF_DEVICE_DAYS, a.device_id, day))
            ids.append((a.home_id, bucket(a.id), a.id, at))
        await self._cql.write([*in_partitions(_PUT, 2, in_home), *in_partitions(_PUT_BY_DEVICE, 2, of_device)])
        await self._cql.write(day_rows(days))
        await self._cql.write(in_partitions(_PUT_ID, 2, ids))


def _anomaly(home_id: str, row: Sequence[Any]) -> Anomaly:
    at, id_, device, kind, score, severity, explanation, event_id, metric, value, low, high = row
    return Anomaly(
        id=id_, home_id=home_id, device_id=device, at=moment(at), kind=kind, score=score, severity=severity,
        explanation=explanation, event_id=event_id, metric=metric, value=value, expected_low=low, expected_high=high,
    )  # fmt: skip
