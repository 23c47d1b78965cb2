"""The PINs of homes, as hashes, and the tries at them, in PostgreSQL."""

from datetime import datetime
from typing import Final

from homeguard.clock import iso, parse_time
from homeguard.ports.pins import Pin
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.postgresql import Pool
from homeguard.tries import Tries, tried

_PUT: Final = """
INSERT INTO pins (home_id, pin_hash, set_by, set_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (home_id) DO UPDATE SET pin_hash = excluded.pin_hash, set_by = excluded.set_by, set_at = excluded.set_at
"""
_GET: Final = "SELECT home_id, pin_hash, set_by, set_at FROM pins WHERE home_id = $1"
#: Makes the row of a first try, and holds it until the transaction ends: tries are counted one after the other.
_HOLD: Final = """
INSERT INTO pin_tries AS known (home_id, user_id, tries, locked_until) VALUES ($1, $2, '[]', NULL)
ON CONFLICT (home_id, user_id) DO UPDATE SET locked_until = known.locked_until RETURNING tries, locked_until
"""
_NOTE: Final = "UPDATE pin_tries SET tries = $3, locked_until = $4 WHERE home_id = $1 AND user_id = $2"
_FORGET_HOME: Final = "DELETE FROM pin_tries WHERE home_id = $1"
_FORGET: Final = "DELETE FROM pin_tries WHERE home_id = $1 AND user_id = $2"


class PostgresPins:
    """A `Pins`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, pin: Pin) -> None:
        async with self._pool.transaction() as connection:
            await connection.execute(_PUT, pin.home_id, pin.pin_hash, pin.set_by, pin.set_at)
            await connection.execute(_FORGET_HOME, pin.home_id)

    async def get(self, home_id: str) -> Pin | None:
        row = await self._pool.fetchrow(_GET, home_id)
        return None if row is None else Pin(home_id=row[0], pin_hash=row[1], set_by=row[2], set_at=row[3])

    async def remove(self, home_id: str) -> bool:
        return await self._pool.change("DELETE FROM pins WHERE home_id = $1", home_id) == 1

    async def attempt(self, home_id: str, user_id: str, now: datetime) -> datetime | None:
        async with self._pool.transaction() as connection:
            row = await connection.fetchrow(_HOLD, home_id, user_id)
            known = Tries(tuple(map(parse_time, json_value(row[0]))), row[1])
            after, until = tried(known, now)
            tries = json_text([iso(at) for at in after.at])
            await connection.execute(_NOTE, home_id, user_id, tries, after.locked_until)
        return until

    async def succeeded(self, home_id: str, user_id: str) -> None:
        await self._pool.execute(_FORGET, home_id, user_id)
