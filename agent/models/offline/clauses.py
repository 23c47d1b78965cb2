"""A sentence as the clauses that each ask for one thing: "lock the door and turn off the lamp" are two."""

import re
from collections.abc import Iterable, Sequence

from agent.models.offline.frames import Frame, frame
from agent.models.offline.sparing import stays
from agent.models.offline.stories import story
from homeguard.kinds import name_words, singular
from homeguard.model import Device

#: What people say before what they want done: it is a request of its own (a mode of the house) or a greeting.
_FAREWELL = re.compile(
    r"^(?:(?:ok|okay|well) )?(?:good ?(?:night|morning|evening|bye)|bye|thanks|thank you|hello|hi)(?: \w+)?$"
)
#: What is left out belongs to the clause before it.
_EXCEPTION = re.compile(
    r"^(?:with (?:the )?exception|except|excepting|excluding|apart from|aside from|other than|besides|save(?: for)? "
    r"(?:the|my|our)|minus|barring|all (?:of them )?(?:but|except|save))\b"
)
_REMARK = re.compile(
    r"^(?:the |my |our )?(?:i|we|they|he|she|kids|children|everyone|everybody|baby|dog|guests) (?:is|are|am|have|has)\b"
)
#: A list or a timer is a request of its own.
_KEPT = re.compile(r"\b(?:lists?|timers?|remind (?:me|us)|reminder)\b")
_NOTED = re.compile(
    r"^(?:(?:then|also|please|and|can you) )*(?:set|start|begin|add|stick|put|create) (?:me )?(?:an? |my )?"
)
_GOES = re.compile(r"\b(?:goes|go|belongs?) (?:on|onto|to) (?:the|my|our) .*list\b")
_SETS = re.compile(r"^(?:(?:then|also|please|and) )*(?:set|change|make|put|adjust) (?:the|my|our|all)\b")
_HARD = frozenset((".", ";", "?", "!"))
_SOFT = frozenset((",", "and", "then", "but", "also", "plus", "while"))


def clauses(
    words: Sequence[str], devices: Sequence[Device], places: Iterable[str] = ()
) -> list[tuple[tuple[str, ...], list[str]]]:
    """The clauses of `words.tokens(...)`, in order, each with what joins it to the one before: `((), ["lock", ...])`.

    A list of names stays in its clause.
    """
    places = tuple(places)
    out: list[tuple[tuple[str, ...], list[str]]] = []
    for sentence in _sentences(words):
        current: list[str] = []
        opened: tuple[str, ...] = (".",) if out else ()
        for joint, segment in _segments(sentence):
            if current and _own(segment, devices, places) and _stands(current, devices, places):
                out.append((opened, current))
                current, opened = list(segment), tuple(joint)
            elif current:
                current = [*current, *joint, *segment]
            else:
                current, opened = list(segment), (*opened, *joint)
        if current:
            out.append((opened, current))
    return out


def _sentences(words: Sequence[str]) -> list[list[str]]:
    out: list[list[str]] = [[]]
    for word in words:
        if word in _HARD:
            if word == "?" and out[-1]:
                out[-1].append("?")
            out.append([])
        else:
            out[-1].append(word)
    return [s for s in out if any(w not in _HARD for w in s)]


def _segments(words: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    out: list[tuple[list[str], list[str]]] = []
    joint: list[str] = []
    part: list[str] = []
    for word in words:
        if word in _SOFT:
            if part:
                out.append((joint, part))
                joint, part = [], []
            joint = [*joint, word]
        else:
            part.append(word)
    if part:
        out.append((joint, part))
    elif out and joint:
        pass
    return out


def _own(segment: Sequence[str], devices: Sequence[Device], places: Iterable[str]) -> bool:
    """Whether a segment asks for something by itself."""
    text = " ".join(segment)
    if _EXCEPTION.match(text):
        return False
    if _NOTED.match(text) and _KEPT.search(text):
        return True
    if _REMARK.match(text) or _GOES.search(text) or _beside(segment, devices, places):
        return True
    if stays(segment) or any(
        text.startswith(k) for k in ("leave ", "keep ", "not ", "dont ", "do not ", "just ", "instead", "if ")
    ):
        return True
    found = frame(segment, devices, places)
    return _acts(found) or (_SETS.match(text) is not None and found.actions == ("set",) and "to" in segment)


def _beside(segment: Sequence[str], devices: Sequence[Device], places: Iterable[str]) -> bool:
    """Whether it tells of what the home has not: "the plumber has come"."""
    words = {singular(w) for w in segment}
    home = {singular(w) for d in devices for n in (d.name, d.area, d.type, *d.aliases) for w in name_words(n)}
    return not words & home and story(frame(segment, devices, places))


def _stands(words: Sequence[str], devices: Sequence[Device], places: Iterable[str]) -> bool:
    """Whether the words before are a clause of their own: one that asks, or a remark ("I am cold")."""
    text = " ".join(words)
    if _FAREWELL.match(text) or _KEPT.search(text):
        return True
    found = frame(words, devices, places)
    return _acts(found) or story(found) or stays(words) or bool({"am", "is", "are", "feel", "seems"} & set(found.words))


def _acts(found: Frame) -> bool:
    if found.actions == ("set",) and not found.has_value and not found.attribute:
        return False
    return bool(found.actions) or found.question or found.negated or found.words[:1] in (("leave",), ("keep",))
