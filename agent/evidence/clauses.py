"""Cuts a sentence into clauses, each with what it says of how things are and whether it denies it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.evidence import claims, state_words
from agent.evidence.facts import Facts, Thing

#: (attribute, value): `("lock", "locked")`.
Key = tuple[str, object]

ALL: Final = re.compile(
    r"\b(?:all|both|every|each|everything|alle|alles|beide|todas?|todos?|ambas?|ambos|tou(?:t|te|tes|s))\b",
    re.IGNORECASE,
)
HOUSE: Final = re.compile(r"\b(?:alarm|house|home|security system|alarmanlage|alarma|alarme|system)\b", re.IGNORECASE)
_CLAUSE: Final = re.compile(
    r"\s*(?:[;,]|:(?=\s+(?:it|they|the|all|both|every\w*|no|i)\b)|\u2014|\s-\s"
    r"|\b(?:and(?! \d{1,2}(?::\d\d)? ?[ap]\.?m)|but|while|und|aber|y|pero|et|mais)\b)\s*",
    re.IGNORECASE,
)
#: What is only supposed, asked or offered.
_SUPPOSED: Final = re.compile(
    r"\b(?:when|whenever|if|once(?= (?:the|it|they|you|that|this|i|we|your|everything|all|both)\b)|unless|until"
    r"|as soon as|wenn|falls|cuando|quand|lorsque)\b[^,]*"
    r"|\b(?:devices|doors|windows|locks|lights|sensors|things|anything|something) (?:that|which) (?:go|goes|are|is)\b"
    r"[^,;]*"
    r"|\b(?:whether|which one|which of|so that|in case|to get|should be able|want|need|asked|ob)\b.*"
    r"|\b(?:between(?! \d{1,2}(?::\d\d)?\s*(?:[ap]\.?m|and \d{1,2}(?::\d\d| ?[ap]\.?m)))|range)\b.*",
    re.IGNORECASE,
)
_VERB: Final = re.compile(
    r"n't\b|\b(?:is|are|was|were|has|have|had|did|does|do|not|can|will|could|stays?|shows?|so|saw|sees|rang|went|came"
    r"|detected|heard|noticed)\b",
    re.IGNORECASE,
)
_PRESENT: Final = re.compile(r"(?:\b(?:is|are|stays?|remains?|reads?|shows?|currently|now)|'(?:s|re))\b", re.IGNORECASE)
#: It belongs to what stands before it.
_TRAILS: Final = re.compile(
    r"^(?:most recent|(?:the )?(?:last|latest|first)\b|both\b|each\b|at \d|with\b|between\b|from\b|around\b)",
    re.IGNORECASE,
)
#: "Garage: opened twice", "unlocked at 8:02".
_DATED: Final = re.compile(r"\b(?:once|twice|thrice|\w+ times)\b|\d\s?[x\u00d7](?!\w)|\bat \d|\d:\d\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clause:
    """`denied`: it says that something is not so. `past`: that it was. `states`: how it says that things are."""

    text: str
    denied: bool
    past: bool
    states: list[Key]


def supposed_left_out(sentence: str) -> str:
    """The sentence without what is only a condition, a choice or an offer in it."""
    return _SUPPOSED.sub(" ", sentence)


def clauses(sentence: str, facts: Facts) -> Iterator[Clause]:
    """What has a claim in it; what has none belongs to the next, or to the one before when it is only a name.

    A clause without a verb of its own ("was unlocked twice and locked once") is in the past when the one before it is.
    """
    past = False
    for text, core, states in _held_together(sentence, facts):
        is_now = _PRESENT.search(text) is not None
        past = state_words.PAST.search(text) is not None or (not is_now and (past or _DATED.search(text) is not None))
        yield Clause(text, state_words.NOT.search(core) is not None, past, states)


def _held_together(sentence: str, facts: Facts) -> Iterator[tuple[str, str, list[Key]]]:
    """Each with the part of it that holds its states, and these."""
    held, core, keys = "", "", list[Key]()
    for part in _CLAUSE.split(sentence):
        states = states_said(part, facts)
        trails = not states and _TRAILS.search(part) is not None and not _VERB.search(part)
        if not trails and ((keys and (states or _VERB.search(part))) or (not keys and _VERB.search(held))):
            yield held, core or held, keys
            held, core, keys = "", "", []
        held = f"{held}, {part}" if held else part
        if states:
            core, keys = part, states
    if held:
        yield held, core or held, keys


def states_said(text: str, facts: Facts) -> list[Key]:
    """How the text says that something is, whatever it says it of."""
    for name in claims.things_named(text, facts.names):
        text = re.sub(re.escape(name), "it", text, flags=re.IGNORECASE)
    found = [key for key, pattern in state_words.STATES.items() if pattern.search(text)]
    if HOUSE.search(text) and ("open", True) not in found:
        found = [("armed", value) if attribute == "on" else (attribute, value) for attribute, value in found]
    return found


def named(text: str, facts: Facts) -> list[Thing]:
    """The things that the text calls by their names."""
    return facts.about(claims.things_named(text, facts.names))


def without_names(text: str, facts: Facts) -> str:
    """The text with "it" for every name: a sensor called "Hall motion" has seen nothing yet."""
    for name in claims.things_named(text, facts.names):
        text = re.sub(rf"{re.escape(name)}(?! (?:saw|detected|sensed))", "it", text, flags=re.IGNORECASE)
    return text
