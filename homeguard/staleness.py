"""Answers from a copy: a store that must use one says since when it is old, and the door that asked shows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Final

#: Concern ("events", "devices", ...) -> the moment from which on the answer may be wrong.
Stale = dict[str, datetime]

_COLLECTED: Final[ContextVar[Stale | None]] = ContextVar("homeguard_stale", default=None)


@contextmanager
def collect() -> Iterator[Stale]:
    """What is noted inside the block, also by tasks that it starts; an inner block is told to the outer one too."""
    stale: Stale = {}
    outer = _COLLECTED.get()
    token = _COLLECTED.set(stale)
    try:
        yield stale
    finally:
        _COLLECTED.reset(token)
        if outer is not None:
            for concern, since in stale.items():
                _keep_oldest(outer, concern, since)


def note(concern: str, since: datetime) -> None:
    """This answer is a copy from `since`; the oldest counts. Without a block around, nobody asked."""
    stale = _COLLECTED.get()
    if stale is not None:
        _keep_oldest(stale, concern, since)


def _keep_oldest(stale: Stale, concern: str, since: datetime) -> None:
    known = stale.get(concern)
    if known is None or since < known:
        stale[concern] = since
