"""What an event says, in our words: the attributes of its device, and the numbers worth a time series."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from homeguard.clock import HomeClocks
from homeguard.model import Event, Reading, Value
from homeguard.observations import attributes_from, readings_from
from homeguard.ports.log import Record
from homeguard.units import unit_of
from homeguard.vocabulary import CORE_EVENTS
from pipeline.envelope import LATE_AFTER

T = TypeVar("T")


class _Once(Generic[T]):
    """A property that is worked out at the first asking and is a plain attribute from then on."""

    def __init__(self, work_out: "Callable[[Heard], T]") -> None:
        self._work_out = work_out
        self._name = work_out.__name__

    def __get__(self, item: "Heard", owner: "type[Heard]") -> T:
        found = item.__dict__[self._name] = self._work_out(item)
        return found


class Heard(tuple[Record, Event]):
    """One record and its event; what the event says is worked out once, for the first handler that asks.

    Nobody changes what it gives: every handler gets the same.
    """

    @_Once
    def said(self) -> Mapping[str, Value]:
        """As `attributes_said`."""
        return attributes_said(self[1])

    @_Once
    def readings(self) -> tuple[Reading, ...]:
        """As `readings_of`."""
        return tuple(_readings(self[1], self.said))


class HeardBatch(list[Heard]):
    """A batch whose items are all `Heard`."""


def heard(batch: Iterable[tuple[Record, Event]]) -> list[Heard]:
    """The batch, with what its events say."""
    if isinstance(batch, HeardBatch):
        return batch
    return HeardBatch(item if isinstance(item, Heard) else Heard(item) for item in batch)


class Lateness:
    """Judges a batch by one look at each home's clock: as `is_late` and `sets_off_reflexes`, for many events."""

    def __init__(self, clocks: HomeClocks) -> None:
        self._clocks = clocks
        self._limits: dict[str, datetime] = {}

    def is_late(self, event: Event) -> bool:
        limit = self._limits.get(event.home_id)
        if limit is None:
            limit = self._limits[event.home_id] = self._clocks.now(event.home_id) - LATE_AFTER
        return event.at < limit

    def sets_off(self, event: Event) -> bool:
        """It happens now, and is no recording."""
        return event.source != "replay" and not self.is_late(event)


def attributes_said(event: Event) -> dict[str, Value]:
    """What the device says of itself with this event; nothing for what HomeGuard writes about a device."""
    if not event.device_id or event.event_type in CORE_EVENTS:
        return {}
    return attributes_from(event.event_type, event.payload)


def readings_of(event: Event) -> list[Reading]:
    """The measured numbers of an event, by metric name."""
    return _readings(event, attributes_said(event))


def _readings(event: Event, said: Mapping[str, Value]) -> list[Reading]:
    numbers = readings_from(said)
    if not numbers:
        return []
    return [
        Reading(
            home_id=event.home_id,
            device_id=event.device_id,
            metric=metric,
            value=value,
            unit=_unit(metric),
            at=event.at,
            event_id=event.event_id,
            is_simulated=event.metadata.is_simulated,
        )
        for metric, value in sorted(numbers.items())
    ]


def local_time(at: datetime, time_zone: str) -> datetime:
    """The moment on the wall clock of that zone; in UTC when the zone is not known here."""
    return at.astimezone(_zone(time_zone))


@lru_cache(maxsize=1024)
def _unit(metric: str) -> str:
    return unit_of(metric)


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC
