"""Events and anomalies on an engine; while it is away, the last answers to the same questions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from homeguard.clock import Clock
from homeguard.model import Anomaly, Event
from homeguard.ports.events import Page
from homeguard.stores.guarded.answers import Answers, Question
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithAnomalies, WithEvents

#: A batch may be large, and nobody waits in front of it.
WRITE_LIMIT_S: Final = 10.0


class GuardedEvents:
    """An `EventStore`. Writing fails while the engine is away: who writes keeps its records until it is back."""

    def __init__(self, engine: GuardedEngine[WithEvents], clock: Clock) -> None:
        self._engine = engine
        self._answers = Answers(clock)

    async def append(self, events: Sequence[Event]) -> int:
        """A repeated try counts none of what an earlier one stored without an answer."""
        return await self._engine.call(lambda s: s.events.append(events), deadline_s=WRITE_LIMIT_S)

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
        what = ("query", home_id, device_id, tuple(event_types), limit, cursor)

        def within(page: Page) -> Page:
            items = tuple(e for e in page.items if (start is None or e.at >= start) and (end is None or e.at < end))
            return Page(items=items, next_cursor=page.next_cursor)

        return await self._answers.ask(
            self._engine, "events", Question(what=what, start=start, end=end),
            lambda s: s.events.query(
                home_id, start=start, end=end, device_id=device_id, event_types=event_types, limit=limit, cursor=cursor
            ),
            within,
        )  # fmt: skip

    async def get(self, home_id: str, event_id: str) -> Event | None:
        return await self._answers.ask(
            self._engine, "events", Question(what=("get", home_id, event_id)), lambda s: s.events.get(home_id, event_id)
        )

    async def latest(self, home_id: str, device_ids: Sequence[str]) -> dict[str, Event]:
        found = await self._answers.ask(
            self._engine, "events", Question(what=("latest", home_id, tuple(device_ids))),
            lambda s: s.events.latest(home_id, device_ids),
        )  # fmt: skip
        return dict(found)

    async def count(self, home_id: str) -> int:
        return await self._answers.ask(
            self._engine, "events", Question(what=("count", home_id)), lambda s: s.events.count(home_id)
        )


class GuardedAnomalies:
    """An `AnomalyStore`, like `GuardedEvents`."""

    def __init__(self, engine: GuardedEngine[WithAnomalies], clock: Clock) -> None:
        self._engine = engine
        self._answers = Answers(clock)

    async def append(self, anomalies: Sequence[Anomaly]) -> int:
        return await self._engine.call(lambda s: s.anomalies.append(anomalies), deadline_s=WRITE_LIMIT_S)

    async def query(
        self, home_id: str, *, start: datetime, end: datetime, device_id: str = "", limit: int = 100
    ) -> list[Anomaly]:
        found = await self._answers.ask(
            self._engine, "anomalies", Question(what=(home_id, device_id, limit), start=start, end=end),
            lambda s: s.anomalies.query(home_id, start=start, end=end, device_id=device_id, limit=limit),
            lambda kept: [anomaly for anomaly in kept if start <= anomaly.at < end],
        )  # fmt: skip
        return list(found)
