"""The last good answers of a store, for when it is away: bounded in number, in bytes and in age."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from homeguard.clock import Clock
from homeguard.errors import StoreUnavailable
from homeguard.staleness import note
from homeguard.stores.guarded.engine import GuardedEngine, Opened

T = TypeVar("T", bound=Opened)
R = TypeVar("R")

ANSWERS: Final = 500
BYTES: Final = 16 * 1024 * 1024
OLDEST_S: Final = 3600.0
#: Of a long list every so many are weighed; an answer that takes more than a fourth of the room is not kept.
WEIGHED: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked: `what` and everything that was said with it, but for the span of time."""

    what: Hashable
    start: datetime | None = None
    end: datetime | None = None

    def beside(self, now: datetime) -> Hashable:
        """The same for all questions that were asked at their moments about the same span before these, in minutes:
        "the last day" now and a while ago."""
        return self.what, _minutes(self.start, now), _minutes(self.end, now)


class Answers:
    """The memory of one concern."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: question -> (seconds and moment of the answer, the question's span beside that moment, weight, answer)
        self._kept: OrderedDict[Question, tuple[float, datetime, Hashable, int, object]] = OrderedDict()
        self._beside: dict[Hashable, Question] = {}
        self._size = 0

    async def ask(
        self,
        engine: GuardedEngine[T],
        concern: str,
        question: Question,
        fn: Callable[[T], Awaitable[R]],
        within: Callable[[R], R] | None = None,
    ) -> R:
        """The engine's answer, kept; while it is away the one that was kept, noted as stale.

        An answer to the exact question comes first, then, with `within`, one to the same question asked earlier about
        a span just as far back; `within` cuts it to the span that is asked now.

        Raises:
            StoreUnavailable: the engine is away and this was not asked within an hour.
        """
        try:
            answer = await engine.call(fn)
        except StoreUnavailable:
            known = self._find(question)
            cut = None
            if known is None and within is not None:
                twin = self._beside.get(question.beside(self._clock.now()))
                known, cut = (self._find(twin) if twin is not None else None), within
            if known is None:
                raise
            at, kept = known
            note(concern, at)
            result: R = kept
            return result if cut is None else cut(result)
        self._keep(question, answer)
        return answer

    def _find(self, question: Question) -> tuple[datetime, Any] | None:
        found = self._kept.get(question)
        if found is None:
            return None
        if self._clock.monotonic() - found[0] > OLDEST_S:
            self._drop(question)
            return None
        self._kept.move_to_end(question)
        return found[1], found[4]

    def _keep(self, question: Question, answer: object) -> None:
        self._drop(question)
        weight = weigh(answer)
        if weight > BYTES / 4:
            return
        now = self._clock.now()
        beside = question.beside(now)
        self._kept[question] = (self._clock.monotonic(), now, beside, weight, answer)
        self._beside[beside] = question
        self._size += weight
        while len(self._kept) > ANSWERS or self._size > BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, question: Question) -> None:
        found = self._kept.pop(question, None)
        if found is None:
            return
        self._size -= found[3]
        if self._beside.get(found[2]) == question:
            del self._beside[found[2]]


def weigh(value: object) -> int:
    """About how many bytes it takes in memory."""
    if isinstance(value, str):
        return 50 + len(value)
    if isinstance(value, Mapping):
        return 64 + sum(weigh(key) + weigh(item) for key, item in value.items())
    if isinstance(value, Sequence):
        step = max(1, len(value) // WEIGHED)
        return 56 + step * sum(8 + weigh(item) for item in value[::step])
    if isinstance(value, msgspec.Struct):
        return 48 + sum(weigh(getattr(value, name)) for name in value.__struct_fields__)
    if is_dataclass(value):
        return 48 + sum(weigh(getattr(value, field.name)) for field in fields(value))
    return 32


def _minutes(at: datetime | None, now: datetime) -> int | None:
    return None if at is None else round((now - at).total_seconds() / 60)
