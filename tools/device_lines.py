"""One device as tools tell it: its line, its attributes with units, its commands with bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from homeguard.clock import iso
from homeguard.commands import attributes_of, commands_of
from homeguard.model import Device, Home, Json, LiveState, UnitSystem, Value
from homeguard.units import celsius_to_fahrenheit, unit_of, value_text
from homeguard.vocabulary import Slot
from tools.shapes import SHAPE
from tools.text import clean, clean_json


@dataclass(frozen=True, slots=True, kw_only=True)
class LastEvent:
    __pydantic_config__: ClassVar = SHAPE
    event_type: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLine:
    __pydantic_config__: ClassVar = SHAPE
    device_id: str
    name: str
    aliases: tuple[str, ...]
    type: str
    area: str
    floor: str
    capabilities: tuple[str, ...]
    commands: tuple[str, ...]
    """What control_device takes for it; get_device_state tells their parameters"""
    state: Mapping[str, Value]
    """Last known attributes; the unit is in the name: _c Celsius, _pct percent, _w watt, _kwh kilowatt-hours"""
    levels: Mapping[str, Any]
    """Further settable numbers: {name: {min, max, unit}}"""
    options: Mapping[str, Any]
    """Further settable choices: {name: [values]}"""
    ranges: Mapping[str, Any]
    """Narrower bounds of this very device: {attribute: [low, high]}"""
    placement: str
    """For sensors of an opening: door, window, garage or gate"""
    online: bool
    battery: float | None
    """Percent, null when it has none or never said"""
    last_event: LastEvent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeLine:
    __pydantic_config__: ClassVar = SHAPE
    name: str
    value: Value
    unit: str
    text: str
    """As people of this home read it"""
    changed_at: str | None
    """When it took this value (UTC)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterLine:
    __pydantic_config__: ClassVar = SHAPE
    name: str
    kind: str
    """bool, number, choice or text"""
    low: float | None
    """Temperatures in the home's own unit"""
    high: float | None
    choices: tuple[str, ...]
    optional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    __pydantic_config__: ClassVar = SHAPE
    command: str
    parameters: tuple[ParameterLine, ...]


def device_line(device: Device, state: LiveState | None, last: LastEvent | None) -> DeviceLine:
    """A device and its last known state, every text cleaned."""
    attributes = state.attributes if state is not None else {}
    battery = attributes.get("battery_pct")
    return DeviceLine(
        device_id=device.id,
        name=clean(device.name),
        aliases=tuple(clean(a, 80) for a in device.aliases[:20]),
        type=device.type,
        area=clean(device.area, 80),
        floor=clean(device.floor, 80),
        capabilities=device.capabilities[:40],
        commands=tuple(sorted(commands_of(device))),
        state={clean(k, 64): _value(v) for k, v in list(attributes.items())[:60]},
        levels=_config(device, "levels"),
        options=_config(device, "options"),
        ranges=_config(device, "ranges"),
        placement=clean(device.config.get("placement") or "", 40),
        online=state is not None and state.available,
        battery=float(battery) if isinstance(battery, int | float) and not isinstance(battery, bool) else None,
        last_event=last,
    )


def _config(device: Device, key: str) -> Mapping[str, Json]:
    cleaned = clean_json(device.config.get(key))
    return cleaned if isinstance(cleaned, Mapping) else {}


def _value(value: Value) -> Value:
    return clean(value) if isinstance(value, str) else value


def attribute_lines(state: LiveState | None, home: Home) -> tuple[AttributeLine, ...]:
    """Every known attribute, by name, with its unit and since when."""
    if state is None:
        return ()
    lines = []
    for name, value in sorted(state.attributes.items())[:100]:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        changed = state.changed_at.get(name)
        lines.append(
            AttributeLine(
                name=clean(name, 64),
                value=_value(value),
                unit=unit_of(name) if number else "",
                text=value_text(name, float(value), home.unit_system) if number else clean(value),
                changed_at=iso(changed) if changed is not None else None,
            )
        )
    return tuple(lines)


def command_line(device: Device, name: str, units: UnitSystem) -> CommandLine:
    """One of its commands, with this device's own bounds."""
    _, spec = commands_of(device)[name]
    slots = attributes_of(device)
    lines = []
    for parameter, slot in spec.parameters.items():
        bounds = slots.get(parameter, slot) if slot.kind == "number" else slot
        if name == "set_temperature" and parameter == "value":
            bounds = _as_said(slots.get("target_c", slot), units)
        lines.append(
            ParameterLine(
                name=parameter,
                kind=slot.kind,
                low=bounds.low,
                high=bounds.high,
                choices=slot.choices,
                optional=slot.optional,
            )
        )
    return CommandLine(command=name, parameters=tuple(lines))


def _as_said(slot: Slot, units: UnitSystem) -> Slot:
    """Bounds in Celsius as a bare number of this home means them."""
    if units != "us" or slot.low is None or slot.high is None:
        return slot
    low, high = celsius_to_fahrenheit(slot.low), celsius_to_fahrenheit(slot.high)
    return replace(slot, low=round(low, 1), high=round(high, 1))
