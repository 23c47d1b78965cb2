"""Lets go of events, readings and anomalies that came long ago: once a day, in small steps beside all other work."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import apsw

from homeguard.clock import Clock
from homeguard.errors import HomeGuardError
from homeguard.stores.sqlite.columns import micros
from homeguard.stores.sqlite.database import Database

EVERY_S: Final = 86_400.0
#: The first run leaves the start alone.
FIRST_S: Final = 300.0
#: Rows that one write deletes, and how long others have their turn behind it.
STEP: Final = 500
PAUSE_S: Final = 0.02
#: The log may be read again from its start: what it still has must not be stored a second time.
SHORTEST: Final = timedelta(days=8)

_HOUR: Final = 3_600_000_000
_DAY_HOURS: Final = 24
_DELETE_EVENTS: Final = (
    "DELETE FROM events WHERE number IN (SELECT number FROM events ORDER BY number LIMIT ?2) AND received_at < ?1"
)
_DELETE_ANOMALIES: Final = (
    "DELETE FROM anomalies WHERE (home_id, id) IN"
    " (SELECT home_id, id FROM anomalies WHERE home_id = ?1 AND at < ?2 ORDER BY at LIMIT ?3)"
)
_SERIES: Final = "SELECT home_id, id FROM series ORDER BY home_id, id"
_HOMES: Final = "SELECT DISTINCT home_id FROM anomalies"
_HOURS: Final = "SELECT slot FROM hours WHERE series = ? AND slot >= ? AND slot < ? ORDER BY slot LIMIT ?"
_CAME_SINCE: Final = (
    "SELECT EXISTS (SELECT 1 FROM events WHERE home_id = ? AND at >= ? AND at < ? AND received_at >= ?)"
)
_DELETE_READINGS: Final = "DELETE FROM readings WHERE series = ? AND at >= ? AND at < ?"
_DELETE_MINUTES: Final = "DELETE FROM minutes WHERE series = ? AND slot >= ? AND slot < ?"
_DELETE_HOUR: Final = "DELETE FROM hours WHERE series = ? AND slot = ?"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long after it was received; None: without end. Readings bring their rollups and anomalies with them."""

    events: timedelta | None
    readings: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Rows that were deleted; `hours` are hours of readings of one series each, with their rollups."""

    events: int
    hours: int
    anomalies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """`events.db` as `keep` wants it. What is deleted leaves room in the file, which does not become smaller.

    A reading has no time of its own at which it came. It goes when its day is over for so long, unless an event of that
    day came since: so what a device brings after months stays, if events are kept as long as readings.
    """

    database: Database
    clock: Clock
    keep: Keep

    async def retain(self, now: datetime) -> Gone:
        """Delete what is due.

        Raises:
            Overloaded, StorageFull, StoreUnavailable: what went is gone, call again.
        """
        events = hours = anomalies = 0
        if self.keep.events is not None:
            events = await self._retain_events(micros(now - self.keep.events))
        if self.keep.readings is not None:
            due = micros(now - self.keep.readings)
            hours, anomalies = await self._retain_readings(due), await self._retain_anomalies(due)
        return Gone(events=events, hours=hours, anomalies=anomalies)

    async def run(self) -> None:
        """`retain` every day, for ever; what fails is said in the log and tried again the next day."""
        # The machine's own time: a clock that is stepped must not make this spin.
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                gone = await self.retain(self.clock.now())
                if gone != Gone(events=0, hours=0, anomalies=0):
                    _log.info("%d events and %d hours of readings came long ago and are gone", gone.events, gone.hours)
            except HomeGuardError as error:
                _log.warning("old events stay for another day: %s", error.message)
            await asyncio.sleep(EVERY_S)

    async def _retain_events(self, due: int) -> int:
        count = 0
        # in the order in which they were stored, which is nearly that in which they came
        while gone := await self.database.change(_DELETE_EVENTS, (due, STEP)):
            count += gone
            await asyncio.sleep(PAUSE_S)
        return count

    async def _retain_readings(self, due: int) -> int:
        end = due // _HOUR // _DAY_HOURS * _DAY_HOURS
        came_since: dict[tuple[str, int], bool] = {}
        count = 0
        for home_id, series in await self.database.rows(_SERIES):
            first = -(2**40)
            while slots := [slot for (slot,) in await self.database.rows(_HOURS, (series, first, end, STEP))]:
                for slot in slots:
                    day = (home_id, slot // _DAY_HOURS)
                    if day not in came_since:
                        came_since[day] = await self._came_since(*day, due)
                    if not came_since[day]:
                        await self.database.write(partial(_delete_hour, series=series, slot=slot))
                        count += 1
                        await asyncio.sleep(PAUSE_S)
                first = slots[-1] + 1
        return count

    async def _came_since(self, home_id: str, day: int, due: int) -> bool:
        begins = day * _DAY_HOURS * _HOUR
        row = await self.database.row(_CAME_SINCE, (home_id, begins, begins + _DAY_HOURS * _HOUR, due))
        return bool(row[0])

    async def _retain_anomalies(self, due: int) -> int:
        count = 0
        for (home_id,) in await self.database.rows(_HOMES):
            while gone := await self.database.change(_DELETE_ANOMALIES, (home_id, due, STEP)):
                count += gone
                await asyncio.sleep(PAUSE_S)
        return count


def _delete_hour(c: apsw.Connection, series: int, slot: int) -> None:
    """Readings and rollups in step."""
    c.execute(_DELETE_READINGS, (series, slot * _HOUR, (slot + 1) * _HOUR))
    c.execute(_DELETE_MINUTES, (series, slot * 60, (slot + 1) * 60))
    c.execute(_DELETE_HOUR, (series, slot))
