"""When a rule counts: "between 10 pm and 6 am", "at night", "while we're away" taken out of its words. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_CLOCK: Final = r"(\d{1,2}(?::\d\d)?|noon|midday|midnight)(?: (am|pm))?(?: oclock)?"
_RANGE: Final = re.compile(rf"\b(?:between|from) {_CLOCK} (?:and|to|until|till|-) {_CLOCK}(?![:\d])")
_AFTER: Final = re.compile(rf"\b(?:after|past|later than) {_CLOCK}(?![:\d])")
_BEFORE: Final = re.compile(rf"\b(?:before|earlier than) {_CLOCK}(?![:\d])")
#: What the parts of a day mean in a rule; the answer says it, so that a person can put it right.
_PARTS: Final[Mapping[str, tuple[str, str]]] = {
    r"\b(?:at night|during the night|in the night|overnight|by night|at nighttime)\b": ("22:00", "06:00"),
    r"\b(?:in the morning|during the morning|mornings)\b": ("06:00", "12:00"),
    r"\b(?:in the afternoon|during the afternoon)\b": ("12:00", "18:00"),
    r"\b(?:in the evening|during the evening)\b": ("18:00", "22:00"),
    r"\b(?:during the day|in the daytime|by day)\b": ("06:00", "22:00"),
}
_WE: Final = (
    r"(?:we|i|you|they|everyone|everybody|nobody|no one|none of us|the house|the home|the family|it|home mode|mode)"
)
_WHILE: Final = r"\b(?:and )?(?:while|whilst|when|whenever|if|as long as|during|and) "
_MODES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (rf"{_WHILE}(?:nobody|no one|none of us) (?:is|are) (?:at )?(?:home|in|there|around)\b",
     {"mode": ["away", "vacation"]}),
    (rf"{_WHILE}{_WE} (?:is|are|am) (?:not (?:at )?home|away|out|gone|not in)\b", {"mode": ["away", "vacation"]}),
    (rf"{_WHILE}{_WE} (?:is|are|am) (?:on|in) (?:vacation|holiday|holidays)(?: mode)?\b", {"mode": ["vacation"]}),
    (rf"{_WHILE}{_WE} (?:is|are|am) (?:asleep|sleeping|in bed)\b", {"mode": ["sleep"]}),
    (rf"{_WHILE}{_WE} (?:is|are|am) (?:at home|home)\b", {"mode": ["home"]}),
    (rf"{_WHILE}(?:the house|the home|it|we) (?:is|are) (?:set )?(?:in|to|on) (home|away|vacation|party|sleep) mode\b",
     {}),
    (r"\b(?:in|during) (home|away|vacation|party|sleep) mode\b", {}),
    (rf"{_WHILE}(?:the )?(?:alarm|house|home|system|it|we) (?:is|are) (?:armed|on)\b", {"arm_state": ["armed"]}),
    (rf"{_WHILE}(?:the )?(?:alarm|house|home|system|it|we) (?:is|are) (?:disarmed|off)\b", {"arm_state": ["disarmed"]}),
)  # fmt: skip
_UNKNOWN: Final = re.compile(
    r"\b(?:on )?(?:weekdays?|weekends?|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b"
    r"|\b(?:after|before|at|until) (?:sunset|sunrise|dusk|dawn|dark)\b|\bwhile it is dark\b|\bwhen it is dark\b"
)


@dataclass(frozen=True, slots=True)
class Held:
    """`conditions` as a trigger's own ("time_range", "mode", "arm_state"), how they are said, and what is not known."""

    words: tuple[str, ...]
    conditions: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""
    unknown: str = ""


def conditions_of(words: Sequence[str]) -> Held:
    """The words of a rule without its times and states, and these as conditions."""
    text = " ".join(words)
    unknown = match[0] if (match := _UNKNOWN.search(text)) else ""
    found: dict[str, Any] = {}
    said: list[str] = []
    text, hours = _hours(text)
    if hours is not None:
        found["time_range"] = {"start": hours[0], "end": hours[1]}
        said.append(f"between {_spoken(hours[0])} and {_spoken(hours[1])}")
    for pattern, meaning in _MODES:
        match = re.search(pattern, text)
        if match is None or match.start() == 0:
            continue
        own = meaning or {"mode": [match[1]]}
        found.update(own)
        said.append(_state_said(own))
        text = text[: match.start()] + text[match.end() :]
        break
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"(?: ,)+ ,", " ,", re.sub(r"^, ", "", text))
    return Held(tuple(text.split()), found, " and ".join(said), unknown)


def _state_said(own: Mapping[str, Any]) -> str:
    if own.get("arm_state"):
        return f"while the alarm is {own['arm_state'][0]}"
    modes = own["mode"]
    return "while nobody is home (away or vacation mode)" if len(modes) == 2 else f"in {modes[0]} mode"


def _hours(text: str) -> tuple[str, tuple[str, str] | None]:
    """The text without its time range, and the range as `("22:00", "06:00")`."""
    match = _RANGE.search(text)
    if match is not None:
        first, half1, last, half2 = match[1], match[2] or "", match[3], match[4] or ""
        begin, end = _both(first, half1, last, half2)
        if begin and end:
            return text[: match.start()] + text[match.end() :], (begin, end)
    for pattern, hours in _PARTS.items():
        part = re.search(pattern, text)
        if part is not None:
            return text[: part.start()] + text[part.end() :], hours
    after = _AFTER.search(text)
    if after is not None and (begin := _time(after[1], after[2] or "pm")):
        return text[: after.start()] + text[after.end() :], (begin, "06:00" if begin >= "12:00" else "12:00")
    before = _BEFORE.search(text)
    if before is not None and (end := _time(before[1], before[2] or "am")):
        return text[: before.start()] + text[before.end() :], ("00:00", end)
    return text, None


def _both(first: str, half1: str, last: str, half2: str) -> tuple[str, str]:
    """Both ends; one that lacks its half of the day takes what makes the shorter night: "10 to 6 am" is 10 pm."""
    if not half1 and half2:
        same, other = _time(first, half2), _time(first, "pm" if half2 == "am" else "am")
        end = _time(last, half2)
        half1 = half2 if same < end else ("pm" if half2 == "am" else "am")
        return (same if same < end else other), end
    if half1 and not half2:
        begin = _time(first, half1)
        same = _time(last, half1)
        return begin, same if same > begin else _time(last, "am" if half1 == "pm" else "pm")
    if not half1 and ":" not in first and ":" not in last and first.isdigit() and last.isdigit():
        if int(first) > int(last) and int(first) <= 12:
            return _time(first, "pm"), _time(last, "am")
        return _time(first, ""), _time(last, "")
    return _time(first, half1), _time(last, half2)


def _time(word: str, half: str) -> str:
    """`22:00`, `""` for no time of day."""
    if word in ("noon", "midday"):
        return "12:00"
    if word == "midnight":
        return "00:00"
    hour, _, minute = word.partition(":")
    number = int(hour)
    if number > 24 or int(minute or 0) > 59:
        return ""
    if half == "pm" and number < 12:
        number += 12
    if half == "am" and number == 12:
        number = 0
    return f"{number % 24:02d}:{int(minute or 0):02d}"


def _spoken(time: str) -> str:
    hour, minute = int(time[:2]), time[3:]
    return f"{hour % 12 or 12}{'' if minute == '00' else ':' + minute} {'AM' if hour < 12 else 'PM'}"
