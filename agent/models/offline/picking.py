"""Which of the devices that were just offered a short answer means: "the second one", "the kitchen one", "both"."""

import re
from collections.abc import Sequence
from typing import Final

from agent.models.offline.home import Home
from agent.models.offline.lexicon import VERBS
from agent.models.offline.words import PUNCTUATION
from homeguard.model import Device
from homeguard.targets import resolve

_AROUND: Final = re.compile(
    r"^(?:(?:yes|yeah|yep|ok|okay|well|um|uh|oh|hm|hmm|so|please|just|only|i|mean|meant|want|would|like|said|think"
    r"|take|pick|choose|lets|do|it|is|was|that|would be|go|with|for|make|then|no(?= (?:the|just)\b)) )+"
    r"|(?: (?:please|thanks|thank you|will do|is enough|is fine|for now|then|only|i (?:mean|meant|think|guess)))+$"
)
_SET_ASIDE: Final = re.compile(r"^(?:not|except|anything but|any but|but not|all but|everything but) (?P<what>.+)$")
_ALL: Final = re.compile(
    r"^(?:both|all|every|each|everything)(?: (?:one|ones|of|the|them|these|those|\d+|doors?|lights?|locks?))*$"
)
_ANY: Final = re.compile(r"^(?:either|any)\b|^(?:it )?(?:does not|dont) matter|^(?:i )?dont (?:care|mind)|^whichever")
_NONE: Final = re.compile(
    r"^(?:neither|none|nothing|no|nope|nah|no thanks|not now|nevermind|never mind|forget it|cancel|leave (?:it|them)"
    r"|stop)(?: (?:one|of|the|them|these|those|two|2|at all|thanks|actually))*$"
)
_PLACES: Final = {"1st": 0, "former": 0, "2nd": 1, "3rd": 2, "4th": 3, "last": -1, "latter": -1, "bottom": -1, "top": 0}
_COUNTS: Final = {"one": 1, "two": 2, "three": 3, "four": 4}
_SAID_PLACE: Final = re.compile(
    r"^(?:the |number |no |option )*(?P<place>1st|2nd|3rd|4th|[5-9]th|former|latter|last|top|bottom|[1-9]|one|two|three"
    r"|four)(?: (?:one|ones|door|light|lock|lamp|option|of them|you (?:said|named)|in the list|on the list))*$"
)
_SOME: Final = re.compile(r"^(?:the )?(?P<end>1st|last) (?P<count>[2-9])(?: (?:ones?|of them))*$")


def picked(words: Sequence[str], offered: Sequence[Device], action: str, home: Home) -> tuple[Device, ...] | None:
    """Those that are meant, in the order in which they were offered; none for "neither"; None for other words."""
    text = _bare(words, action)
    if _NONE.match(text):
        return ()
    if _ANY.match(text):
        return tuple(offered[:1])
    if _ALL.match(text):
        return tuple(offered)
    aside = _SET_ASIDE.match(text)
    if aside is not None:
        gone = _one_or_more(aside["what"], offered, home)
        return tuple(d for d in offered if d not in gone) if gone else None
    return _one_or_more(text, offered, home) or None


def beyond(words: Sequence[str], offered: Sequence[Device], action: str) -> bool:
    """Whether it is "the third one" where two were offered."""
    place = _SAID_PLACE.match(_bare(words, action))
    return place is not None and not -1 <= _index(place["place"]) < len(offered)


def _bare(words: Sequence[str], action: str) -> str:
    said = [w for w in words if w not in PUNCTUATION]
    if said and action in VERBS.get(said[0], ()):
        said = said[1:]
    text = " ".join(said)
    while (shorter := _AROUND.sub("", text).strip()) != text and shorter:
        text = shorter
    return text


def _one_or_more(text: str, offered: Sequence[Device], home: Home) -> tuple[Device, ...]:
    some = _SOME.match(text)
    if some is not None:
        count = int(some["count"])
        return tuple(offered[:count] if some["end"] == "1st" else offered[-count:])
    parts = [_single(part, offered, home) for part in re.split(r" and (?:the )?", text)]
    if not all(parts):
        parts = [_single(text, offered, home)]
    meant = {d.id for part in parts for d in part}
    return tuple(d for d in offered if d.id in meant)


def _single(text: str, offered: Sequence[Device], home: Home) -> tuple[Device, ...]:
    place = _SAID_PLACE.match(text)
    if place is not None and not any(place["place"] in d.name.lower().split() for d in offered):
        at = _index(place["place"])
        return (offered[at],) if -1 <= at < len(offered) else ()
    words = [w for w in text.split() if w not in ("one", "ones", "the", "my", "our", "in", "at", "on", "by", "of")]
    if not words:
        return ()
    found = resolve(words, offered, areas=home.areas, floors=home.floors)
    return () if found.unmatched else found.devices


def _index(place: str) -> int:
    if place in _PLACES:
        return _PLACES[place]
    return (_COUNTS.get(place) or int(place.removesuffix("th"))) - 1
