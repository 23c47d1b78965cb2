"""Whether a short text is built like a name ("the lamp by the window") or like an order, in any language. Pure.

No list knows all verbs, so what counts is how a text is built: a name has an article only where it begins or behind a
preposition, nobody is begged or hurried in it, and nothing in it is set off by marks.
"""

import re
import unicodedata
from itertools import pairwise
from typing import Final


def _those(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_ARTICLES: Final = _those(
    "the der die das den dem ein eine einen einem einer le la les un une el los las una il lo gli uno o os um uma het"
    " een"
)
#: What may stand before an article inside a name: prepositions, "all", "and".
_BEFORE_ARTICLE: Final = _those(
    "of in on at by to for with under over near behind beside between from around above below outside inside next all"
    " both and or & und oder von zu bei an auf für mit unter über neben hinter vor in aus nach alle beide et ou de du"
    " à en sur sous pour par dans chez avec entre derrière devant vers tous toutes y con del a para por sobre bajo tras"
    " hasta desde todos todas e di da su per tra fra dietro sopra sotto presso tutti tutte em com sem até van voor bij"
    " op naast aan uit met achter onder boven tussen tegen naar"
)
#: Begging and hurrying: nobody names a thing so.
_URGED: Final = _those(
    "bitte sofort jetzt schnell dringend umgehend maintenant immédiatement vite urgent svp stp ahora inmediatamente"
    " urgente favor subito adesso immediatamente agora imediatamente meteen onmiddellijk alstublieft alsjeblieft"
    " genast omedelbart straks nyt heti natychmiast teraz proszę asap"
)
#: "C'est", "s'il", "n'oublie": a clause, not a name.
_CLAUSE: Final = re.compile(r"^(?:c|s|j|t|n|m|qu)['\u2019]\w")
_ELIDED: Final = re.compile(r"^l['\u2019]\w")
#: Opening up, in the words of several languages: the shortest orders are two words and built like names.
_OPENS: Final = re.compile(
    r"^(?:open|raise|lift) (?:\w+ ){0,2}(?:doors?|garage|gates?|shutters?|windows?|locks?|valves?|up|everything|all)$"
    r"|\b(?:öffne[nt]?|oeffne[nt]?|aufmachen|aufschließen|aufsperren|entsperre?n?|entriegel[en]*|entschärfe?n?"
    r"|ouvr(?:e|ez|ir)|déverrouill\w+|deverrouill\w+|désactiv\w+|désarm\w+|abr(?:e|ir|a|an|am)|desbloque\w*"
    r"|desactiv\w+|desarm\w+|apri(?:re|te)?|sblocc\w+|disattiv\w+|destranc\w+|destrav\w+|ontgrendel\w*|openen"
    r"|öppna|avaa|otwórz|otwieraj|odblokuj|otevři|nyisd|deschide)\b",
    re.IGNORECASE,
)
_LATIN: Final = "LATIN"
#: Scripts that write no spaces: so many letters count for one word.
_NO_SPACES: Final = {"CJK": 3, "HIRAGANA": 3, "KATAKANA": 3, "THAI": 4, "LAO": 4, "KHMER": 4, "MYANMAR": 4}
#: Marks that are no letters of ASCII and stand in names all the same.
_HARMLESS: Final = frozenset("\u2019\u2018·•№")
_COMMA_WORDS: Final = 4


def is_noun_phrase(text: str) -> bool:
    """Whether it is built like what something is called."""
    words = [w.casefold() for w in _WORD.findall(text)]
    if any(ord(c) > 127 and c not in _HARMLESS and unicodedata.category(c) == "Po" for c in text):
        return False
    if len(words) < 2:
        return True
    if "," in text and len(words) >= _COMMA_WORDS:
        return False
    if _OPENS.search(text) or any(w in _URGED or _CLAUSE.match(w) for w in words):
        return False
    return not any(
        (word in _ARTICLES or _ELIDED.match(word)) and before not in _BEFORE_ARTICLE | _ARTICLES
        for before, word in pairwise(words)
    )


def size(text: str) -> int:
    """How many words it is; letters of a script without spaces count in part."""
    total = 0.0
    for word in _WORD.findall(text):
        dense = 0.0 if word.isascii() else sum(1 / _NO_SPACES[s] for s in map(_script, word) if s in _NO_SPACES)
        total += max(1.0, dense)
    return round(total)


def scripts(text: str) -> set[str]:
    """The scripts in which its letters are written."""
    if text.isascii():
        return {_LATIN} if text else set()
    return {_LATIN if c.isascii() else _script(c) for c in text if c.isalpha()}


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split(" ")[0].split("-")[0]
