"""The moments and the stretches of time that a text speaks of, against which what happened is held."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agent.evidence import times
from agent.evidence.facts import Facts
from agent.evidence.numbers import SPELLED

#: From (included) to (left out), in the home's zone.
Span = tuple[datetime, datetime]

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PAST: Final = re.compile(
    r"\b(?:(?:last|past|previous)\s+(?P<n>\d+|\w+)?\s*(?P<unit>minute|hour|day|week|month)s?"
    r"|(?:the|these|those) (?P<n3>\d+|two|three|four|five|six|seven) (?P<unit3>day|hour|week)s"
    r"|(?P<n2>\d+)\s+(?P<unit2>minute|hour|day|week)s\b(?!\s+(?:ago|for)))\b",
    re.IGNORECASE,
)
_UNITS: Final = {
    "minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7),
    "month": timedelta(days=30),
}  # fmt: skip
#: Part of a day -> its hours, as narrow and as wide as people mean it.
_PARTS: Final = {
    "morning": ((4, 12), (5, 12), (0, 12)), "afternoon": ((12, 18), (12, 17)),
    "evening": ((17, 24), (17, 23), (18, 24)), "night": ((18, 24), (20, 24), (17, 24)),
}  # fmt: skip
#: A night from the evening before, from hour to hour of the next day.
_NIGHTS: Final = ((18, 8), (18, 0), (20, 6), (20, 8), (21, 7), (22, 6))
_SIDE: Final = re.compile(
    rf"\b(?P<side>since|after|before|until|till|by)\s+(?:about |around )?(?P<clock>{times.A_CLOCK})", re.IGNORECASE
)
_AT: Final = re.compile(rf"\b(?:at|around|about)\s+(?P<clock>{times.A_CLOCK}|\d{{1,2}}(?![\d:]))", re.IGNORECASE)
_ENDLESS: Final = timedelta(days=3_650)
_REACH: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class When:
    """What a text says of the time of something; one that names no time fits everything."""

    clocks: tuple["re.Match[str]", ...]
    agos: tuple["re.Match[str]", ...]
    spans: tuple[Span, ...]
    facts: Facts

    def __bool__(self) -> bool:
        return bool(self.clocks or self.agos or self.spans)

    def fits(self, at: datetime) -> bool:
        """Whether something at this moment can be meant."""
        local = at.astimezone(self.facts.zone)
        if not all(times.is_ago(at, ago, self.facts.now) for ago in self.agos):
            return False
        return self.clocks_fit(at) and self._spans_fit(local)

    def clocks_fit(self, at: datetime) -> bool:
        """Whether the moment has the time of day."""
        local = at.astimezone(self.facts.zone)
        return not self.clocks or any(times.is_at(local, clock) for clock in self.clocks)

    def _spans_fit(self, local: datetime) -> bool:
        return not self.spans or any(start - _REACH <= local < end + _REACH for start, end in self.spans)


def when_said(text: str, facts: Facts, day: str = "") -> When:
    """The times in a text; where it names no day, the days of `day` (what was said before it) count."""
    text = times.plain(text)
    spans = spans_said(text, facts) or spans_said(times.plain(day), facts, ranges=False)
    rest = _SIDE.sub(" ", times.RANGE.sub(" ", text))
    return When(tuple(times.CLOCK.finditer(rest)), tuple(times.AGO.finditer(rest)), tuple(spans), facts)


def spans_said(text: str, facts: Facts, *, ranges: bool = True) -> list[Span]:
    """The stretches that a text names, in every way that it can be meant; none when it names none.

    Without `ranges` only days and what goes back from now, not from clock to clock.
    """
    text = times.plain(text).casefold()
    now = facts.now.astimezone(facts.zone)
    days = list(_days(text, now))
    by_clock = list(_ranges(text, now, days)) if ranges else []
    return by_clock or days or list(_rolling(text, now))


def moments_said(text: str, facts: Facts) -> list[datetime]:
    """The past moments that a text names ("at 3 last night"), in every way that they can be meant."""
    text = times.plain(text).casefold()
    now = facts.now.astimezone(facts.zone)
    today = _midnight(now)
    said = {_midnight(at) for start, end in _days(text, now) for at in (start, end - _REACH)}
    days = said or {today, today - timedelta(days=1)}
    clocks = [match.group("clock") for match in _AT.finditer(text)]
    return [at for clock in clocks for day in days for at in _clocks(clock, day) if at <= now]


def usual_spans(facts: Facts) -> list[Span]:
    """The stretches that people speak of without a word: everything, by days, by hours, the last night."""
    now = facts.now.astimezone(facts.zone)
    midnight = _midnight(now)
    hours = [(now - timedelta(hours=h), now) for h in (1, 2, 3, 6, 8, 12, 24, 48)]
    days = [(midnight, now), (midnight - timedelta(days=1), midnight), (midnight - timedelta(days=1), now)]
    return [(now - _ENDLESS, now + _ENDLESS), *days, *hours]


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _days(text: str, now: datetime) -> Iterator[Span]:
    """By words for days and their parts, and by dates."""
    midnight, day = _midnight(now), timedelta(days=1)
    if re.search(r"\blast night\b|\byesterday night\b|\bovernight\b|\b(?:during|in|over|through) the night\b", text):
        for first, end in _NIGHTS:
            yield midnight - day + timedelta(hours=first), midnight + timedelta(hours=end)
    for back, name in ((1, "yesterday"), (0, "this")):
        for part, hours in _PARTS.items():
            if re.search(rf"\b{name} {part}\b", text):
                yield from ((midnight - back * day + timedelta(hours=a), midnight - back * day + timedelta(hours=b))
                            for a, b in hours)  # fmt: skip
    if re.search(r"\btonight\b", text):
        yield midnight + timedelta(hours=17), midnight + day
        yield now - timedelta(hours=12), now
    if re.search(r"\byesterday\b(?! (?:morning|afternoon|evening|night))", text):
        before = "day before yesterday" in text
        yield midnight - (2 if before else 1) * day, midnight - (1 if before else 0) * day
    if re.search(r"\btoday\b|\ball day\b|\bso far\b", text):
        yield midnight, midnight + day
    for index, name in enumerate(_WEEKDAYS):
        if re.search(rf"\b(?:{name}|(?:on|,) {name[:3]})\b", text):
            back = (now.weekday() - index) % 7
            yield from ((midnight - n * day, midnight - (n - 1) * day) for n in (back, back + 7))
    for match in times.DATE.finditer(text):
        yield from ((midnight - n * day, midnight - (n - 1) * day) for n in range(-1, 366)
                    if times.is_on(midnight - n * day, match))  # fmt: skip


def _ranges(text: str, now: datetime, days: Sequence[Span]) -> Iterator[Span]:
    """From clock to clock, since one, until one: on the days that are named, else today and yesterday."""
    midnight = _midnight(now)
    starts = {_midnight(start) for start, _ in days} or {midnight, midnight - timedelta(days=1)}
    for match in times.RANGE.finditer(text):
        for start in starts:
            for first in _clocks(match.group("from") or match.group("from2"), start):
                for end in _clocks(match.group("to") or match.group("to2"), start):
                    yield first, end + _REACH + (timedelta(days=1) if end <= first else timedelta(0))
    for match in _SIDE.finditer(text):
        for start in starts:
            for at in _clocks(match.group("clock"), start):
                side = match.group("side")
                if side in ("since", "after"):
                    first = at + (_REACH if side == "after" else timedelta(0))
                    yield from ((first, end) for end in (now + _REACH, start + timedelta(days=1)))
                else:
                    yield start, at if at > start else start + timedelta(days=1)
    if re.search(r"\bsince (?:yesterday|last night)\b", text):
        yield midnight - timedelta(days=1), now + _REACH
        yield midnight - timedelta(hours=6), now + _REACH


def _clocks(text: str, day: datetime) -> Iterator[datetime]:
    for match in times.CLOCK.finditer(f"{text}:00" if text.isdecimal() else text):
        yield from (day + timedelta(minutes=m) for m in times.minutes_of(match))


def _rolling(text: str, now: datetime) -> Iterator[Span]:
    """Back from now, and by weeks and months of the calendar."""
    midnight = _midnight(now)
    for match in _PAST.finditer(text):
        word = match.group("n") or match.group("n2") or match.group("n3") or "1"
        number = int(word) if word.isdecimal() else SPELLED.get(word, 1)
        unit = _UNITS[match.group("unit") or match.group("unit2") or match.group("unit3")]
        yield now - number * unit, now + _REACH
        if unit >= timedelta(days=1):
            yield midnight - number * unit, now + _REACH
            yield midnight - (number * unit - timedelta(days=1)), now + _REACH
    if re.search(r"\b(?:this|the|my|your) week\b", text):
        yield from ((midnight - timedelta(days=n), now + _REACH) for n in (now.weekday(), (now.weekday() + 1) % 7, 7))
    if "this month" in text:
        yield midnight.replace(day=1), now + _REACH
