"""The two clocks: the system's (tokens, grants, retention) and each home's (rules, schedules, scenarios)."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import msgspec

_ENCODER: Final = msgspec.json.Encoder()


#: A step back of the wall clock that is no more than this is an ordinary correction.
CORRECTION: Final = timedelta(seconds=5)


class Clock(Protocol):
    """Says what time it is. `now` is aware UTC; `monotonic` counts seconds and never steps."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, delay_s: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)


class OnwardClock:
    """Another clock, whose time never steps back here: what was over stays over (tokens, questions).

    A correction of a few seconds is followed. After a greater step back time goes on from where it was, until the
    other clock has caught up or the process ends.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest = clock.now()
        self._at = clock.monotonic()

    def now(self) -> datetime:
        told, at = self._clock.now(), self._clock.monotonic()
        expected = self._latest + timedelta(seconds=at - self._at)
        if told < expected - CORRECTION:
            return expected
        self._latest, self._at = told, at
        return told

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, delay_s: float) -> None:
        await self._clock.sleep(delay_s)


class HomeClocks:
    """The clock of each home: the system's, shifted while a scenario runs there."""

    def __init__(self, system: Clock) -> None:
        self._system = system
        self._shift: dict[str, timedelta] = {}
        self._watchers: list[Callable[[], None]] = []

    def now(self, home_id: str) -> datetime:
        """The time in that home, aware UTC."""
        return self._system.now() + self._shift.get(home_id, timedelta())

    def set(self, home_id: str, at: datetime) -> None:
        """Make it `at` in that home now; time runs on from there."""
        self._shift[home_id] = at - self._system.now()
        self._tell()

    def reset(self, home_id: str) -> None:
        """Back to the system's time."""
        if self._shift.pop(home_id, None) is not None:
            self._tell()

    def is_shifted(self, home_id: str) -> bool:
        return home_id in self._shift

    def ahead(self, home_id: str) -> timedelta:
        """How far that home's time is ahead of the system's."""
        return self._shift.get(home_id, timedelta())

    def shifted(self) -> frozenset[str]:
        """The homes that have a time of their own now."""
        return frozenset(self._shift)

    def watch(self, changed: Callable[[], None]) -> None:
        """Have it called whenever a home's clock is set or reset."""
        self._watchers.append(changed)

    def _tell(self) -> None:
        for changed in self._watchers:
            changed()


async def pause(clock: Clock, delay_s: float, until: asyncio.Event | None = None) -> None:
    """Wait that long by the clock, or until the event is set."""
    slept = asyncio.ensure_future(clock.sleep(delay_s))
    waits: set[asyncio.Future[Any]] = {slept}
    if until is not None:
        waits.add(asyncio.ensure_future(until.wait()))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def iso(at: datetime) -> str:
    """ISO 8601, UTC, milliseconds, `Z`: the only form that HomeGuard writes."""
    # A quarter of what `isoformat` costs, and every event asks for it. No fraction is written for a whole second.
    text = _ENCODER.encode(at if at.tzinfo is UTC else at.astimezone(UTC)).decode()
    return text[1:24] + "Z" if len(text) > 22 else text[1:20] + ".000Z"


def parse_time(value: object) -> datetime:
    """A moment as aware UTC, from ISO 8601 (a naive one is UTC), epoch seconds or epoch milliseconds.

    Numbers of 1e11 and more are milliseconds (1e11 s lies in the year 5138).

    Raises:
        ValueError: it is none of these, or outside the years 1970-9998.
    """
    try:
        at = _as_datetime(value)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("the time is out of range") from error
    if not 1970 <= at.year <= 9998:
        raise ValueError("the time is out of range")
    return at


def _as_datetime(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000 if abs(value) >= 1e11 else value, UTC)
    if isinstance(value, str) and len(value) <= 40:
        return datetime.fromisoformat(value)
    raise ValueError("a time is ISO 8601, epoch seconds or epoch milliseconds")
