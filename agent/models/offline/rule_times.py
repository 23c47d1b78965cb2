"""When a rule counts: "between 10 pm and 6 am", "at night", "while we're away" taken out of its words. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from agent.models.offline.home import Home
from agent.models.offline.moments import when_of

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
_DAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "weekday": ("mon", "tue", "wed", "thu", "fri"), "weekend": ("sat", "sun"), "monday": ("mon",), "tuesday": ("tue",),
    "wednesday": ("wed",), "thursday": ("thu",), "friday": ("fri",), "saturday": ("sat",), "sunday": ("sun",),
}  # fmt: skip
_ON_DAYS: Final = re.compile(
    r"\b(?:and )?(?:only )?(?:on |at |during )(?:the )?((?:weekdays?|weekends?|(?:mon|tues|wednes|thurs|fri"
    r"|satur|sun)days?)"
    r"(?:(?: ,)? (?:and|or|,) (?:mon|tues|wednes|thurs|fri|satur|sun)days?)*)\b"
)
_DARK: Final = re.compile(
    r"\b(?:and )?(?:only )?(?:(?:after|past) (?:sunset|sundown|dusk|dark)|(?:while|when|whenever|if|as long as) "
    r"(?:it is|its) dark(?: outside)?|"
    r"(?:between|from) (?:sunset|dusk) (?:and|to|until|till) (?:sunrise|dawn))\b"
)
_LIGHT: Final = re.compile(
    r"\b(?:and )?(?:only )?(?:(?:before) (?:sunset|dusk)|(?:while|when|whenever|if|as long as) (?:it is|its) "
    r"(?:light|daylight|bright)(?: outside)?|"
    r"(?:between|from) (?:sunrise|dawn) (?:and|to|until|till) (?:sunset|dusk))\b"
)
_STATE: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    (r"(?:nobody|no one|none of us)(?: is| are)? (?:at )?(?:home|in|there|around)(?: any ?more)?"
     r"|(?:i|we|you|everyone|everybody|the family|all of us|the last (?:one|person)) (?:leaves?|have left|has "
     r"left|goes? out|"
     r"(?:is|are|am) (?:away|out|gone|not (?:at )?home)|heads? out)(?: (?:the )?(?:house|home))?",
     {"mode": ["away", "vacation"]}, "when nobody is home (away or vacation mode)"),
    (r"(?:i|we|someone|somebody|anyone|anybody|everyone) (?:comes?|gets?|arrives?|returns?|(?:is|are|am)) "
     r"(?:back|home)(?: home)?"
     r"|(?:i|we|someone|everyone) (?:arrives?|returns?)",
     {"mode": ["home"]}, "when someone is home again (home mode)"),
    (r"(?:i|we|everyone|everybody) (?:goes?|go|am|is|are) (?:to (?:bed|sleep)|asleep|in bed|sleeping)",
     {"mode": ["sleep"]}, "when the house goes to sleep mode"),
    (r"(?:the )?(?:alarm|system|security|house|home) (?:is|gets|becomes) (?:armed|set|turned on|switched on)",
     {"arm_state": ["armed"]}, "when the alarm is armed"),
    (r"(?:the )?(?:alarm|system|security|house|home) (?:is|gets|becomes) (?:disarmed|unset|turned off|switched off)",
     {"arm_state": ["disarmed"]}, "when the alarm is disarmed"),
    (r"(?:the )?(?:house|home|mode|we|it|home mode) (?:is|goes|switches|changes|gets|are|go|switch) (?:set "
     r")?(?:in|to|into|on) (?P<mode>home|away|vacation|party|sleep)(?: mode)?",
     {}, ""),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trigger:
    """A rule's trigger and how it is said."""

    trigger: Mapping[str, Any]
    said: str


def state_trigger(words: Sequence[str], home: Home) -> Trigger | None:
    """ "When nobody is home", "when the alarm is armed": a change of the home's own state."""
    text = re.sub(r"^(?:the moment|as soon as|if|once) ", "", " ".join(words))
    for pattern, meaning, said in _STATE:
        match = re.fullmatch(rf"(?:{pattern})", text)
        if match is None:
            continue
        if meaning:
            return Trigger({"type": "home_state", **{k: v[0] if len(v) == 1 else v for k, v in meaning.items()}}, said)
        return Trigger({"type": "home_state", "mode": match["mode"]}, f"when the house goes to {match['mode']} mode")
    return None


_WHENEVER: Final = r"(?:when(?:ever)?|once|as soon as|the moment|if|every time|each time)"


def around_state(words: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """ "Whenever nobody is home I want the lamp off": the words of the state, and those of what is wanted then."""
    text = " ".join(w for w in words if w not in (".", "!"))
    for pattern, _, _ in _STATE:
        plain = pattern.replace("?P<mode>", "?:")
        first = re.match(rf"(?:please )?{_WHENEVER} ({plain})(?: ,)?(?: then)? (.+)$", text)
        if first is not None and not re.match(r"(?:and|or|,) ", first[2]):
            return first[1].split(), first[2].split()
        last = re.match(rf"(.+?)(?: ,)? (?:please )?{_WHENEVER} ({plain})$", text)
        if last is not None:
            return last[2].split(), last[1].split()
    return None


def sun_trigger(words: Sequence[str], now: datetime) -> Trigger | None:
    """ "When the sun sets", "when it gets dark"."""
    found = when_of(["when", *words], now)
    if found is None or found.words or found.trigger.get("type") != "sun":
        return None
    return Trigger(found.trigger, found.said)


def condition_rows(conditions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A trigger's own conditions as rows of the rule, for triggers that have none of their own."""
    return [
        {"type": name, **value} if name == "time_range" else {"type": name, name: value}
        for name, value in conditions.items()
    ]


@dataclass(frozen=True, slots=True)
class Held:
    """`conditions` as a trigger's own ("time_range", "mode", "arm_state"), `rows` as the rule's, how they are said."""

    words: tuple[str, ...]
    conditions: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""
    rows: tuple[Mapping[str, Any], ...] = ()


def conditions_of(words: Sequence[str]) -> Held:
    """The words of a rule without its times and states, and these as conditions."""
    text = " ".join(words)
    found: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    said: list[str] = []
    text = _apart(text, rows, said)
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
    return Held(tuple(text.split()), found, " and ".join(said), tuple(rows))


def _apart(text: str, rows: list[dict[str, Any]], said: list[str]) -> str:
    """The text without the days and the daylight that it names; `rows` and `said` grow by them."""
    on_days = _ON_DAYS.search(text)
    if on_days is not None:
        days = [d for name, own in _DAYS.items() if name in on_days[1] for d in own]
        rows.append({"type": "days", "days": days})
        said.append(f"on {on_days[1].replace(' , ', ', ')}")
        text = text[: on_days.start()] + text[on_days.end() :]
    for pattern, row, how in (
        (_DARK, {"type": "sun", "after": "sunset", "before": "sunrise"}, "while it is dark"),
        (_LIGHT, {"type": "sun", "after": "sunrise", "before": "sunset"}, "by daylight"),
    ):
        match = pattern.search(text)
        if match is not None and match.start() > 0:
            rows.append(dict(row))
            said.append(how)
            return text[: match.start()] + text[match.end() :]
    return text


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
