"""What waits on this machine's disk for an engine that is away."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing to hand over: `concern` says what it is, `value` is its text."""

    concern: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An entry in the spool. `number` grows with every entry; `tries` counts how often the engine refused it."""

    number: int
    engine: str
    entry: Entry
    kept_at: datetime
    tries: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits for one engine: `rows`, their `size` in bytes, since when; `aside`: rows that it refused for good."""

    engine: str
    rows: int
    size: int
    oldest_at: datetime | None
    aside: int


class Spool(Protocol):
    """Durable, bounded, in order for each engine. An entry stays until the engine has taken it."""

    async def put(self, engine: str, entries: Sequence[Entry], *, reserved: bool = False) -> None:
        """Keep all or none, behind what waits for that engine. `reserved`: they may use the part that is kept free for
        what must not be lost.

        Raises:
            Overloaded: the spool of that engine is full; nothing was kept; `retry_after_s` says when to come back.
            StoreUnavailable: the disk did not answer.
        """
        ...

    async def next(self, engine: str, *, limit: int = 100) -> list[Waiting]:
        """The oldest that wait for it, in order."""
        ...

    async def taken(self, engine: str, numbers: Sequence[int]) -> None:
        """The engine has them: they go. Numbers that are not there are passed over."""
        ...

    async def refused(self, engine: str, number: int, reason: str) -> int:
        """The engine does not want it, and why; returns how often that happened."""
        ...

    async def set_aside(self, engine: str, number: int) -> None:
        """Let the others go on without it. At most 1,000 are kept so for an engine; the oldest go."""
        ...

    async def put_back(self, engine: str) -> int:
        """Let all that were set aside wait again, in their old places; returns how many."""
        ...

    async def aside(self, engine: str) -> list[Waiting]:
        """Those set aside, oldest first."""
        ...

    async def forget_aside(self, engine: str, texts: Collection[str], *, but: str = "") -> int:
        """Delete those set aside in which one of these texts occurs, but of the concern `but`; returns how many."""
        ...

    def count(self, engine: str, concern: str = "") -> int:
        """How many wait (for one concern), not counting those set aside. Asks no disk."""
        ...

    async def backlogs(self) -> list[Backlog]:
        """Of every engine for which something is here, by name."""
        ...
