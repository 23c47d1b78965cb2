"""The plain words of a name, however it is written: other scripts' letters that look the same, joined words. Pure."""

# ruff: noqa: RUF001 - the letters are the point
import re
import unicodedata
from typing import Final

#: Cyrillic, Greek and rare Latin letters, each before the letter that a reader takes it for.
_PAIRS: Final = (
    "аaвbгrеeкkмmнhоoпnрpсcтtуyхxьbѕsіiјjһhԁdԛqԝwүyӏl"
    "АAВBЕEКKМMНHОOРPСCТTУYХXЅSІIЈJҺHԚQԜWҮYӀI"
    "αaβbγyεeηnιiκkνvοoρpτtυuχxωw"
    "ΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧX"
    "ɡgɑaɩiıiłlŁLøoØOđdĐDßs"
)
_SAME_LOOK: Final = str.maketrans(_PAIRS[::2], _PAIRS[1::2])
_UNSEEN: Final = frozenset(("Mn", "Me", "Cf", "Cc"))
_BETWEEN: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_WORD: Final = re.compile(r"[a-z0-9]+")


def plain_words(text: str) -> list[str]:
    """The words in small Latin letters: garage, door, 2 of `GarageDoor_2`, in whatever script it looks so."""
    shown = (c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in _UNSEEN)
    return _WORD.findall(_BETWEEN.sub(" ", "".join(shown).translate(_SAME_LOOK)).lower())
