"""What a device's state payload says: our attributes, and the events that they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from homeguard.model import Attributes, Device, Json, Value
from homeguard.vocabulary import CAPABILITIES
from pipeline.vendors.zigbee2mqtt import values

#: Numbers that are measured, not set: they go to `telemetry` and become time series.
_MEASURES: Final = frozenset(
    name for capability in ("climate", "power", "battery", "signal") for name in CAPABILITIES[capability].attributes
) - {"battery_low"}
#: Reported although the definition does not expose them.
_UNDECLARED: Final[Mapping[str, str]] = {
    "linkquality": "link_quality", "battery": "battery_pct", "voltage": "voltage_v", "temperature": "temperature_c",
    "humidity": "humidity_pct", "pressure": "pressure_hpa", "illuminance": "illuminance_lx",
}  # fmt: skip
#: Attribute -> what it is called when it becomes true and when it becomes false (`""`: only a change of state).
_SAYS: Final[Mapping[str, tuple[str, str]]] = {
    "motion": ("motion_detected", "motion_stopped"), "occupancy": ("motion_detected", "motion_stopped"),
    "smoke": ("smoke_detected", "smoke_cleared"), "co": ("co_detected", ""), "gas": ("gas_detected", ""),
    "water_leak": ("water_leak_detected", "water_leak_cleared"), "glass_break": ("glass_break", ""),
    "tamper": ("tamper_detected", ""), "battery_low": ("battery_low", ""), "heat": ("heat_anomaly", "heat_cleared"),
}  # fmt: skip
_RADIO: Final = frozenset(("link_quality", "signal_dbm"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One event that a report amounts to."""

    event_type: str
    payload: Mapping[str, Json] = field(default_factory=dict)


def attributes_of(device: Device, payload: Mapping[str, Any]) -> dict[str, Value]:
    """The device's attributes in this payload; unknown properties and unreadable values are left out."""
    keys: Any = device.binding.get("keys") or {}
    found: dict[str, Value] = {}
    for key in keys.values():
        prop = key["property"]
        if prop in payload and key["codec"] != "warning":
            found.update(values.read(key, payload[prop]))
    undeclared = payload.keys() & _UNDECLARED.keys()
    if undeclared:
        undeclared -= {key["property"] for key in keys.values()}
    for prop in undeclared:
        attribute = _UNDECLARED[prop]
        if attribute not in found:
            scale = 0.001 if attribute == "voltage_v" and _is_millivolts(payload[prop]) else 1
            found.update(values.read({"attribute": attribute, "codec": "number", "scale": scale}, payload[prop]))
    return _reconciled(found, payload)


def _is_millivolts(raw: object) -> bool:
    return isinstance(raw, int | float) and raw > 1000


def _reconciled(found: dict[str, Value], payload: Mapping[str, Any]) -> dict[str, Value]:
    """Where several properties speak of one attribute, the better one."""
    if "lock_state" in found:
        found["lock"] = found.pop("lock_state")
    position = found.get("position_pct")
    if isinstance(position, int | float):
        found["cover"] = "closed" if position <= 0 else "open"
    elif found.get("cover") in ("open", "closed"):
        found["position_pct"] = 100 if found["cover"] == "open" else 0
    if "moving" in found:
        found["cover"] = found.pop("moving")
    if payload.get("color_mode") == "color_temp":
        for name in ("hue", "saturation_pct"):
            found.pop(name, None)
    elif payload.get("color_mode") in ("xy", "hs") and "hue" in found:
        # The white point that such a payload still carries is only the nearest one to the colour.
        found.pop("color_temperature_k", None)
    cooling = found.pop("cool_target_c", None)
    if cooling is not None and found.get("hvac_mode") == "cool":
        found["target_c"] = cooling
    return found


def observe(
    device: Device,
    payload: Mapping[str, Any],
    previous: Attributes | None,
    *,
    is_retained: bool = False,
    is_repeat: bool = False,
) -> tuple[dict[str, Value], list[Observation]]:
    """The attributes, and the events that they are, in order: what happened, what changed, what was measured.

    Zigbee2MQTT repeats a device's whole cached state whenever one value moves, so only a change against `previous` (the
    attributes as last known, `None` when nothing is) is an event of its own; a motion sensor that reports again with
    nothing else new was triggered again. A retained message tells how things are, not that they just happened: it
    raises only dangers. `is_repeat`: delivered before, so what is not news against `previous` says nothing new at all.
    """
    attributes = attributes_of(device, payload)
    action = attributes.pop("action", None)
    known = previous or {}
    changed = {name: value for name, value in attributes.items() if name not in known or known[name] != value}
    seen: list[Observation] = []
    told: set[str] = set()
    for name, value in attributes.items():
        is_again = name in ("motion", "occupancy") and value is True and not (set(changed) - _RADIO) and bool(known)
        if name not in changed and not (is_again and not is_retained):
            continue
        event_type = _event_of(device, name, value, is_first=name not in known)
        if event_type and (
            not is_retained or (value is True and name in _SAYS and name not in ("motion", "occupancy"))
        ):
            seen.append(Observation(event_type=event_type, payload={name: value}))
            told.add(name)
    if isinstance(action, str) and action and not is_retained:
        seen.append(Observation(event_type="button_pressed", payload={"action": action}))
    measures = {n: v for n, v in attributes.items() if n in _MEASURES and not isinstance(v, bool | str)}
    rest = {n: v for n, v in attributes.items() if n not in measures and n not in told}
    if set(rest) & set(changed) or (rest and not measures and not seen and not is_repeat):
        seen.append(Observation(event_type="state_changed", payload=rest))
    if measures:
        seen.append(Observation(event_type="telemetry", payload={"metrics": measures}))
    return attributes, seen


def _event_of(device: Device, name: str, value: Value, *, is_first: bool) -> str:
    """The event's type, `""` when it is no more than a change of state."""
    if name in _SAYS:
        happened, ended = _SAYS[name]
        # The end of something that was never seen to begin is not news.
        return happened if value is True else ("" if is_first else ended)
    if name == "open" and device.type == "contact":
        what = "window" if device.config.get("placement") == "window" else "door"
        return f"{what}_open" if value is True else f"{what}_closed"
    if name == "lock":
        return {"locked": "door_locked", "unlocked": "door_unlocked"}.get(str(value), "")
    if name == "cover" and device.type == "garage_door" and not is_first:
        return {"open": "garage_open", "closed": "garage_closed"}.get(str(value), "")
    return ""
