"""What a rule that goes by the clock is to do now: which time is run, which were missed, when the next is. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from homeguard.clock import iso
from homeguard.ids import derived_id
from homeguard.model import Automation, Home
from homeguard.occurrences import next_after

#: How late a run may be and still be made up; later ones are only noted.
GRACE: Final = timedelta(minutes=5)
#: The same for what is to happen once: nothing comes after it.
ONCE_GRACE: Final = timedelta(minutes=15)
#: Times that are counted one by one after a long absence.
_COUNTED: Final = 1_000
_SHORTLY: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """`run_at`: the time whose run is due, None for none; `missed` others are over, from `missed_since` on; `then` is
    the next, None when there is none."""

    run_at: datetime | None
    missed: int
    missed_since: datetime | None
    then: datetime | None


def due_now(automation: Automation, since: datetime, now: datetime, home: Home) -> Due:
    """Of the times from `since`, which is one, to `now`, by the home's clock, at most the last is run: no burst."""
    last, passed, at = since, 0, next_after(automation.trigger, since, home)
    while at is not None and at <= now:
        last, passed = at, passed + 1
        if passed == _COUNTED:
            at = max(at, now - _SHORTLY)
        at = next_after(automation.trigger, at, home)
    is_in_time = now - last <= grace_of(automation)
    missed = passed if is_in_time else passed + 1
    return Due(
        run_at=last if is_in_time else None, missed=missed, missed_since=since if missed else None,
        then=next_after(automation.trigger, now, home),
    )  # fmt: skip


def decision_id(automation: Automation, due_at: datetime) -> str:
    """The id of the decision to run it at that time: always the same, so it is carried out once."""
    return derived_id("scheduled", automation.home_id, automation.id, iso(due_at))


def grace_of(automation: Automation) -> timedelta:
    return ONCE_GRACE if automation.trigger["type"] == "once" else GRACE


def made_from(automation: Automation, home: Home) -> str:
    """What its times are worked out from: they are others as soon as this is."""
    place = f"{home.latitude},{home.longitude}" if automation.trigger["type"] == "sun" else ""
    return derived_id("made_from", repr(sorted(automation.trigger.items())), home.time_zone, place)
