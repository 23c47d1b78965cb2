"""Opens readings in PostgreSQL: as hypertables where TimescaleDB is there, in plain partitions where it is not."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from homeguard.clock import Clock
from homeguard.ports.engine import Engine
from homeguard.ports.personal import PersonalData
from homeguard.ports.readings import ReadingStore
from homeguard.stores.postgresql import Pool, open_pool
from homeguard.stores.timescale.ground import LEDGER, Ground, find_ground
from homeguard.stores.timescale.personal import TimescalePersonalData
from homeguard.stores.timescale.readings import TimescaleReadings
from homeguard.stores.timescale.retention import Retention

KEEP: Final = timedelta(days=90)

_log = logging.getLogger("homeguard")

_EXTENSION_VERSION: Final = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimescaleStores:
    """What is kept here, and the server that keeps it."""

    readings: ReadingStore
    personal: PersonalData
    engine: Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class TimescaleEngine:
    """An `Engine`: TimescaleDB and its version, or PostgreSQL where readings lie in its own partitions."""

    pool: Pool
    name: str
    version: str

    async def ping(self) -> None:
        await self.pool.ping()


@asynccontextmanager
async def open_timescale(
    url: str, clock: Clock, *, extension: bool | None = None, keep: timedelta = KEEP
) -> AsyncIterator[TimescaleStores]:
    """Readings in the database of that URL, kept for `keep` after they were received.

    `extension` None: as the database was set up; a new one with TimescaleDB where that can be used, else without.

    Raises:
        StartRefused: wrong URL, user, password or database, a newer schema, or set up the other way than asked for.
        StoreUnavailable: the server did not answer.
    """
    ground = await find_ground(url, extension)
    async with open_pool(url, ground.migrations(), ledger=LEDGER) as pool:
        name, version = await _told(pool, ground)
        engine = TimescaleEngine(pool=pool, name=name, version=version)
        _log.info("readings are kept in %s %s at %s", name, version, pool.place)
        retention = Retention(pool=pool, clock=clock, keep=keep, partitioned=not ground.is_extension)
        keeping = asyncio.create_task(retention.run(), name="retention of readings")
        try:
            yield TimescaleStores(
                readings=TimescaleReadings(pool, clock),
                personal=TimescalePersonalData(pool, is_extension=ground.is_extension),
                engine=engine,
            )
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping


async def _told(pool: Pool, ground: Ground) -> tuple[str, str]:
    if not ground.is_extension:
        return "PostgreSQL (partitions)", pool.version
    return "TimescaleDB", f"{await pool.fetchval(_EXTENSION_VERSION)} on PostgreSQL {pool.version}"
