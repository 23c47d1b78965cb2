"""Whether a thing is as it is said to be: by its own words, or because a confirmed command made it so."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.evidence import claims, state_words
from agent.evidence.clauses import ALL, HOUSE, Key
from agent.evidence.facts import Facts, Thing
from agent.evidence.outcomes import all_confirmed

_OF_IT: Final = re.compile(r"\b(?:its|their)\b", re.IGNORECASE)
_GUARDED: Final = frozenset(("away", "sleep", "night", "vacation"))
#: "is not locked": the negation is of the state itself.
_DENIES: Final = re.compile(
    r"(?:n't|\bnot|\bnicht|\bno)\s+(?:\w+\s+)?\w+\s*(?:any ?more|now|yet|at all|either|any longer)?\s*[.!]?$",
    re.IGNORECASE,
)


def holds(thing: Thing, key: Key) -> bool | None:
    """True or False when the thing's own words say so; None when they do not speak of it."""
    attribute, value = key
    values = thing.values
    match attribute:
        case "open":
            if isinstance(values.get("open"), bool):
                return values["open"] is value
            if values.get("cover") in ("open", "closed"):
                return (values["cover"] == "open") is value
            if isinstance(values.get("position_pct"), int | float):
                return (values["position_pct"] > 0) is value
            return None
        case "armed":
            state = values.get("arm_state")
            return None if not isinstance(state, str) else (state != "disarmed") is value
        case "on":
            if isinstance(values.get("on"), bool):
                return values["on"] is value
            mode = values.get("hvac_mode")
            return None if not isinstance(mode, str) else (mode != "off") is value
        case _:
            return None if attribute not in values else values[attribute] == value


def stands(
    key: Key, text: str, named: Sequence[Thing], before: Sequence[Thing], commands: Sequence[Mapping[str, Any]],
    facts: Facts, past: bool,
) -> bool:  # fmt: skip
    """Whether everything that a clause means is so; `past`: it is enough that it was during the turn.

    `named` are the things in the clause, `before` those of the clause before it, for an "it".
    """
    things = list(named)
    if key[0] == "armed" or (not things and key[0] not in ("on", "open", "lock", "online") and HOUSE.search(text)):
        things = [facts.things[""]]
    if not things and before and _OF_IT.search(text):
        things = list(before)
    if not things:
        things = things_meant(text, facts, [str(c.get("device_id")) for c in commands])
        if not things and before and not re.search(r"\b(?:the|your) \w+", text, re.IGNORECASE):
            things = list(before)
    if not things and commands:
        ids = [str(c.get("device_id")) for c in commands if c.get("device_id")]
        things = [facts.things[i] for i in dict.fromkeys(ids) if i in facts.things]
        if not things:
            return all_confirmed(commands)
    if not things:
        things = [t for t in facts.things.values() if holds(t, key) is not None]
    if not things:
        return False
    able = [t for t in things if holds(t, key) is not None]
    if past and able and all(_was_once(t, key) for t in able):
        return True
    if key == ("armed", True) and "set_home_mode" in facts.acts and facts.things[""].values.get("mode") in _GUARDED:
        return True
    if named and things == list(named) and (names := claims.things_named(text, facts.names)):
        # a name may be that of two things: of a door and its lock
        return all(_all_so([holds(t, key) for t in facts.about([name])]) for name in names)
    judged = [holds(t, key) for t in things]
    strict = key[0] == "open" and ALL.search(text) and re.search(r"door|t[üu]r|puerta|porte", text, re.IGNORECASE)
    return _all_so(judged) if len(things) > 1 and not strict else all(j is True for j in judged)


def _all_so(judged: Sequence[bool | None]) -> bool:
    """Something speaks of it, and all that does says so."""
    said = [j for j in judged if j is not None]
    return bool(said) and all(said)


def denies(text: str) -> bool:
    """Whether it is the state at its end that the text denies."""
    return _DENIES.search(text.strip()) is not None


def _was_once(thing: Thing, key: Key) -> bool:
    return any(holds(Thing(values={name: value}), key) is True for name, value in thing.seen)


def things_meant(text: str, facts: Facts, commanded: Sequence[str] = ()) -> list[Thing]:
    """The things of a kind that the text speaks of; of one thing, that which was commanded."""
    words = re.findall(r"[^\W_]+", text.casefold())
    for word in words:
        if word not in state_words.KINDS:
            continue
        things = of_kind(word, text, facts)
        mine = [facts.things[i] for i in commanded if i in facts.things and any(facts.things[i] is t for t in things)]
        return mine if mine and not ALL.search(text) else things
    if ALL.search(text) and not commanded:
        return [t for id_, t in facts.things.items() if id_]
    return []


def of_kind(word: str, text: str, facts: Facts) -> list[Thing]:
    """The things of a kind ("doors"), those in the rooms that the text names if there are such."""
    kinds = state_words.KINDS.get(word, state_words.KINDS.get(word.rstrip("s"), (word.rstrip("s"),)))
    lowered = text.casefold()
    found = [t for id_, t in facts.things.items() if id_ and any(k in _said_of(t) for k in kinds)]
    near = [t for t in found if str(t.values.get("area") or "\0").casefold() in lowered]
    return near or found


def _said_of(thing: Thing) -> str:
    return f"{str(thing.values.get('type', '')).casefold()} {' '.join(thing.names)}"
