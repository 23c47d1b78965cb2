"""One clause taken apart: whether it asks, forbids or wants, the values, and the words of the target."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from agent.models.offline import values
from agent.models.offline.english import around_words
from agent.models.offline.lexicon import FILLERS, PARTICLE_HEADS, VERBS
from agent.models.offline.values import Amount
from agent.models.offline.verbs import actions
from agent.models.offline.words import PUNCTUATION, is_number, those
from homeguard.kinds import KINDS, name_words, singular
from homeguard.model import Device
from homeguard.target_words import ALL, ARTICLES, EVERYTHING, FLOORS, HOUSE
from homeguard.targets import protected


def _phrases(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(phrase.split()) for phrase in text.split(" | "))


QUESTION_STARTS: Final = those(
    "is are was were did does do has have had what which who whom whose when where why how any status am anything "
    "anyone should"
)
_TELLS: Final = _phrases(
    "tell me | show me | show | check if | check whether | check that | check | list | give me | let me know | "
    "find out | "
    "do you know | describe | i want to know | i need to know | i wonder | any idea | see if | verify | confirm that | "
    "confirm whether | confirm if | read | say | count | get me | report | remind me"
)
_REQUESTS: Final = _phrases(
    "can you | could you | would you | will you | why dont you | can we | could we | do me a favor | would you mind | "
    "are you able to | how about | cannot you | is it possible to | can i | could i | have the | have my"
)
_NEGATIONS: Final = re.compile(
    r"\b(?:dont|do not|never|must not|should not|no need to|need not|neednt|not|cannot let|without|instead of"
    r"|rather than|"
    r"(?:nobody|no one) (?:should|needs)|"
    r"forbid|forbidden|prohibit|refuse to|avoid|stop anyone from|refrain from|do nothing|forget about|hold off|no "
    r"unlocking|"
    r"no opening|under no circumstances|keep from)\b"
)
_NOT_NEGATIONS: Final = re.compile(
    r"\b(?:(?:dont|do not) forget to|why dont you|if not|dont you want|(?:whether )?or not|never mind|(?:if )?you "
    r"dont mind|"
    r"if you do not mind)\b"
)
#: A question inside a sentence; what follows is the question itself.
_INDIRECT: Final = re.compile(
    r"^(?:(?:please|hey|hi|hello|ok|okay|homeguard|so|just|,) )*"
    r"(?:(?:can|could|would|will) (?:you|i|we) (?:please )?|i (?:want|need|would like) (?:you )?to )?"
    r"(?:(?:please|just) )*"
    r"(?:look|look up|"
    r"tell me|let me know|find out|do you know|do we know|check|see|verify|confirm|know|say|show me|i wonder|wonder|"
    r"are we sure|are you sure|any idea|remind me)"
    r"(?: (?:if|whether|that)|(?= (?:what|how|when|who|which|where)\b)|(?= the \w+ \w+ is\b)) "
)
_BEFORE_QUESTION: Final = those("please hey hi hello ok okay homeguard and so um well , now also then but")
_WHEN_FIRST: Final = frozenset(
    ("of", "among", "out", "from", "between", "last", "yesterday", "today", "at", "this", "in", "on")
)
_OPEN_ENDED: Final = frozenset(["lock", "unlock", "arm", "disarm", "dock", "mute"])
_LOOSE_ENDS: Final = those("and or , the in on of a from")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A clause. `actions` are those that its words allow, none for a question; `held` are positions of full names."""

    words: tuple[str, ...]
    actions: tuple[str, ...] = ()
    question: bool = False
    negated: bool = False
    attribute: str = ""
    value: Amount | None = None
    relative: bool = False
    color: str = ""
    kelvin: int = 0
    option: str = ""
    target: tuple[str, ...] = ()
    #: No verb of its own: what it wants done stands in the clause before ("... and by 30 percent in the hall").
    bare: bool = False
    held: frozenset[int] = field(default_factory=frozenset)

    @property
    def has_value(self) -> bool:
        return self.value is not None or bool(self.color) or bool(self.kelvin) or bool(self.option)


def frame(words: Sequence[str], devices: Sequence[Device], places: Iterable[str] = ()) -> Frame:
    """Take a clause apart. `words` come from `words.tokens`; `places` are areas and floors without devices."""
    asked = words[-1:] == ["?"] or tuple(words[-1:]) == ("?",)
    said = without_asking([w for w in words if w not in PUNCTUATION or w == ","])
    while said and said[-1] == ",":
        said.pop()
    while said and said[0] == ",":
        said.pop(0)
    held = protected(said, devices, places)
    question = is_question(said) or is_question(words) or (asked and not _requests(said))
    used: set[int] = set()
    allowed = actions(said, held, used)
    amount, relative = values.value(said, held, used)
    about = values.attribute(said, held, used)
    color, kelvin = values.color(said, held, used, about, allowed)
    option = values.option(said, held, used, about) if amount is None else ""
    bare = not allowed
    if (amount or color or kelvin or option) and "set" not in allowed and not _OPEN_ENDED & set(allowed):
        allowed = (*allowed, "set")
    return Frame(
        words=tuple(said), actions=() if question else allowed, question=question, negated=is_negated(said),
        attribute=about,
        value=amount, relative=relative, color=color, kelvin=kelvin, option=option,
        target=tuple(_target(said, held, used, question, home_words(devices, places))), bare=bare, held=frozenset(held),
    )  # fmt: skip


def without_asking(words: list[str]) -> list[str]:
    """ "Can you tell me if it is on" as "it is on", "do you know when it was" as "when it was"."""
    text = " ".join(words)
    match = _INDIRECT.match(text)
    return text[match.end() :].split() if match and match.end() < len(text) else words


def _requests(words: Sequence[str]) -> bool:
    """Whether a sentence with a question mark asks to do something: "could you lock it?"."""
    at = 0
    while at < len(words) and words[at] in _BEFORE_QUESTION:
        at += 1
    return any(tuple(words[at : at + len(r)]) == r for r in _REQUESTS)


def is_question(words: Sequence[str]) -> bool:
    """Whether the clause asks. "Could you turn it on?" is a request, "tell me if it is on" asks."""
    if "," in words[1:-1]:
        behind = list(words).index(",", 1)
        if words[behind + 1] in QUESTION_STARTS and words[0] in _WHEN_FIRST:
            return True
    at = 0
    while at < len(words) and words[at] in _BEFORE_QUESTION:
        at += 1
    rest = list(words[at:])
    direct = _INDIRECT.match(" ".join(w for w in words if w not in PUNCTUATION))
    if direct and direct.end():
        return True
    if any(tuple(rest[: len(r)]) == r and not _telling(rest[len(r) :]) for r in _REQUESTS):
        return False
    if _telling(rest):
        return True
    if len(rest) > 1 and rest[0] == "do" and (rest[1] in VERBS or rest[1] in PARTICLE_HEADS):
        return False
    if len(rest) > 1 and (rest[0], rest[1]) in (("have", "all"), ("have", "every"), ("do", "not"), ("do", "nothing")):
        return False
    return bool(rest) and rest[0] in QUESTION_STARTS


def _telling(rest: Sequence[str]) -> bool:
    trimmed = list(rest)
    while trimmed and trimmed[0] in ("please", "you", "just"):
        trimmed.pop(0)
    if {"snapshot", "photo", "picture"} & set(trimmed):
        return False
    return any(tuple(trimmed[: len(t)]) == t for t in _TELLS)


def is_negated(words: Sequence[str]) -> bool:
    """Whether it says not to: "don't unlock it", "no need to lock up"; not "don't forget to lock up"."""
    return _NEGATIONS.search(_NOT_NEGATIONS.sub(" ", " ".join(words))) is not None


def home_words(devices: Sequence[Device], places: Iterable[str]) -> frozenset[str]:
    """Every word that names something in this home, or a kind of thing in any home; singular."""
    return _home_words(tuple((d.name, d.aliases, d.area, d.floor, d.type) for d in devices), tuple(places))


@lru_cache(maxsize=16)
def _home_words(
    devices: tuple[tuple[str, tuple[str, ...], str, str, str], ...], places: tuple[str, ...]
) -> frozenset[str]:
    names = {n for name, aliases, area, floor, kind in devices for n in (name, *aliases, area, floor, kind) if n}
    own = {w for name in (*names, *places) if name for w in name_words(name)}
    kinds = {w for form in KINDS for w in form}
    return frozenset(own | kinds | ALL | EVERYTHING | HOUSE | FLOORS.keys() | _SMALL)


_SMALL: Final = those(
    "apart aside other than not save minus excepting barring excluding besides without exception bar "
) | those("here room area floor lot upstairs downstairs inside outside other one ones , and or except but it them")
#: What people say for a word that does not come to them.
_NAMELESS: Final = those("whatsit wotsit thingy thingamajig whatchamacallit doodah doohickey thing stuff erm um uh")
_LOCATIVE: Final = those("in inside at on of near by from outside behind beside under above next")
_DETERMINERS: Final = those("the a an my our your their his her this that these those")


def _attached(words: Sequence[str], at: int, known: frozenset[str]) -> bool:
    """Whether a word that names nothing here belongs to a name all the same: "the sauna light", "in the sauna"."""
    if words[at] in around_words():
        return False
    bounds = around_words() | _LOCATIVE | _DETERMINERS | ARTICLES
    right = at + 1
    while right < len(words) and singular(words[right]) not in known and words[right] not in bounds:
        right += 1
    left = at - 1
    while left >= 0 and singular(words[left]) not in known and words[left] not in bounds:
        left -= 1
    beside = {words[i] for i in (left, right) if 0 <= i < len(words)} - {",", "and", "or", "it", "them"}
    if any(singular(w) in known for w in beside):
        return True
    while left >= 0 and words[left] in _DETERMINERS:
        left -= 1
    listed = left > 0 and words[left] in ("and", "or", ",", "nor") and singular(words[left - 1]) in known
    return listed or (left >= 0 and words[left] in _LOCATIVE)


def _target(
    words: Sequence[str], held: Collection[int], used: Collection[int], question: bool, known: frozenset[str]
) -> list[str]:
    """The words that may name devices, in order; without those that stand around them, when any of them is known."""
    kept = _candidates(words, held, used, question)
    firm = [at for at in kept if at in held or singular(words[at]) in known or _attached(words, at, known)]
    if any(singular(words[at]) in known - _SMALL for at in firm):
        kept = [at for at in kept if at in firm or words[at] in ARTICLES or words[at] in _SMALL or is_number(words[at])]
    elif all(words[at] in _NAMELESS or words[at] in ARTICLES for at in kept):
        kept = []
    out = [words[at] for at in kept]
    while out and out[-1] in _LOOSE_ENDS:
        out.pop()
    while out and out[0] in ("and", "or", ","):
        out.pop(0)
    return out


def _candidates(words: Sequence[str], held: Collection[int], used: Collection[int], question: bool) -> list[int]:
    """The positions of the words that no verb, value or filler has taken."""
    out: list[int] = []
    for at, word in enumerate(words):
        timed = is_number(word) and words[at + 1 : at + 2] and words[at + 1].startswith(("minute", "second", "hour"))
        if at in held:
            out.append(at)
        elif (
            timed
            or word in ("minutes", "seconds", "hours")
            or at in used
            or word in FILLERS
            or word in ("dont", "do", "never", "no", "nor", "forget", "not")
        ):
            continue
        elif not (question and word in QUESTION_STARTS):
            out.append(at)
    return out
