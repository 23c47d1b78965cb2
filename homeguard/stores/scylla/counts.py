"""How many events a home has: each day counted once, and again when it has changed."""

from datetime import datetime, timedelta
from typing import Final

from homeguard.stores.scylla.columns import date_cell
from homeguard.stores.scylla.cql import Cql
from homeguard.stores.scylla.event_rows import HOME

_DAYS: Final = "SELECT event_date, change, WRITETIME(change) FROM days WHERE home_id = ? AND scope = ? AND name = ?"
_COUNTED: Final = "SELECT event_date, change, events FROM event_counts WHERE home_id = ?"
_COUNT: Final = "SELECT count(*) FROM events_by_user WHERE user_id = ? AND event_date = ?"
_KEEP: Final = "INSERT INTO event_counts (home_id, event_date, change, events) VALUES (?, ?, ?, ?)"
STATEMENTS: Final = (_DAYS, _COUNTED, _COUNT, _KEEP)

#: Longer than an append takes and than clocks differ.
_SETTLED: Final = timedelta(seconds=60)
#: Days counted side by side; what is counted is kept, so that a count that took too long goes on the next time.
_AT_ONCE: Final = 8


async def count_events(cql: Cql, home_id: str, now: datetime) -> int:
    """All events of the home.

    A day's `change` is written beside its events, so a count is kept only once that change has been there for longer
    than an append can take.
    """
    still = round((now - _SETTLED).timestamp() * 1_000_000)
    days, counted = await cql.each([(_DAYS, (home_id, HOME, "")), (_COUNTED, (home_id,))])
    known = {(day.days_from_epoch, change): events for day, change, events in counted}
    changes = [(day.days_from_epoch, change, written <= still) for day, change, written in days]
    total: int = sum(known.get((day, change), 0) for day, change, _ in changes)
    stale = [day for day in changes if day[:2] not in known]
    for start in range(0, len(stale), _AT_ONCE):
        part = stale[start : start + _AT_ONCE]
        answers = await cql.each((_COUNT, (home_id, date_cell(day))) for day, *_ in part)
        events = [rows[0][0] for rows in answers]
        await cql.each(
            (_KEEP, (home_id, date_cell(day), change, n))
            for (day, change, is_settled), n in zip(part, events, strict=True)
            if is_settled
        )
        total += sum(events)
    return total
