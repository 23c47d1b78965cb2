"""Commands by their outcomes and nothing else: in plain words, and whether all went well."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

_PAST: Final[Mapping[str, str]] = {
    "turn_on": "on", "turn_off": "off", "lock": "locked", "unlock": "unlocked", "open": "open", "close": "closed",
    "arm": "armed", "disarm": "disarmed", "play": "playing", "pause": "paused", "start": "running",
}  # fmt: skip


#: What one value of a device is, once it is set.
_SET: Final[Mapping[str, tuple[str, str]]] = {
    "set_brightness": ("brightness_pct", "at {:g}% brightness"), "set_position": ("position_pct", "at {:g}%"),
    "set_volume": ("volume_pct", "at {:g}% volume"), "set_speed": ("speed_pct", "at {:g}% speed"),
    "set_humidity": ("humidity_pct", "set to {:g}% humidity"), "set_temperature": ("value", "set to {:g}°"),
}  # fmt: skip
#: What HomeGuard itself did, with the texts of its data.
_ACTS: Final[Mapping[str, str]] = {
    "set_timer": "{label} is set", "change_timer": "{label} is changed", "cancel_timer": "{label} is cancelled",
    "create_automation": "The rule{name} is set up", "update_automation": "The rule{name} is changed",
    "delete_automation": "The rule{name} is deleted", "remove_from_list": "The {list} list is changed",
    "complete_list_item": "The {list} list is changed",
}  # fmt: skip


def say_outcome(command: Mapping[str, Any]) -> str:
    """One command in plain words, by its outcome and nothing else."""
    name = str(command.get("device") or command.get("device_id") or "")
    verb = str(command.get("command", "")).replace("_", " ")
    reason = str(command.get("reason") or "").rstrip(".")
    match command.get("outcome"):
        case "confirmed":
            return _confirmed(command, name) or f"{name or 'The home'}: {verb}, confirmed."
        case "sent":
            return f"I sent '{verb}' to {name or 'the home'}, but it has not confirmed it."
        case "refused":
            return f"{name or 'The home'}: '{verb}' was refused{f': {reason}' if reason else ''}."
        case "denied":
            return f"{name or 'The home'} stays as it is: you said no."
        case "expired":
            return f"{name or 'The home'} stays as it is: nobody confirmed in time."
        case _:
            return f"{name or 'The home'}: '{verb}' failed{f': {reason}' if reason else ''}."


def _confirmed(command: Mapping[str, Any], name: str) -> str:
    """How the device is now, or what HomeGuard did; empty when there are no words for it."""
    what, parameters = str(command.get("command")), command.get("parameters") or {}
    values, data = command.get("set") or {}, command.get("data") or {}
    if what == "set_mode" and values.get("mode"):
        return f"The home is in {values['mode']} mode."
    if name and what in _PAST:
        return f"{name} is {_PAST[what]}."
    if name and what in _SET:
        attribute, said = _SET[what]
        number = parameters.get(attribute, values.get(attribute))
        unit = str(parameters.get("unit") or "") if what == "set_temperature" else ""
        return f"{name} is {said.format(number)}{unit}." if isinstance(number, int | float) else ""
    if name or not isinstance(data, Mapping):
        return ""
    if what == "add_to_list" and data.get("added"):
        added = " and ".join(f'"{item}"' for item in data["added"])
        return f"{added} {'is' if len(data['added']) == 1 else 'are'} on the {data.get('list')} list."
    if what not in _ACTS:
        return ""
    label = f'The timer "{data["label"]}"' if data.get("label") else "The timer"
    rule = f' "{data["name"]}"' if data.get("name") else ""
    return _ACTS[what].format(label=label, name=rule, list=data.get("list") or "").replace("  ", " ") + "."


def say_outcomes(commands: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(say_outcome(c) for c in commands) or "Nothing was changed."


def all_confirmed(commands: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there were commands and all of them were confirmed."""
    return bool(commands) and all(c.get("outcome") == "confirmed" for c in commands)
