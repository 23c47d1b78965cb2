"""What an event says about its device: payload words translated to our attributes."""

import math
from collections.abc import Mapping
from typing import Any

from homeguard.commands import checked
from homeguard.errors import InvalidInput
from homeguard.model import Attributes, Value
from homeguard.units import fahrenheit_to_celsius
from homeguard.vocabulary import EVENT_TYPES, MEASUREMENTS, attribute_slot


def attributes_from(event_type: str, payload: Mapping[str, Any]) -> dict[str, Value]:
    """What an event says about its device's attributes, with payload names translated to ours.

    `telemetry` reads `metrics`, `measurements` or the payload itself; `state_changed` and `heartbeat` the payload.
    Values of a wrong kind are left out: the event is stored as it was sent, the state only takes what it understands.
    """
    spec = EVENT_TYPES.get(event_type)
    if spec is None:
        return {}
    found: dict[str, Value] = dict(spec.sets)
    if event_type in ("telemetry", "state_changed", "heartbeat", "device_online"):
        source = payload.get("metrics", payload.get("measurements", payload.get("attributes", payload)))
        for name, value in source.items() if isinstance(source, Mapping) else ():
            _take(found, name, value)
    else:
        for name in (*spec.carries, "battery", "battery_pct", "signal", "signal_dbm", "temperature_c"):
            if name in payload:
                _take(found, name, payload[name])
    return found


def _take(found: dict[str, Value], name: str, value: object) -> None:
    if name in ("temperature_f", "target_f") and isinstance(value, int | float) and not isinstance(value, bool):
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
    try:
        found[name] = checked(name, value, slot, name)
    except InvalidInput:
        return


def readings_from(attributes: Attributes) -> dict[str, float]:
    """The numbers among the attributes that are worth a time series: measured ones, not switches."""
    return {
        name: float(value)
        for name, value in attributes.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in ("intensity", "confidence")
    }
