"""What an event says, in our words: the attributes of its device, and the numbers worth a time series."""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from homeguard.model import Event, Reading, Value
from homeguard.observations import attributes_from, readings_from
from homeguard.units import unit_of
from homeguard.vocabulary import CORE_EVENTS


def attributes_said(event: Event) -> dict[str, Value]:
    """What the device says of itself with this event; nothing for what HomeGuard writes about a device."""
    if not event.device_id or event.event_type in CORE_EVENTS:
        return {}
    return attributes_from(event.event_type, event.payload)


def readings_of(event: Event) -> list[Reading]:
    """The measured numbers of an event, by metric name."""
    return [
        Reading(
            home_id=event.home_id,
            device_id=event.device_id,
            metric=metric,
            value=value,
            unit=unit_of(metric),
            at=event.at,
            event_id=event.event_id,
            is_simulated=event.metadata.is_simulated,
        )
        for metric, value in sorted(readings_from(attributes_said(event)).items())
    ]


def local_time(at: datetime, time_zone: str) -> datetime:
    """The moment on the wall clock of that zone; in UTC when the zone is not known here."""
    return at.astimezone(_zone(time_zone))


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC
