"""Who is let in when more comes than can be done: what fills up history first waits outside, alarms never do."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from homeguard.clock import Clock
from homeguard.errors import Overloaded
from homeguard.model import Lane
from pipeline.intake.turns import BUSY

#: How often those who wait for room look for it.
_LOOK_EVERY_S: Final = 0.02
_RETRY_AFTER_S: Final[Mapping[Lane, int]] = {"state": 1, "bulk": 3}
_NONE: Final[frozenset[Lane]] = frozenset()
_BULK: Final[frozenset[Lane]] = frozenset(("bulk",))
_ALL_BUT_SAFETY: Final[frozenset[Lane]] = frozenset(("bulk", "state"))


@runtime_checkable
class Backlog(Protocol):
    """What a log says of its own load, without waiting."""

    @property
    def waiting_bytes(self) -> int:
        """In front of the disk."""
        ...

    def behind(self, group: str) -> int:
        """Records that this group has yet to read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on a lane is refused: bytes in front of the log's disk, records that a group is behind.

    A group that does 20,000 records a second is 5 seconds late at the end of `state`; both lie behind what a burst of
    a full body (10,000 events) brings. From `busy` of the way to the first refusal on, a group has enough to do for a
    while: more at once would only take away its time, so large bodies are taken sparingly.
    """

    bulk_bytes: int = 8 * 1024 * 1024
    state_bytes: int = 16 * 1024 * 1024
    bulk_behind: Mapping[str, int]
    state_behind: Mapping[str, int]
    busy: float = 0.1


def limits_of(groups: Sequence[str], *, slow: Sequence[str] = ()) -> Limits:
    """The usual limits for these groups; those of `slow`, which nobody waits for, may lag twice as far."""

    def of(count: int) -> dict[str, int]:
        return {group: 2 * count if group in slow else count for group in groups}

    return Limits(bulk_behind=of(50_000), state_behind=of(100_000))


class Admission:
    """Looks at the backlog whenever something comes. `shed` counts what was refused, by lane.

    The safety lane is never refused here: the log's own queue, with its reserve, is its only bound.
    """

    def __init__(
        self, backlog: Backlog, clock: Clock, limits: Limits, *, tell: Callable[[Lane, int], None] | None = None
    ) -> None:
        """`tell` hears of each refusal as well, with the lane and how many."""
        self._backlog = backlog
        self._clock = clock
        self._limits = limits
        #: Group, and from where on state and bulk are refused: asked for every request, so each group once.
        self._behind = [
            (group, limits.state_behind.get(group, math.inf), limits.bulk_behind.get(group, math.inf))
            for group in {**limits.state_behind, **limits.bulk_behind}
        ]
        self._tell = tell
        self.shed: Counter[Lane] = Counter()

    def refused(self) -> frozenset[Lane]:
        """The lanes that nothing is taken of just now."""
        limits, waiting = self._limits, self._backlog.waiting_bytes
        if waiting > limits.state_bytes:
            return _ALL_BUT_SAFETY
        is_bulk_refused = waiting > limits.bulk_bytes
        for group, state, bulk in self._behind:
            behind = self._backlog.behind(group)
            if behind > state:
                return _ALL_BUT_SAFETY
            if behind > bulk:
                is_bulk_refused = True
        return _BULK if is_bulk_refused else _NONE

    def is_busy(self) -> bool:
        """There is more than enough to do already, whether or not something is refused."""
        share = self._limits.busy
        return self._backlog.waiting_bytes > share * self._limits.bulk_bytes or any(
            self._backlog.behind(group) > share * limit for group, limit in self._limits.bulk_behind.items()
        )

    def admit(self, lane: Lane, count: int = 1) -> None:
        """Nothing when so many of this lane may come in.

        Raises:
            Overloaded: not now; with `retry_after_s`.
        """
        if lane in self.refused():
            raise self.refusal(lane, count)

    def refusal(self, lane: Lane, count: int = 1) -> Overloaded:
        """The error for so many that are refused; counts them."""
        self.shed[lane] += count
        if self._tell is not None:
            self._tell(lane, count)
        return Overloaded(BUSY, retry_after_s=_RETRY_AFTER_S.get(lane, 1))

    async def room(self) -> None:
        """Returns when events of the state lane may come in; for those who can leave what they have where it is."""
        while "state" in self.refused():
            await self._clock.sleep(_LOOK_EVERY_S)
