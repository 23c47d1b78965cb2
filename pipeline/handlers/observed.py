"""What an event says, in our words: the attributes of its device, and the numbers worth a time series."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from homeguard.model import Event, Reading, Value
from homeguard.observations import attributes_from, readings_from
from homeguard.ports.log import Record
from homeguard.units import unit_of
from homeguard.vocabulary import CORE_EVENTS


class Heard(tuple[Record, Event]):
    """One record and its event; what the event says is worked out once, for the first handler that asks.

    Nobody changes what it gives: every handler gets the same.
    """

    _said: Mapping[str, Value] | None = None
    _readings: tuple[Reading, ...] | None = None

    @property
    def said(self) -> Mapping[str, Value]:
        """As `attributes_said`."""
        if self._said is None:
            self._said = attributes_said(self[1])
        return self._said

    @property
    def readings(self) -> tuple[Reading, ...]:
        """As `readings_of`."""
        if self._readings is None:
            self._readings = tuple(_readings(self[1], self.said))
        return self._readings


def heard(batch: Iterable[tuple[Record, Event]]) -> list[Heard]:
    """The batch, with what its events say."""
    return [item if isinstance(item, Heard) else Heard(item) for item in batch]


def attributes_said(event: Event) -> dict[str, Value]:
    """What the device says of itself with this event; nothing for what HomeGuard writes about a device."""
    if not event.device_id or event.event_type in CORE_EVENTS:
        return {}
    return attributes_from(event.event_type, event.payload)


def readings_of(event: Event) -> list[Reading]:
    """The measured numbers of an event, by metric name."""
    return _readings(event, attributes_said(event))


def _readings(event: Event, said: Mapping[str, Value]) -> list[Reading]:
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
        for metric, value in sorted(readings_from(said).items())
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
