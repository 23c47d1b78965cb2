"""What the event store keeps about one person, told as it is, and the homes that go with them, let go of.

Every partition of a home is found by `days`, which goes last: so a try that was cut off finds again what it left.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from homeguard.clock import iso
from homeguard.ids import device_uuid
from homeguard.ports.personal import Subject
from homeguard.stores.json_text import json_value
from homeguard.stores.scylla.alerts import DAYS as ALERT_DAYS
from homeguard.stores.scylla.anomalies import IN_HOME_DAYS, OF_DEVICE_DAYS
from homeguard.stores.scylla.columns import moment
from homeguard.stores.scylla.cql import Ask, Cql
from homeguard.stores.scylla.event_rows import COLUMNS, DEVICE, HOME, TYPE
from homeguard.stores.scylla.ids import BUCKETS

_LIMIT_S: Final = 60.0
_MOST: Final = 100_000
#: Partitions asked or deleted side by side.
_AT_ONCE: Final = 64

#: Both are read page by page, however many there are.
_STRANDS: Final = "SELECT scope, name, event_date FROM days WHERE home_id = %s"
_HOME_DAYS: Final = "SELECT event_date FROM days WHERE home_id = %s AND scope = %s AND name = %s"
#: The server leaves out the events of others of one home and day.
_OF_PERSON: Final = (
    f"SELECT {COLUMNS} FROM events_by_user WHERE user_id = ? AND event_date = ? AND person_id = ? LIMIT 5000"  # noqa: S608 - literals
    " ALLOW FILTERING"
)
_ALERT_IDS: Final = "SELECT id FROM alerts WHERE home_id = ? AND event_date = ?"

_DELETE_BY_USER: Final = "DELETE FROM events_by_user WHERE user_id = ? AND event_date = ?"
_DELETE_BY_TYPE: Final = "DELETE FROM events_by_type WHERE user_id = ? AND event_type = ? AND event_date = ?"
_DELETE_BY_DEVICE: Final = "DELETE FROM events_by_device WHERE device_id = ? AND event_date = ?"
_DELETE_HEARTBEATS: Final = "DELETE FROM device_heartbeats WHERE user_id = ? AND device_id = ?"
_DELETE_ANOMALIES: Final = "DELETE FROM anomalies WHERE home_id = ? AND event_date = ?"
_DELETE_DEVICE_ANOMALIES: Final = "DELETE FROM anomalies_by_device WHERE device_id = ? AND event_date = ?"
_DELETE_ALERTS: Final = "DELETE FROM alerts WHERE home_id = ? AND event_date = ?"
_DELETE_ALERT: Final = "DELETE FROM alerts_by_id WHERE home_id = ? AND id = ?"
_DELETE_EVENT_IDS: Final = "DELETE FROM event_ids WHERE home_id = ? AND bucket = ?"
_DELETE_ANOMALY_IDS: Final = "DELETE FROM anomaly_ids WHERE home_id = ? AND bucket = ?"
_DELETE_COUNTS: Final = "DELETE FROM event_counts WHERE home_id = ?"
_DELETE_DAYS: Final = "DELETE FROM days WHERE home_id = ?"
STATEMENTS: Final = (
    _OF_PERSON, _ALERT_IDS, _DELETE_BY_USER, _DELETE_BY_TYPE, _DELETE_BY_DEVICE,
    _DELETE_HEARTBEATS, _DELETE_ANOMALIES, _DELETE_DEVICE_ANOMALIES, _DELETE_ALERTS, _DELETE_ALERT, _DELETE_EVENT_IDS,
    _DELETE_ANOMALY_IDS, _DELETE_COUNTS, _DELETE_DAYS,
)  # fmt: skip
_NAMES: Final = tuple(name.strip() for name in COLUMNS.split(","))


class ScyllaPersonalData:
    """A `PersonalData`. Of a home with other members nothing goes: an event names its person by the id alone, which
    then is nobody's."""

    def __init__(self, cql: Cql) -> None:
        self._cql = cql

    async def export(self, subject: Subject) -> Mapping[str, list[dict[str, Any]]]:
        if not subject.user_id:
            return {}
        events: list[dict[str, Any]] = []
        async with self._cql.deadline(_LIMIT_S):
            for home_id in subject.homes:
                days = [day for (day,) in await self._cql.run(_HOME_DAYS, (home_id, HOME, ""))]
                for first in range(0, len(days), _AT_ONCE):
                    asks = [(_OF_PERSON, (home_id, day, subject.user_id)) for day in days[first : first + _AT_ONCE]]
                    for rows in await self._cql.each(asks):
                        events += [{"home_id": home_id, **_shown(row)} for row in rows]
                    if len(events) >= _MOST:
                        break
        return {"events": events[:_MOST]}

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        """Counts partitions, not rows: nobody looks into what is dropped whole."""
        gone: dict[str, int] = {}
        for home_id in subject.sole_homes if subject.user_id else ():
            async with self._cql.deadline(_LIMIT_S):
                for table, count in (await self._erase(home_id)).items():
                    gone[table] = gone.get(table, 0) + count
        return gone

    async def _erase(self, home_id: str) -> Mapping[str, int]:
        strands = await self._cql.run(_STRANDS, (home_id,))
        if not strands:
            return {}
        asks: list[Ask] = []
        for scope, name, day in strands:
            if scope == HOME:
                asks.append((_DELETE_BY_USER, (home_id, day)))
            elif scope == TYPE:
                asks.append((_DELETE_BY_TYPE, (home_id, name, day)))
            elif scope == DEVICE:
                asks.append((_DELETE_BY_DEVICE, (device_uuid(home_id, name), day)))
            elif scope == IN_HOME_DAYS:
                asks.append((_DELETE_ANOMALIES, (home_id, day)))
            elif scope == OF_DEVICE_DAYS:
                asks.append((_DELETE_DEVICE_ANOMALIES, (device_uuid(home_id, name), day)))
        devices = {name for scope, name, _ in strands if scope == DEVICE}
        asks += [(_DELETE_HEARTBEATS, (home_id, device_uuid(home_id, name))) for name in sorted(devices)]
        alert_days = [day for scope, _, day in strands if scope == ALERT_DAYS]
        found = await self._each([(_ALERT_IDS, (home_id, day)) for day in alert_days])
        # who decides whether an alert is new goes before the alert, by which it is found
        await self._each([(_DELETE_ALERT, (home_id, id_)) for rows in found for (id_,) in rows])
        asks += [(_DELETE_ALERTS, (home_id, day)) for day in alert_days]
        await self._each(asks)
        ids = [(text, (home_id, n)) for n in range(BUCKETS) for text in (_DELETE_EVENT_IDS, _DELETE_ANOMALY_IDS)]
        await self._each([*ids, (_DELETE_COUNTS, (home_id,))])
        await self._each([(_DELETE_DAYS, (home_id,))])
        return {"partitions": len(asks) + len(ids) + 2}

    async def _each(self, asks: Sequence[Ask]) -> list[list[Any]]:
        answers: list[list[Any]] = []
        for first in range(0, len(asks), _AT_ONCE):
            answers += await self._cql.each(asks[first : first + _AT_ONCE])
        return answers


def _shown(row: Sequence[Any]) -> dict[str, Any]:
    told = dict(zip(_NAMES, row, strict=True))
    told["payload"] = json_value(told["payload"])
    return {name: iso(moment(v)) if isinstance(v, datetime) else v for name, v in told.items()}
