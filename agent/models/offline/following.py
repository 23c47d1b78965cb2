"""A question that leans on the one before it: "and yesterday?", "and the back door?", "how about now?". Pure."""

import re
from collections.abc import Sequence
from typing import Final

from agent.models.offline.home import Home
from agent.models.offline.words import tokens
from homeguard.targets import resolve

_ANOTHER_TIME: Final = re.compile(
    r"^(?:and|what about|how about|and what about|and how about|same for|and for) "
    r"((?:the day before )?yesterday|today|last (?:night|week|month)|this (?:morning|week|month|afternoon|evening)"
    r"|on (?:mon|tues|wednes|thurs|fri|satur|sun)day|overnight)[ ?.!]*$"
)
_A_TIME: Final = re.compile(
    r"\b(?:(?:the day before )?yesterday|today|last (?:night|week|month)|this (?:morning|week|month|afternoon|evening)"
    r"|(?:on )?(?:mon|tues|wednes|thurs|fri|satur|sun)day|overnight|so far|since \w+)\b"
)
_QUESTION: Final = re.compile(
    r"^(?:(?:and|ok|so|hey|please) )*(?:how|what|when|who|which|was|were|did|has|have|show|any)\b"
)
_NOW: Final = re.compile(r"^(?:and|what about|how about|and what about|and how about|so) (?:right )?now[ ?.!]*$")
_ANOTHER_THING: Final = re.compile(
    r"^(?:and|what about|how about|and what about|and how about|same for|and for)(?: (?:with|for|in|at|on))? "
    r"(?P<what>(?:the|my|our) [a-z0-9 ]{2,40}?)(?: (?:too|then|as well))?[ ?.!]*$"
)
#: Of the past, of causes or of what is due: questions about the present are understood by what they are about.
_NOT_NOW: Final = re.compile(
    r"^(?:(?:and|ok|so|hey|please) )*"
    r"(?:how long|how often|how many times|when|what time|was|were|did|has|have|why|who|since)\b"
)
_LONGEST: Final = 5


def in_full(text: str, earlier: Sequence[str], home: Home) -> str:
    """The question with what it takes from the last of `earlier`; another sentence as it is."""
    if not earlier or earlier[-1].count(".") > 1:
        return text
    said = " ".join(tokens(text))
    before = " ".join(w for w in tokens(in_full(earlier[-1], earlier[:-1], home)) if w not in ("?", "!", "."))
    if (time := _ANOTHER_TIME.match(said)) is not None and _QUESTION.match(before):
        return f"{' '.join(_A_TIME.sub('', before).split())} {time[1]}?"
    if _NOW.match(said) and (_QUESTION.match(before) or re.match(r"(?:is|are)\b", before)):
        return f"{before}?"
    thing = _ANOTHER_THING.match(said)
    if thing is not None and _NOT_NOW.match(before):
        return _of_another(before.split(), thing["what"].split(), home) or text
    return text


def _of_another(words: Sequence[str], what: Sequence[str], home: Home) -> str:
    """The question about that instead of what it named; empty when it named nothing, or that is not here."""
    found = _named(words, home)
    if found is None:
        return ""
    start, end = found
    bare = [w for w in what[1:] if w not in ("one", "ones")]
    for name in ([*bare, words[end - 1]], bare):
        if name and _is_here(name, home):
            return f"{' '.join([*words[:start], 'the', *name, *words[end:]])}?"
    return ""


def _named(words: Sequence[str], home: Home) -> tuple[int, int] | None:
    """Where the question names something of the home: from its article to behind its last word."""
    for start, word in enumerate(words):
        if word in ("the", "my", "our"):
            for end in range(min(len(words), start + _LONGEST), start + 1, -1):
                if _is_here(words[start + 1 : end], home):
                    return start, end
    return None


def _is_here(name: Sequence[str], home: Home) -> bool:
    found = resolve(name, home.devices, areas=home.areas, floors=home.floors, fuzzy=False)
    return bool(found.devices or found.ambiguous) and not found.unmatched
