"""The PIN of a home, as a hash, and the tries at it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The PIN of a home; `pin_hash` is argon2id in PHC form."""

    home_id: str
    pin_hash: str
    set_by: str
    set_at: datetime


class Pins(Protocol):
    async def put(self, pin: Pin) -> None:
        """Insert or replace; every count of tries in that home begins anew."""
        ...

    async def get(self, home_id: str) -> Pin | None: ...

    async def remove(self, home_id: str) -> bool:
        """False when there was none."""
        ...

    async def attempt(self, home_id: str, user_id: str, now: datetime) -> datetime | None:
        """Count a try before it is judged (`homeguard.tries`), in one transaction. None: it may be judged; else the
        time until which this person's tries in this home are refused."""
        ...

    async def succeeded(self, home_id: str, user_id: str) -> None:
        """The last try was right: this person's count begins anew."""
        ...
