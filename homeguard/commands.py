"""Which commands and attributes one device has, and what a command would make of it: checked, absolute, pure."""

import math
from collections.abc import Mapping
from typing import Any

from homeguard.errors import InvalidInput
from homeguard.model import Device, Value
from homeguard.vocabulary import CAPABILITIES, CommandSpec, Slot


def commands_of(device: Device) -> dict[str, tuple[str, CommandSpec]]:
    """Every command that this device takes: name -> (capability, spec). The first capability that has it wins.

    `config["commands"]`, where it is a list, names the only ones that it takes of those.
    """
    found: dict[str, tuple[str, CommandSpec]] = {}
    only = device.config.get("commands")
    for capability in device.capabilities:
        for name, spec in CAPABILITIES[capability].commands.items() if capability in CAPABILITIES else ():
            if not isinstance(only, list | tuple) or name in only:
                found.setdefault(name, (capability, spec))
    return found


def attributes_of(device: Device) -> dict[str, Slot]:
    """Every attribute that this device can have, with the bounds that its config narrows."""
    slots: dict[str, Slot] = {}
    for capability in device.capabilities:
        if capability in CAPABILITIES:
            slots.update(CAPABILITIES[capability].attributes)
    for name, level in _mapping(device.config.get("levels")).items():
        bounds = _mapping(level)
        slots[name] = Slot("number", _float(bounds.get("min")), _float(bounds.get("max")))
    for name, options in _mapping(device.config.get("options")).items():
        if isinstance(options, list | tuple):
            slots[name] = Slot("choice", choices=tuple(str(o) for o in options))
    for name, bounds in _mapping(device.config.get("ranges")).items():
        slot = slots.get(name)
        if slot is not None and slot.kind == "number" and isinstance(bounds, list | tuple) and len(bounds) == 2:
            slots[name] = Slot("number", _float(bounds[0]), _float(bounds[1]))
    return slots


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def resolve_command(device: Device, command: str, parameters: Mapping[str, Any], unit: str = "C") -> dict[str, Value]:
    """What the device's attributes are once the command is carried out: checked against type, range and choices.

    `unit` is what a bare temperature means in this home (`C` or `F`).

    Raises:
        InvalidInput: the device has no such command, or a parameter is missing, unknown or out of range; the message
            names what is allowed.
    """
    commands = commands_of(device)
    if command not in commands:
        offers = ", ".join(sorted(commands)) or "no commands: it only reports"
        raise InvalidInput(
            f"{device.name} does not take '{command}'; it takes {offers}",
            code="COMMAND_NOT_SUPPORTED", field="command", allowed=sorted(commands),
        )  # fmt: skip
    _, spec = commands[command]
    given = dict(parameters)
    if "unit" in spec.parameters and given.get("unit") is None:
        given["unit"] = unit
    unknown = sorted(set(given) - set(spec.parameters))
    if unknown:
        raise InvalidInput(
            f"{command} does not take {', '.join(unknown)}; it takes {', '.join(spec.parameters) or 'nothing'}",
            field=f"parameters.{unknown[0]}",
        )
    for name, slot in spec.parameters.items():
        if name not in given:
            if slot.optional:
                continue
            raise InvalidInput(f"{command} needs {name}", field=f"parameters.{name}")
        given[name] = checked(name, given[name], slot, f"parameters.{name}")
    result = spec.sets(given)
    slots = attributes_of(device)
    for name, value in result.items():
        known = slots.get(name)
        if known is None:
            if name == "on":
                continue
            raise InvalidInput(f"{device.name} has no '{name}'", field="parameters", allowed=sorted(slots))
        if command == "set_temperature":
            _check_temperature(device, value, known, str(given.get("unit", "C")))
        else:
            result[name] = checked(name, value, known, "parameters")
    if "on" in result and "on" not in slots:
        del result["on"]
    return result


def _check_temperature(device: Device, value: Value, slot: Slot, unit: str) -> None:
    low, high = slot.low if slot.low is not None else -30.0, slot.high if slot.high is not None else 100.0
    if not low - 0.05 <= float(value) <= high + 0.05:
        bounds = [low, high] if unit == "C" else [low * 1.8 + 32, high * 1.8 + 32]
        raise InvalidInput(
            f"{device.name} takes {bounds[0]:g} to {bounds[1]:g} °{unit}",
            code="OUT_OF_RANGE", field="parameters.value", low=bounds[0], high=bounds[1], unit=unit,
        )  # fmt: skip


def checked(name: str, value: object, slot: Slot, where: str) -> Value:
    """The value in the slot's kind and bounds.

    Raises:
        InvalidInput: it is not.
    """
    if slot.kind == "bool":
        if not isinstance(value, bool):
            raise InvalidInput(f"{name} is true or false", field=where)
        return value
    if slot.kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InvalidInput(f"{name} is a number", field=where)
        if (slot.low is not None and value < slot.low) or (slot.high is not None and value > slot.high):
            raise InvalidInput(
                f"{name} is {slot.low:g} to {slot.high:g}",
                code="OUT_OF_RANGE", field=where, low=slot.low, high=slot.high,
            )  # fmt: skip
        return value
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise InvalidInput(f"{name} is a text of 1 to 200 characters", field=where)
    if slot.kind == "choice" and value not in slot.choices:
        raise InvalidInput(
            f"{name} is one of {', '.join(slot.choices)}", code="OUT_OF_RANGE", field=where, allowed=list(slot.choices)
        )
    return value
