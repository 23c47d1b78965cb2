"""How often one may try a PIN: five times in ten minutes, then not for ten minutes. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

MOST_TRIES: Final = 5
WITHIN: Final = timedelta(minutes=10)
LOCKED_FOR: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Tries:
    """Those of the last ten minutes that were not right, oldest first, and how long none is taken."""

    at: tuple[datetime, ...] = ()
    locked_until: datetime | None = None


def tried(known: Tries, now: datetime) -> tuple[Tries, datetime | None]:
    """What is known after one more try, and None when it may be judged, else the time until which none is.

    The try that fills the count is still judged; if it is right, the count begins anew. A lock that reaches further
    than a lock can was made while the clock stood elsewhere: it begins again now.
    """
    if known.locked_until is not None and known.locked_until > now:
        until = min(known.locked_until, now + LOCKED_FOR)
        return Tries(known.at, until), until
    recent = () if known.locked_until is not None else tuple(at for at in known.at if abs(now - at) < WITHIN)
    at = (*recent, now)
    return Tries(at, now + LOCKED_FOR if len(at) >= MOST_TRIES else None), None
