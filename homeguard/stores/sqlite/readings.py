"""Measured numbers over time in `events.db`: raw, by minute and by hour, always in step."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import apsw

from homeguard.errors import InvalidInput
from homeguard.model import Reading, Window
from homeguard.stores.sqlite.columns import Cell, micros, moment
from homeguard.stores.sqlite.database import Database
from homeguard.stores.sqlite.many_rows import ManyRows

#: (home, device, metric)
_Key: TypeAlias = tuple[str, str, str]
#: (series, at, event, value, is simulated, unit where it is not the series' own)
_Row: TypeAlias = tuple[int, int, str, float, int, str | None]

_MINUTE: Final = 60_000_000
_HOUR: Final = 60 * _MINUTE
#: A value counts in a total as no more than this: a total that overflowed would refuse all that comes after it.
_BOUND: Final = 1e290
_PUT: Final = ManyRows(
    "INSERT INTO readings (series, at, event_id, value, is_simulated, unit)",
    6,
    "ON CONFLICT (series, at, event_id) DO NOTHING",
)
_ADD: Final = (
    "ON CONFLICT (series, slot) DO UPDATE SET count = count + excluded.count, total = total + excluded.total,"
    " low = min(low, excluded.low), high = max(high, excluded.high)"
)
_ADD_MINUTES: Final = ManyRows("INSERT INTO minutes (series, slot, count, total, low, high)", 6, _ADD)
_ADD_HOURS: Final = ManyRows("INSERT INTO hours (series, slot, count, total, low, high)", 6, _ADD)
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
_EACH_MINUTE: Final = (
    "SELECT slot, count, total, low, high FROM minutes"
    " WHERE series = (SELECT id FROM series WHERE home_id = :home AND device_id = :device AND metric = :metric)"
    " AND slot >= :from AND slot < :to ORDER BY slot"
)
_EACH_HOUR: Final = (
    "SELECT slot, count, total, low, high FROM hours"
    " WHERE series = (SELECT id FROM series WHERE home_id = :home AND device_id = :device AND metric = :metric)"
    " AND slot >= :from AND slot < :to ORDER BY slot"
)
_BY_HOUR: Final = (
    "SELECT (slot / :every) * :every AS start, sum(count), sum(total), min(low), max(high) FROM hours"
    " WHERE series = (SELECT id FROM series WHERE home_id = :home AND device_id = :device AND metric = :metric)"
    " AND slot >= :from AND slot < :to GROUP BY start ORDER BY start"
)
_EACH: Final = {_MINUTE: _EACH_MINUTE, _HOUR: _EACH_HOUR}


class _UnknownSeries(Exception):
    """A reading belongs to a series that has no number yet."""


class _StoredBefore(Exception):
    """A reading is no new one."""


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
        try:
            return await self._append_new(_rows(readings, known))
        except (_UnknownSeries, _StoredBefore):
            pass

        def append(c: apsw.Connection) -> tuple[int, dict[_Key, tuple[int, str]]]:
            found = {
                key: known.get(key) or _series(c, key, unit)
                for key, unit in {_key(r): r.unit for r in reversed(readings)}.items()
            }
            new = [row for row in _rows(readings, found) if _put_one(c, row)]
            minutes, hours = _rollups(new)
            _ADD_MINUTES.put(c, minutes)
            _ADD_HOURS.put(c, hours)
            return len(new), found

        count, found = await self._database.write(append)
        self._series.update(found)
        return count

    async def _append_new(self, rows: Sequence[_Row]) -> int:
        """Nearly every batch is new as a whole: a few statements then, and nothing that has to be asked for.

        Raises:
            _StoredBefore: one of them is stored already; nothing was written.
        """
        cells: list[Cell] = []
        for row in rows:
            cells += row
        minutes, hours = _rollups(rows)

        def append(c: apsw.Connection) -> int:
            if _PUT.put(c, cells) != len(rows):
                raise _StoredBefore
            _ADD_MINUTES.put(c, minutes)
            _ADD_HOURS.put(c, hours)
            return len(rows)

        return await self._database.write(append)

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
        slot = _HOUR if step % _HOUR == 0 else _MINUTE
        # what is kept as it is asked for needs no grouping
        sql = _EACH.get(step) or (_BY_HOUR if slot == _HOUR else _BY_MINUTE)
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


def _key(r: Reading) -> _Key:
    return r.home_id, r.device_id, r.metric


def _rows(readings: Sequence[Reading], series: Mapping[_Key, tuple[int, str]]) -> list[_Row]:
    """Raises _UnknownSeries."""
    rows: list[_Row] = []
    for r in readings:
        found = series.get((r.home_id, r.device_id, r.metric))
        if found is None:
            raise _UnknownSeries
        number, unit = found
        rows.append(
            (number, micros(r.at), r.event_id, float(r.value), int(r.is_simulated), None if r.unit == unit else r.unit)
        )
    return rows


def _put_one(c: apsw.Connection, row: _Row) -> bool:
    return _PUT.put(c, row) == 1


def _rollups(rows: Iterable[_Row]) -> tuple[list[Cell], list[Cell]]:
    """The cells (series, slot, count, total, low, high) of each minute and of each hour that the readings touch."""
    minutes: dict[tuple[int, int], list[float]] = {}
    for series, at, _, value, *_ in rows:
        slot = (series, at // _MINUTE)
        bound = value if -_BOUND <= value <= _BOUND else math.copysign(_BOUND, value)
        sums = minutes.get(slot)
        if sums is None:
            minutes[slot] = [1, bound, value, value]
            continue
        sums[0] += 1
        sums[1] += bound
        if value < sums[2]:
            sums[2] = value
        elif value > sums[3]:
            sums[3] = value
    hours: dict[tuple[int, int], list[float]] = {}
    for (series, minute), (count, total, low, high) in minutes.items():
        sums = hours.setdefault((series, minute // 60), [0, 0.0, low, high])
        sums[:] = sums[0] + count, sums[1] + total, min(sums[2], low), max(sums[3], high)
    return _cells(minutes), _cells(hours)


def _cells(slots: Mapping[tuple[int, int], list[float]]) -> list[Cell]:
    cells: list[Cell] = []
    for slot, sums in slots.items():
        cells += slot
        cells += sums
    return cells


def _reading(home_id: str, device_id: str, metric: str, row: Any) -> Reading:
    at, event_id, value, is_simulated, unit = row
    return Reading(
        home_id=home_id, device_id=device_id, metric=metric, value=value, unit=unit, at=moment(at), event_id=event_id,
        is_simulated=bool(is_simulated),
    )  # fmt: skip
