"""Measured numbers over time in `events.db`: raw, by minute and by hour, always in step."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import apsw

from homeguard.errors import InvalidInput
from homeguard.model import Reading, Window
from homeguard.stores.sqlite.columns import Cell, micros, moment
from homeguard.stores.sqlite.database import Database

#: (home, device, metric)
_Key: TypeAlias = tuple[str, str, str]

_MINUTE: Final = 60_000_000
_HOUR: Final = 60 * _MINUTE
#: A value counts in a total as no more than this: a total that overflowed would refuse all that comes after it.
_BOUND: Final = 1e290
_PUT: Final = (
    "INSERT INTO readings (series, at, event_id, value, is_simulated, unit) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (series, at, event_id) DO NOTHING RETURNING series, at, value"
)
_ADD_MINUTE: Final = (
    "INSERT INTO minutes (series, slot, count, total, low, high) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (series, slot) DO UPDATE SET count = count + excluded.count, total = total + excluded.total,"
    " low = min(low, excluded.low), high = max(high, excluded.high)"
)
_ADD_HOUR: Final = (
    "INSERT INTO hours (series, slot, count, total, low, high) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (series, slot) DO UPDATE SET count = count + excluded.count, total = total + excluded.total,"
    " low = min(low, excluded.low), high = max(high, excluded.high)"
)
_RAW: Final = (
    "SELECT r.at, r.event_id, r.value, r.is_simulated, coalesce(r.unit, s.unit) FROM series AS s"
    " JOIN readings AS r ON r.series = s.id WHERE s.home_id = ? AND s.device_id = ? AND s.metric = ?"
    " AND r.at >= ? AND r.at < ? ORDER BY r.at DESC, r.event_id DESC LIMIT ?"
)
_BY_MINUTE: Final = (
    "SELECT (slot / :every) * :every AS start, sum(count), sum(total), min(low), max(high) FROM minutes"
    " WHERE series = (SELECT id FROM series WHERE home_id = :home AND device_id = :device AND metric = :metric)"
    " AND slot >= :from AND slot < :to GROUP BY start ORDER BY start"
)
_BY_HOUR: Final = (
    "SELECT (slot / :every) * :every AS start, sum(count), sum(total), min(low), max(high) FROM hours"
    " WHERE series = (SELECT id FROM series WHERE home_id = :home AND device_id = :device AND metric = :metric)"
    " AND slot >= :from AND slot < :to GROUP BY start ORDER BY start"
)


class SqliteReadings:
    """A `ReadingStore`. A reading is new once, and only then enters the rollups, in the same transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: Only series that are on disk: an undone write leaves no id behind.
        self._series: dict[_Key, tuple[int, str]] = {}

    async def append(self, readings: Sequence[Reading]) -> int:
        if not all(math.isfinite(r.value) for r in readings):
            raise InvalidInput("a reading is a finite number", field="value")
        known = self._series

        def append(c: apsw.Connection) -> tuple[int, dict[_Key, tuple[int, str]]]:
            found: dict[_Key, tuple[int, str]] = {}
            rows = []
            for r in readings:
                key = (r.home_id, r.device_id, r.metric)
                series = known.get(key) or found.get(key)
                if series is None:
                    series = found[key] = _series(c, key, r.unit)
                unit = None if r.unit == series[1] else r.unit
                rows.append((series[0], micros(r.at), r.event_id, float(r.value), int(r.is_simulated), unit))
            new: list[Any] = c.executemany(_PUT, rows).fetchall()
            c.executemany(_ADD_MINUTE, _rollup(new, _MINUTE)).fetchall()
            c.executemany(_ADD_HOUR, _rollup(new, _HOUR)).fetchall()
            return len(new), found

        count, found = await self._database.write(append)
        self._series.update(found)
        return count

    async def raw(
        self, home_id: str, device_id: str, metric: str, *, start: datetime, end: datetime, limit: int = 10_000
    ) -> list[Reading]:
        given = (home_id, device_id, metric, micros(start), micros(end), limit)
        rows = await self._database.rows(_RAW, given)
        return [_reading(home_id, device_id, metric, row) for row in reversed(rows)]

    async def latest(self, home_id: str, device_id: str, metric: str, *, before: datetime) -> Reading | None:
        row = await self._database.row(_RAW, (home_id, device_id, metric, -(2**62), micros(before), 1))
        return None if row is None else _reading(home_id, device_id, metric, row)

    async def windows(
        self, home_id: str, device_id: str, metric: str, *, start: datetime, end: datetime, every: timedelta
    ) -> list[Window]:
        step = every // timedelta(microseconds=1)
        if step <= 0 or step % _MINUTE:
            raise InvalidInput("windows are whole minutes long", field="every")
        slot, sql = (_HOUR, _BY_HOUR) if step % _HOUR == 0 else (_MINUTE, _BY_MINUTE)
        given: dict[str, Cell] = {
            "home": home_id, "device": device_id, "metric": metric, "every": step // slot,
            "from": micros(start) // step * step // slot, "to": -(-micros(end) // step) * step // slot,
        }  # fmt: skip
        if start >= end:
            return []
        return [
            Window(start=moment(first * slot), count=count, average=total / count, minimum=low, maximum=high)
            for first, count, total, low, high in await self._database.rows(sql, given)
        ]

    async def metrics(self, home_id: str) -> list[tuple[str, str, str]]:
        sql = "SELECT device_id, metric, unit FROM series WHERE home_id = ? ORDER BY device_id, metric, unit"
        return [(device_id, metric, unit) for device_id, metric, unit in await self._database.rows(sql, (home_id,))]


def _series(c: apsw.Connection, key: _Key, unit: str) -> tuple[int, str]:
    """The series' id and unit; made with this unit when it is new."""
    c.execute(
        "INSERT INTO series (home_id, device_id, metric, unit) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (home_id, device_id, metric) DO NOTHING",
        (*key, unit),
    )
    sql = "SELECT id, unit FROM series WHERE home_id = ? AND device_id = ? AND metric = ?"
    row: Any = c.execute(sql, key).fetchone()
    return row[0], row[1]


def _rollup(new: Sequence[tuple[int, int, float]], length: int) -> list[tuple[int, int, int, float, float, float]]:
    """(series, at, value) of new readings, as one (series, slot, count, total, low, high) for each slot touched."""
    slots: dict[tuple[int, int], list[float]] = {}
    for series, at, value in new:
        slots.setdefault((series, at // length), []).append(value)
    return [
        (series, slot, len(values), sum(max(-_BOUND, min(_BOUND, v)) for v in values), min(values), max(values))
        for (series, slot), values in slots.items()
    ]


def _reading(home_id: str, device_id: str, metric: str, row: Any) -> Reading:
    at, event_id, value, is_simulated, unit = row
    return Reading(
        home_id=home_id, device_id=device_id, metric=metric, value=value, unit=unit, at=moment(at), event_id=event_id,
        is_simulated=bool(is_simulated),
    )  # fmt: skip
