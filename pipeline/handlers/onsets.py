"""When something became true, told from reports that may come out of order. Pure."""

from collections.abc import MutableSequence
from datetime import datetime
from typing import Final

import msgspec

from pipeline.handlers.observed import Heard

#: How many words on one attribute are remembered: so far may a report come late and still be judged in its place.
REMEMBERED: Final = 8


class Word(msgspec.Struct, frozen=True):
    """What a report said of an attribute. `quiet` is a report that said again what was true already: it is an onset
    after all when one from before it comes late and says that it was not."""

    at: datetime
    offset: int
    is_true: bool
    quiet: Heard | None = None

    def is_before(self, at: datetime, offset: int) -> bool:
        return self.at < at or (self.at == at and self.offset < offset)


def hear(words: MutableSequence[Word], item: Heard, is_true: bool) -> Heard | None:
    """Take what `item` says into the words on one attribute, oldest first; the item with which it became true, if this
    tells one. What was told before is not told again: not for the same report, nor for an older one of the same time
    of being true."""
    record, event = item
    at, offset = event.at, record.offset
    place = len(words)
    while place and not words[place - 1].is_before(at, offset):
        place -= 1
    after = words[place] if place < len(words) else None
    if after is not None and (after.at, after.offset, after.is_true) == (at, offset, is_true):
        return None
    was_true = place > 0 and words[place - 1].is_true
    onset: Heard | None = None
    if is_true and not was_true and not (after is not None and after.is_true):
        onset = item
    elif not is_true and after is not None and after.quiet is not None:
        onset = after.quiet
        words[place] = Word(after.at, after.offset, True)
    words.insert(place, Word(at, offset, is_true, item if is_true and was_true else None))
    if len(words) > REMEMBERED:
        del words[0]
    return onset
