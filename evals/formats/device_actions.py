"""Cases that name one device and one action out of a home: utterance -> (device, action)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from evals.formats.turn import CaseHome, TurnResult
from homeguard.model import Device

#: Their device type -> our type, what kind of it, capabilities.
_TYPES: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "light": ("light", "", ("on_off",)), "light-dimmable": ("light", "", ("on_off", "brightness")),
    "hvac": ("thermostat", "", ("on_off", "thermostat")), "heat-pump": ("heater", "", ("on_off",)),
    "exhaust-fan": ("fan", "", ("on_off",)), "fan-oscilating": ("fan", "", ("on_off",)),
    "garage-door": ("garage_door", "", ("position",)),
    "smart-plug": ("plug", "", ("on_off",)), "switch": ("switch", "", ("on_off",)),
    "smart-blinds": ("cover", "blind", ("position",)),
    "smart-lock": ("lock", "", ("lock",)), "smart-speaker": ("media_player", "speaker", ("media",)),
    "smart-tv": ("media_player", "tv", ("media",)),
    "smart-sprinkler": ("sprinkler", "", ("on_off",)), "vacuum": ("vacuum", "", ("vacuum",)),
    "water-valve": ("valve", "", ("position",)),
}  # fmt: skip
_ACTIONS: Final[Mapping[str, str]] = {
    "turn_on": "Turn on", "turn_off": "Turn off", "set_brightness": "Set brightness",
    "set_temperature": "Set temperature",
    "set_hvac_mode": "Set mode", "open": "Open", "close": "Close", "lock": "Lock", "unlock": "Unlock",
    "play": "Unpause", "pause": "Pause",
    "stop": "Pause", "next": "Next track", "previous": "Previous track", "set_volume": "Set volume",
    "set_position": "Set position",
    "start": "Start", "return_to_base": "Return to base", "mute": "Set volume",
}  # fmt: skip


class DeviceActions:
    def home(self, case: Mapping[str, Any], raw: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> CaseHome:
        entries = raw if isinstance(raw, Sequence) else raw.get("devices", ())
        devices = tuple(_device(e) for e in entries)
        return CaseHome(
            devices=devices, states={d.id: {} for d in devices}, raw={str(e["id"]): e for e in entries},
            areas=tuple(dict.fromkeys(d.area for d in devices)),
        )  # fmt: skip

    def outcome(
        self, case: Mapping[str, Any], home: CaseHome, turn: TurnResult
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        commands = [
            {
                "device": c["device_id"],
                "command": _ACTIONS.get(str(c["command"]), str(c["command"])),
                "args": list(c.get("parameters", {}).values()),
            }
            for c in turn.commands
        ]
        return {d: {"state": None, "attributes": dict(a)} for d, a in turn.changes.items()}, commands


def _device(entry: Mapping[str, Any]) -> Device:
    kind, placement, capabilities = _TYPES.get(str(entry["device_type"]), ("switch", "", ("on_off",)))
    return Device(
        home_id="case", id=str(entry["id"]), name=str(entry["name"]), type=kind, capabilities=capabilities,
        area=str(entry.get("area") or ""), config={"placement": placement} if placement else {},
    )  # fmt: skip
