"""The times that a sentence names, and whether the turn knows them."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from agent.evidence.facts import Facts
from agent.evidence.numbers import TENS, UNITS

CLOCK: Final = re.compile(
    r"\b(?:(?P<h>\d{1,2}):(?P<m>\d\d)(?::\d\d)?\s*(?P<p>[ap]\.?\s?m\b\.?)?|(?P<h2>\d{1,2})\s*(?P<p2>[ap]\.?\s?m\b\.?)"
    r"|(?P<h3>\d{1,2})\s*(?:o'clock|uhr)\b)",
    re.IGNORECASE,
)
#: The same without names, for other patterns.
A_CLOCK: Final = re.sub(r"\?P<\w+>", "?:", CLOCK.pattern)
_MONTH: Final = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
DATE: Final = re.compile(
    rf"\b(?P<iso>\d{{4}}-\d\d-\d\d)\b|\b(?P<mon>{_MONTH})[a-z]*\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)"
    rf"|\b(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<mon2>{_MONTH})[a-z]*\b",
    re.IGNORECASE,
)
#: From clock to clock.
RANGE: Final = re.compile(
    rf"\b(?:between\s+(?P<from>{A_CLOCK}|\d{{1,2}})\s*(?:and|to|-|\u2013)\s*(?P<to>{A_CLOCK})"
    rf"|from\s+(?P<from2>{A_CLOCK}|\d{{1,2}})\s*(?:to|until|till|through|-|\u2013)\s*(?P<to2>{A_CLOCK}))",
    re.IGNORECASE,
)
_SPELLED: Final[Mapping[str, float]] = {"half an": 0.5, "an": 1, "a": 1, **UNITS, **TENS}
AGO: Final = re.compile(
    rf"\b(?P<n>\d+(?:\.\d+)?|{'|'.join(_SPELLED)})\s+"
    r"(?P<unit>second|minute|hour|day|week)s?\s+ago\b",
    re.IGNORECASE,
)
_NOON: Final = re.compile(r"\b(?:noon|midnight)\b", re.IGNORECASE)
#: "has been open for two hours" is "two hours ago".
_LASTING: Final = re.compile(
    r"(?<=been )(?:\w+ )for (?:about |around |the last |over )?((?:\w+|half an) (?:second|minute|hour|day|week)s?)\b",
    re.IGNORECASE,
)
_UNIT_S: Final[Mapping[str, float]] = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def without_times(sentence: str) -> str:
    """The sentence with its times taken out: what numbers are left are no times."""
    for pattern in (CLOCK, DATE, AGO):
        sentence = pattern.sub(" ", sentence)
    return sentence


def unknown_times(sentence: str, facts: Facts, known: Iterable[datetime]) -> list[str]:
    """The times in it that are none of these (to the minute, in the home's zone), nor the person's own words."""
    sentence = RANGE.sub(" ", _LASTING.sub(r"\g<1> ago", plain(sentence)))
    known = list(known)
    local = [at.astimezone(facts.zone) for at in (*known, facts.now)]
    said = {minutes_of(m) for text in (plain(facts.words), *facts.clocks) for m in CLOCK.finditer(text)}
    own = {m for pair in said for m in pair}
    found = []
    for match in CLOCK.finditer(sentence):
        wanted = minutes_of(match)
        has_minutes = match.group("m") is not None
        if not any(_fits(at, wanted, exact=has_minutes) for at in local) and not set(wanted) & own:
            hour = int(match.group("h") or match.group("h2") or match.group("h3"))
            if float(hour) not in facts.own_numbers or (has_minutes and match.group("m") != "00"):
                found.append(match.group(0))
    found += [
        match.group(0)
        for match in DATE.finditer(sentence)
        if not any(is_on(at, match) for at in local) and match.group(0).casefold() not in facts.words
    ]
    for match in AGO.finditer(sentence):
        span, reach = _span(match)
        if not any(abs((facts.now - at) / timedelta(seconds=1) - span) <= reach for at in known):
            found.append(match.group(0))
    return found


def plain(text: str) -> str:
    """The text with noon and midnight as clocks."""
    return _NOON.sub(lambda m: "12:00 PM" if m.group(0)[0] in "nN" else "12:00 AM", text)


def is_at(local: datetime, clock: "re.Match[str]") -> bool:
    """Whether a moment is that of a `CLOCK`: to the minute, by the half hour where it has no minutes."""
    return _fits(local, minutes_of(clock), exact=clock.group("m") is not None)


def is_ago(at: datetime, ago: "re.Match[str]", now: datetime) -> bool:
    """Whether a moment is as long before now as an `AGO` says."""
    span, reach = _span(ago)
    return abs((now - at) / timedelta(seconds=1) - span) <= reach


def _span(match: "re.Match[str]") -> tuple[float, float]:
    """The seconds of "n minutes ago", and how far off that may be."""
    unit = _UNIT_S[match.group("unit").casefold()]
    count = match.group("n").casefold()
    span = (_SPELLED.get(count) or float(count)) * unit
    return span, max(unit * min(0.6, span / unit * 0.4), span * 0.1)


def minutes_of(clock: "re.Match[str]") -> tuple[int, ...]:
    """Minutes since midnight; both halves of the day where the text does not say which."""
    hour = int(clock.group("h") or clock.group("h2") or clock.group("h3")) % 24
    minute = int(clock.group("m") or 0)
    half = (clock.group("p") or clock.group("p2") or "").casefold()[:1]
    if half:
        return (hour % 12 * 60 + minute + (720 if half == "p" else 0),)
    if hour <= 12:
        return hour % 12 * 60 + minute, hour % 12 * 60 + minute + 720
    return (hour * 60 + minute,)


def _fits(at: datetime, wanted: tuple[int, ...], *, exact: bool) -> bool:
    minute = at.hour * 60 + at.minute
    reach = 1 if exact else 30
    return any(min((minute - w) % 1440, (w - minute) % 1440) <= reach for w in wanted)


def is_on(at: datetime, match: "re.Match[str]") -> bool:
    if match.group("iso"):
        return at.date().isoformat() == match.group("iso")
    month = (match.group("mon") or match.group("mon2")).casefold()[:3]
    return (at.month, at.day) == (_MONTHS.index(month) + 1, int(match.group("day") or match.group("day2")))
