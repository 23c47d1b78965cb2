"""Takes out of a text what a screen would load or hide: pictures, links, HTML, control and invisible characters."""

import re
import unicodedata
from typing import Final

#: `![..](..)` and `[..](..)`, also the second half of one that was begun in another sentence.
_TARGET: Final = re.compile(
    r"\]\s{0,3}\([^()\n]{0,4000}(?:\([^()\n]{0,4000}\)[^()\n]{0,4000})?\)?|\]\s?\[[^\]\n]{0,400}\]"
)
_PICTURE: Final = re.compile(r"!\[")
_DEFINED: Final = re.compile(r"^\s{0,3}\[[^\]\n]{1,400}\]:[^\n]*", re.MULTILINE)
_HTML: Final = re.compile(r"<[a-zA-Z/!?][^>]{0,20000}(?:>|$)")
_ADDRESS: Final = re.compile(
    r"\b(?:[a-z][a-z0-9+.-]{1,20}:/{1,3}|javascript:|vbscript:|data:[a-z]+/|mailto:|www\.)[^\s<>\")\]]*"
    r"|(?<![\w:/.])//[\w-]+\.[^\s<>\")\]]*",
    re.IGNORECASE,
)
_JOINERS: Final = "\u200c\u200d"
LEFT_OUT: Final = "(link left out)"


def without_links(text: str) -> str:
    """The same words with nothing that leads out of the home: of a link its text stays, of a bare address a note."""
    text = visible(text)
    if not any(c in text for c in "[<:/") and "www." not in text:
        return text
    text = _HTML.sub("", _DEFINED.sub("", text))
    text = _PICTURE.sub("[", text)
    if _TARGET.search(text):
        text = _TARGET.sub("", text).replace("[", "")
    return _ADDRESS.sub(LEFT_OUT, text)


def visible(text: str) -> str:
    """Without control characters (but line ends and tabs), invisible and turning ones, and halves of characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for i, c in enumerate(text) if _stays(text, i, c))


def _stays(text: str, index: int, character: str) -> bool:
    if character in "\n\t" or character.isprintable():
        return character != "\u3164"
    if character in _JOINERS:
        around = text[max(0, index - 1) : index + 2].replace(character, "")
        return len(around) == 2 and all(ord(c) > 0x2FF for c in around)
    return unicodedata.category(character) == "Zs"
