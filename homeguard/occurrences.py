"""When a trigger that goes by the clock is next due: days of the week, the sun, a single moment. Pure.

A local time that a change of the clocks leaves out is due at the first moment after the gap, one that comes twice is
due the first time; a day that a zone leaves out altogether has none.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from homeguard.errors import InvalidInput
from homeguard.model import Home
from homeguard.sun import sun_at

#: In the order of `date.weekday`.
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Triggers that go by the clock and by nothing that happens.
TIMED: Final = frozenset(("time", "sun", "once"))
#: How far ahead is looked: near a pole the sun does not rise for half a year.
_AHEAD_DAYS: Final = 400
_SECOND: Final = timedelta(seconds=1)

Trigger = Mapping[str, Any]


def next_after(trigger: Trigger, after: datetime, home: Home) -> datetime | None:
    """The first time behind `after` (aware) at which the trigger is due, aware UTC; None when it never is again.

    `trigger` is in the normal form of `homeguard.automation` and of one of the types in `TIMED`.

    Raises:
        InvalidInput: it goes by the sun, and nobody said where the home stands.
    """
    if trigger["type"] == "once":
        at = datetime.fromisoformat(trigger["at"])
        return at if at > after else None
    return next((at for at in _from(trigger, after, home) if at > after), None)


def is_day(days: object, local: date) -> bool:
    """Whether that local date is one of `days`; None stands for every day."""
    return days is None or (isinstance(days, list | tuple) and DAYS[local.weekday()] in days)


def sun_on(event: Any, local: date, home: Home) -> datetime | None:
    """The rise or set that belongs to that date of the home, UTC; None when the sun does not rise or set then.

    Raises:
        InvalidInput: nobody said where the home stands.
    """
    if home.latitude is None or home.longitude is None:
        raise no_place()
    noon = datetime.combine(local, time(12), zone(home))
    return _sun_at(event, noon.astimezone(UTC), home.latitude, home.longitude)


def no_place() -> InvalidInput:
    return InvalidInput(
        "nobody said where this home stands, so sunrise and sunset are not known: the owner sets its latitude and "
        "longitude (PUT /api/v1/household)",
        code="HOME_PLACE_UNKNOWN", field="trigger",
    )  # fmt: skip


def zone(home: Home) -> tzinfo:
    """The home's zone; one that this machine does not know is UTC."""
    return _zone(home.time_zone)


def local_moment(day: date, clock: time, where: tzinfo) -> datetime | None:
    """That time of the wall clock as aware UTC: behind a gap its end, of two the first; None when the zone leaves the
    whole day out."""
    wall = datetime.combine(day, clock)
    first = wall.replace(tzinfo=where).astimezone(UTC)
    if first.astimezone(where).replace(tzinfo=None) == wall:
        return first
    # In a gap: by the offset before it the time lies behind the change, by the one after it before the change.
    before, behind = wall.replace(tzinfo=where, fold=1).astimezone(UTC), first
    offset = behind.astimezone(where).utcoffset()
    while behind - before > _SECOND:
        middle = (before + (behind - before) / 2).replace(microsecond=0)
        if middle.astimezone(where).utcoffset() == offset:
            behind = middle
        else:
            before = middle
    return behind if behind.astimezone(where).date() == day else None


def _from(trigger: Trigger, after: datetime, home: Home) -> Iterator[datetime]:
    """The due times of the days around and behind `after`, in order."""
    where = zone(home)
    # an offset may carry a time over midnight
    begin = after.astimezone(where).date() - timedelta(days=2)
    for n in range(_AHEAD_DAYS):
        day = begin + timedelta(days=n)
        if not is_day(trigger.get("days"), day):
            continue
        if trigger["type"] == "time":
            at = local_moment(day, time.fromisoformat(trigger["at"]), where)
        else:
            at = sun_on(trigger["event"], day, home)
            if at is not None:
                at += timedelta(minutes=trigger.get("offset_minutes", 0))
        if at is not None:
            yield at


@lru_cache(maxsize=4096)
def _sun_at(event: Any, noon: datetime, latitude: float, longitude: float) -> datetime | None:
    """Homes of a town share their sunsets, and each is asked for several times."""
    return sun_at(event, noon, latitude, longitude)


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC
