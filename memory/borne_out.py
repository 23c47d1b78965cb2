"""Whether what an agent would keep of a person was said by that person. In doubt it was not. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from homeguard.recollection import folded
from memory.items import Item, preference
from memory.wording import Wording, joined, one_name, says, wording

#: Sentences of a conversation that are looked at, the last ones, and how long one may be.
_LOOKED_AT: Final = 60
_LONGEST: Final = 600
#: A sentence with one of these goes on with the one before it; so many in a row are one passage.
_GOES_ON: Final = re.compile(
    r"\b(?:he|she|they|him|her|them|his|hers|their|it|its|that|this|there|then|both)\b", re.IGNORECASE
)
_PASSAGE: Final = 3
_SENTENCE: Final = re.compile(r"(?<=[.!?;\n])\s+|\n+|(?<=\S)\s*;\s*")
_CLAUSE: Final = re.compile(r"[,;:.!?](?=\s|$)|\band\b|\bbut\b|\bwhile\b|\bwhereas\b", re.IGNORECASE)
_REQUEST: Final = re.compile(
    r"\b(?:remember|note|keep in mind|bear in mind|memori[sz]e|save|store|don'?t forget|write down)\b", re.IGNORECASE
)
_QUESTION: Final = re.compile(
    r"^\W*(?:so |and |but |hey |hi )*(?:do|does|did|is|are|was|were|has|have|had|can|could|may|might|will|would|should"
    r"|who|what|when|why|how|which|where|whose)\b(?! not\b)",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'-]+")
_CAPITAL: Final = re.compile(r"\b[A-Z][\w'-]+")
_PEOPLE: Final = frozenset(
    one_name(word)
    for word in re.findall(
        r"\w+",
        "mother father grandmother grandfather wife husband son daughter sister brother aunt uncle cousin niece nephew "
        "partner boyfriend girlfriend neighbour friend cleaner nanny babysitter plumber electrician gardener "
        "landlord doctor vet nurse dentist boss colleague flatmate caretaker",
    )
)
#: A clause that begins so goes on about what was named before.
_LABELS: Final = frozenset(map(one_name, ("plate", "number", "email", "called", "species", "relation")))
_LESS: Final = frozenset(("suppress", "mute", "ignore", "no", "skip", "hide", "disable", "silence", "stop"))
_STOPS: Final = re.compile(
    r"\b(?:stop|mute|ignore|suppress|skip|hide|less|fewer|quit|silence|disable|turn off)\b", re.IGNORECASE
)
_GROUPS: Final = frozenset(("alert", "alerts", "preference", "preferences", "routine", "routines", "setting"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one person said in a conversation, oldest first; `offered` is what they were told last, when their words
    now are a plain yes to it."""

    said: Sequence[str]
    offered: str = ""
    name: str = ""


def is_borne_out(item: Item, heard: Heard) -> bool:
    """Whether the person said it themselves, in one passage, or agreed to it word by word."""
    if heard.offered and _was_offered(item, heard.offered):
        return True
    parts = [(part, wording(part.text, own_name=heard.name)) for part in _parts(item)]
    return any(all(_bears(part, note, *passage) for part, note in parts) for passage in passages(heard))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A text of an item that must have been said. `turned`: whether it is a no; None when it says that itself."""

    text: str
    one_word: bool = False
    turned: bool | None = None


def _parts(item: Item) -> list[_Part]:
    value: Mapping[str, Any] = item.value
    match item.kind:
        case "fact":
            return [_Part(text=item.text)]
        case "address":
            return [_Part(text=str(value["address"]))]
        case "quiet_hours":
            return [_Part(text=f"{at} quiet", turned=False) for at in (value["start"], value["end"])]
        case "preference":
            name, own = str(value["name"]), preference(str(value["name"]), value["value"]).text
            return [*_of_preference(name, value["value"]), *([_Part(text=item.text)] if item.text != own else [])]
        case _:
            return [_Part(text=", ".join(str(v) for v in value.values() if v), turned=False)]


def _of_preference(name: str, value: object) -> list[_Part]:
    """At least one word of its name was said, and its value."""
    words = [word for word in re.split(r"[._]", name) if word not in _GROUPS]
    if isinstance(value, bool):
        less = bool(words) and words[0] in _LESS
        subject = [word for word in words if word not in _LESS]
        return [_Part(text=" ".join(subject), one_word=True, turned=value if less else not value)]
    shown = f"{value:g}" if isinstance(value, int | float) else str(value)
    if name == "automation_style":
        return [_Part(text=shown)]
    return [_Part(text=" ".join(words), one_word=True), _Part(text=shown)]


def passages(heard: Heard) -> Iterator[tuple[str, Wording]]:
    """Each sentence that tells something by itself, and with those before that it goes on from; newest first."""
    sentences = [s for text in heard.said[-_LOOKED_AT:] for s in map(str.strip, _SENTENCE.split(text)) if s]
    telling = [s for s in sentences[-_LOOKED_AT:] if len(s) <= _LONGEST and _tells(s)]
    read = [wording(s, own_name=heard.name) for s in telling]
    for end in reversed(range(len(telling))):
        start = end
        yield telling[end], read[end]
        while start > 0 and end - start + 1 < _PASSAGE and _GOES_ON.search(telling[start]):
            start -= 1
            yield " ".join(telling[start : end + 1]), joined(read[start : end + 1])


def _tells(sentence: str) -> bool:
    """A question tells nothing, unless it asks for something to be kept."""
    asks = sentence.rstrip().endswith("?") or _QUESTION.match(sentence) is not None
    return not asks or _REQUEST.search(sentence) is not None


def _bears(part: _Part, note: Wording, text: str, said: Wording) -> bool:
    found = [word for word in note.words if any(says(word, other) for other in said.words)]
    if part.one_word:
        return bool(found) and (part.turned is None or part.turned == _is_no(said, text))
    if len(found) < len(note.words) or not _same_figures(note, said):
        return False
    if not (note.words or note.hours or note.numbers):
        return folded(part.text) != "" and folded(part.text) in folded(text)
    if part.turned is None and not _same_turns(note, said):
        return False
    if part.turned is False and "not" in said.turns and "quiet" not in note.words:
        return False
    return _in_one_telling(note, text) and _of_the_same_people(part.text, note, text, said)


def _is_no(said: Wording, text: str) -> bool:
    return "not" in said.turns or "dislike" in said.words or _STOPS.search(text) is not None


def _same_figures(note: Wording, said: Wording) -> bool:
    """Each time of the note may be one that was said; each other number was said."""
    if not note.numbers and not note.hours:
        return True
    timed = {part.lstrip("0") or "0" for hour in note.hours & said.hours for part in hour.split(":")}
    plain = {number for number in note.numbers if number not in said.numbers}
    return all((number.lstrip("0") or "0") in timed for number in plain) and (
        not note.hours or bool(note.hours & said.hours)
    )


def _same_turns(note: Wording, said: Wording) -> bool:
    """Neither a "not" nor an "if" was dropped or made up, and what was for once is not for always."""
    kept = {turn for turn in note.turns if turn not in ("once", "often")}
    told = {turn for turn in said.turns if turn not in ("once", "often")}
    if kept != told:
        return False
    if "often" in note.turns and "often" not in said.turns:
        return False
    return "once" not in said.turns or "often" in said.turns or "once" in note.turns


def _in_one_telling(note: Wording, text: str) -> bool:
    """A clause beside the one with the note's first word adds to that, and has no other subject of its own."""
    clauses = [words for clause in _CLAUSE.split(text) if (words := wording(clause).words)]
    subject = next((c for c in clauses if note.words and any(says(note.words[0], other) for other in c)), None)

    def adds(clause: Sequence[str]) -> bool:
        used = [any(says(word, other) for word in note.words) for other in clause]
        return not any(used) or used[0] or clause is subject or clause[0] in _LABELS

    return all(map(adds, clauses))


def _of_the_same_people(note_text: str, note: Wording, text: str, said: Wording) -> bool:
    """What was said of one person is not kept of another: with several of them the order must be the same."""
    capitals = [*_NAMED.findall(text), *_CAPITAL.findall(note_text)]
    named = {one_name(name.casefold()) for name in capitals} | _PEOPLE
    there = {word for word in said.words if word in named}
    kept = {word for word in note.words if word in named or word in there}
    if len(there) < 2 or kept < there:
        return True
    return _in_order(note.words, _beside(said.words, there))


def _beside(words: Sequence[str], people: Iterable[str]) -> list[set[str]]:
    """The words in their order; people next to each other ("my sister Ana") in one place."""
    people = set(people)
    places: list[set[str]] = []
    for word in words:
        if places and word in people and places[-1] <= people:
            places[-1].add(word)
        else:
            places.append({word})
    return places


def _in_order(words: Sequence[str], places: Sequence[set[str]]) -> bool:
    at = 0
    for word in words:
        ahead = next((n for n in range(at, len(places)) if any(says(word, o) for o in places[n])), None)
        if ahead is None:
            return False
        at = ahead
    return True


def _was_offered(item: Item, offered: str) -> bool:
    """Exactly this note stood in what the person said yes to."""
    told = f" {folded(offered)} "
    texts = [item.text] if item.kind in ("fact", "preference") else [str(v) for v in item.value.values() if v]
    return all(folded(text) != "" and f" {folded(text)} " in told for text in texts)
