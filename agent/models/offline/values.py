"""The values of a clause: numbers with units, colours, named levels and settings, and the attribute they are for."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from agent.models.offline.lexicon import ATTRIBUTES, HVAC_WORDS, KELVINS, NAMED_LEVELS, NAMED_SPEEDS
from agent.models.offline.words import is_number, those
from homeguard.vocabulary import COLORS

_COMPARED: Final = those("more less brighter dimmer warmer cooler higher lower louder quieter hotter colder")
_BEHIND: Final = those(", please now again too then thanks instead")
_AFTER_OPTION: Final = those("mode speed in on for setting position , please")
_DAY_WORDS: Final = those("today yesterday this last oclock tonight in")
_DAYS: Final = those("today yesterday tonight")
#: Verbs that hold their value.
_EXTREMES: Final = {"maximize": "max", "maximise": "max", "minimize": "min", "minimise": "min"}
#: What a setting may be called behind its name: "the swing to the middle position".
_OF_SETTINGS: Final = those("position level mode setting direction")
_POINTS: Final = those("point pointing aim aimed blow blowing face facing directed")
_WAYS: Final = {
    "up": "up", "upwards": "up", "upward": "up", "down": "down", "downwards": "down", "downward": "down",
    "middle": "middle", "auto": "auto", "automatic": "auto",
}  # fmt: skip
_TIMES: Final = ("minutes", "hours", "seconds", "days")
_STEP_UNITS: Final = ("levels", "level", "steps", "step", "notches", "notch")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that was said: `unit` is `percent`, `degrees`, `F`, `C`, `kelvin`, a time unit or `""`."""

    number: float
    unit: str = ""
    word: str = ""


def value(words: Sequence[str], held: Collection[int], used: set[int]) -> tuple[Amount | None, bool]:
    """The amount of the clause and whether it is a change ("by 10"); positions of its words join `used`."""
    best: Amount | None = None
    relative = False
    for at, word in enumerate(words):
        after = words[at + 1] if at + 1 < len(words) else ""
        if at in held or not is_number(word) or (word == "1" and after == "of"):
            continue
        unit, size = _unit(words, at + 1)
        before = words[at - 1] if at else ""
        if before in ("at", "around", "since") and (after in _DAY_WORDS or (not unit and _DAYS & set(words))):
            continue
        if (before in ("floor", "room", "bedroom", "zone", "channel") and not unit) or unit in ("am", "pm"):
            continue
        if unit in _TIMES and not (best is None and "interval" in words):
            continue
        if best is None or before in ("to", "at"):
            best = Amount(float(word), unit)
            follows = words[at + 1 + size] if at + 1 + size < len(words) else ""
            relative = before == "by" or unit == "levels" or follows in _COMPARED or _growing(words, at)
            used.update(range(at - (before in ("to", "at", "by")), at + 1 + size))
    if best is not None:
        return best, relative
    text = " ".join(words)
    if re.search(r"\ball the way (?:up|down)\b", text):
        used.update(at for at, w in enumerate(words) if w in ("all", "the", "way") and at not in held)
        return Amount(100.0 if "up" in words else 1.0, "percent", "max"), False
    for at, word in enumerate(words):
        if word in _EXTREMES and at not in held:
            return Amount(NAMED_LEVELS[_EXTREMES[word]], "percent", _EXTREMES[word]), False
        if (
            word in NAMED_LEVELS
            and at not in held
            and (word not in ("third", "quarter") or words[max(0, at - 1)] == "a")
        ):
            used.add(at)
            return Amount(NAMED_LEVELS[word], "percent", word), False
    return None, False


def _growing(words: Sequence[str], at: int) -> bool:
    """ "Open it by increasing its degree by 30": the number is a change."""
    return (
        bool({"increasing", "decreasing", "raising", "lowering", "reducing"} & set(words[:at]))
        and "to" not in words[:at]
    )


def _unit(words: Sequence[str], at: int) -> tuple[str, int]:
    """The unit that stands here and how many words it takes."""
    word = words[at] if at < len(words) else ""
    if word == "percent":
        return "percent", 1
    if word in ("degrees", "degree"):
        scale = {"celsius": "C", "c": "C", "fahrenheit": "F", "f": "F"}.get(
            words[at + 1] if at + 1 < len(words) else ""
        )
        return (scale, 2) if scale else ("degrees", 1)
    plain = {
        "c": "C",
        "celsius": "C",
        "f": "F",
        "fahrenheit": "F",
        "k": "kelvin",
        "kelvin": "kelvin",
        "am": "am",
        "pm": "pm",
    }
    if word in plain:
        return plain[word], 1
    if word in _STEP_UNITS:
        return "levels", 1
    return next(((unit, 1) for unit in _TIMES if word in (unit, unit[:-1])), ("", 0))


def attribute(words: Sequence[str], held: Collection[int], used: set[int]) -> str:
    """What the value is for: `brightness`, `volume`, ..., `""` for nothing said."""
    placed = re.search(r"\bto the (?:up|upwards?|down|downwards?|middle) position\b", " ".join(words))
    if placed is not None and "swing" not in words:
        used.update(at for at, w in enumerate(words) if w == "position" and at not in held)
        return "swing"
    for size in (2, 1):
        for at in range(len(words) - size + 1):
            span = tuple(words[at : at + size])
            if span == ("degree",) and at and is_number(words[at - 1]):
                continue  # "1 degree warmer"
            if ATTRIBUTES.get(span) and not any(i in held for i in range(at, at + size)):
                used.update(range(at, at + size))
                if ATTRIBUTES[span] in ("swing", "mode", "preset"):
                    used.update(i for i, w in enumerate(words) if w in _OF_SETTINGS and i not in held)
                return ATTRIBUTES[span]
    pointed = [at for at, w in enumerate(words[:-1]) if w in _POINTS and at not in held]
    if pointed and words[pointed[0] + 1] in _WAYS:
        used.add(pointed[0])
        return "swing"
    return ""


def color(
    words: Sequence[str], held: Collection[int], used: set[int], about: str, actions: Collection[str]
) -> tuple[str, int]:
    """The colour by name, or the kelvins of a white. A colour that only describes ("the red lamp on") is none."""
    text = " ".join(words)
    for phrase, kelvin in KELVINS.items():
        if re.search(rf"\b{phrase}\b", text) and "turn_on" not in actions:
            parts = phrase.split()
            used.update(at for at, w in enumerate(words) if w in parts and at not in held)
            return "", kelvin
    for at, word in enumerate(words):
        if word not in COLORS or at in held:
            continue
        after_to = at > 0 and words[at - 1] == "to"
        placed = (
            about == "color"
            or after_to
            or (not actions and (at == 0 or words[at - 1] in ("a", "some", "nice", "lovely", "deep")))
            or set(words[at + 1 :]) <= _BEHIND
            or (at > 0 and words[at - 1] == "in")
        )
        if placed and (not actions or "set" in actions or about == "color" or after_to):
            used.add(at)
            return word, 0
    return "", 0


def option(words: Sequence[str], held: Collection[int], used: set[int], about: str) -> str:
    """A named setting: "to heat", "low", "auto mode"; `""` for none."""
    found = _option(words, held, used, about)
    return "auto" if found == "automatic" else found


def _option(words: Sequence[str], held: Collection[int], used: set[int], about: str) -> str:
    free = [at for at in range(len(words)) if at not in held]
    for at in free:
        if " ".join(words[at : at + 2]) == "fan only":
            used.update((at, at + 1))
            return "fan only"
    if about == "mode":
        named = [at for at in free if words[at] in HVAC_WORDS or words[at] in NAMED_SPEEDS]
        free = [at for at in named if words[at - 1 : at] == ["to"]] or free
    for at in free:
        word, last = words[at], at == len(words) - 1
        after = "" if last else words[at + 1]
        before = words[at - 1] if at else ""
        if word in ("off", "fan") and about != "mode":
            continue
        in_place = before in ("to", "on", "in") and (last or after in _AFTER_OPTION)
        known = word in HVAC_WORDS or word in NAMED_SPEEDS
        ends_named = last and about in ("fan_speed", "mode", "speed", "swing")
        if known and (in_place or after in ("mode", "speed", "setting") or ends_named):
            used.add(at)
            return word
        own = about in ("mode", "swing", "preset", "source") and before == "to" and (last or after in _AFTER_OPTION)
        if own and word not in ("the", "a", "mode", "swing", "fan", "air"):
            used.add(at)
            return word
    if about == "swing":
        for at in free:
            if words[at] in _WAYS:
                used.add(at)
                return _WAYS[words[at]]
    return ""
