"""Measured numbers are a home's, not a person's: the homes that go with a person lose theirs."""

from collections.abc import Mapping
from typing import Any, Final

from homeguard.ports.personal import Subject
from homeguard.stores.postgresql import Pool

#: One series may have a reading every second for ninety days.
_DEADLINE_S: Final = 120.0
_UNHURRIED: Final = "SET LOCAL statement_timeout = '120s'"

_SERIES: Final = "SELECT device_id, reading_type FROM reading_series WHERE home_id = ANY($1::text[]) ORDER BY 1, 2"
#: In the order in which `append` takes the tables; the name of the series last, by which the rest is found.
_DELETE: Final = (
    ("sensor_readings", "DELETE FROM sensor_readings WHERE device_id = $1 AND reading_type = $2"),
    ("reading_minutes", "DELETE FROM reading_minutes WHERE device_id = $1 AND reading_type = $2"),
    ("reading_hours", "DELETE FROM reading_hours WHERE device_id = $1 AND reading_type = $2"),
    ("reading_days", "DELETE FROM reading_days WHERE device_id = $1 AND reading_type = $2"),
    ("reading_series", "DELETE FROM reading_series WHERE device_id = $1 AND reading_type = $2"),
)
#: Dashboards read these, and they learn of what was deleted when they are refreshed; not within a transaction.
_REFRESH: Final = (
    "CALL refresh_continuous_aggregate('hourly_events', NULL, now() - INTERVAL '1 hour')",
    "CALL refresh_continuous_aggregate('daily_events', NULL, now() - INTERVAL '1 day')",
)


class TimescalePersonalData:
    """A `PersonalData`. Series by series, each whole or not at all."""

    def __init__(self, pool: Pool, *, is_extension: bool) -> None:
        self._pool = pool
        self._is_extension = is_extension

    async def export(self, subject: Subject) -> Mapping[str, list[dict[str, Any]]]:
        """Nothing of it is about a person."""
        return {}

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        gone: dict[str, int] = {}
        if not (subject.user_id and subject.sole_homes):
            return gone
        for device_id, metric in await self._pool.fetch(_SERIES, list(subject.sole_homes)):
            async with self._pool.transaction(deadline_s=_DEADLINE_S) as connection:
                await connection.execute(_UNHURRIED)
                for table, sql in _DELETE:
                    count = int((await connection.execute(sql, device_id, metric)).rpartition(" ")[2])
                    gone[table] = gone.get(table, 0) + count
        if gone and self._is_extension:
            for sql in _REFRESH:
                await self._pool.unhurried(sql, deadline_s=_DEADLINE_S)
        return {name: count for name, count in gone.items() if count}
