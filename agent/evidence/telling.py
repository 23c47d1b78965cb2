"""Cuts a sentence into what it tells of things: to which of them what happened, how often, when, and when last."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from agent.evidence import claims, state_words, times
from agent.evidence.event_words import DONE, NOTICED, Happening
from agent.evidence.facts import Facts, Thing
from agent.evidence.numbers import FROM_ONE, SPELLED
from agent.evidence.standing import of_kind

_N: Final = rf"\d+|{FROM_ONE}|zero"
_TIMES: Final = re.compile(
    rf"(?:\b(?P<how>at least|more than|over|about|around|roughly|nearly|almost|approximately|some)\s+)?"
    rf"\b(?:(?P<once>once|twice|thrice)|(?P<n>{_N})\s+(?:(?:separate|different|more)\s+)?times|(?P<x>\d+)\s?[x\u00d7](?!\w)"
    r"|(?P<vague>(?:a (?:couple|few|number)(?: of)?|several|multiple|many|numerous|a few) times|repeatedly))",
    re.IGNORECASE,
)
#: "38 in the hallway", after "41 times in the living room".
_SO_MANY: Final = re.compile(r"\b(?P<n>\d+)\s+(?=(?:in|at|from|for|by)\s+(?:the|your)\b)", re.IGNORECASE)
#: "3 motion events", "two unlocks": before the noun, and what makes a noun of it.
_BEFORE: Final = re.compile(rf"\b(?P<n>{_N}|a single)\s+(?:(?!of\b)[a-z]+\s+)?$", re.IGNORECASE)
_AFTER: Final = re.compile(
    r"(?:(?<=s)(?<!ss)|\s+(?:events?|detections?|alerts?|activations?|sightings?|triggers?))\b(?!\s*sensor)",
    re.IGNORECASE,
)
_NEWEST: Final = re.compile(
    r"\b(?:most recent(?:ly)?|latest|lastly|final(?:ly)?"
    rf"|last(?! (?:night|hours?|days?|weeks?|months?|few|couple|half|(?!one\b)(?:{_N})|year|evening|\w+day\b)))\b",
    re.IGNORECASE,
)
_OLDEST: Final = re.compile(r"\b(?:first|earliest|starting|beginning)\b(?=[^,;]{0,60}\d)", re.IGNORECASE)
_SINCE: Final = re.compile(
    r"\b(?:since|after|before|until|till|by|as of|currently|now)\s+(?:about |around |\()?$", re.IGNORECASE
)
_SAW: Final = re.compile(
    r"\b(?:saw|seen|sees|detected|sensed|noticed|reported|recorded|registered|logged|picked up|spotted|had|heard"
    r"|showed|of|was|were)\s+(?:\w+\s+){0,2}$",
    re.IGNORECASE,
)
_IS: Final = re.compile(
    r"(?:\b(?:is|are|be|stays?|stayed|remains?|remained)|['\u2019](?:s|re))\s+(?:\w+ly\s+|now\s+|still\s+)*$",
    re.IGNORECASE,
)
_OF_A_KIND: Final = re.compile(
    r"(?:^|[:,;(\n-]\s*|\b(?:the|your|both|all|each|every|and)\s+)(?:\w+ )?(?P<kind>\w+)\b", re.IGNORECASE
)
#: What is said not to have happened.
_DENIED: Final = re.compile(
    r"(?:n't|\b(?:no|not|never|nobody|nothing|no one|none|without))(?: (?!only|just|but)\w+){0,3}\s*$", re.IGNORECASE
)
_JOINT: Final = re.compile(r"[,;:()\n]|\b(?:and|while|but|then|whereas)\b", re.IGNORECASE)
#: Between a clock and the word that says that it was the last, in characters.
_NEAR: Final = 60

_Sort = Literal["thing", "kind", "count", "clock", "newest", "oldest", "break"]


class Often(NamedTuple):
    """How often, both ends included."""

    least: int
    most: int


class _Token(NamedTuple):
    start: int
    end: int
    sort: _Sort
    value: Any = None


@dataclass(slots=True)
class Told:
    """One run of a sentence. `things` empty: of whatever it happened to; `kinds` each with its count, None when none.

    `at`, `newest` and `oldest` are the words about when it was; `scope` the rest of the words. `denied` are the kinds
    that it says did not happen.
    """

    first: _Sort
    text: str = ""
    scope: str = ""
    things: list[Thing] = field(default_factory=list)
    kinds: list[tuple[Happening, Often | None]] = field(default_factory=list)
    denied: list[Happening] = field(default_factory=list)
    at: list[str] = field(default_factory=list)
    newest: str = ""
    oldest: str = ""
    #: While it is put together: a count that waits for what it counts, "most recently" that waits for its clock, what
    #: was taken over from the run before, whether the things are called by name, and whether something came after them.
    held: Often | None = None
    waits: Literal["", "newest", "oldest"] = ""
    waits_from: int = 0
    old_things: bool = False
    old_kinds: bool = False
    by_name: bool = False
    anywhere: bool = False
    since_thing: bool = False

    def counted(self) -> bool:
        """Whether it says how often or when something happened."""
        return bool(self.at or self.newest or self.oldest or any(often for _, often in self.kinds))

    def full(self) -> bool:
        """Every kind has its count."""
        return bool(self.kinds) and all(often is not None for _, often in self.kinds)


def told(sentence: str, before: Sequence[Thing], facts: Facts) -> list[Told]:
    """The runs in order; an "it" means the things before it (`before`: those of the sentence before)."""
    sentence = times.plain(sentence)
    tokens = sorted(_tokens(sentence, facts), key=lambda t: (t.start, t.sort))
    runs: list[Told] = []
    starts: list[int] = []
    broken = False
    for at, token in enumerate(tokens):
        previous = tokens[at - 1] if at else None
        if token.sort == "break":
            broken = True
            continue
        run = runs[-1] if runs else None
        if run is None or broken or _begins(run, token, previous, sentence):
            runs.append(_fresh(run, token, sentence, broken=broken, before=before))
            starts.append(_start(sentence, previous, token) if len(runs) > 1 else 0)
            broken = False
        _add(runs[-1], token, tokens[at + 1] if at + 1 < len(tokens) else None, previous, sentence)
    ends = [*starts[1:], len(sentence)] if runs else []
    for run, start, end in zip(runs, starts, ends, strict=True):
        run.text = sentence[start:end]
        run.scope = _without(run.text, [*run.at, run.newest, run.oldest])
    return runs


def _start(sentence: str, previous: _Token | None, token: _Token) -> int:
    """Where the words of a run begin: behind the last joint before its first token."""
    end = previous.end if previous is not None else 0
    joints = list(_JOINT.finditer(sentence, end, token.start))
    return joints[-1].end() if joints else end if previous is not None and previous.sort == "break" else token.start


def _without(text: str, phrases: Sequence[str]) -> str:
    for phrase in phrases:
        text = text.replace(phrase, " ", 1) if phrase else text
    return text


def _is_subject(token: _Token, sentence: str) -> bool:
    """Something noticed stands by itself ("motion was detected"), it is not what a sensor saw."""
    return token.sort == "kind" and token.value in NOTICED and not _SAW.search(sentence[: token.start])


def _begins(run: Told, token: _Token, previous: _Token | None, sentence: str) -> bool:
    """Whether another run begins with this token."""
    match token.sort:
        case "thing":
            if run.old_things:
                return False
            if run.first in ("kind", "count"):
                return run.since_thing or run.held is not None
            return bool(run.things) and bool(run.kinds or run.held or run.counted())
        case "kind":
            if run.old_kinds:
                between = sentence[previous.end if previous is not None else 0 : token.start]
                return run.full() and _JOINT.search(between) is not None
            if run.first in ("kind", "count") and run.things and run.kinds:
                return True
            if run.kinds and _is_subject(token, sentence):
                return True
            return run.first != "clock" and bool(run.at or run.newest)
        case "clock":
            return run.first == "clock" and bool(run.kinds) and not run.waits
        case "count":
            return run.full()
        case _:
            return False


def _fresh(
    run: Told | None, token: _Token, sentence: str, *, broken: bool, before: Sequence[Thing]
) -> Told:  # fmt: skip
    """A run that has over from the one before it what it does not say itself."""
    if run is None:
        return Told(first=token.sort, things=list(before), old_things=bool(before))
    fresh = Told(first=token.sort, held=run.held)
    run.held = None
    if run.first == "clock" and token.sort == "thing" and not broken:
        fresh.first, fresh.at = "clock", list(run.at)
    if _is_subject(token, sentence):
        return fresh
    if token.sort != "thing":
        fresh.things, fresh.old_things, fresh.by_name = list(run.things), bool(run.things), run.by_name
        if not broken and token.sort == "kind" and run.first not in ("kind", "count"):
            fresh.first, fresh.old_things = run.first, False
    if token.sort != "kind" and run.kinds:
        fresh.kinds = [(kind, fresh.held) for kind, _ in run.kinds]
        fresh.held, fresh.old_kinds = None, True
    return fresh


def _add(run: Told, token: _Token, after: _Token | None, previous: _Token | None, sentence: str) -> None:
    if token.sort in ("count", "clock", "newest"):
        run.since_thing = bool(run.things) and not run.old_things
    match token.sort:
        case "thing":
            _add_things(run, *token.value)
        case "kind":
            if run.old_kinds:
                run.held = run.held or run.kinds[0][1]
                run.kinds, run.old_kinds = [], False
            if _DENIED.search(sentence[: token.start]):
                run.denied.append(token.value)
            run.kinds.append((token.value, run.held))
            run.held = None
        case "count" if run.full() or not run.kinds:
            run.held = token.value
        case "count":
            run.kinds = [(kind, token.value if often is None else often) for kind, often in run.kinds]
        case "newest" | "oldest":
            near = previous is not None and previous.sort == "clock" and token.start - previous.end <= _NEAR // 3
            if near and run.at and (after is None or after.sort != "clock"):
                setattr(run, token.sort, run.at.pop())
            else:
                run.waits, run.waits_from = token.sort, token.start
        case "clock":
            start = previous.end if previous is not None else 0
            phrase = sentence[start : after.start if after is not None else len(sentence)]
            joint = _JOINT.search(phrase, token.end - start)
            phrase = phrase[: joint.start()] if joint else phrase
            if run.waits and token.start - run.waits_from <= _NEAR:
                setattr(run, run.waits, phrase)
                run.waits = ""
            else:
                run.at.append(phrase)


def _add_things(run: Told, things: Sequence[Thing], by_name: bool) -> None:
    """Those that are called by name count more than those of a room or a kind."""
    if run.old_things or not run.things or (by_name and not run.by_name):
        run.things, run.by_name, run.old_things = list(things), by_name, False
    elif by_name == run.by_name:
        run.things += [t for t in things if not any(t is x for x in run.things)]


def _tokens(sentence: str, facts: Facts) -> Iterator[_Token]:
    text = sentence
    for name in sorted(claims.things_named(sentence, facts.names), key=len, reverse=True):
        for found in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE):
            yield _Token(found.start(), found.end(), "thing", (facts.about([name]), True))
            text = f"{text[: found.start()]}{' ' * len(found.group(0))}{text[found.end() :]}"
    for room, things in rooms(facts).items():
        for found in re.finditer(
            rf"\b{re.escape(room[: max(4, len(room) - 3)])}\w*(?P<kind> \w+)?", text, re.IGNORECASE
        ):
            yield _Token(found.start(), found.end(), "thing", (things, False))
            if (found.group("kind") or "").strip().casefold() in state_words.KINDS:
                text = f"{text[: found.start()]}{' ' * len(found.group(0))}{text[found.end() :]}"
    for found in _OF_A_KIND.finditer(text):
        kind = found.group("kind").casefold()
        if kind in state_words.KINDS and (things := of_kind(kind, "", facts)):
            yield _Token(found.start("kind"), found.end("kind"), "thing", (things, False))
    yield from _happenings(text)
    for found in _SO_MANY.finditer(text):
        n = int(found.group("n"))
        yield _Token(found.start(), found.end(), "count", Often(n, n))
    for found in _TIMES.finditer(text):
        if (often := _often(found)) is not None:
            yield _Token(found.start(), found.end(), "count", often)
    ranges = [m.span() for m in times.RANGE.finditer(text)]
    for found in times.CLOCK.finditer(text):
        inside = any(start <= found.start() < end for start, end in ranges)
        if not inside and not _SINCE.search(text[: found.start()]):
            yield _Token(found.start(), found.end(), "clock")
    for found in _NEWEST.finditer(text):
        yield _Token(found.start(), found.end(), "newest")
    for found in _OLDEST.finditer(text):
        yield _Token(found.start(), found.end(), "oldest")
    for found in re.finditer(";", text):
        yield _Token(found.start(), found.end(), "break")


def _happenings(text: str) -> Iterator[_Token]:
    for kind in (*NOTICED, *DONE.values()):
        for found in kind.said.finditer(text):
            if kind not in NOTICED and _IS.search(text[: found.start()]):
                continue
            number = _BEFORE.search(text[: found.start()])
            if number and _AFTER.match(text, found.end()):
                word = number.group("n").casefold()
                n = int(word) if word.isdecimal() else SPELLED.get(word, 1)
                yield _Token(number.start(), number.end(), "count", Often(n, n))
            yield _Token(found.start(), found.end(), "kind", kind)


def _often(found: "re.Match[str]") -> Often | None:
    if found.group("vague"):
        return Often(2, 10**9)
    if found.group("once"):
        n = {"once": 1, "twice": 2, "thrice": 3}[found.group("once").casefold()]
    else:
        word = (found.group("n") or found.group("x")).casefold()
        n = int(word) if word.isdecimal() else SPELLED.get(word, 1)
    how = (found.group("how") or "").casefold()
    if how in ("at least", "more than", "over"):
        return Often(n + (how != "at least"), 10**9)
    slack = max(1, n // 10) if how else 0
    return Often(n - slack, n + slack)


def in_rooms(text: str, facts: Facts) -> list[Thing]:
    """The things in the rooms that a text names."""
    lowered = text.casefold()
    return [t for room, things in rooms(facts).items() if room[: max(4, len(room) - 3)] in lowered for t in things]


def rooms(facts: Facts) -> dict[str, list[Thing]]:
    """The things by the room that they are in, casefolded."""
    found: dict[str, list[Thing]] = {}
    for thing in facts.things.values():
        if area := str(thing.values.get("area") or "").casefold():
            found.setdefault(area, []).append(thing)
    return found
