"""What was found out lately about who shows what: believed for less than a second, and not beyond a revocation."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar
from weakref import WeakValueDictionary

from homeguard.clock import Clock
from homeguard.staleness import collect

T = TypeVar("T")


class Recent(Generic[T]):
    """Answers about who shows what, worth believing for less than a second: so a revocation acts within one.

    At most `keys` are kept; when there are more, all go.
    """

    _BELIEVED_S: Final = 0.9

    def __init__(self, clock: Clock, *, keys: int = 1_000) -> None:
        self._clock = clock
        self._keys = keys
        self._kept: dict[tuple[str, ...], tuple[float, T]] = {}
        self._forgotten_at = -math.inf
        #: Gone as soon as nobody holds it.
        self._asking: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()

    def get(self, shown: tuple[str, ...]) -> T | None:
        kept = self._kept.get(shown)
        return kept[1] if kept is not None and self._clock.monotonic() - kept[0] < self._BELIEVED_S else None

    async def find(self, shown: tuple[str, ...], ask: Callable[[], Awaitable[T]]) -> T:
        """The answer that is believed, else `ask`'s: what many ask at the same time is asked once.

        An answer from a copy, while the store itself is away, is given and not kept: each one who gets it is told
        that it may be old.
        """
        answer = self.get(shown)
        if answer is not None:
            return answer
        async with self._asking.setdefault(shown, asyncio.Lock()):
            answer = self.get(shown)
            if answer is not None:
                return answer
            asked_at = self._clock.monotonic()
            with collect() as stale:
                answer = await ask()
            if not stale:
                self.keep(shown, asked_at, answer)
            return answer

    def keep(self, shown: tuple[str, ...], asked_at: float, answer: T) -> None:
        """`asked_at` is the clock's `monotonic` from before the stores were asked."""
        if asked_at < self._forgotten_at:
            return
        if len(self._kept) >= self._keys:
            self._kept.clear()
        self._kept[shown] = (asked_at, answer)

    def forget(self) -> None:
        """Something was revoked: believe nothing that was asked until now."""
        self._kept.clear()
        self._forgotten_at = math.nextafter(self._clock.monotonic(), math.inf)
