"""How each device is now, and who is told when that changes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

import msgspec

from homeguard.model import Attributes, LiveState


class StateChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one record says of a device. `sequence` (from 0, below 2^53) orders records of equal `at`; `available` None:
    nothing said."""

    home_id: str
    device_id: str
    at: datetime
    sequence: int
    attributes: Attributes = msgspec.field(default_factory=dict)
    available: bool | None = None


class LiveStateStore(Protocol):
    async def apply(self, changes: Sequence[StateChange]) -> list[LiveState]:
        """Merge, attribute by attribute, each only if newer by (at, sequence); returns the states that changed.

        Of two values of one moment and sequence the one whose JSON is greater, byte by byte, is kept.
        Safe to repeat and to shuffle: the result is that of the records in order. Everyone reads it from now on;
        after a crash it is there only when `flush` came after it.
        """
        ...

    async def flush(self) -> None:
        """Returns when all that was applied before survives a crash. Many changes of one device are written once.

        Raises:
            StorageFull, StoreUnavailable: not all of it does yet; it is kept, and tried again by the next `flush`.
        """
        ...

    async def adopt(self, states: Sequence[LiveState]) -> int:
        """Take over whole states from another store, unless what is here was seen later; returns how many were taken.

        Every attribute then counts as said at `last_seen_at`, before any other record of that moment.
        """
        ...

    async def get(self, home_id: str, device_id: str) -> LiveState | None: ...

    async def all(self, home_id: str) -> Mapping[str, LiveState]:
        """By device id."""
        ...

    async def forget(self, home_id: str, device_id: str) -> None: ...

    async def silent_since(self, before: datetime) -> list[LiveState]:
        """States that are `available` and were last seen before that moment."""
        ...


class Live(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that just happened, for those who watch a home: `kind` is `device_event`, `alert`, `command`,
    `confirmation`, `agent_response`, `notice`, `mode` or `session`; `data` is the wire's own object (JSON)."""

    home_id: str
    kind: str
    data: Mapping[str, object]
    #: Only for this person, when not empty.
    user_id: str = ""


class LiveFeed(Protocol):
    """Publish and subscribe within a home: at most once, in order, bounded."""

    async def publish(self, items: Sequence[Live]) -> None: ...

    def subscribe(
        self, home_id: str, *, user_id: str = "", limit: int = 256
    ) -> AbstractAsyncContextManager[AsyncIterator[Live]]:
        """What is published from now on. A subscriber that falls `limit` behind gets one `gap` and goes on, as does one
        whose link to the other processes broke (`{"missed": n}`; 0 when nobody knows how many).

        `home_id="*"` is every home (for HomeGuard's own rooms).
        """
        ...
