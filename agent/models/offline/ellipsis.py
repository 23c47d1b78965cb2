"""What a clause leaves to the one before it: "dim the hall light to 30 percent, and to 50 in the kitchen". Pure."""

import re
from collections.abc import Sequence
from typing import Final

from agent.models.offline.frames import Frame, frame
from agent.models.offline.home import Home
from agent.models.offline.words import is_number
from homeguard.kinds import KINDS, name_words, singular

_UNIT: Final = r"(?: (?:percent|degrees?|levels?|minutes?|seconds?|kelvin))?(?: (?:celsius|fahrenheit|c|f))?"
_AMOUNT: Final = re.compile(rf"\b(?:(?:to|at|by) )?-?\d+(?:\.\d+)?{_UNIT}(?= |$)")
_WHERE: Final = r"(?:(?:in|on|at|of|for) )?(?:(?:the|my|our) )?"


def completed(found: Frame, before: Frame, home: Home) -> Frame:
    """The clause with the verb, and whatever else it leaves out, of the clause before; itself when it lacks nothing."""
    if not (found.bare and found.has_value and not found.attribute and before.has_value and before.actions):
        return found
    if _named(found, home) and not before.attribute:
        return found
    own, text = " ".join(found.words), " ".join(before.words)
    kept = _AMOUNT.sub("", text)
    if before.option:
        kept = re.sub(rf"\bto (?:the )?{re.escape(before.option)}\b(?: (?:mode|speed))?", "", kept)
    if _place(found.words, home):
        kept = _without_place(kept, home)
    if _named(found, home):
        named = set(before.target)
        kept = " ".join(w for w in kept.split() if w not in named or singular(w) in _areas(home))
    if found.words and is_number(found.words[0]):
        way = re.search(r"\b(to|by|at) -?\d", text)
        own = f"{way[1] if way else 'to'} {own}"
    words = f"{kept} {own}".split()
    return frame(words, home.devices, home.places)


def _areas(home: Home) -> set[str]:
    return {w for name in (*home.areas, *(d.area for d in home.devices)) for w in name_words(name)}


def _place(words: Sequence[str], home: Home) -> str:
    """The area or floor that the words name, `""` for none."""
    said = f" {' '.join(singular(w) for w in words)} "
    names = {name for name in (*home.places, *(d.area for d in home.devices)) if name}
    return next((n for n in sorted(names, key=len, reverse=True) if f" {' '.join(name_words(n))} " in said), "")


def _without_place(text: str, home: Home) -> str:
    for name in sorted({n for n in (*home.places, *(d.area for d in home.devices)) if n}, key=len, reverse=True):
        text = re.sub(rf"\b{_WHERE}{re.escape(' '.join(name_words(name)))}s?\b", "", text)
    return " ".join(text.split())


def _named(found: Frame, home: Home) -> bool:
    """Whether the clause says which device it means, beside the place."""
    place = set(name_words(_place(found.words, home)))
    known = {w for form in KINDS for w in form} | {w for d in home.devices for w in name_words(d.name)}
    return any(singular(w) in known and singular(w) not in place for w in found.target)
