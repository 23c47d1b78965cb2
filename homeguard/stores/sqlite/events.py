"""Events by device, by home and by type, in `events.db`."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from heapq import merge
from typing import Any, Final

import apsw

from homeguard.event_cursor import cursor_of, place_of
from homeguard.model import Event, Metadata
from homeguard.ports.events import Page
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import Cell, micros, moment
from homeguard.stores.sqlite.database import Database
from homeguard.stores.sqlite.many_rows import ManyRows

_PUT: Final = ManyRows(
    "INSERT INTO events (home_id, event_id, event_type, at, received_at, device_id, user_id, payload,"
    " firmware_version, signal_strength, is_simulated, source, trust, lane, cause, traceparent)",
    16,
    "ON CONFLICT (home_id, event_id) DO NOTHING",
)
_SELECT: Final = (
    "SELECT home_id, event_id, event_type, at, received_at, device_id, user_id, payload, firmware_version,"
    " signal_strength, is_simulated, source, trust, lane, cause, traceparent FROM events "
)
_SPAN: Final = (
    "AND at >= :start AND at < :end AND (at < :below OR (at = :below AND event_id > :below_id))"
    " ORDER BY at DESC, event_id LIMIT :limit"
)
_LATEST: Final = _SELECT + "WHERE home_id = ? AND device_id = ? ORDER BY at DESC, event_id LIMIT 1"
_BY_TIME: Final = _SELECT + "WHERE home_id = :home " + _SPAN
_BY_TYPE: Final = _SELECT + "WHERE home_id = :home AND event_type = :type " + _SPAN
_BY_DEVICE: Final = _SELECT + "WHERE home_id = :home AND device_id = :device " + _SPAN
_BY_DEVICE_AND_TYPE: Final = (
    _SELECT  # noqa: S608 - literals
    + "WHERE home_id = :home AND device_id = :device AND event_type IN (SELECT value FROM json_each(:types)) "
    + _SPAN
)
_FOREVER: Final = 2**62


class SqliteEvents:
    """An `EventStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, events: Sequence[Event]) -> int:
        cells: list[Cell] = []
        for event in events:
            cells += _row(event)
        return await self._database.write(lambda c: _PUT.put(c, cells))

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
        limit = min(max(limit, 1), 1000)
        last = micros(end) if end is not None else _FOREVER
        below, below_id = (last, "") if cursor is None else place_of(cursor)
        given: dict[str, Cell] = {
            "home": home_id, "device": device_id, "start": micros(start) if start is not None else -_FOREVER,
            # The narrower of both ends, so that the index starts at the cursor.
            "end": min(last, below + 1), "below": below, "below_id": below_id, "limit": limit + 1,
            "types": json_text(tuple(event_types)),
        }  # fmt: skip

        def find(c: apsw.Connection) -> list[Any]:
            if device_id:
                sql = _BY_DEVICE_AND_TYPE if event_types else _BY_DEVICE
                return c.execute(sql, given).fetchall()
            if not event_types:
                return c.execute(_BY_TIME, given).fetchall()
            # One walk of the index a type, then merged: a walk over several would have to sort them all.
            found: list[list[Any]] = [c.execute(_BY_TYPE, {**given, "type": t}).fetchall() for t in set(event_types)]
            return list(merge(*found, key=lambda row: (-row[3], row[1])))[: limit + 1]

        rows = await self._database.read(find)
        items = tuple(_event(row) for row in rows[:limit])
        return Page(items=items, next_cursor=cursor_of(items[-1]) if len(rows) > limit else None)

    async def get(self, home_id: str, event_id: str) -> Event | None:
        row = await self._database.row(_SELECT + "WHERE home_id = ? AND event_id = ?", (home_id, event_id))
        return None if row is None else _event(row)

    async def latest(self, home_id: str, device_ids: Sequence[str]) -> dict[str, Event]:
        def find(c: apsw.Connection) -> dict[str, Any]:
            rows = (
                (device_id, c.execute(_LATEST, (home_id, device_id)).fetchone())
                for device_id in device_ids
                if device_id
            )
            return {device_id: row for device_id, row in rows if row is not None}

        return {device_id: _event(row) for device_id, row in (await self._database.read(find)).items()}

    async def count(self, home_id: str) -> int:
        (count,) = await self._database.row("SELECT count(*) FROM events WHERE home_id = ?", (home_id,))
        return int(count)


def _row(event: Event) -> tuple[Cell, ...]:
    said = event.metadata
    return (
        event.home_id, event.event_id, event.event_type, micros(event.at), micros(event.received_at), event.device_id,
        event.user_id, json_text(event.payload), said.firmware_version, said.signal_strength, int(said.is_simulated),
        event.source, event.trust, event.lane, event.cause, event.traceparent,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _metadata(firmware: str | None, signal: int | None, is_simulated: bool) -> Metadata:
    return Metadata(firmware_version=firmware, signal_strength=signal, is_simulated=is_simulated)


def _event(row: Any) -> Event:
    (
        home_id, event_id, event_type, at, received_at, device_id, user_id, payload, firmware, signal, simulated,
        source, trust, lane, cause, traceparent,
    ) = row  # fmt: skip
    return Event(
        home_id=home_id, event_id=event_id, event_type=event_type, at=moment(at), received_at=moment(received_at),
        device_id=device_id, user_id=user_id, payload=json_value(payload),
        metadata=_metadata(firmware, signal, bool(simulated)),
        source=source, trust=trust, lane=lane, cause=cause, traceparent=traceparent,
    )  # fmt: skip
