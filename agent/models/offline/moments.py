"""When something is to be done: "in ten minutes", "every weekday at 7", "half an hour before sunset". Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONG: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY: Final = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_COUNT: Final = r"\d+(?:\.\d+)?|an?|half an?|a couple(?: of)?|a few|quarter of an|a quarter of an"
_SPAN: Final = (
    rf"({_COUNT}) (?:more )?(second|minute|hour|day|week)s?(?: and (a half|a quarter|\d+ minutes?|\d+ seconds?))?"
)
_DELAY: Final = re.compile(
    rf"\b(?:in(?: about| another)?|after(?: about| another)?|within) {_SPAN}(?: from now| time)?\b"
)
_FROM_NOW: Final = re.compile(rf"\b{_SPAN} (?:from now|later)\b")
_LASTING: Final = re.compile(rf"\bfor (?:about |the next |another |just )?{_SPAN}\b")
#: A length of time: "ten minutes", "an hour and a half", "1 minute 30 seconds".
SPAN: Final = re.compile(
    r"\b(\d+(?:\.\d+)?|half an?|an?|quarter of an|a couple(?: of)?|a few) (?:more )?(second|minute|hour|day)s?"
    r"(?: and (a half|a quarter))?(?:(?: ,)?(?: and)? (\d+) (second|minute)s?)?(?:(?: ,)?(?: and)? (\d+) (second)s?)?"
)
_SUN_WORD: Final = (
    r"(sunset|sunrise|sundown|sunup|dusk|dawn|nightfall|daybreak|the sun (?:sets|goes down|rises|comes up|is up)|"
    r"(?:it )?(?:gets|is|turns) dark(?: outside)?|(?:it )?(?:gets|is) light outside)"
)
_SUN: Final = re.compile(
    rf"\b(?:{_SPAN} (before|after) |(?:at|around|by|from|when|once|as soon as|every|each|on|after) )(?:the "
    rf")?{_SUN_WORD}\b"
)
_RISING: Final = re.compile(r"sunrise|sunup|dawn|daybreak|rises|comes up|is up|light outside")
_CLOCK: Final = re.compile(
    r"\b(?:(at|by|around|about|from) )(?:about )?(\d{1,2})(?::(\d\d))?(?: (am|pm))?( oclock)?"
    r"(?! (?:percent|degrees?|celsius|fahrenheit|kelvin|minutes?|hours?|seconds?|days?)\b)(?![:\d])(?=\s|$)"
)
_BARE_CLOCK: Final = re.compile(r"\b(\d{1,2})(?::(\d\d))(?: (am|pm))?\b|\b(\d{1,2}) (am|pm|oclock)\b")
_HALF_PAST: Final = re.compile(
    r"\b(?:at )?(half past|quarter past|quarter to|(\d{1,2}) (?:minutes )?(?:past|to)) (\d{1,2})(?: (am|pm))?\b"
)
_NAMED: Final = re.compile(r"\b(?:at|by|around) (noon|midday|midnight)\b")
_PART: Final = re.compile(
    r"\b(?:(?:in the|this|every|each|tomorrow|at|late at|first thing in the|during the) )?"
    r"(morning|afternoon|evening|night|tonight|mornings|evenings|nights|afternoons|lunchtime|bedtime)\b"
)
#: What a part of a day means when no hour was said; the answer says it.
_PART_HOURS: Final[Mapping[str, tuple[int, int]]] = {
    "morning": (7, 0), "afternoon": (14, 0), "evening": (19, 0), "night": (22, 0), "tonight": (22, 0),
    "lunchtime": (12, 0), "bedtime": (22, 30),
}  # fmt: skip
_REPEAT: Final = re.compile(
    rf"\b(?:on )?(?:every|each|all) (?:single )?(day|night|morning|evening|afternoon|weekdays?|work ?days?"
    rf"|weekends?|week|"
    rf"{_DAY}s?(?:(?: ,)? (?:and|or|,)? ?{_DAY}s?)*)\b"
    rf"|\b(daily|nightly|everyday|every other day)\b"
    rf"|\bon (weekdays|workdays|weekends|{_DAY}s(?:(?: ,)? (?:and|,)? ?{_DAY}s)*)\b"
    rf"|\b(weekdays|weekends|{_DAY}s(?:(?: ,)? (?:and|,)? ?{_DAY}s)*)\b|\b(weekday|weekend) (?=mornings?"
    rf"|evenings?|nights?|afternoons?)"
)
_SWITCHED: Final = re.compile(r"\b(?:turn|turns|turned|switch|put|flip|flick|click|power|have|has|be|go|goes|come)\b")
_ONE_DAY: Final = re.compile(
    rf"\b(?:(?:on|this|next|coming) )?({_DAY})\b|\b(today|tomorrow|tonight|the day after tomorrow)\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """`trigger` is `create_automation`'s ({} when only `lasting` was said); `said` names it in an answer; `words` are
    the sentence without it. `lasting_s`: after so many seconds it is to end again. `at` is the local moment of what is
    done once; `minutes` the delay that was said, 0 for none; `unclear`: "later", with no time."""

    words: tuple[str, ...]
    trigger: Mapping[str, Any]
    said: str
    lasting_s: float = 0.0
    at: datetime | None = None
    minutes: float = 0.0
    is_repeated: bool = False
    unclear: bool = False


def when_of(words: Sequence[str], now: datetime, *, bare_hours: bool = True) -> When | None:
    """The time that a request names, `None` for none. `now` is local; `bare_hours`: "at 7" may be a time of day."""
    text = " ".join(words)
    lasting = 0.0
    match = _LASTING.search(text)
    if match is not None:
        lasting = _seconds(match[1], match[2], match[3] or "")
        text = _cut(text, match)
    until = re.search(r"\b(?:until|till) ((?:\S+ ?){1,4})$", text)
    if until is not None and not lasting:
        end = _by_clock(f"at {until[1].strip()}", now, True)
        if end is not None and end.at is not None and not end.words:
            lasting = (end.at - now).total_seconds()
            text = text[: until.start()].strip()
    found = _delayed(text, now) or _by_sun(text) or _by_clock(text, now, bare_hours)
    if found is None:
        if lasting:
            return When(words=tuple(text.split()), trigger={}, said="", lasting_s=lasting)
        later = re.search(r"\b(?:later(?: on)?|in a (?:bit|while|moment)|soon)\b", text)
        if later is not None and not re.search(r"\b(?:see you|talk|no) later\b", text):
            return When(words=tuple(_cut(text, later).split()), trigger={}, said="", unclear=True)
        return None
    return When(
        words=found.words, trigger=found.trigger, said=found.said, lasting_s=lasting, at=found.at,
        minutes=found.minutes, is_repeated=found.is_repeated,
    )  # fmt: skip


def _cut(text: str, match: re.Match[str]) -> str:
    return " ".join((text[: match.start()] + " " + text[match.end() :]).split())


def _seconds(count: str, unit: str, more: str) -> float:
    size = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0}[unit]
    number = {"half": 0.5, "quarter": 0.25}.get(count.removeprefix("a ").split()[0])
    if number is None:
        number = 2.0 if "couple" in count else 3.0 if "few" in count else 1.0 if count in ("a", "an") else float(count)
    seconds = number * size
    if more == "a half":
        seconds += size / 2
    elif more == "a quarter":
        seconds += size / 4
    elif more:
        seconds += float(more.split()[0]) * (60 if more.split()[1].startswith("minute") else 1)
    return min(seconds, 366 * 86400.0)


def span_s(said: str) -> float:
    """The length of time that the words say, in seconds; 0 when they say none."""
    match = SPAN.search(whole_spans(said))
    if match is None:
        return 0.0
    seconds = _seconds(match[1], match[2], match[3] or "")
    for count, unit in ((match[4], match[5]), (match[6], match[7])):
        seconds += float(count) * (60 if unit == "minute" else 1) if count else 0.0
    return seconds


def whole_spans(said: str) -> str:
    """ "1/2 a minute" as "half a minute", "1 and a half hours" as "1.5 hours"."""
    said = re.sub(
        r"\b(\d+) and (?:an? )?(half|1/2|quarter|1/4) (?:an? )?(?=second|minute|hour|day)",
        lambda m: f"{int(m[1]) + (0.5 if m[2] in ('half', '1/2') else 0.25):g} ", said,
    )  # fmt: skip
    return re.sub(r"\b1/2 (?:an? )?(?=second|minute|hour|day)", "half a ", said)


def spoken_span(seconds: float) -> str:
    """`10 minutes`, `1 hour 30 minutes`, `45 seconds`."""
    whole = round(seconds)
    parts = []
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}{'s' if count != 1 else ''}")
    return " ".join(parts[:2]) or "0 seconds"


def _delayed(text: str, now: datetime) -> When | None:
    match = _DELAY.search(text) or _FROM_NOW.search(text)
    if match is None:
        return None
    seconds = _seconds(match[1], match[2], match[3] or "")
    minutes = round(seconds / 60, 4)
    return When(
        words=tuple(_cut(text, match).split()), trigger={"type": "once", "in_minutes": minutes},
        said=f"in {spoken_span(seconds)}", at=now + timedelta(seconds=seconds), minutes=minutes,
    )  # fmt: skip


def _by_sun(text: str) -> When | None:
    match = _SUN.search(text)
    if match is None:
        return None
    event = "sunrise" if _RISING.search(match[5]) else "sunset"
    rest = _cut(text, match)
    days, rest = _repeated(rest)
    trigger: dict[str, Any] = {"type": "sun", "event": event}
    said = f"at {event}"
    if match[1]:
        minutes = round(_seconds(match[1], match[2], match[3] or "") / 60)
        trigger["offset_minutes"] = -minutes if match[4] == "before" else minutes
        said = f"{spoken_span(minutes * 60)} {match[4]} {event}"
    if days and len(days) < 7:
        trigger["days"] = list(days)
    rest = re.sub(r"\b(?:tonight|today|in the evening|in the morning)\b", "", rest)
    return When(
        words=tuple(rest.split()), trigger=trigger, said=f"{_days_said(days or _DAYS)} {said}", is_repeated=True
    )


def _by_clock(text: str, now: datetime, bare_hours: bool) -> When | None:
    found = _hour(text, bare_hours)
    days, rest = _repeated(found[3] if found else text)
    part = _PART.search(rest)
    one = _ONE_DAY.search(rest) if not days else None
    if found is None and not days and (one is None or (one[0] in ("today", "tonight") and part is None)):
        return None
    if (
        found is None
        and part is None
        and days
        and not re.search(r"\bevery (?:night|morning|evening|afternoon)\b|nightly", text)
    ):
        return None
    if found is None and part is None and one is None and not days:
        return None
    if found is None and not days and _part_named(text) in ("tonight", "") and not (one and one[0] == "tomorrow"):
        return None
    if found is None and one is None and days and not _part_named(text):
        return None
    half_named = _part_named(text)
    if found is not None:
        hour, minute, half, _ = found
    elif half_named:
        (hour, minute), half = _PART_HOURS[half_named], "24"
    else:
        return None
    if part is not None:
        rest = _cut(rest, part)
    if one is not None:
        again = _ONE_DAY.search(rest)
        rest = _cut(rest, again) if again is not None else rest
    rest = " ".join(rest.split())
    if days:
        at = f"{_fixed(hour, half, half_named, minute):02d}:{minute:02d}"
        trigger: dict[str, Any] = {"type": "time", "at": at}
        if len(days) < 7:
            trigger["days"] = list(days)
        return When(
            words=tuple(rest.split()), trigger=trigger, said=f"{_days_said(days)} at {spoken_clock(at)}",
            is_repeated=True,
        )  # fmt: skip
    moment = _next(hour, minute, half, half_named, one[0] if one else "", now)
    return When(
        words=tuple(rest.split()), trigger={"type": "once", "at": f"{moment:%Y-%m-%dT%H:%M:%S}"},
        said=said_moment(moment, now), at=moment,
    )  # fmt: skip


def _part_named(text: str) -> str:
    match = _PART.search(text)
    if match is not None:
        return match[1].rstrip("s") if match[1] != "tonight" else "tonight"
    return "night" if re.search(r"\bnightly\b", text) else ""


def _hour(text: str, bare_hours: bool) -> tuple[int, int, str, str] | None:
    """Hour, minute, `am`, `pm`, `24` or `""`, and the text without it."""
    named = _NAMED.search(text)
    if named is not None:
        return (0 if named[1] == "midnight" else 12), 0, "24", _cut(text, named)
    past = _HALF_PAST.search(text)
    if past is not None and int(past[3]) <= 24:
        minute = 30 if past[1] == "half past" else 15 if past[1].startswith("quarter") else int(past[2] or 0)
        hour = int(past[3])
        if " to" in past[1] or past[1].endswith("to"):
            hour, minute = hour - 1, 60 - minute
        return hour % 24, minute % 60, past[4] or "", _cut(text, past)
    match = _CLOCK.search(text)
    if match is not None and int(match[2]) <= 24 and int(match[3] or 0) < 60:
        exact = match[3] or match[4] or match[5]
        spoken = bare_hours or _PART.search(text) or _REPEAT.search(text) or _ONE_DAY.search(text)
        if exact or (spoken and match[1] in ("at", "around", "about")):
            hour = int(match[2]) % 24
            half = match[4] or ("24" if hour > 12 or (match[3] and match[2].startswith("0")) else "")
            return hour, int(match[3] or 0), half, _cut(text, match)
    bare = _BARE_CLOCK.search(text)
    if bare is not None and int(bare[1] or bare[4]) <= 24 and int(bare[2] or 0) < 60:
        hour = int(bare[1] or bare[4]) % 24
        half = bare[3] or (bare[5] if bare[5] in ("am", "pm") else "") or ("24" if hour > 12 else "")
        return hour, int(bare[2] or 0), half, _cut(text, bare)
    return None


def _fixed(hour: int, half: str, part: str, minute: int) -> int:
    """The hour of 24 of a time that repeats: without a half of the day, mornings are 5 to 11, the rest is afternoon."""
    if half == "24":
        return hour
    if half == "pm" or (not half and part in ("afternoon", "evening", "tonight") and 0 < hour < 12):
        return hour % 12 + 12
    if half == "am" or part == "morning":
        return hour % 12
    if part == "night":
        return hour + 12 if 5 <= hour < 12 else hour % 12
    return hour + 12 if 0 < hour < 5 else hour


def _next(hour: int, minute: int, half: str, part: str, day: str, now: datetime) -> datetime:
    """The next moment that the words mean; "at 7" is the nearer of 7:00 and 19:00."""
    base = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if half == "24" or half or part:
        hours = [_fixed(hour, half, part, minute)]
    else:
        hours = [hour + 12] if 0 < hour < 6 else [hour, hour + 12] if hour < 12 else [hour, 0]
    ahead = _days_ahead(day, now)
    options = [
        base + timedelta(days=d, hours=h, minutes=minute)
        for d in ((ahead,) if ahead is not None else (0, 1))
        for h in hours
    ]
    if ahead and not (half or part) and hour < 12:
        options = [base + timedelta(days=ahead, hours=hour if hour >= 5 else hour + 12, minutes=minute)]
    coming = [o for o in options if o > now]
    return min(coming) if coming else min(options) + timedelta(days=7 if ahead else 1)


def _days_ahead(day: str, now: datetime) -> int | None:
    word = day.split()[-1] if day else ""
    if day == "the day after tomorrow":
        return 2
    if word == "tomorrow":
        return 1
    if word in ("today", "tonight"):
        return 0
    named = [i for i, name in enumerate(_LONG) if name.lower() == word]
    if not named:
        return None
    ahead = (named[0] - now.weekday()) % 7
    return ahead or 7


def _repeated(text: str) -> tuple[tuple[str, ...], str]:
    """The days on which it is to happen, in the order of the week (none: it does not repeat), and the rest."""
    match = _REPEAT.search(text)
    if match is None:
        return (), text
    said = match[0]
    found: list[int] = []
    if re.search(r"weekdays?|work ?days?", said):
        found = [0, 1, 2, 3, 4]
    elif re.search(r"weekends?", said):
        found = [5, 6]
    else:
        found = [i for i, name in enumerate(_LONG) if name.lower() in said]
    rest = _cut(text, match)
    if said.startswith("on ") and _SWITCHED.search(text) and not re.search(r"\b(?:on|off)\b", rest):
        # "turn the light on every night"
        rest = " ".join(f"{text[: match.start()]} on {text[match.end() :]}".split())
    if not found:
        found = list(range(7))
        if match[1] in ("night", "morning", "evening", "afternoon"):
            rest = f"{rest} {match[1]}"
    return tuple(_DAYS[i] for i in found), rest


def _days_said(days: Sequence[str]) -> str:
    if len(days) == 7:
        return "every day"
    if tuple(days) == _DAYS[:5]:
        return "on weekdays"
    if tuple(days) == _DAYS[5:]:
        return "on weekends"
    names = [_LONG[_DAYS.index(d)] + "s" for d in days]
    return "on " + (names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1])


def spoken_clock(time: str) -> str:
    """`22:30` as `10:30 PM`."""
    hour, minute = int(time[:2]), time[3:5]
    return f"{hour % 12 or 12}:{minute} {'AM' if hour < 12 else 'PM'}"


def said_moment(moment: datetime, now: datetime) -> str:
    """`today at 7:00 PM`, `tomorrow at 7:00 AM`, `on Friday at 8:00 AM`."""
    days = (moment.date() - now.date()).days
    day = "today" if days == 0 else "tomorrow" if days == 1 else f"on {moment:%A}"
    if days > 6:
        day = f"on {moment:%A}, {moment.day} {moment:%B}"
    return f"{day} at {spoken_clock(f'{moment:%H:%M}')}"
