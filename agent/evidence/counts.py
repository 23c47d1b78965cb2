"""How many there are: of a kind in a state, of devices in the home, of events in a list."""

import re
from typing import Final

from agent.evidence import state_words
from agent.evidence.clauses import states_said
from agent.evidence.facts import Facts
from agent.evidence.numbers import FROM_ONE, SPELLED
from agent.evidence.qualities import BATTERY, LOW, battery
from agent.evidence.standing import holds, of_kind

_N: Final = rf"(?P<n>\d+|{FROM_ONE}|no)"
HOW_MANY: Final = re.compile(
    rf"\b{_N}\s+(?:of (?:the|your)\s+)?(?:other\s+)?"
    r"(?P<kind>doors?|locks?|lights?|lamps?|windows?|devices?|batteries|sensors?|cameras?)\s+"
    r"(?:is|are|'re|have|has|stands?|was|were)\s+(?P<rest>.*)",
    re.IGNORECASE,
)
_OWNED: Final = re.compile(
    rf"\b(?:you have|there are|there is)\s+{_N}\s+"
    r"(?P<kind>doors?|locks?|lights?|lamps?|windows?|devices?|thermostats?|cameras?)\s*"
    r"(?:in (?:this|the|your) (?:home|house)|here)?\s*[.!]?\s*$",
    re.IGNORECASE,
)
_EVENTS_SAID: Final = re.compile(rf"\b{_N}\s+events?\b", re.IGNORECASE)
_EMPTY: Final = re.compile(r"\b(?:low|empty|flat|dead)\b", re.IGNORECASE)
_SOME_OF: Final = re.compile(r"\b(?:latest|last|first|more|other)\b", re.IGNORECASE)


def miscounted(text: str, facts: Facts) -> str:
    """What kind of claim about a number of things or events is wrong ("state", "number"), `""` when none."""
    owned, told = _OWNED.search(text), _EVENTS_SAID.search(text)
    if owned and len(facts.things) > 1:
        kind = owned.group("kind").casefold()
        things = list(facts.things.values())[1:] if kind.startswith("device") else of_kind(kind, "", facts)
        if things and _number(owned.group("n")) not in (len(things), *facts.own_numbers):
            return "number"
    if told and facts.events and not _SOME_OF.search(text) and _number(told.group("n")) not in facts.listed:
        return "number"
    levels = [level for t in facts.things.values() if (level := battery(t)) is not None]
    low = sum(level <= LOW for level in levels)
    fine = BATTERY.search(text)
    if fine and "batteries" in text.casefold() and not state_words.NOT.search(text) and not _EMPTY.search(text) and low:
        return "state"
    found = HOW_MANY.search(text)
    if not found:
        return ""
    kind, rest, wanted = found.group("kind").casefold(), found.group("rest"), _number(found.group("n"))
    if kind == "batteries":
        return "number" if levels and _EMPTY.search(rest) and wanted != low else ""
    states, things = states_said(f"{kind} are {rest}", facts), of_kind(kind, "", facts)
    if not states or not things:
        return ""
    return "" if any(wanted == sum(holds(t, key) is True for t in things) for key in states) else "number"


def _number(word: str) -> int:
    if word.isdecimal():
        return int(word)
    return {"no": 0, "one": 1, **SPELLED}[word.casefold()]
