"""Lets go of readings that came long ago: whole weeks, rollups and all, once a day."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from homeguard.clock import Clock
from homeguard.errors import HomeGuardError
from homeguard.stores.postgresql import Pool

#: So many ranges go in one run; the rest in the next.
RUN_LIMIT: Final = 64
EVERY_S: Final = 86_400.0

_log = logging.getLogger("homeguard")

#: Who waits for this waits for at most two seconds.
_BRIEFLY: Final = "SET LOCAL lock_timeout = '2s'"
_OLD: Final = (
    "SELECT r.starts FROM reading_ranges AS r WHERE r.ends <= $1 AND NOT EXISTS (SELECT FROM reading_days AS d"
    " WHERE d.slot >= r.starts AND d.slot < r.ends AND d.received_at >= $1) ORDER BY r.starts LIMIT $2"
)
_DROP: Final = "SELECT drop_reading_range($1, $2)"
_ADD_RANGES: Final = "SELECT add_reading_ranges($1, $2)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Readings are kept for `keep` after they were received, whatever time they speak of.

    A week goes when it lies wholly before that and nothing of it was received since. So the demo's past or a device
    that comes back after months keep what they bring, and a week that still gets late readings stays whole.
    """

    pool: Pool
    clock: Clock
    keep: timedelta
    #: Plain partitions are made beforehand.
    partitioned: bool

    async def retain(self, now: datetime) -> int:
        """Drop what is due, and make room for this week and the next; returns how many weeks (or years) went.

        Raises:
            StoreUnavailable: the server did not answer, or somebody holds the tables; what went is gone, call again.
        """
        if self.partitioned:
            await self.pool.execute(_ADD_RANGES, [now, now + timedelta(days=7)], now)
        due = now - self.keep
        dropped = 0
        for (starts,) in await self.pool.fetch(_OLD, due, RUN_LIMIT):
            async with self.pool.transaction() as connection:
                await connection.execute(_BRIEFLY)
                dropped += bool(await connection.fetchval(_DROP, starts, due))
        return dropped

    async def run(self) -> None:
        """`retain` now and every day, for ever; what fails is said in the log and tried again the next day."""
        while True:
            try:
                dropped = await self.retain(self.clock.now())
                if dropped:
                    _log.info("readings: %d ranges older than %d days are gone", dropped, self.keep.days)
            except HomeGuardError as error:
                _log.warning("readings: old ones stay for another day: %s", error)
            # The machine's own time: a clock that is stepped in tests must not make this spin.
            await asyncio.sleep(EVERY_S)
