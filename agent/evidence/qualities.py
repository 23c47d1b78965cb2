"""What is said of a thing beside its states: a mode, a colour, a battery, a percentage, or what nothing calls it."""

import re
from collections.abc import Sequence
from typing import Final

from agent.evidence import plain_words
from agent.evidence.clauses import without_names
from agent.evidence.facts import Facts, Thing
from agent.evidence.measures import spelled_out

_HVAC: Final = re.compile(
    r"\b(?:set to|in|mode is|running in)\s+(?P<mode>cool|heat|auto|dry|fan|off|cooling|heating)\b(?: mode)?",
    re.IGNORECASE,
)
_AIM: Final = re.compile(r"\bset to (\d+(?:[.,]\d+)?)(?!\s*%|\d|:)", re.IGNORECASE)
_COLOUR: Final = re.compile(
    r"\bis (?:now )?(?P<colour>red|green|blue|yellow|purple|orange|pink|white|cyan|magenta|warm white)\b", re.IGNORECASE
)
#: Percent, of a battery.
LOW: Final = 20
BATTERY: Final = re.compile(
    r"\bbatter\w+\b.*\b(?:full|charged|fine|good|ok|okay|healthy|low|empty|dead|flat)\b", re.IGNORECASE
)
_IS: Final = re.compile(r"\b(?:is|are|was|were|has|have|got|appears?|looks?|seems?)\b(.*)", re.IGNORECASE)
_PERCENT: Final = re.compile(r"(?<![\w.,])(\d+(?:[.,]\d+)?)\s*(?:%|percent\b|per cent\b)", re.IGNORECASE)


def unheard(text: str, facts: Facts) -> bool:
    """A thing is said to be what no result and no plain word calls it ("the lamp is burning")."""
    found = _IS.search(without_names(text, facts))
    if not found:
        return False
    words = re.findall(r"[^\W\d_]{3,}", found.group(1).casefold().partition(",")[0].partition(":")[0])
    return any(w not in plain_words.PLAIN and w not in plain_words.TALK and w not in facts.vocabulary for w in words)


def percent_unknown(text: str, named: Sequence[Thing], facts: Facts) -> bool:
    """A percentage is told that nothing has: of a battery, a brightness, a position."""
    of_battery = "batter" in text.casefold()
    for found in _PERCENT.finditer(spelled_out(text)):
        said = float(found.group(1).replace(",", "."))
        for things in (named, list(facts.things.values())):
            known = {
                round(float(str(value)))
                for thing in things
                for name, value in thing.seen
                if type(value) in (int, float)
                if name.startswith("battery") or (name.endswith("_pct") and not of_battery)
                if thing.values.get(name) == value or not named
            }
            if known:
                break
        if known and said not in facts.own_numbers and round(said) not in known:
            return True
    return False


def battery(thing: Thing) -> float | None:
    """Percent, None when it has none."""
    for name in ("battery_pct", "battery"):
        level = thing.values.get(name)
        if isinstance(level, int | float) and not isinstance(level, bool):
            return float(level)
    return None


def appearance(text: str, named: Sequence[Thing], facts: Facts) -> str:
    """A mode, a colour or a battery that a named thing does not have."""
    for thing in named:
        values = thing.values
        hvac = _HVAC.search(text)
        mode = values.get("hvac_mode")
        if hvac and isinstance(mode, str):
            said_mode = hvac.group("mode").casefold()[:4]
            if said_mode not in (mode, str(values.get("hvac_action"))[:4]):
                return "state"
        aim = _AIM.search(text)
        target = values.get("target_c")
        if aim and isinstance(target, int | float):
            said = float(aim.group(1).replace(",", "."))
            if not any(abs(form - said) <= 0.51 for form in (target, target * 1.8 + 32)):
                return "number"
        if found := _COLOUR.search(text):
            colour = found.group("colour").casefold()
            asked = colour in facts.words and "set_color" in facts.acts
            if not asked and not any(colour in str(v).casefold() for v in values.values()):
                return "state"
        level = battery(thing)
        if level is not None and BATTERY.search(text):
            low = re.search(r"\b(?:low|empty|dead|flat)\b", text, re.IGNORECASE) is not None
            if low != (level <= LOW):
                return "state"
    return ""
