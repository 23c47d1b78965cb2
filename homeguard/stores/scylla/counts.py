"""How many events a home has: each day counted once, and again when it has changed."""

from typing import Final

from homeguard.stores.scylla.columns import date_cell
from homeguard.stores.scylla.cql import Cql
from homeguard.stores.scylla.event_rows import HOME

_DAYS: Final = "SELECT event_date, change FROM days WHERE home_id = ? AND scope = ? AND name = ?"
_COUNTED: Final = "SELECT event_date, change, events FROM event_counts WHERE home_id = ?"
_COUNT: Final = "SELECT count(*) FROM events_by_user WHERE user_id = ? AND event_date = ?"
_KEEP: Final = "INSERT INTO event_counts (home_id, event_date, change, events) VALUES (?, ?, ?, ?)"
STATEMENTS: Final = (_DAYS, _COUNTED, _COUNT, _KEEP)

#: Days counted side by side; what is counted is kept, so that a count that took too long goes on the next time.
_AT_ONCE: Final = 8


async def count_events(cql: Cql, home_id: str) -> int:
    """All events of the home.

    A day's `change` is written after its events: a count made under a change holds every event that was stored by then.
    """
    days, counted = await cql.each([(_DAYS, (home_id, HOME, "")), (_COUNTED, (home_id,))])
    known = {(day.days_from_epoch, change): events for day, change, events in counted}
    changes = [(day.days_from_epoch, change) for day, change in days]
    total: int = sum(known.get(day, 0) for day in changes)
    stale = [day for day in changes if day not in known]
    for start in range(0, len(stale), _AT_ONCE):
        part = stale[start : start + _AT_ONCE]
        answers = await cql.each((_COUNT, (home_id, date_cell(day))) for day, _ in part)
        events = [rows[0][0] for rows in answers]
        await cql.each(
            (_KEEP, (home_id, date_cell(day), change, n)) for (day, change), n in zip(part, events, strict=True)
        )
        total += sum(events)
    return total
