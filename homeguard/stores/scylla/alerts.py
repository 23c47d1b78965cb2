"""What people should know."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from homeguard.model import Alert
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.scylla.batches import in_partitions
from homeguard.stores.scylla.columns import DAY_MS, date_cell, first_millisecond, milliseconds, moment
from homeguard.stores.scylla.cql import Cql, Values
from homeguard.stores.scylla.days import Span, Strand, day_rows, newest

_RAISE: Final = (
    "INSERT INTO alerts_by_id (home_id, id, raised_by, at, kind, severity, title, text, device, event_ids, state,"
    " is_simulated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS"
)
_RAISED: Final = (
    "SELECT raised_by, at, id, kind, severity, title, text, device, event_ids, state, is_simulated FROM alerts_by_id"
    " WHERE home_id = ? AND id = ?"
)
_PUT: Final = (
    "INSERT INTO alerts (home_id, event_date, at, id, kind, severity, title, text, device, event_ids, state,"
    " is_simulated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_IN_HOME: Final = (
    "SELECT at, id, kind, severity, title, text, device, event_ids, state, is_simulated FROM alerts"
    " WHERE home_id = ? AND event_date = ? AND at >= ? AND at < ? LIMIT ?"
)
STATEMENTS: Final = (_RAISE, _RAISED, _PUT, _IN_HOME)

#: A scope of `days`.
DAYS: Final = "alert"
_AT_ONCE: Final = 100


class ScyllaAlerts:
    """An `AlertStore`. Times keep their milliseconds. Who is first with an id is decided by the cluster, between
    processes too."""

    def __init__(self, cql: Cql) -> None:
        self._cql = cql

    async def raise_(self, alerts: Sequence[Alert]) -> list[Alert]:
        """At most 100 are raised in one go, each go with a deadline of its own."""
        new: list[Alert] = []
        for start in range(0, len(alerts), _AT_ONCE):
            async with self._cql.deadline():
                new += await self._raise(alerts[start : start + _AT_ONCE])
        return new

    async def query(self, home_id: str, *, start: datetime, end: datetime, limit: int = 100) -> list[Alert]:
        limit = min(max(limit, 1), 1000)
        strand = Strand(scope=DAYS, name="", span=_IN_HOME, before=(home_id,))
        span = Span(low=first_millisecond(start), high=first_millisecond(end))
        async with self._cql.deadline():
            rows = await newest(self._cql, home_id, [strand], span, limit)
        return [_alert(home_id, row) for row in rows]

    async def _raise(self, alerts: Sequence[Alert]) -> list[Alert]:
        firsts: dict[tuple[str, str], Alert] = {}
        for alert in alerts:
            firsts.setdefault((alert.home_id, alert.id), alert)
        me = uuid4()
        answers = await self._cql.each(
            (_RAISE, (a.home_id, a.id, me, milliseconds(a.at), *_rest(a))) for a in firsts.values()
        )
        new = [a for a, rows in zip(firsts.values(), answers, strict=True) if rows[0][0]]
        old = [key for key, rows in zip(firsts, answers, strict=True) if not rows[0][0]]
        listed = list(new)
        before = await self._cql.each((_RAISED, key) for key in old)
        for key, (raised_by, *row) in ((key, row) for key, rows in zip(old, before, strict=True) for row in rows):
            # The driver may have asked twice, and the first answer was lost: then it is ours.
            if raised_by == me:
                new.append(firsts[key])
            # It may have been cut short before it got its day: as it was raised, it is put there again.
            listed.append(_alert(key[0], row))
        days = ((a.home_id, DAYS, "", milliseconds(a.at) // DAY_MS) for a in listed)
        await self._cql.write(day_rows(days))
        await self._cql.write(in_partitions(_PUT, 2, [_row(a) for a in listed]))
        ids = {(a.home_id, a.id) for a in new}
        return [alert for key, alert in firsts.items() if key in ids]


def _row(alert: Alert) -> Values:
    at = milliseconds(alert.at)
    return (alert.home_id, date_cell(at // DAY_MS), at, alert.id, *_rest(alert))


def _rest(a: Alert) -> Values:
    return (a.kind, a.severity, a.title, a.text, a.device_id, json_text(a.event_ids), a.state, a.is_simulated)


def _alert(home_id: str, row: Sequence[Any]) -> Alert:
    at, id_, kind, severity, title, text, device, event_ids, state, is_simulated = row
    return Alert(
        id=id_, home_id=home_id, at=moment(at), kind=kind, severity=severity, title=title, text=text, device_id=device,
        event_ids=tuple(json_value(event_ids)), state=state, is_simulated=is_simulated,
    )  # fmt: skip
