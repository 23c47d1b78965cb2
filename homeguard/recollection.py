"""How remembered texts are found by words: folded, without the words that stand in every sentence. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
#: Said in every question, so they find nothing.
_EVERYWHERE: Final = frozenset(
    re.findall(
        r"\w+",
        "a an the of in on at to for from with about and or but is are was were be been has have had do does did will "
        "would can could should what which who whom whose when where why how i me my mine we us our you your he she it "
        "his her its they them their this that these those there here please tell know remember forget any some not "
        "no s t m re ve ll d said say told anything everything something",
    )
)
#: Words that are shorter find only themselves; longer ones also what begins with them.
_SHORT: Final = 3
#: Words of a question that count.
MOST_WORDS: Final = 24


def folded(text: str) -> str:
    """The words of a text with a blank between them, without case, accents and marks."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(_WORD.findall("".join(c for c in plain if not unicodedata.combining(c))))


def asked_words(question: str) -> tuple[str, ...]:
    """The words of a question that can find something, folded, each once, without the `s` of a plural."""
    found = (word for word in folded(question[:2_000]).split() if word not in _EVERYWHERE)
    return tuple(dict.fromkeys(_single(word) for word in found))[:MOST_WORDS]


def hits(words: Sequence[str], text: str) -> int:
    """How many of these words (of `asked_words`) occur in a folded text."""
    own = text.split()
    return sum(any(_meets(word, other) for other in own) for word in words)


def is_short(word: str) -> bool:
    """Whether a word finds only itself."""
    return len(word) < _SHORT


def _meets(word: str, other: str) -> bool:
    return other == word or (not is_short(word) and other.startswith(word))


def _single(word: str) -> str:
    return word[:-1] if len(word) > _SHORT and word.endswith("s") and not word.endswith("ss") else word


def of_all(texts: Iterable[str]) -> str:
    """Several texts as one folded text."""
    return " ".join(folded(text) for text in texts)
