"""Cuts a text into sentences, also one that is still being written."""

import re
from collections.abc import Iterable
from typing import Final

#: An end counts only before a space or the end of the text: "72.5°F" and "front.door" are not two sentences.
_SENTENCE: Final = re.compile(r"(?:[^.!?\n]|[.!?](?![\s.!?…)\"'*_]|$))+[.!?…)\"'*_]*\s*|[.!?…]+\s*|\n")
_SHORT: Final = re.compile(r"\b(?:a\.m|p\.m|e\.g|i\.e|approx|no|mr|mrs|ms|dr|st|vs)\.\s*$", re.IGNORECASE)
_WHOLE: Final = re.compile(r"[.!?…][)\"'*_]*\s+$|\n$")
#: Of a sentence without an end no more than so much is held back.
_LONGEST: Final = 2_000


def split(text: str) -> list[str]:
    """The sentences, each with what follows it up to the next: together they are the text."""
    return list(_joined(_SENTENCE.findall(text)))


def _joined(parts: Iterable[str]) -> Iterable[str]:
    held = ""
    for part in parts:
        held += part
        if not _SHORT.search(part):
            yield held
            held = ""
    if held:
        yield held


def sentences(text: str) -> tuple[list[str], str]:
    """The whole sentences of a text that is still being written, and the beginning of the next.

    A sentence is whole when something follows it: the end of "It is 72." may be "It is 72.5".
    """
    parts = split(text)
    if parts and not _WHOLE.search(parts[-1]) and len(parts[-1]) < _LONGEST:
        return parts[:-1], parts[-1]
    return parts, ""
