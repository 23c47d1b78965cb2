"""Measured numbers on an engine; while it is away, the last answers to the same questions."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from homeguard.clock import Clock
from homeguard.model import Reading, Window
from homeguard.stores.guarded.answers import Answers, Question
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.events import WRITE_LIMIT_S
from homeguard.stores.guarded.faces import WithReadings


class GuardedReadings:
    """A `ReadingStore`. Writing fails while the engine is away: who writes keeps its records until it is back."""

    def __init__(self, engine: GuardedEngine[WithReadings], clock: Clock) -> None:
        self._engine = engine
        self._answers = Answers(clock)

    async def append(self, readings: Sequence[Reading]) -> int:
        """A repeated try counts none of what an earlier one stored without an answer."""
        return await self._engine.call(lambda s: s.readings.append(readings), deadline_s=WRITE_LIMIT_S)

    async def raw(
        self, home_id: str, device_id: str, metric: str, *, start: datetime, end: datetime, limit: int = 10_000
    ) -> list[Reading]:
        found = await self._answers.ask(
            self._engine, "readings", Question(what=("raw", home_id, device_id, metric, limit), start=start, end=end),
            lambda s: s.readings.raw(home_id, device_id, metric, start=start, end=end, limit=limit),
            lambda kept: [reading for reading in kept if start <= reading.at < end],
        )  # fmt: skip
        return list(found)

    async def latest(self, home_id: str, device_id: str, metric: str, *, before: datetime) -> Reading | None:
        return await self._answers.ask(
            self._engine, "readings", Question(what=("latest", home_id, device_id, metric), end=before),
            lambda s: s.readings.latest(home_id, device_id, metric, before=before),
            lambda kept: kept,
        )  # fmt: skip

    async def windows(
        self, home_id: str, device_id: str, metric: str, *, start: datetime, end: datetime, every: timedelta
    ) -> list[Window]:
        found = await self._answers.ask(
            self._engine, "readings",
            Question(what=("windows", home_id, device_id, metric, every), start=start, end=end),
            lambda s: s.readings.windows(home_id, device_id, metric, start=start, end=end, every=every),
            lambda kept: [window for window in kept if start < window.start + every and window.start < end],
        )  # fmt: skip
        return list(found)

    async def metrics(self, home_id: str) -> list[tuple[str, str, str]]:
        found = await self._answers.ask(
            self._engine, "readings", Question(what=("metrics", home_id)), lambda s: s.readings.metrics(home_id)
        )
        return list(found)
