"""The small words of a phrase that names devices: all, here, except, and; and how far two spellings are apart. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from homeguard.kinds import Words

ARTICLES: Final = frozenset(
    ("the", "a", "an", "my", "our", "your", "their", "his", "her", "of", "in", "inside", "at", "on", "by", "to", "for",
     "from", "with", "that", "those", "these", "this", "some", "ones", "within", "near", "is", "are", "please",
     "single",
     "into", "onto", "within", "also", "too", "both", "down",
     "el", "la", "los", "las", "de", "del", "le", "les", "du", "des", "dans", "sur", "un", "une", "der", "die", "das",
     "il")
)  # fmt: skip
ALL: Final = frozenset(("all", "every", "each", "everything", "whole", "entire", "any", "anything", "both"))
EVERYTHING: Final = frozenset(("everything", "device", "thing", "anything"))
HOUSE: Final = frozenset(("house", "home", "apartment", "flat", "everywhere", "building", "property"))
HERE: Final = (("in", "here"), ("this", "room"), ("this", "space"), ("this", "area"), ("the", "room"), ("here",))
ROOMS: Final = (
    ("in", "all", "the", "room"), ("in", "all", "room"), ("all", "the", "room"), ("all", "my", "room"),
    ("every", "room"), ("each", "room"), ("every", "area"), ("all", "room"), ("all", "the", "area"),
)  # fmt: skip
SPLIT_AWAY: Final = (
    ("apart", "from"), ("other", "than"), ("but", "not"), ("but", "for"), ("except", "for"), ("aside", "from"),
    ("exception", "of"), ("save", "for"), ("save",), ("minus",), ("barring",), ("excepting",), ("except",),
    ("excluding",), ("besides",), ("but",), ("without",), ("not",),
)  # fmt: skip
#: Kinds that a typo is never read as.
VAGUE: Final = frozenset(("song", "show", "track", "movie", "sound", "audio", "music", "people", "person"))
FLOORS: Final[Mapping[str, frozenset[str]]] = {
    "upstairs": frozenset(("upstairs", "2nd", "3rd", "1st", "upper", "top", "loft", "attic", "2", "3")),
    "downstairs": frozenset(("downstairs", "ground", "main", "basement", "lower", "0", "cellar")),
}


def exceptions(words: list[str]) -> tuple[list[str], list[str] | None]:
    """What is meant, and what an "except ..." leaves out (`None` without one)."""
    for marker in SPLIT_AWAY:
        size = len(marker)
        if tuple(words[:size]) == marker and "," in words[size:-1]:
            comma = words.index(",", size)
            return words[comma + 1 :], words[size:comma]
        for at in range(1, len(words) - size):
            if tuple(words[at : at + size]) == marker:
                return words[:at], words[at + size :]
    return words, None


def not_upstairs(word: str, floors: Mapping[Words, str]) -> frozenset[str]:
    """With a first floor and no ground floor, the first is where one walks in: not upstairs."""
    ground = any(w in form for form in floors for w in ("ground", "0", "downstairs", "main"))
    return frozenset() if word != "upstairs" or ground else frozenset(("1st",))


def cut(patterns: Iterable[Words], singulars: list[str], words: list[str]) -> tuple[bool, list[str], list[str]]:
    """Whether one of the patterns is there, and the words without it."""
    for pattern in patterns:
        size = len(pattern)
        for at in range(len(singulars) - size + 1):
            if tuple(singulars[at : at + size]) == pattern:
                return True, singulars[:at] + singulars[at + size :], words[:at] + words[at + size :]
    return False, singulars, words


def joined_parts(words: Sequence[str]) -> list[list[str]]:
    """The parts that "and" and commas join, without those that name nothing."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word in ("and", "or", "nor", "plus", ","):
            parts.append([])
        else:
            parts[-1].append(word)
    return [p for p in parts if any(w not in ARTICLES for w in p)]


def slips(a: str, b: str, allowed: int) -> bool:
    """Whether two words are at most so many slips (insert, delete, replace, swap) apart."""
    if abs(len(a) - len(b)) > allowed or a[0] != b[0]:
        return False
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        before, row = row, new
    return row[-1] <= allowed
