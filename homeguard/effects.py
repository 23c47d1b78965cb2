"""What a request would do: from "toggle the lamp" to one absolute effect on one device, and to the words for it."""

from collections.abc import Mapping
from typing import Any, Final

from homeguard.commands import commands_of, resolve_command
from homeguard.errors import InvalidInput
from homeguard.ids import derived_id
from homeguard.model import Attributes, Device, Effect, Json, LiveState, UnitSystem
from homeguard.units import temperature_text

#: command -> the command that undoes it; `toggle` picks between them by the state that it finds.
_TOGGLES: Final = (
    ("on", True, "turn_off", "turn_on"),
    ("lock", "locked", "unlock", "lock"),
    ("cover", "closed", "open", "close"),
    ("playback", "playing", "pause", "play"),
)

#: command -> the words of a question and of a report: "Unlock {name}?", "{name} is unlocked".
_ASKS: Final[Mapping[str, str]] = {
    "turn_on": "Turn on", "turn_off": "Turn off", "lock": "Lock", "unlock": "Unlock", "open": "Open",
    "close": "Close", "stop": "Stop", "arm": "Arm", "disarm": "Disarm", "play": "Play on", "pause": "Pause",
    "start": "Start", "snapshot": "Take a picture with", "record": "Start a recording with", "mute": "Mute",
    "unmute": "Unmute", "next": "Skip to the next on", "previous": "Go back to the previous on",
    "return_to_base": "Send home", "locate": "Locate",
}  # fmt: skip


def resolve(
    device: Device, state: LiveState | None, command: str, parameters: Mapping[str, Any], unit_system: UnitSystem
) -> Effect:
    """The one effect of this command on this device as it is now; `toggle` becomes the command that it means.

    Raises:
        InvalidInput: the device does not take the command, a parameter is wrong, or a toggle has no known state.
    """
    current: Attributes = state.attributes if state is not None else {}
    if command == "toggle":
        command = _untoggled(device, current)
    changed = resolve_command(device, command, parameters, "F" if unit_system == "us" else "C")
    return Effect(
        kind="device",
        device_id=device.id,
        device_name=device.name,
        device_type=device.type,
        area=device.area,
        command=command,
        parameters=dict(parameters),
        set=changed,
        before={name: current[name] for name in changed if name in current},
    )


def _untoggled(device: Device, current: Attributes) -> str:
    offers = commands_of(device)
    for attribute, active, when_active, otherwise in _TOGGLES:
        if when_active in offers and otherwise in offers:
            if attribute not in current:
                raise InvalidInput(
                    f"the state of {device.name} is not known: say {when_active} or {otherwise}", field="command"
                )
            return when_active if current[attribute] == active else otherwise
    raise InvalidInput(f"{device.name} cannot be toggled; it takes {', '.join(sorted(offers))}", field="command")


def fingerprint(effect: Effect) -> str:
    """The same for the same effect: what a standing permission or an open question is recognised by."""
    values = ";".join(f"{k}={v!r}" for k, v in sorted(effect.set.items()))
    inner = ",".join(fingerprint(e) for e in effect.contains)
    parameters = ";".join(f"{k}={v!r}" for k, v in sorted(effect.parameters.items()))
    return derived_id("effect", effect.kind, effect.device_id, effect.command, values, parameters, inner)


def question(effect: Effect, unit_system: UnitSystem) -> str:
    """The effect as a question to a person, from the effect alone: `Unlock Front door lock?`."""
    return f"{describe(effect, unit_system)}?"


def describe(effect: Effect, unit_system: UnitSystem) -> str:
    """The effect in the imperative: `Unlock Front door lock`, `Set Thermostat to 72°F`."""
    if effect.kind != "device":
        return _home_level(effect, unit_system)
    name, p = effect.device_name, effect.parameters
    match effect.command:
        case "set_temperature":
            return f"Set {name} to {temperature_text(float(effect.set.get('target_c', 0.0)), unit_system)}"
        case "arm":
            return f"Arm {name} ({p.get('mode')})"
        case "set_position":
            return f"Move {name} to {_number(p.get('position_pct'))}%"
        case "set_brightness":
            return f"Set {name} to {_number(p.get('brightness_pct'))}% brightness"
        case command if command in _ASKS:
            return f"{_ASKS[command]} {name}"
        case command:
            values = ", ".join(_number(v) for v in p.values())
            return f"{command.replace('_', ' ').capitalize()} {name}{f': {values}' if values else ''}"


def _number(value: object) -> str:
    """`20` for 20.0."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _home_level(effect: Effect, unit_system: UnitSystem) -> str:
    p = effect.parameters
    match effect.kind:
        case "set_mode":
            arm = f" ({str(effect.set['arm_state']).replace('_', ' ')})" if "arm_state" in effect.set else ""
            return f"Switch the home to {p.get('mode')} mode{arm}"
        case "create_automation":
            name = _short(p.get("name"))
            return f"Create the automation '{name}', which would{_when(p)}: {_does(effect, unit_system)}"
        case "update_automation":
            name = _short(p.get("name"))
            if effect.contains:
                return f"Change the automation '{name}', which then would{_when(p)}: {_does(effect, unit_system)}"
            return f"{'Switch off' if p.get('enabled') is False else 'Change'} the automation '{name}'"
        case "delete_automation":
            return f"Delete the automation '{_short(p.get('name') or p.get('id'))}'"
        case "delete_device":
            return f"Remove the device {effect.device_name or _short(p.get('id'))}"
        case "create_permission":
            return f"From now on: {str(p.get('says') or p.get('name') or '')[:400]}"
        case "revoke_permission":
            return f"Take back the permission '{_short(p.get('name') or p.get('id'))}'"
        case kind:
            return kind.replace("_", " ").capitalize()


def _does(effect: Effect, unit_system: UnitSystem) -> str:
    return "; ".join(describe(e, unit_system) for e in effect.contains) or "Send a message"


def _when(parameters: Mapping[str, Json]) -> str:
    """What a rule that goes by the clock says of its time."""
    return f", {str(parameters['when'])[:120]}" if parameters.get("when") else ""


def _short(value: Json) -> str:
    return str(value or "")[:80]
