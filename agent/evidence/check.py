"""Holds what a model says against what its turn knows: what is not borne out is mended or cut before anybody reads it.

A sentence is cut when it claims a change that no confirmed command made, a state that a result contradicts, or a
number, a time or a thing that neither a result nor the person's own words hold. What was not confirmed, and what a tool
could not tell, is said whatever the text says.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from agent.evidence import claims, happenings, state_words
from agent.evidence.clauses import named, supposed_left_out
from agent.evidence.covered import uncovered
from agent.evidence.facts import Facts, Thing
from agent.evidence.links import without_links
from agent.evidence.measures import spelled_out, unknown_degrees, unknown_unit
from agent.evidence.numbers import FROM_TWO, SPELLED, is_known, value_of
from agent.evidence.outcomes import say_outcomes
from agent.evidence.sentences import split
from agent.evidence.standing import holds, things_meant
from agent.evidence.telling import in_rooms
from agent.evidence.times import unknown_times, without_times
from agent.evidence.unread import said_unread

#: "and 9 more" is what a list was cut by.
_NUMBER: Final = re.compile(r"(?<![\w.,:/-])[-\u2212]?\d+(?:[.,]\d+)*(?![\w]*\d)(?! (?:more|others)\b)")
_COUNT_WORD: Final = re.compile(
    rf"\b({FROM_TWO})\s+(?:of\s+|\w+\s+){{0,3}}?"
    r"(?:devices?|doors?|locks?|lights?|lamps?|windows?|sensors?|cameras?|times?|events?|alerts?|motions?|rules?"
    r"|automations?|anomalies|people|persons?|tries|attempts?)\b",
    re.IGNORECASE,
)
_JSON: Final = re.compile(r"\"\s*:\s*\"")
_TAIL: Final = re.compile(
    r"(?:let me know|tell me|just (?:say|ask)|feel free)\b[^.!?]*(?:need|want|like|help|else|more)[^.!?]*[.!]?\s*$",
    re.IGNORECASE,
)
#: A report with a question behind it: "Locked, anything else?"
_ASKED: Final = re.compile(r"^(.*\w.*)[,;|\u2013\n](?!.*[,;|\u2013\n])[^,;|?]*\?\s*$", re.DOTALL)
_BUT: Final = re.compile(r",?\s+but\s+", re.IGNORECASE)
#: A stretch that is no longer than what was asked for says nothing new.
_STRETCH: Final = re.compile(r"\b(?:last|past) (?P<n>\d{1,4}) hours\b", re.IGNORECASE)
#: What is joined by it is told of different things, each with its own numbers and times.
_PART: Final = re.compile(r"\s*;\s*")
#: How something will be says nothing of how it is; whether a promise stands is judged by itself.
_PROMISED: Final = re.compile(r"\b(?:i|we|it|they|homeguard)(?:'ll| will| shall)\b[^,;.]*", re.IGNORECASE)
#: Pairs of times that a length of time is looked for among.
_TIMES: Final = 60

_CODE: Final = re.compile(r"^[A-Z][A-Z_]{2,40}: ")
_NOTE: Final = re.compile(r" \((?:field|allowed): .*\)$")

UNSUPPORTED: Final = "I cannot bear out what I was going to say with what this home told me, so I leave it unsaid."

UNREAD: Final = "I have not looked that up in this home, so I do not say how it is."


def may_be_shown(
    sentence: str, commands: Sequence[Mapping[str, Any]], facts: Facts | None = None, *, computed: bool = False
) -> bool:  # fmt: skip
    """Whether everything that the sentence claims is borne out so far; without `facts`, or when code worked the
    sentence out of them (`computed`), only what was done counts."""
    return not _faults(sentence, commands, facts, computed=computed)


def checked(
    text: str, commands: Sequence[Mapping[str, Any]], facts: Facts | None = None, *, computed: bool = False
) -> tuple[str, list[str]]:  # fmt: skip
    """The text as it may be shown, and the ids of what bears it out: confirmed commands, then the events that it names.

    A sentence that claims a change stands only when every command that it can mean was confirmed: those whose device
    it names, or all of the turn's when it names none. Of a text that code worked out of the facts (`computed`) only
    such claims are held against them: a count or an average that it made is in no result.
    """
    confirmed = [str(c["command_id"]) for c in commands if c.get("outcome") == "confirmed"]
    kept: list[str] = []
    cut: list[str] = []
    for sentence in split(without_links(text)):
        faults = _faults(sentence, commands, facts, computed=computed)
        if faults:
            cut.append(faults[0])
        else:
            kept.append(sentence)
    result = "".join(kept).strip()
    missing = [c for c in commands if c.get("outcome") != "confirmed" and not _told(result, c)]
    if "done" in cut or (cut and commands and not result):
        said = say_outcomes([c for c in commands if c in missing or c.get("outcome") == "confirmed"])
        result = f"{result} {said}".strip()
    elif missing:
        result = f"{result} {say_outcomes(missing)}".strip()
    if facts is not None:
        untold = [f"I could not find that out: {_plainly(e)}" for _, e in facts.errors if not claims.hedges(result)]
        result = " ".join([*filter(None, [result]), *dict.fromkeys(untold)])
        if cut and not result:
            result = UNSUPPORTED if facts.read or commands else UNREAD
    return result, confirmed


def _plainly(error: str) -> str:
    """What a tool said of its failure, without the code before it and the notes for programs behind it."""
    text = _NOTE.sub("", _CODE.sub("", " ".join(without_links(error).split())))[:300].rstrip(".")
    return f"{text}." if text else "the tool did not answer."


def _faults(
    sentence: str, commands: Sequence[Mapping[str, Any]], facts: Facts | None, *, computed: bool = False
) -> list[str]:  # fmt: skip
    """What in it is not borne out, by kind: done, state, event, number, time, thing; of what is `computed` only done.
    Each part by itself."""
    if computed and sentence.rstrip().endswith("?"):
        return []
    plain = sentence.replace('"', "") if _JSON.search(sentence) else claims.unquoted(sentence)
    plain = _TAIL.sub("", plain) or plain
    right: set[int] = set()
    if facts is not None and not computed and claims.is_fact(plain):
        wrong, right = happenings.miscounted(plain, (), facts)
        if wrong:
            return [wrong]
    before: list[Thing] = []
    for part in _PART.split(plain):
        if found := _part_faults(part, before, right, commands, facts, computed=computed):
            return found
        if facts is not None:
            before = named(part, facts) or things_meant(part, facts) or before
    return []


def _part_faults(
    part: str, before: Sequence[Thing], right: set[int], commands: Sequence[Mapping[str, Any]], facts: Facts | None,
    *, computed: bool = False,
) -> list[str]:  # fmt: skip
    """`before` are the things of the part before it, `right` the counts that are known to be right."""
    asked = _ASKED.match(part)
    if asked and (found := _part_faults(asked.group(1), before, right, commands, facts, computed=computed)):
        return found
    for side in _BUT.split(part):
        if claims.claims_done(side) and not _borne_out(side, commands, facts):
            return ["done"]
    went_out = any(c.get("outcome") in ("sent", "confirmed") for c in commands)
    if claims.claims_sent(part) and not went_out and not claims.hedges(part.replace("sent", "")):
        return ["done"]
    if not claims.is_fact(part):
        return []
    if claims.promises(part) and not _kept(commands, facts) and not claims.hedges(state_words.COURTESY.sub(" ", part)):
        return ["done"]
    if facts is None:
        return []
    if computed:
        return ["done"] if uncovered(part, commands, facts, before, only_deeds=True) else []
    if not (facts.read or commands or (facts.errors and claims.hedges(part))) and said_unread(part, facts):
        return ["state"]
    if kind := uncovered(part, commands, facts, before):
        return [kind]
    about = named(part, facts) or before
    found = []
    if _contradicted(_PROMISED.sub(" ", supposed_left_out(part)), about, commands, facts):
        found.append("state")
    about = [*about, *in_rooms(part, facts)]
    about = [*about, *things_meant(part, facts)] if about else []
    if _unknown_number(part, about, right, facts):
        found.append("number")
    if unknown_times(part, facts, _times(about, facts)):
        found.append("time")
    if not claims.hedges(part) and claims.strangers(part, facts.vocabulary):
        found.append("thing")
    return found


def _kept(commands: Sequence[Mapping[str, Any]], facts: Facts | None) -> bool:
    """Something is under way or done, so that a promise is more than words."""
    return any(c.get("outcome") in ("sent", "confirmed", "waiting") for c in commands) or bool(facts and facts.acts)


def _borne_out(sentence: str, commands: Sequence[Mapping[str, Any]], facts: Facts | None) -> bool:
    named = claims.things_named(sentence, {str(c.get("device", "")).casefold() for c in commands})
    if facts is not None and not named:
        known = facts.about(claims.things_named(sentence, facts.names))
        ids = {id_ for id_, thing in facts.things.items() if any(thing is k for k in known)}
        if ids:
            meant = [c for c in commands if c.get("device_id") in ids]
            return _all_did(sentence, meant) or _is_so(sentence, known)
    meant = [c for c in commands if str(c.get("device", "")).casefold() in named] if named else list(commands)
    return _all_did(sentence, meant)


def _all_did(sentence: str, meant: Sequence[Mapping[str, Any]]) -> bool:
    if not meant or any(c.get("outcome") != "confirmed" for c in meant):
        return False
    return all(any(str(c.get("command")) in wanted for c in meant) for wanted in claims.commands_claimed(sentence))


def _is_so(sentence: str, things: Sequence[Thing]) -> bool:
    """Nothing was done, but it is as the sentence says that it is ("the door is now locked")."""
    said = claims.states_claimed(sentence)
    return bool(said) and all(holds(thing, state) is True for thing in things for state in said)


def _contradicted(sentence: str, about: Sequence[Thing], commands: Sequence[Mapping[str, Any]], facts: Facts) -> bool:
    """It says how a named thing is, and the thing said otherwise, or nothing of the sort in this turn."""
    said = claims.states_claimed(sentence)
    if not said or claims.hedges(sentence):
        return False
    for thing in about:
        judged = [holds(thing, state) for state in said]
        if False in judged and True not in judged and not any(_was(thing, *state) for state in said):
            return True
    return False


#: What somebody would rely on has to be so now; of the others it is enough that it was so during the turn.
_RELIED_ON: Final = (("lock", "locked"), ("open", False), ("armed", True))


def _was(thing: Thing, attribute: str, value: object) -> bool:
    return (attribute, value) not in _RELIED_ON and any(
        holds(Thing(values={name: before}), (attribute, value)) for name, before in thing.seen
    )


def _unknown_number(sentence: str, about: Sequence[Thing], right: set[int], facts: Facts) -> bool:
    text = spelled_out(_STRETCH.sub(lambda m: " " if int(m.group("n")) <= facts.hours else m.group(0), sentence))
    text = without_times(text)
    if (not claims.hedges(text) and unknown_degrees(text, facts)) or unknown_unit(text, facts):
        return True
    known = _numbers(about, facts)
    spans = _spans(_times(about, facts), facts.now)
    for match in _NUMBER.finditer(text):
        raw = match.group(0).replace("\u2212", "-")
        number, decimals = value_of(raw)
        if number is None or number in facts.own_numbers or (decimals == 0 and number in facts.counts | right):
            continue
        if not is_known(number, decimals, known, spans):
            return True
    return any(
        SPELLED[m.group(1).casefold()] not in facts.counts | right
        and float(SPELLED[m.group(1).casefold()]) not in known | facts.own_numbers
        for m in _COUNT_WORD.finditer(text)
    )


def _numbers(about: Sequence[Thing], facts: Facts) -> set[float]:
    """What may be said as a number: of the things that are named, or of all where none is, and what concerns none."""
    things = [*about, facts.things[""]] if about else list(facts.things.values())
    return {n for thing in things for n in thing.numbers}


def _times(about: Sequence[Thing], facts: Facts) -> list[datetime]:
    things = [*about, facts.things[""]] if about else list(facts.things.values())
    return [at for thing in things for at in thing.times]


def _spans(times: Sequence[datetime], now: datetime) -> list[float]:
    some = list(islice(sorted(times, reverse=True), _TIMES))
    spans = [abs((now - at).total_seconds()) for at in some]
    return spans + [abs((a - b).total_seconds()) for i, a in enumerate(some) for b in some[i + 1 :]]


def _told(text: str, command: Mapping[str, Any]) -> bool:
    """The text names the device in a sentence that says that it is not done."""
    name = str(command.get("device", "")).casefold()
    return any(name in s.casefold() and claims.hedges(s) for s in split(text))
