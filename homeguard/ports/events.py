"""Events as they happened, by device, by home and by type."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from homeguard.model import Alert, Anomaly, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events newest first, and the cursor that goes on behind the last of them (`None`: there are no more)."""

    items: tuple[Event, ...]
    next_cursor: str | None


class EventStore(Protocol):
    """Times are kept to the millisecond at least: events carry no finer ones."""

    async def append(self, events: Sequence[Event]) -> int:
        """Store those whose (home, event_id) is new; returns how many were."""
        ...

    async def query(
        self,
        home_id: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        device_id: str = "",
        event_types: Sequence[str] = (),
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Events with `start <= at < end`, newest first, equal times by ascending event_id, at most `limit` (1..1000,
        a number outside is taken as the nearer end).

        Raises:
            InvalidInput: the cursor is not one of ours.
        """
        ...

    async def get(self, home_id: str, event_id: str) -> Event | None: ...

    async def latest(self, home_id: str, device_ids: Sequence[str]) -> dict[str, Event]:
        """The newest event of each of these devices that ever had one, by device id: the first that `query` gives.

        No event is that of the device "".
        """
        ...

    async def count(self, home_id: str) -> int: ...


class AnomalyStore(Protocol):
    async def append(self, anomalies: Sequence[Anomaly]) -> int:
        """Store those whose (home, id) is new; returns how many were."""
        ...

    async def query(
        self, home_id: str, *, start: datetime, end: datetime, device_id: str = "", limit: int = 100
    ) -> list[Anomaly]:
        """`start <= at < end`, newest first, equal times by ascending id, at most `limit` (1..1000)."""
        ...


class AlertStore(Protocol):
    async def raise_(self, alerts: Sequence[Alert]) -> list[Alert]:
        """Store those whose (home, id) is new and return these: of many who raise one at once, one gets it back."""
        ...

    async def query(self, home_id: str, *, start: datetime, end: datetime, limit: int = 100) -> list[Alert]:
        """`start <= at < end`, newest first, equal times by ascending id, at most `limit` (1..1000)."""
        ...
