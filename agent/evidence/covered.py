"""Whether what a sentence says of the home is borne out, clause by clause: states, groups, counts, events and deeds.

A claim stands only when something of this turn says so. What no clause is recognised in is left to the other checks.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.evidence import claims, counts, event_words, happenings, plain_words, qualities, state_words
from agent.evidence.clauses import Clause, Key, clauses, named, supposed_left_out
from agent.evidence.deed_words import ACTIVE
from agent.evidence.deeds import did, undone
from agent.evidence.facts import Facts, Thing
from agent.evidence.outcomes import all_confirmed
from agent.evidence.standing import denies, holds, stands, things_meant

_MODE: Final = re.compile(
    r"\b(?:in|to|into)\s+(?:the\s+)?(?P<mode>home|away|sleep|night|vacation|guest|party|movie)\s+mode\b"
    r"|\bmode is (?:now )?(?P<mode2>home|away|sleep|night|vacation|guest)\b",
    re.IGNORECASE,
)
_UNDER_WAY: Final = re.compile(
    r"\b(?:is|are|'s|'re)\s+(?:now\s+|just\s+)?(?:being\s+\w+ed|(?:un)?(?:lock|clos|open|shutt|turn|switch|arm|dimm|start"
    r"|heat|cool|warm)ing\b)",
    re.IGNORECASE,
)
_ABLE: Final = re.compile(r"\b(?:can|may|might|could|would)\b", re.IGNORECASE)
_BY_US: Final = re.compile(r"\bby (?:me|us)\b", re.IGNORECASE)
_BE: Final = re.compile(r"\b(?:is|are|was|were|has|it)\b", re.IGNORECASE)
_NONE_OF: Final = re.compile(r"\b(?:no|none of(?: the| your)?|neither|kein\w*)\s+\w+", re.IGNORECASE)
_NOT_TODAY: Final = ("last", "yesterday", "since", "between", "than", "other", "else")
_NOBODY: Final = frozenset(
    ("i", "we", "homeguard", "it", "they", "nobody", "nothing", "no", "successfully", "now", "just", "already")
)
#: Of a sentence no more is looked at.
_LONGEST: Final = 4_000


def uncovered(
    sentence: str, commands: Sequence[Mapping[str, Any]], facts: Facts, before: Sequence[Thing] = (), *,
    only_deeds: bool = False,
) -> str:  # fmt: skip
    """What kind of claim nothing of this turn bears out ("done", "state", "event", "number", "thing"), `""` when none.

    `sentence` without quotations, and no question or offer; `before` are the things that an "it" in it means.
    With `only_deeds` nothing but what was done or is under way is looked at.
    """
    plain = state_words.COURTESY.sub(" ", sentence.replace("\u2019", "'").replace("*", "").replace("_", " "))[:_LONGEST]
    plain = supposed_left_out(plain)
    quick = "done" if undone(plain, commands, facts) else "" if only_deeds else _whole(plain, commands, facts)
    if quick:
        return quick
    for clause in clauses(plain, facts):
        judge = _deed if only_deeds else _clause
        if found := judge(clause, plain, before, commands, facts):
            return found
        before = named(clause.text, facts) or things_meant(clause.text, facts) or before
    return ""


def _whole(text: str, commands: Sequence[Mapping[str, Any]], facts: Facts) -> str:
    """Claims that concern the sentence as a whole."""
    denied = state_words.NOT.search(text) is not None
    home = facts.things[""].values
    sealed = state_words.SEALED.search(text) or (state_words.SECURE.search(text) and not denied)
    if sealed and home.get("all_secure") is not True:
        locks = named(text, facts)
        shut = all_confirmed(commands) and any(c.get("command") in ("lock", "arm", "close") for c in commands)
        if not (locks and all(t.values.get("lock") == "locked" for t in locks)) and not shut:
            return "state"
    if event_words.ABSENT.search(text) and not event_words.UNCHANGED.search(text):
        if not facts.read and (facts.errors or not (commands or facts.things.keys() - {""})):
            return "event"
        if event_words.QUIET.search(text) and _of_today(text, facts):
            return "event"
    mode = _MODE.search(text)
    if mode and not denied:
        said = (mode.group("mode") or mode.group("mode2")).casefold()
        known = {str(home.get("mode")), str(home.get("active_mode"))}
        if not known & ({said, "sleep"} if said == "night" else {said}):
            return "state"
    if found := counts.miscounted(text, facts):
        return found
    return "event" if _unknown_actor(text, facts) else "thing" if _stranger(text, facts) else ""


def _of_today(text: str, facts: Facts) -> bool:
    lowered = f"{text.casefold()} {facts.words}"
    today = facts.now.astimezone(facts.zone).date()
    return not any(w in lowered for w in _NOT_TODAY) and any(
        e.at.astimezone(facts.zone).date() == today for e in facts.events
    )


def _stranger(text: str, facts: Facts) -> bool:
    """It speaks of something as its subject that nobody has said and no result holds."""
    found = plain_words.SUBJECT.search(text)
    if not found or claims.things_named(found.group(1), facts.names):
        return False
    words = re.findall(r"[^\W_]+", found.group(1).casefold().removesuffix("'s"))
    head = words[-1] if words else ""
    return not any(form in known for form in (head, head.rstrip("s")) for known in (plain_words.TALK, facts.vocabulary))


def _unknown_actor(text: str, facts: Facts) -> bool:
    """It names somebody as the one who did it, and no event does."""
    for found in event_words.ACTOR.finditer(text):
        who = found.group(1).casefold().partition("'")[0]
        first = who.split()[-1] if who.strip() else "i"
        if first in plain_words.TALK or first in claims.STATES or claims.things_named(who, facts.names):
            continue
        if first not in _NOBODY | facts.actors and not any(first in n.split() for n in facts.names):
            return True
    return False


def _clause(
    clause: Clause, sentence: str, before: Sequence[Thing], commands: Sequence[Mapping[str, Any]], facts: Facts
) -> str:  # fmt: skip
    text, denied, past = clause.text, clause.denied, clause.past
    things = named(text, facts)
    if not denied:
        if qualities.percent_unknown(text, things, facts):
            return "number"
        if happenings.unseen(clause, sentence, things, facts):
            return "event"
        if happenings.lasts_otherwise(clause, things or before, facts):
            return "time"
        if found := qualities.appearance(text, things, facts):
            return found
    if counts.HOW_MANY.search(text) or (not things and _ABLE.search(text)):
        return ""
    if not denied and _under_way(text, commands):
        return "done"
    if denied and clause.states and past and facts.errors and not facts.read:
        return "event"
    if not denied and not clause.states and things and qualities.unheard(text, facts):
        return "state"
    if denied:
        return "state" if any(_denied_falsely(key, text, things, facts) for key in clause.states if not past) else ""
    active = _active(text, sentence)
    for key in clause.states:
        if active and facts.things.keys() - {""} and not did(key, text, things, commands, facts):
            return "done"
        if past and happenings.event_of(key, text, things or things_meant(text, facts) or before, facts):
            continue
        if not stands(key, text, things, before, commands, facts, past):
            return "state"
    return ""


def _deed(
    clause: Clause, sentence: str, _: Sequence[Thing], commands: Sequence[Mapping[str, Any]], facts: Facts
) -> str:  # fmt: skip
    """Of the clause only what it says was done by this turn, or is under way."""
    text = clause.text
    if clause.denied:
        return ""
    if _under_way(text, commands):
        return "done"
    if not (_active(text, sentence) and facts.things.keys() - {""}):
        return ""
    things = named(text, facts)
    return "" if all(did(key, text, things, commands, facts) for key in clause.states) else "done"


def _under_way(text: str, commands: Sequence[Mapping[str, Any]]) -> bool:
    """It says that something goes on that nothing was sent for."""
    return _UNDER_WAY.search(text) is not None and not any(c.get("outcome") in _ON_ITS_WAY for c in commands)


def _active(text: str, sentence: str) -> bool:
    return _BY_US.search(text) is not None or (ACTIVE.search(sentence) is not None and not _BE.search(text))


_ON_ITS_WAY: Final = ("sent", "confirmed", "waiting")


def _denied_falsely(key: Key, text: str, things: Sequence[Thing], facts: Facts) -> bool:
    """It says that something is not so that is so."""
    if things:
        return denies(text) and any(holds(t, key) is True for t in things)
    return _NONE_OF.search(text) is not None and any(holds(t, key) is True for t in things_meant(text, facts))
