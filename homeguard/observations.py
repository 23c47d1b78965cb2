"""What an event says about its device: payload words translated to our attributes."""

import math
from collections.abc import Mapping
from typing import Any, Final

from homeguard.commands import checked
from homeguard.errors import InvalidInput
from homeguard.model import Attributes, Value
from homeguard.units import fahrenheit_to_celsius
from homeguard.vocabulary import EVENT_TYPES, MEASUREMENTS, REPORTS, attribute_slot

#: Payload keys of any event that are attributes of its device.
_ALWAYS: Final = ("battery", "battery_pct", "signal", "signal_dbm", "temperature_c")
_CARRIED: Final[Mapping[str, tuple[str, ...]]] = {
    name: (*spec.carries, *_ALWAYS) for name, spec in EVENT_TYPES.items() if name not in REPORTS
}
_FAHRENHEIT: Final = frozenset(("temperature_f", "target_f"))
_NO_SERIES: Final = frozenset(("intensity", "confidence"))


def attributes_from(event_type: str, payload: Mapping[str, Any]) -> dict[str, Value]:
    """What an event says about its device's attributes, with payload names translated to ours.

    `telemetry` reads `metrics`, `measurements` or the payload itself; `state_changed` and `heartbeat` the payload.
    Values of a wrong kind are left out: the event is stored as it was sent, the state only takes what it understands.
    """
    spec = EVENT_TYPES.get(event_type)
    if spec is None:
        return {}
    found: dict[str, Value] = dict(spec.sets)
    if event_type in REPORTS:
        source = payload.get("metrics", payload.get("measurements", payload.get("attributes", payload)))
        for name, value in source.items() if isinstance(source, Mapping) else ():
            _take(found, name, value)
    else:
        for name in _CARRIED[event_type]:
            if name in payload:
                _take(found, name, payload[name])
    return found


def _take(found: dict[str, Value], name: str, value: object) -> None:
    if name in _FAHRENHEIT and isinstance(value, int | float) and not isinstance(value, bool):
        name, value = name[:-1] + "c", round(fahrenheit_to_celsius(value), 2)
    name = MEASUREMENTS.get(name, name)
    slot = attribute_slot(name)
    if slot is None:
        if len(name) > 64:
            return
        finite = isinstance(value, bool | int | float) and math.isfinite(value)
        if finite or (isinstance(value, str) and len(value) <= 200):
            found[name] = value  # type: ignore[assignment]
        return
    if slot.kind == "number" and (type(value) is int or (type(value) is float and math.isfinite(value))):
        # what most devices say, judged here without a call for each
        if (slot.low is None or value >= slot.low) and (slot.high is None or value <= slot.high):
            found[name] = value
        return
    try:
        found[name] = checked(name, value, slot, name)
    except InvalidInput:
        return


def readings_from(attributes: Attributes) -> dict[str, float]:
    """The numbers among the attributes that are worth a time series: measured ones, not switches."""
    found = {}
    for name, value in attributes.items():
        if (type(value) is float or type(value) is int) and name not in _NO_SERIES:
            found[name] = float(value)
    return found
