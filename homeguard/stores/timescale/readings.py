"""Measured numbers over time in PostgreSQL: raw rows, and minutes, hours and days that are always in step with them."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

import asyncpg

from homeguard.clock import Clock
from homeguard.errors import Conflict, InvalidInput
from homeguard.ids import device_uuid
from homeguard.model import Reading, Window
from homeguard.stores.postgresql import Pool

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
#: The longest window that the server can cut; it holds all of time since 1970.
_LONGEST: Final = timedelta(days=3_650_000)

#: Rows of one statement, which has the deadline for itself; a longer batch goes in several, one after the other.
CHUNK_ROWS: Final = 5_000

# One statement, so one round trip and one transaction: what is new enters the rollups and nothing else does. Rows come
# sorted and tables are always taken in this order, so that batches at the same time wait for each other but never in a
# ring. A value counts as at most 1e290 in a total, which sums of anything measured never reach: a total that overflowed
# would refuse all that comes after it.
_APPEND: Final = """
WITH known AS (
    INSERT INTO reading_series (device_id, reading_type, home_id, device, unit)
    SELECT * FROM unnest($10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[])
    ON CONFLICT DO NOTHING
), new AS (
    INSERT INTO sensor_readings
        (time, device_id, user_id, reading_type, value, unit, event_id, is_simulated, received_at)
    SELECT given.*, $9::timestamptz FROM unnest(
        $1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::float8[], $6::text[], $7::text[], $8::bool[]
    ) AS given
    ON CONFLICT DO NOTHING
    RETURNING time, device_id, reading_type, value, greatest(-1e290, least(1e290, value)) AS bounded
), minutes AS (
    INSERT INTO reading_minutes AS old (device_id, reading_type, slot, count, total, low, high)
    SELECT device_id, reading_type, date_trunc('minute', time, 'UTC') AS slot, count(*), sum(bounded),
        min(value), max(value)
    FROM new GROUP BY device_id, reading_type, slot ORDER BY device_id, reading_type, slot
    ON CONFLICT (device_id, reading_type, slot) DO UPDATE SET count = old.count + excluded.count,
        total = old.total + excluded.total, low = least(old.low, excluded.low), high = greatest(old.high, excluded.high)
), hours AS (
    INSERT INTO reading_hours AS old (device_id, reading_type, slot, count, total, low, high)
    SELECT device_id, reading_type, date_trunc('hour', time, 'UTC') AS slot, count(*), sum(bounded),
        min(value), max(value)
    FROM new GROUP BY device_id, reading_type, slot ORDER BY device_id, reading_type, slot
    ON CONFLICT (device_id, reading_type, slot) DO UPDATE SET count = old.count + excluded.count,
        total = old.total + excluded.total, low = least(old.low, excluded.low), high = greatest(old.high, excluded.high)
), days AS (
    INSERT INTO reading_days AS old (device_id, reading_type, slot, count, total, low, high, received_at)
    SELECT device_id, reading_type, date_trunc('day', time, 'UTC') AS slot, count(*), sum(bounded),
        min(value), max(value), $9::timestamptz
    FROM new GROUP BY device_id, reading_type, slot ORDER BY device_id, reading_type, slot
    ON CONFLICT (device_id, reading_type, slot) DO UPDATE SET count = old.count + excluded.count,
        total = old.total + excluded.total, low = least(old.low, excluded.low),
        high = greatest(old.high, excluded.high), received_at = greatest(old.received_at, excluded.received_at)
)
SELECT count(*) FROM new
"""
_ADD_RANGES: Final = "SELECT add_reading_ranges($1, $2)"
_RAW: Final = (
    "SELECT time, event_id, value, is_simulated, unit FROM sensor_readings WHERE device_id = $1 AND reading_type = $2"
    " AND time >= $3 AND time < $4 ORDER BY time DESC, event_id DESC LIMIT $5"
)
# The last two days with readings hold the last reading before any moment: without that bound every partition is asked.
_LATEST: Final = (
    "SELECT time, event_id, value, is_simulated, unit FROM sensor_readings WHERE device_id = $1 AND reading_type = $2"
    " AND time < $3 AND time >= (SELECT min(slot) FROM (SELECT slot FROM reading_days WHERE device_id = $1"
    " AND reading_type = $2 AND slot < $3 ORDER BY slot DESC LIMIT 2) AS last)"
    " ORDER BY time DESC, event_id DESC LIMIT 1"
)
_BY_MINUTE: Final = (
    "SELECT date_bin($3, slot, 'epoch') AS start, sum(count)::bigint, sum(total), min(low), max(high)"
    " FROM reading_minutes WHERE device_id = $1 AND reading_type = $2 AND slot >= $4 AND slot < $5"
    " GROUP BY start ORDER BY start"
)
_BY_HOUR: Final = (
    "SELECT date_bin($3, slot, 'epoch') AS start, sum(count)::bigint, sum(total), min(low), max(high)"
    " FROM reading_hours WHERE device_id = $1 AND reading_type = $2 AND slot >= $4 AND slot < $5"
    " GROUP BY start ORDER BY start"
)
_BY_DAY: Final = (
    "SELECT date_bin($3, slot, 'epoch') AS start, sum(count)::bigint, sum(total), min(low), max(high)"
    " FROM reading_days WHERE device_id = $1 AND reading_type = $2 AND slot >= $4 AND slot < $5"
    " GROUP BY start ORDER BY start"
)
_METRICS: Final = (
    "SELECT device, reading_type, unit FROM reading_series WHERE home_id = $1 ORDER BY device, reading_type, unit"
)


class TimescaleReadings:
    """A `ReadingStore`. A reading is new once, and only then enters the rollups, in the same transaction.

    Windows come from the rollups and never from continuous aggregates, which learn of a late reading only when they are
    refreshed.
    """

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def append(self, readings: Sequence[Reading]) -> int:
        if not all(math.isfinite(r.value) for r in readings):
            raise InvalidInput("a reading is a finite number", field="value")
        count = 0
        for first in range(0, len(readings), CHUNK_ROWS):
            count += await self._append(_columns(readings[first : first + CHUNK_ROWS], self._clock.now()))
        return count

    async def raw(
        self, home_id: str, device_id: str, metric: str, *, start: datetime, end: datetime, limit: int = 10_000
    ) -> list[Reading]:
        rows = await self._pool.fetch(_RAW, device_uuid(home_id, device_id), metric, start, end, limit)
        return [_reading(home_id, device_id, metric, row) for row in reversed(rows)]

    async def latest(self, home_id: str, device_id: str, metric: str, *, before: datetime) -> Reading | None:
        row = await self._pool.fetchrow(_LATEST, device_uuid(home_id, device_id), metric, before)
        return None if row is None else _reading(home_id, device_id, metric, row)

    async def windows(
        self, home_id: str, device_id: str, metric: str, *, start: datetime, end: datetime, every: timedelta
    ) -> list[Window]:
        if every <= timedelta() or every % _MINUTE:
            raise InvalidInput("windows are whole minutes long", field="every")
        if start >= end:
            return []
        sql = _BY_DAY if not every % _DAY else _BY_HOUR if not every % _HOUR else _BY_MINUTE
        stride = min(every, _LONGEST)
        rows = await self._pool.fetch(
            sql, device_uuid(home_id, device_id), metric, stride, _floor(start, every), _ceiling(end, every)
        )
        return [
            Window(start=first, count=count, average=total / count, minimum=low, maximum=high)
            for first, count, total, low, high in rows
        ]

    async def metrics(self, home_id: str) -> list[tuple[str, str, str]]:
        return [(device, metric, unit) for device, metric, unit in await self._pool.fetch(_METRICS, home_id)]

    async def _append(self, columns: Sequence[object]) -> int:
        try:
            return int(await self._pool.fetchval(_APPEND, *columns))
        except Conflict as error:
            # One of the times has no partition yet, which is rare: once a week, and for very late readings.
            # (TimescaleDB makes its chunks by itself, and compares with compressed rows without opening them.)
            if not isinstance(error.__cause__, asyncpg.CheckViolationError):
                raise
        times, received_at = columns[0], columns[8]
        while not await self._pool.fetchval(_ADD_RANGES, times, received_at):
            pass
        return int(await self._pool.fetchval(_APPEND, *columns))


def _columns(readings: Sequence[Reading], received_at: datetime) -> Sequence[object]:
    """The arguments of `_APPEND`: rows in the order of the key, of two with one key the first before the second."""
    named: dict[tuple[UUID, str], Reading] = {}
    rows: list[tuple[UUID, Reading]] = []
    ids = {key: device_uuid(*key) for key in {(r.home_id, r.device_id) for r in readings}}
    for r in readings:
        device = ids[r.home_id, r.device_id]
        named.setdefault((device, r.metric), r)
        rows.append((device, r))
    rows.sort(key=lambda row: (row[0], row[1].metric, row[1].at, row[1].event_id))
    series = sorted(named.items(), key=itemgetter(0))
    return (
        [r.at for _, r in rows], [d for d, _ in rows], [r.home_id for _, r in rows], [r.metric for _, r in rows],
        [float(r.value) for _, r in rows], [r.unit for _, r in rows], [r.event_id for _, r in rows],
        [r.is_simulated for _, r in rows], received_at,
        [d for (d, _), _ in series], [m for (_, m), _ in series], [r.home_id for _, r in series],
        [r.device_id for _, r in series], [r.unit for _, r in series],
    )  # fmt: skip


def _floor(at: datetime, every: timedelta) -> datetime:
    """The start of the window that holds `at`."""
    return _EPOCH + max((at - _EPOCH) // every * every, _FIRST - _EPOCH)


def _ceiling(at: datetime, every: timedelta) -> datetime:
    """The end of the window that holds the moment before `at`."""
    return _EPOCH + min(-((_EPOCH - at) // every) * every, _LAST - _EPOCH)


def _reading(home_id: str, device_id: str, metric: str, row: Any) -> Reading:
    at, event_id, value, is_simulated, unit = row
    return Reading(
        home_id=home_id, device_id=device_id, metric=metric, value=value, unit=unit, at=at, event_id=event_id,
        is_simulated=is_simulated,
    )  # fmt: skip
