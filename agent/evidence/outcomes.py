"""Commands by their outcomes and nothing else: in plain words, and whether all went well."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

_PAST: Final[Mapping[str, str]] = {
    "turn_on": "on", "turn_off": "off", "lock": "locked", "unlock": "unlocked", "open": "open", "close": "closed",
    "arm": "armed", "disarm": "disarmed", "play": "playing", "pause": "paused", "start": "running",
}  # fmt: skip


def say_outcome(command: Mapping[str, Any]) -> str:
    """One command in plain words, by its outcome and nothing else."""
    name = str(command.get("device") or command.get("device_id") or "The home")
    verb = str(command.get("command", "")).replace("_", " ")
    reason = str(command.get("reason") or "").rstrip(".")
    match command.get("outcome"):
        case "confirmed":
            state = _PAST.get(str(command.get("command")))
            if command.get("command") == "set_mode" and (command.get("set") or {}).get("mode"):
                return f"The home is in {command['set']['mode']} mode."
            return f"{name} is {state}." if state else f"{name}: {verb}, confirmed."
        case "sent":
            return f"I sent '{verb}' to {name}, but it has not confirmed it."
        case "refused":
            return f"{name}: '{verb}' was refused{f': {reason}' if reason else ''}."
        case "denied":
            return f"{name} stays as it is: you said no."
        case "expired":
            return f"{name} stays as it is: nobody confirmed in time."
        case _:
            return f"{name}: '{verb}' failed{f': {reason}' if reason else ''}."


def say_outcomes(commands: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(say_outcome(c) for c in commands) or "Nothing was changed."


def all_confirmed(commands: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there were commands and all of them were confirmed."""
    return bool(commands) and all(c.get("outcome") == "confirmed" for c in commands)
