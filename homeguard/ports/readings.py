"""Measured numbers over time, raw and rolled up to minutes and hours."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from homeguard.model import Reading, Window


class ReadingStore(Protocol):
    async def append(self, readings: Sequence[Reading]) -> int:
        """Store those whose (home, device, metric, at, event_id) is new, with their rollups; returns how many were."""
        ...

    async def raw(
        self, home_id: str, device_id: str, metric: str, *, start: datetime, end: datetime, limit: int = 10_000
    ) -> list[Reading]:
        """Readings over `[start, end)`, oldest first; the newest `limit` of them when there are more."""
        ...

    async def latest(self, home_id: str, device_id: str, metric: str, *, before: datetime) -> Reading | None:
        """The last reading with `at < before`."""
        ...

    async def windows(
        self, home_id: str, device_id: str, metric: str, *, start: datetime, end: datetime, every: timedelta
    ) -> list[Window]:
        """Windows of length `every` over `[start, end)`, aligned to the epoch, oldest first; empty ones are left out.

        `every` is a whole number of minutes; hours and more are answered from the hourly rollup. `start` and `end` are
        widened to whole windows.
        """
        ...

    async def metrics(self, home_id: str) -> list[tuple[str, str, str]]:
        """(device_id, metric, unit) of everything that was ever measured here, sorted."""
        ...
