"""Walks into the past, newest first, day by day, over the days that have rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, Final
from uuid import uuid4

from homeguard.stores.scylla.batches import in_partitions
from homeguard.stores.scylla.columns import DAY_MS, FIRST_MS, LAST_MS, date_cell
from homeguard.stores.scylla.cql import Ask, Batch, Cql, Values

_PUT: Final = "INSERT INTO days (home_id, scope, name, event_date, change) VALUES (?, ?, ?, ?, ?)"
#: As many days as a walk looks ahead for.
_SLICE: Final = 400
_FIND: Final = (
    "SELECT event_date FROM days WHERE home_id = ? AND scope = ? AND name = ? AND event_date >= ? AND event_date <= ?"
    " LIMIT 400"
)
STATEMENTS: Final = (_PUT, _FIND)

#: Spans of so few days are read without asking which of them have rows.
_FEW_DAYS: Final = 3
#: Partitions read side by side: two at first (the last 24 hours), more as long as little is found.
_FIRST_LOOK, _WIDEST_LOOK = 2, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Strand:
    """Rows of a home that lie in one partition a day, known to `days` as (scope, name).

    `span` asks a partition for rows with `? <= time < ?`, at most `?`; `ties` for those of one time behind an id. Both
    give (time, id, ...), newest first, equal times by id. They are given `before`, the day, `after` and these.
    """

    scope: str
    name: str
    span: str
    ties: str = ""
    before: Values
    after: Values = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """`low <= time < high` in milliseconds; `behind`: and the rows of this time whose id comes after this one."""

    low: int = FIRST_MS
    high: int = LAST_MS + 1
    behind: tuple[int, str] | None = None

    @property
    def first_day(self) -> int:
        return max(self.low, FIRST_MS) // DAY_MS

    @property
    def last_day(self) -> int:
        last = self.high - 1 if self.behind is None else max(self.high - 1, self.behind[0])
        return min(last, LAST_MS) // DAY_MS


def day_rows(strands: Iterable[tuple[str, str, str, int]]) -> list[Batch]:
    """Note that (home, scope, name) has rows on a day."""
    change = uuid4()
    rows = ((home_id, scope, name, date_cell(day), change) for home_id, scope, name, day in dict.fromkeys(strands))
    return list(in_partitions(_PUT, 1, rows))


async def newest(cql: Cql, home_id: str, strands: Sequence[Strand], span: Span, limit: int) -> list[Any]:
    """The newest rows of all strands together, equal times by id: at most `limit`.

    A partition is asked for no more rows than are still wanted.
    """
    found: list[Any] = []
    last, look = span.last_day, _FIRST_LOOK
    while last >= span.first_day:
        plan, last = await _plan(cql, home_id, strands, span.first_day, last)
        while plan:
            days, plan = plan[:look], plan[look:]
            wanted = limit - len(found)
            asks = [list(chain.from_iterable(_asks(s, day, span, wanted) for s in held)) for day, held in days]
            rows = iter(await cql.each(chain.from_iterable(asks)))
            for of_day in asks:
                found += _merged([next(rows) for _ in of_day])
            if len(found) >= limit:
                return found[:limit]
            look = min(2 * look, _WIDEST_LOOK)
    return found


async def _plan(
    cql: Cql, home_id: str, strands: Sequence[Strand], first: int, last: int
) -> tuple[list[tuple[int, list[Strand]]], int]:
    """The next days to visit, newest first, with the strands that have rows there; and where to plan on from."""
    if last - first < _FEW_DAYS:
        return [(day, list(strands)) for day in range(last, first - 1, -1)], first - 1
    given = (date_cell(first), date_cell(last))
    answers = await cql.each((_FIND, (home_id, s.scope, s.name, *given)) for s in strands)
    known = [[day.days_from_epoch for (day,) in rows] for rows in answers]
    # Of a strand with more days than one answer holds, nothing is known before the last of them.
    first = max((days[-1] for days in known if len(days) == _SLICE), default=first)
    held: dict[int, list[Strand]] = {}
    for strand, days in zip(strands, known, strict=True):
        for day in days:
            if day >= first:
                held.setdefault(day, []).append(strand)
    return sorted(held.items(), key=itemgetter(0), reverse=True), first - 1


def _asks(strand: Strand, day: int, span: Span, limit: int) -> list[Ask]:
    place = (*strand.before, date_cell(day), *strand.after)
    asks: list[Ask] = []
    if span.low < span.high:
        asks.append((strand.span, (*place, span.low, span.high, limit)))
    if span.behind is not None and span.behind[0] // DAY_MS == day:
        asks.append((strand.ties, (*place, *span.behind, limit)))
    return asks


def _merged(answers: list[list[Any]]) -> list[Any]:
    if len(answers) == 1:
        return answers[0]
    rows = sorted(chain.from_iterable(answers), key=itemgetter(1))
    rows.sort(key=itemgetter(0), reverse=True)
    return rows
