"""What a turn was about and what it did, in few stable words: for the log and the figures. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

Intent: TypeAlias = Literal[
    "control", "mode", "automation", "undo", "memory", "history", "analysis", "explain", "status", "talk"
]

#: By the tools that were called, what changes something first.
_BY_TOOL: Final[Sequence[tuple[tuple[str, ...], Intent]]] = (
    (("undo",), "undo"),
    (("control_device", "control_devices"), "control"),
    (("set_home_mode",), "mode"),
    (("create_automation", "update_automation", "delete_automation", "list_automations"), "automation"),
    (("remember", "recall", "forget", "get_household", "update_household"), "memory"),
    (("explain",), "explain"),
    (("get_recent_events",), "history"),
    (("get_anomalies", "get_predictions", "get_energy_insights"), "analysis"),
    (("get_home_summary", "get_device_state", "find_devices"), "status"),
)
_MODE: Final = re.compile(r"^set_(?:home_)?mode$")


def intent_of(words: str, calls: Sequence[Mapping[str, Any]]) -> Intent:
    """By what the turn called: what it would change counts before what it read."""
    called = {str(c.get("tool")) for c in calls}
    for tools, intent in _BY_TOOL:
        if called & set(tools):
            # reading the home is how every turn begins; without a question it was talk
            is_talk = intent == "status" and called == {"get_home_summary"} and len(words.split()) <= 2
            return "talk" if is_talk else intent
    return "analysis" if called else "talk"


def action_name(command: Mapping[str, Any]) -> str:
    """A stable name of what was done: `lock_front_door`, `set_vacation_mode`, `set_temperature_thermostat`."""
    verb = str(command.get("command") or "act")
    values = command.get("set")
    if _MODE.match(verb) and isinstance(values, Mapping) and values.get("mode"):
        return f"set_{values['mode']}_mode"
    words = re.findall(r"[a-z0-9]+", str(command.get("device") or command.get("device_id") or "").casefold())
    if verb in ("lock", "unlock") and len(words) > 1 and words[-1] == "lock":
        words = words[:-1]
    return "_".join([verb, *words])[:80]
