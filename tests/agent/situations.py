"""Turns as they stand before the last words: what was asked, read and done, for what a model then says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.evidence.facts import Facts, gather

#: Half past two in the afternoon in the home (New York).
NOW: Final = datetime(2026, 3, 18, 18, 30, tzinfo=UTC)
ZONE: Final = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The person's words, the tool results (as the graph keeps them) and the outcomes of the commands."""

    words: str
    results: Sequence[Mapping[str, Any]] = ()
    commands: Sequence[Mapping[str, Any]] = ()

    def facts(self) -> Facts:
        return gather(self.results, self.commands, words=self.words, now=NOW, zone=ZONE)


def result(name: str, output: Mapping[str, Any] | None = None, error: str = "") -> dict[str, Any]:
    status = "error" if error else "ok"
    return {
        "call_id": "c1", "name": name, "status": status, "output": output or {}, "error": error, "stale_since": {},
    }  # fmt: skip


def command(
    device_id: str, device: str, name: str, outcome: str, reason: str = "", values: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "command_id": f"id-{device_id}", "device_id": device_id, "device": device, "command": name,
        "set": dict(values or {}), "outcome": outcome, "reason": reason, "confirmation": None, "data": None,
    }  # fmt: skip


def event(device_id: str, device: str, kind: str, at: str) -> dict[str, Any]:
    return {
        "event_id": f"ev-{at}", "at": at, "device_id": device_id, "device": device, "event_type": kind,
        "payload": {}, "shortened": False, "is_simulated": False,
    }  # fmt: skip


def device(
    device_id: str, name: str, kind: str, area: str, state: Mapping[str, Any], *, battery: float | None = None,
    aliases: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    return {
        "device_id": device_id, "name": name, "aliases": list(aliases), "type": kind, "area": area,
        "floor": "Ground floor", "state": dict(state), "online": True, "battery": battery,
    }  # fmt: skip


HOME: Final = result(
    "get_home_summary",
    {
        "home": {
            "name": "John's home", "mode": "home", "arm_state": "disarmed", "unit_system": "us",
            "time_zone": "America/New_York",
        },
        "total_devices": 8, "online_devices": 8, "all_secure": False,
        "insecure": [{"device_id": "back_door_lock", "name": "Back door lock", "reason": "unlocked"}],
        "devices": [
            device("front_door_lock", "Front door lock", "lock", "Entrance", {"lock": "locked"}, battery=18,
                   aliases=["front door"]),
            device("back_door_lock", "Back door lock", "lock", "Kitchen", {"lock": "unlocked"}, battery=82,
                   aliases=["back door"]),
            device("garage_door", "Garage door", "garage_door", "Garage", {"cover": "closed", "position_pct": 0},
                   aliases=["garage"]),
            device("kitchen_light", "Kitchen light", "light", "Kitchen", {"on": True, "brightness_pct": 40}),
            device("bedroom_lamp", "Bedroom lamp", "light", "Bedroom", {"on": False, "brightness_pct": 0}),
            device("thermostat", "Thermostat", "thermostat", "Hallway",
                   {"temperature_c": 21.1, "target_c": 20.0, "hvac_mode": "heat", "humidity_pct": 44},
                   aliases=["heating"]),
            device("hall_motion", "Hall motion", "motion", "Hallway", {"motion": False}, battery=74),
            device("bedroom_window", "Bedroom window", "contact", "Bedroom", {"open": True}, battery=91),
        ],
        "active_mode": "home", "next_cursor": None,
    },
)  # fmt: skip

EVENTS: Final = result(
    "get_recent_events",
    {
        "events": [
            event("back_door_lock", "Back door lock", "door_unlocked", "2026-03-18T18:20:00.000Z"),
            event("hall_motion", "Hall motion", "motion_detected", "2026-03-18T07:12:00.000Z"),
            event("front_door_lock", "Front door lock", "door_locked", "2026-03-18T02:05:00.000Z"),
        ],
        "next_cursor": None,
    },
)  # fmt: skip


def _did(words: str, made: Mapping[str, Any], *, home: bool = True) -> Situation:
    results = [*([HOME] if home else []), result("control_device", made)]
    return Situation(words=words, results=results, commands=[made])


_LOCK: Final = ("back_door_lock", "Back door lock", "lock")
_GARAGE: Final = ("garage_door", "Garage door", "close")
_LIGHT: Final = ("kitchen_light", "Kitchen light", "turn_off")
_UNLOCK: Final = ("front_door_lock", "Front door lock", "unlock")
_WARM: Final = ("thermostat", "Thermostat", "set_temperature")

_LOCKED: Final = command(*_LOCK, "confirmed", values={"lock": "locked"})
_LIGHT_FAILED: Final = command(*_LIGHT, "failed", "it did not answer")

NOTHING: Final = Situation(words="Lock the back door")
READ: Final = Situation(words="How is the house?", results=[HOME])
HISTORY: Final = Situation(words="What happened today?", results=[HOME, EVENTS])
FAILED: Final = _did("Lock the back door", command(*_LOCK, "failed", "it did not answer"))
_AJAR: Final = result(
    "get_device_state",
    {"device": device("garage_door", "Garage door", "garage_door", "Garage", {"cover": "open", "position_pct": 100})},
)
REFUSED: Final = Situation(
    words="Close the garage",
    results=[HOME, _AJAR],
    commands=[command(*_GARAGE, "refused", "something is in the way")],
)
SENT: Final = _did("Turn off the kitchen light", command(*_LIGHT, "sent", values={"on": False}))
DENIED: Final = _did("Unlock the front door", command(*_UNLOCK, "denied"))
LOCKED: Final = _did("Lock the back door", _LOCKED)
WARMED: Final = _did("Set the heating to 68", command(*_WARM, "confirmed", values={"target_c": 20.0}))
HALF: Final = Situation(
    words="Lock the back door and turn off the kitchen light",
    results=[HOME, result("control_devices", {"results": [_LOCKED, _LIGHT_FAILED]})],
    commands=[_LOCKED, _LIGHT_FAILED],
)
BROKEN: Final = Situation(
    words="When was the back door opened?", results=[result("get_recent_events", error="The events did not answer.")]
)
