"""Homes of rooms with one device a kind: valid, impossible and multi-part requests."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from evals.formats.turn import CaseHome, TurnResult
from homeguard.model import Device

_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "light": ("light", ""), "air_conditioner": ("air_conditioner", ""), "heating": ("heater", ""),
    "water_heater": ("water_heater", ""),
    "curtain": ("cover", "curtain"), "blinds": ("cover", "blind"), "humidifier": ("humidifier", ""),
    "dehumidifiers": ("dehumidifier", ""),
    "aromatherapy": ("diffuser", ""), "media_player": ("media_player", ""), "air_purifiers": ("air_purifier", ""),
    "fan": ("fan", ""),
    "garage_door": ("garage_door", ""), "vacuum_robot": ("vacuum", ""), "trash": ("appliance", ""),
}  # fmt: skip
_SPOKEN: Final = {
    "dehumidifiers": "dehumidifier",
    "air_purifiers": "air purifier",
    "blinds": "blinds",
    "ding_room": "dining room",
}
_SET: Final[Mapping[str, str]] = {
    "set_brightness": "set_brightness", "set_color": "set_color", "set_position": "set_degree",
    "set_temperature": "set_temperature",
    "set_volume": "set_volume", "return_to_base": "charge", "start": "clean",
}  # fmt: skip
#: Their command -> ours.
_TAKES: Final[Mapping[str, str]] = {
    "set_degree": "set_position", "set_song": "play_media", "set_artist": "play_media", "set_style": "play_media",
    "pack": "start",
}  # fmt: skip
#: The vacuum robot stands in every home without its commands, and takes these all the same.
_VACUUM_MODES: Final = ("auto", "strong", "sleep")
#: A room's heating is given the range of a boiler in most homes, and requests below it are called valid.
_BOILER_FROM: Final = 30.0


class HomeBench:
    def home(self, case: Mapping[str, Any], raw: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> CaseHome:
        assert isinstance(raw, Mapping)
        devices: list[Device] = []
        states: dict[str, Mapping[str, Any]] = {}
        rooms = [_place(r) for r in raw["rooms"] if r[:1].islower()]
        for entry in raw["devices"]:
            device, state = _device(entry, rooms)
            devices.append(device)
            states[device.id] = state
        return CaseHome(
            devices=tuple(devices), states=states, raw={str(e["id"]): e for e in raw["devices"]},
            areas=tuple(rooms),
        )  # fmt: skip

    def outcome(
        self, case: Mapping[str, Any], home: CaseHome, turn: TurnResult
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        changes = {d: {"state": None, "attributes": dict(a)} for d, a in turn.changes.items()}
        return changes, [_back(c) for c in turn.commands]


def _back(sent: Mapping[str, Any]) -> dict[str, Any]:
    command, parameters = str(sent["command"]), sent.get("parameters", {})
    if command == "set_option" and parameters["name"] == "cleaning_area":
        room = next((r for r, said in _SPOKEN.items() if said == str(parameters["option"]).lower()), "")
        args = [(room or str(parameters["option"]).lower()).replace("_", "").replace(" ", "")]
        return {"device": sent["device_id"], "command": "set_cleaning_area", "args": args}
    if command == "start" and str(sent["device_id"]).endswith(".trash"):
        return {"device": sent["device_id"], "command": "pack", "args": []}
    if command in ("set_level", "set_option"):
        return {
            "device": sent["device_id"],
            "command": f"set_{parameters['name']}",
            "args": [_text(parameters.get("value", parameters.get("option")))],
        }
    args = [_text(v) for k, v in parameters.items() if k != "unit"]
    return {"device": sent["device_id"], "command": _SET.get(command, command), "args": args}


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _place(room: str) -> str:
    return _SPOKEN.get(room, room.replace("_", " ")).capitalize()


def _device(entry: Mapping[str, Any], rooms: Sequence[str]) -> tuple[Device, dict[str, Any]]:
    word = str(entry["device_type"])
    kind, placement = _TYPES.get(word, ("appliance", ""))
    commands, attributes = set(entry["commands"]), entry["attributes"]
    capabilities: list[str] = []
    config: dict[str, Any] = {"placement": placement} if placement else {}
    state: dict[str, Any] = {}
    levels: dict[str, Any] = {}
    options: dict[str, Any] = {}
    ranges: dict[str, Any] = {}
    if "turn_on" in commands:
        capabilities.append("on_off")
        state["on"] = entry["state"] == "on"
    for name, spec in attributes.items():
        value = spec.get("value")
        bounds = [float(spec["lowest"]), float(spec["highest"])] if "lowest" in spec else None
        if bounds and isinstance(value, int | float) and not bounds[0] <= value <= bounds[1]:
            bounds = None  # bounds that its own value breaks are no bounds
        if name == "brightness" and "set_brightness" in commands:
            capabilities.append("brightness")
            state["brightness_pct"] = value
            if bounds:
                ranges["brightness_pct"] = bounds
        elif name == "color" and "set_color" in commands:
            capabilities.append("color")
        elif name == "degree":
            state["position_pct"] = value
        elif name == "volume":
            state["volume_pct"] = value
        elif name == "temperature" and "set_temperature" in commands:
            capabilities.append("thermostat")
            state["target_c"] = value
            if bounds and not (word == "heating" and bounds[0] >= _BOILER_FROM):
                ranges["target_c"] = bounds
        elif "options" in spec and f"set_{name}" in commands:
            options[name] = list(spec["options"])
            state[name] = value
        elif bounds is not None and f"set_{name}" in commands:
            levels[name] = {"min": bounds[0], "max": bounds[1]}
            state[name] = value
    if commands & {"open", "close"}:
        capabilities.append("position")
        state["cover"] = entry["state"]
        if "degree" not in attributes:
            state.pop("position_pct", None)
    if "play" in commands:
        capabilities.append("media")
        state["playback"] = {"stopped": "idle"}.get(str(entry["state"]), entry["state"])
    if "pack" in commands:
        capabilities.append("cycle")
        state["running"] = False
    if kind == "vacuum":
        capabilities.append("vacuum")
        options |= {"mode": list(_VACUUM_MODES), "cleaning_area": list(rooms)}
        state["mode"] = attributes.get("mode", {}).get("value")
    elif commands:
        config["commands"] = sorted({"set_level", "set_option", *(_TAKES.get(c, c) for c in commands)})
    if levels:
        capabilities.append("level")
        config["levels"] = levels
    if options:
        capabilities.append("option")
        config["options"] = options
    if ranges:
        config["ranges"] = ranges
    room = _place(str(entry.get("room") or ""))
    spoken = _SPOKEN.get(word, word.replace("_", " "))
    device = Device(
        home_id="case", id=str(entry["id"]), name=f"{room} {spoken}".strip(), type=kind,
        capabilities=tuple(capabilities), area=room, config=config,
    )  # fmt: skip
    return device, state
