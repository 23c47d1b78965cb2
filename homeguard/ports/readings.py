"""Measured numbers over time, raw and rolled up to minutes and hours."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from homeguard.model import Reading, Window


class ReadingStore(Protocol):
    async def append(self, readings: Sequence[Reading]) -> int:
        """Store those whose (home, device, metric, at, event_id) is new, with their rollups; returns how many were.

        The first of several with one key stays. Of a batch that raises StoreUnavailable a part may be stored: append it
        again.

        Raises:
            InvalidInput: a value is not finite; nothing was stored.
        """
        ...

    async def raw(
        self, home_id: str, device_id: str, metric: str, *, start: datetime, end: datetime, limit: int = 10_000
    ) -> list[Reading]:
        """Readings over `[start, end)`, oldest first; the newest `limit` of them when there are more.

        Those of one moment come in the order of their `event_id`.
        """
        ...

    async def latest(self, home_id: str, device_id: str, metric: str, *, before: datetime) -> Reading | None:
        """The last reading with `at < before`; of several of that moment the one with the highest `event_id`."""
        ...

    async def windows(
        self, home_id: str, device_id: str, metric: str, *, start: datetime, end: datetime, every: timedelta
    ) -> list[Window]:
        """Windows of length `every` over `[start, end)`, aligned to the epoch, oldest first; empty ones are left out.

        `every` is a whole number of minutes; hours and more are answered from the hourly rollup. `start` and `end` are
        widened to whole windows. Every reading that was stored is in them, however late it came. In an average a value
        counts as no more than 1e290 either way, so that none makes the sum overflow.

        Raises:
            InvalidInput: `every` is not a whole number of minutes, one at least.
        """
        ...

    async def metrics(self, home_id: str) -> list[tuple[str, str, str]]:
        """(device_id, metric, unit) of everything that was ever measured here, sorted by code points.

        The unit is that of the first reading that came.
        """
        ...
