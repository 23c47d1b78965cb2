"""When something was: "last night", "today at 5", "in the past 3 hours" as moments of the home's zone. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PARTS = {"morning": (5, 12), "afternoon": (12, 18), "evening": (17, 23), "noon": (12, 13), "midnight": (0, 1)}


@dataclass(frozen=True, slots=True)
class Span:
    """`[start, end)` in the home's zone; `said` names it in an answer."""

    start: datetime
    end: datetime
    said: str


def clock_time(words: Sequence[str]) -> tuple[int, int, str] | None:
    """Hour, minute and `am`, `pm` or `""` of a time of day that was said."""
    for at, word in enumerate(words):
        if word in ("noon", "midday"):
            return 12, 0, "pm"
        if word == "midnight":
            return 0, 0, "am"
        after = words[at + 1] if at + 1 < len(words) else ""
        before = words[at - 1] if at else ""
        match = re.fullmatch(r"(\d{1,2})(?::(\d\d))?", word)
        if match is None or int(match[1]) > 24 or int(match[2] or 0) > 59:
            continue
        if (
            after in ("am", "pm")
            or match[2]
            or after == "oclock"
            or (
                before in ("at", "around", "about", "since", "after", "before")
                and after not in ("percent", "degrees", "hours", "minutes", "days")
            )
        ):
            hour = int(match[1]) % 24
            if after == "pm" and hour < 12:
                hour += 12
            if after == "am" and hour == 12:
                hour = 0
            half = after if after in ("am", "pm") else ("pm" if hour > 12 else "")
            return hour, int(match[2] or 0), half
    return None


def moment(words: Sequence[str], now: datetime) -> datetime | None:
    """The most recent past moment that the words mean: "at 5" today is 17:00 if that is over, else 05:00."""
    found = clock_time(words)
    if found is None:
        return None
    hour, minute, half = found
    day = _day(words, now)
    if {"last", "night"} <= {*words} and (hour < 4 or half == "am"):
        day = now  # the small hours of last night are today's
    base = (day or now).replace(hour=hour, minute=minute, second=0, microsecond=0)
    options = [base]
    if not half and hour < 12:
        options = [base.replace(hour=hour + 12), base]
        if "morning" in words:
            options = [base]
        if "evening" in words or "afternoon" in words or "night" in words or "tonight" in words:
            options = [base.replace(hour=hour + 12)] if hour >= 4 else [base]
    past = [o for o in options if o <= now]
    if past:
        return past[0]
    if day is not None and day.date() != now.date():
        return options[0]
    return options[0] - timedelta(days=1)


def _day(words: Sequence[str], now: datetime) -> datetime | None:
    if "yesterday" in words or ("last" in words and "night" in words):
        return now - timedelta(days=1)
    if "today" in words or ("this" in words and ("morning" in words or "afternoon" in words or "evening" in words)):
        return now
    for at, day in enumerate(_DAYS):
        if day in words:
            return now - timedelta(days=(now.weekday() - at) % 7 or 7)
    for at, word in enumerate(words):
        if word == "ago" and at >= 2 and words[at - 1] in ("days", "day") and words[at - 2].isdigit():
            return now - timedelta(days=min(3650, int(words[at - 2])))
    return None


def span(words: Sequence[str], now: datetime) -> Span | None:
    """The stretch of time that a question is about, `None` when it names none."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    text = " ".join(words)
    match = re.search(
        r"\b(?:past|last|previous|in|within|these) (?:the )?(?:(?:last|past) )?(\d+)? "
        r"?(minute|hour|day|week|month)s?\b",
        text,
    )
    if match and (match[1] or "last" in words or "past" in words):
        unit = {
            "minute": timedelta(minutes=1),
            "hour": timedelta(hours=1),
            "day": timedelta(days=1),
            "week": timedelta(days=7),
            "month": timedelta(days=30),
        }[match[2]]
        count = min(int(match[1] or 1), 1000)
        return Span(
            now - min(unit * count, timedelta(days=365)),
            now,
            f"in the last {count if count > 1 else ''} {match[2]}{'s' if count > 1 else ''}".replace("  ", " "),
        )
    if "last night" in text or "overnight" in words or "during the night" in text:
        return Span(midnight - timedelta(hours=6), min(now, midnight + timedelta(hours=8)), "last night")
    for part, (first, last) in _PARTS.items():
        if part in words and part not in ("noon", "midnight"):
            day = midnight - timedelta(days=1) if "yesterday" in words else midnight
            begin, end = day + timedelta(hours=first), day + timedelta(hours=last)
            if begin > now:
                begin, end = begin - timedelta(days=1), end - timedelta(days=1)
            return Span(begin, min(end, now), f"yesterday {part}" if begin.date() != now.date() else f"this {part}")
    if "yesterday" in words:
        return Span(midnight - timedelta(days=1), midnight, "yesterday")
    if "tonight" in words:
        return Span(
            max(midnight + timedelta(hours=18), now - timedelta(hours=12))
            if now.hour >= 18
            else now - timedelta(hours=12),
            now,
            "tonight",
        )
    if "today" in words:
        return Span(midnight, now, "today")
    if "this week" in text or "my week" in text or "the week" in text:
        return Span(midnight - timedelta(days=now.weekday()), now, "this week")
    if "this month" in text:
        return Span(midnight.replace(day=1), now, "this month")
    if "since" in words:
        since = moment(list(words), now)
        if since is not None:
            return Span(since, now, f"since {since:%H:%M}")
    named = _day(words, now)
    if named is not None:
        begin = named.replace(hour=0, minute=0, second=0, microsecond=0)
        return Span(begin, begin + timedelta(days=1), f"on {begin:%A}")
    return None
