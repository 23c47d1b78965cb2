"""The PINs of homes, as hashes, and the tries at them, in `home.db`."""

from datetime import datetime
from typing import Any, Final

import apsw

from homeguard.ports.pins import Pin
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import micros, micros_or_none, moment, moment_or_none
from homeguard.stores.sqlite.database import Database
from homeguard.tries import Tries, tried

_PUT: Final = (
    "INSERT INTO pins (home_id, pin_hash, set_by, set_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (home_id) DO UPDATE SET pin_hash = excluded.pin_hash, set_by = excluded.set_by,"
    " set_at = excluded.set_at"
)
_GET: Final = "SELECT home_id, pin_hash, set_by, set_at FROM pins WHERE home_id = ?"
_TRIES: Final = "SELECT tries, locked_until FROM pin_tries WHERE home_id = ? AND user_id = ?"
_PUT_TRIES: Final = (
    "INSERT INTO pin_tries (home_id, user_id, tries, locked_until) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (home_id, user_id) DO UPDATE SET tries = excluded.tries, locked_until = excluded.locked_until"
)
_FORGET_HOME: Final = "DELETE FROM pin_tries WHERE home_id = ?"
_FORGET: Final = "DELETE FROM pin_tries WHERE home_id = ? AND user_id = ?"


class SqlitePins:
    """A `Pins`. The writer's single thread counts tries one after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, pin: Pin) -> None:
        def put(c: apsw.Connection) -> None:
            c.execute(_PUT, (pin.home_id, pin.pin_hash, pin.set_by, micros(pin.set_at)))
            c.execute(_FORGET_HOME, (pin.home_id,))

        await self._database.write(put)

    async def get(self, home_id: str) -> Pin | None:
        row = await self._database.row(_GET, (home_id,))
        return None if row is None else Pin(home_id=row[0], pin_hash=row[1], set_by=row[2], set_at=moment(row[3]))

    async def remove(self, home_id: str) -> bool:
        return await self._database.change("DELETE FROM pins WHERE home_id = ?", (home_id,)) == 1

    async def attempt(self, home_id: str, user_id: str, now: datetime) -> datetime | None:
        def attempt(c: apsw.Connection) -> datetime | None:
            row: Any = c.execute(_TRIES, (home_id, user_id)).fetchone()
            known = Tries(tuple(map(moment, json_value(row[0]))), moment_or_none(row[1])) if row else Tries()
            after, until = tried(known, now)
            values = (json_text([micros(at) for at in after.at]), micros_or_none(after.locked_until))
            c.execute(_PUT_TRIES, (home_id, user_id, *values))
            return until

        return await self._database.write(attempt)

    async def succeeded(self, home_id: str, user_id: str) -> None:
        await self._database.change(_FORGET, (home_id, user_id))
