"""A clause as numbers: hashed word and letter n-grams, with names, places, kinds and values masked."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.models.offline.words import PUNCTUATION, is_number
from homeguard.kinds import KINDS, name_words, singular
from homeguard.model import Device
from homeguard.vocabulary import COLORS

#: Length of a feature vector; a power of two.
SIZE = 4096
_KIND_MASK: dict[tuple[str, ...], str] = {
    ("people",): "<people>",
    ("person",): "<people>",
    ("door",): "<door>",
    ("window",): "<window>",
}


def masked(words: Sequence[str], devices: Sequence[Device], places: Sequence[str] = ()) -> list[str]:
    """The clause with device names as `<name>`, places as `<place>`, kinds as `<kind>`, numbers and colours masked."""
    said = [w for w in words if w not in PUNCTUATION]
    singulars = [singular(w) for w in said]
    names = {name_words(n): "<name>" for d in devices for n in (d.name, *d.aliases) if n}
    marks = {
        **{name_words(p): "<place>" for p in (*places, *(d.area for d in devices), *(d.floor for d in devices)) if p}
    }
    marks |= {form: tag for form, tag in names.items() if len(form) > 1 or form not in KINDS}
    out: list[str] = []
    at = 0
    while at < len(said):
        for size in range(min(6, len(said) - at), 0, -1):
            form = tuple(singulars[at : at + size])
            tag = marks.get(form) or (_kind(form) if form in KINDS else "")
            if tag:
                out.append(tag)
                at += size
                break
        else:
            out.append("<n>" if is_number(said[at]) else "<color>" if said[at] in COLORS else said[at])
            at += 1
    return out


def _kind(form: tuple[str, ...]) -> str:
    return _KIND_MASK.get(form, "<kind>")


def vector(words: Sequence[str]) -> NDArray[np.float32]:
    """Word 1- to 3-grams and letter 3- and 4-grams of masked words, hashed into `SIZE` places, length 1."""
    found = np.zeros(SIZE, dtype=np.float32)
    padded = ["^", *words, "$"]
    for size, weight in ((1, 1.0), (2, 1.0), (3, 0.7)):
        for at in range(len(padded) - size + 1):
            found[_place(f"{size} {' '.join(padded[at : at + size])}")] += weight
    for word in words:
        if not word.startswith("<") and len(word) > 3:
            edged = f"({word})"
            for size in (3, 4):
                for at in range(len(edged) - size + 1):
                    found[_place(f"c{edged[at : at + size]}")] += 0.25
    length = float(np.linalg.norm(found))
    return found / length if length else found


def _place(key: str) -> int:
    return zlib.crc32(key.encode()) & (SIZE - 1)
