"""Events by device, by home and by type."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from homeguard.clock import Clock
from homeguard.event_cursor import cursor_of, place_of
from homeguard.ids import device_uuid
from homeguard.model import Event
from homeguard.ports.events import Page
from homeguard.stores.scylla import counts, event_rows
from homeguard.stores.scylla.columns import (
    DAY_MS,
    FIRST_MS,
    LAST_MS,
    date_cell,
    first_millisecond,
    milliseconds,
    moment,
)
from homeguard.stores.scylla.counts import count_events
from homeguard.stores.scylla.cql import Cql
from homeguard.stores.scylla.days import Span, Strand, newest
from homeguard.stores.scylla.event_rows import COLUMNS, DEVICE, DEVICE_TYPE, HOME, TYPE
from homeguard.stores.scylla.ids import Claims, bucket, stored

_STORED: Final = "SELECT id FROM event_ids WHERE home_id = ? AND bucket = ? AND id IN ?"
_TIME: Final = "SELECT at FROM event_ids WHERE home_id = ? AND bucket = ? AND id = ?"
_ONE: Final = (
    f"SELECT {COLUMNS} FROM events_by_user WHERE user_id = ? AND event_date = ? AND event_time = ? AND event_id = ?"  # noqa: S608 - literals
)
_LAST_DAY: Final = "SELECT event_date FROM days WHERE home_id = ? AND scope = ? AND name = ? LIMIT 1"
_LAST: Final = f"SELECT {COLUMNS} FROM events_by_device WHERE device_id = ? AND event_date = ? LIMIT 1"  # noqa: S608 - literals

_IN_HOME: Final = f"SELECT {COLUMNS} FROM events_by_user WHERE user_id = ? AND event_date = ?"  # noqa: S608 - literals
_OF_TYPE: Final = f"SELECT {COLUMNS} FROM events_by_type WHERE user_id = ? AND event_type = ? AND event_date = ?"  # noqa: S608 - literals
_OF_DEVICE: Final = f"SELECT {COLUMNS} FROM events_by_device WHERE device_id = ? AND event_date = ?"  # noqa: S608 - literals
#: The server leaves out the other types of one device and day.
_OF_DEVICE_AND_TYPE: Final = _OF_DEVICE + " AND event_type = ?"
_SPAN: Final = " AND event_time >= ? AND event_time < ? LIMIT ?"
_TIES: Final = " AND event_time = ? AND event_id > ? LIMIT ?"
_FILTER: Final = " ALLOW FILTERING"

STATEMENTS: Final = (
    _STORED, _TIME, _ONE, _LAST_DAY, _LAST,
    *(text + end for text in (_IN_HOME, _OF_TYPE, _OF_DEVICE) for end in (_SPAN, _TIES)),
    *(_OF_DEVICE_AND_TYPE + end + _FILTER for end in (_SPAN, _TIES)),
    *event_rows.STATEMENTS, *counts.STATEMENTS,
)  # fmt: skip

#: Events stored in one go, each go with a deadline of its own.
_AT_ONCE: Final = 500


class ScyllaEvents:
    """An `EventStore`. Times keep their milliseconds; what is finer is cut off.

    An event is stored when its id is: the id is written last, so that an append that was cut short is done again from
    the start, over the same keys.
    """

    def __init__(self, cql: Cql, clock: Clock) -> None:
        self._cql = cql
        self._clock = clock
        self._claims = Claims()

    async def append(self, events: Sequence[Event]) -> int:
        """At most 500 events are stored in one go; one that fails leaves those of the goes before it.

        Two processes that store one event at the same time store it once and may both count it as new.
        """
        new = 0
        for start in range(0, len(events), _AT_ONCE):
            async with self._cql.deadline():
                new += await self._append(events[start : start + _AT_ONCE])
        return new

    async def query(
        self,
        home_id: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        device_id: str = "",
        event_types: Sequence[str] = (),
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """A call asks each partition (a day of the home, of a device or of a type) for no more than is still wanted,
        and visits only days that have such events. For one device and some types the server reads all of that device's
        events of such a day."""
        limit = min(max(limit, 1), 1000)
        low = FIRST_MS if start is None else first_millisecond(start)
        high = LAST_MS + 1 if end is None else first_millisecond(end)
        span = Span(low=low, high=high) if cursor is None else _behind(cursor, low, high)
        async with self._cql.deadline():
            rows = await newest(self._cql, home_id, _strands(home_id, device_id, event_types), span, limit + 1)
        items = tuple(event_rows.event(home_id, row) for row in rows[:limit])
        return Page(items=items, next_cursor=cursor_of(items[-1]) if len(rows) > limit else None)

    async def get(self, home_id: str, event_id: str) -> Event | None:
        async with self._cql.deadline():
            times = await self._cql.ask(_TIME, (home_id, bucket(event_id), event_id))
            if not times:
                return None
            at = milliseconds(moment(times[0][0]))
            rows = await self._cql.ask(_ONE, (home_id, date_cell(at // DAY_MS), at, event_id))
        return event_rows.event(home_id, rows[0]) if rows else None

    async def latest(self, home_id: str, device_ids: Sequence[str]) -> dict[str, Event]:
        wanted = [device_id for device_id in dict.fromkeys(device_ids) if device_id]
        found: dict[str, Event] = {}
        async with self._cql.deadline():
            days = await self._cql.each((_LAST_DAY, (home_id, DEVICE, device_id)) for device_id in wanted)
            heard = {device_id: rows[0][0] for device_id, rows in zip(wanted, days, strict=True) if rows}
            answers = await self._cql.each((_LAST, (device_uuid(home_id, d), day)) for d, day in heard.items())
            for device_id, rows in zip(heard, answers, strict=True):
                # A day outlives its events by a day: then the one before may still have some.
                rows = rows or await newest(self._cql, home_id, _strands(home_id, device_id, ()), Span(), 1)
                if rows:
                    found[device_id] = event_rows.event(home_id, rows[0])
        return found

    async def count(self, home_id: str) -> int:
        async with self._cql.deadline():
            return await count_events(self._cql, home_id, self._clock.now())

    async def _append(self, events: Sequence[Event]) -> int:
        firsts: dict[tuple[str, str], Event] = {}
        for event in events:
            firsts.setdefault((event.home_id, event.event_id), event)
        async with self._claims.hold(firsts):
            known = await stored(self._cql, _STORED, firsts)
            new = [event for key, event in firsts.items() if key not in known]
            if new:
                await self._cql.write([*event_rows.event_batches(new), *event_rows.day_batches(new)])
                await self._cql.write(event_rows.id_batches(new))
        return len(new)


def _behind(cursor: str, low: int, high: int) -> Span:
    """What of the span lies behind the cursor.

    Raises:
        InvalidInput: the cursor is not one of ours.
    """
    micros, event_id = place_of(cursor)
    at, finer = divmod(micros, 1000)
    if finer:
        return Span(low=low, high=min(high, at + 1))
    return Span(low=low, high=min(high, at), behind=(at, event_id) if low <= at < high else None)


def _strands(home_id: str, device_id: str, event_types: Sequence[str]) -> list[Strand]:
    if not device_id and not event_types:
        return [Strand(scope=HOME, name="", span=_IN_HOME + _SPAN, ties=_IN_HOME + _TIES, before=(home_id,))]
    if not device_id:
        return [
            Strand(scope=TYPE, name=kind, span=_OF_TYPE + _SPAN, ties=_OF_TYPE + _TIES, before=(home_id, kind))
            for kind in dict.fromkeys(event_types)
        ]
    device = (device_uuid(home_id, device_id),)
    if not event_types:
        return [Strand(scope=DEVICE, name=device_id, span=_OF_DEVICE + _SPAN, ties=_OF_DEVICE + _TIES, before=device)]
    return [
        Strand(
            scope=DEVICE_TYPE,
            name=event_rows.type_of_device(device_id, kind),
            span=_OF_DEVICE_AND_TYPE + _SPAN + _FILTER,
            ties=_OF_DEVICE_AND_TYPE + _TIES + _FILTER,
            before=device,
            after=(kind,),
        )
        for kind in dict.fromkeys(event_types)
    ]
