"""Homes told as domains, states and attributes, with the cases on intents, assist and questions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from evals.formats.turn import CaseHome, TurnResult
from homeguard.kinds import fold
from homeguard.model import Device, UnitSystem
from homeguard.units import celsius_to_fahrenheit, fahrenheit_to_celsius

_BINARY: Final[Mapping[str, tuple[str, str, str]]] = {
    "motion": ("motion", "motion", ""), "occupancy": ("presence", "occupancy", ""), "smoke": ("smoke", "smoke", ""),
    "carbon_monoxide": ("co", "co", ""),
    "gas": ("gas", "gas", ""), "moisture": ("water_leak", "water_leak", ""), "heat": ("heat", "heat", ""),
    "vibration": ("vibration", "vibration", ""),
    "door": ("contact", "open", "door"), "garage_door": ("contact", "open", "garage"),
    "window": ("contact", "open", "window"), "opening": ("contact", "open", "opening"),
    "battery": ("sensor", "battery_low", ""), "battery_charging": ("sensor", "charging", ""),
    "connectivity": ("sensor", "connected", ""), "plug": ("sensor", "plugged_in", ""),
    "power": ("sensor", "powered", ""), "presence": ("sensor", "home", ""), "safety": ("sensor", "unsafe", ""),
    "update": ("sensor", "update_available", ""),
    "tamper": ("sensor", "tamper", ""),
}  # fmt: skip
_MEASURED: Final[Mapping[str, str]] = {
    "temperature": "temperature_c", "humidity": "humidity_pct", "illuminance": "illuminance_lx",
    "battery": "battery_pct",
    "atmospheric_pressure": "pressure_hpa", "carbon_dioxide": "co2_ppm", "power": "power_w", "energy": "energy_kwh",
    "voltage": "voltage_v", "current": "current_a", "frequency": "frequency_hz", "signal_strength": "signal_dbm",
    "power_factor": "power_factor",
}  # fmt: skip
_COVERS: Final = ("blind", "curtain", "shutter", "awning", "shade", "window", "door")


class HomeAssistant:
    """`brightness_scale` is what full brightness is in the case's words; `track` counts media tracks."""

    def __init__(
        self, brightness_scale: float = 100.0, volume_scale: float = 100.0, position: str = "position"
    ) -> None:
        self._brightness, self._volume, self._position = brightness_scale, volume_scale, position

    def home(self, case: Mapping[str, Any], raw: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> CaseHome:
        assert isinstance(raw, Mapping)
        unit: UnitSystem = "us" if "°F" in str(raw.get("devices")) else "si"
        devices: list[Device] = []
        states: dict[str, Mapping[str, Any]] = {}
        entries: dict[str, Mapping[str, Any]] = {}
        for entry in raw.get("devices", ()):
            begins = (case.get("initial") or {}).get(entry["id"]) or {}
            merged = {
                **entry,
                "state": begins.get("state") if begins.get("state") is not None else entry.get("state"),
                "attributes": {**(entry.get("attributes") or {}), **(begins.get("attributes") or {})},
            }
            built = self._device(merged, unit)
            if built is None:
                continue
            devices.append(built[0])
            states[built[0].id] = built[1]
            entries[built[0].id] = merged
        areas = raw.get("areas") or ()
        return CaseHome(
            devices=tuple(devices), states=states, unit_system=unit, raw=entries,
            areas=tuple(str(a["name"]) for a in areas), floors=tuple(str(f["name"]) if isinstance(f,
            Mapping) else str(f) for f in raw.get("floors") or ()),
        )  # fmt: skip

    def _device(self, e: Mapping[str, Any], unit: UnitSystem) -> tuple[Device, dict[str, Any]] | None:
        build = {
            "light": self._light, "switch": self._switch, "fan": self._fan, "cover": self._cover,
            "valve": self._cover, "lock": self._lock,
            "climate": self._climate, "media_player": self._media, "vacuum": self._vacuum, "scene": self._scene,
            "script": self._scene,
            "binary_sensor": self._binary, "sensor": self._sensor, "weather": self._weather, "person": self._person,
        }.get(str(e["domain"]))  # fmt: skip
        if build is None:
            return None
        kind, capabilities, config, state = build(e, unit)
        device = Device(
            home_id="case", id=str(e["id"]), name=str(e["name"]), type=kind, capabilities=tuple(capabilities),
            area=str(e.get("area") or ""), floor=str(e.get("floor") or ""), aliases=tuple(e.get("aliases") or ()),
            config=config,
        )  # fmt: skip
        return device, state

    def _light(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        modes = e["attributes"].get("supported_color_modes")
        capabilities = ["on_off"]
        if modes is None or any(m != "onoff" for m in modes):
            capabilities.append("brightness")
        if modes is None or any(m in ("rgb", "rgbw", "rgbww", "hs", "xy", "color_temp") for m in modes):
            capabilities.append("color")
        state = _on(e)
        level = _number(e["attributes"].get("brightness"))
        if level is not None:
            state["brightness_pct"] = round(100 * level / self._brightness)
            state.setdefault("on", level > 0)
        return "light", capabilities, {}, state

    def _switch(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        return ("plug" if e["attributes"].get("device_class") == "outlet" else "switch"), ["on_off"], {}, _on(e)

    def _fan(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        state = _on(e)
        if (speed := _number(e["attributes"].get("percentage"))) is not None:
            state["speed_pct"] = speed
        return "fan", ["on_off", "fan"], {}, state

    def _cover(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        word = str(e["attributes"].get("device_class") or "")
        kind = (
            "valve"
            if e["domain"] == "valve"
            else "garage_door"
            if word == "garage"
            else "gate"
            if word == "gate"
            else "cover"
        )
        state: dict[str, Any] = {}
        position = next(
            (n for k in ("position", "current_position") if (n := _number(e["attributes"].get(k))) is not None), None
        )
        if e["state"] in ("open", "closed", "opening", "closing"):
            state["cover"] = e["state"]
        if position is not None:
            state["position_pct"] = position
            state.setdefault("cover", "open" if position else "closed")
        return kind, ["position"], {"placement": word} if word in _COVERS else {}, state

    def _lock(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        return "lock", ["lock"], {}, {"lock": e["state"]} if e["state"] else {}

    def _climate(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        a = e["attributes"]
        state: dict[str, Any] = {}
        for key, name in (
            ("current_temperature", "temperature_c"),
            ("temperature", "target_c"),
            ("target_temperature", "target_c"),
            ("current_humidity", "humidity_pct"),
        ):
            if (value := _number(a.get(key))) is not None:
                state[name] = round(fahrenheit_to_celsius(value), 3) if unit == "us" and name.endswith("_c") else value
        mode = str(a.get("hvac_mode") or e["state"] or "")
        if mode:
            state["hvac_mode"] = mode if mode in ("off", "heat", "cool", "auto", "dry", "fan_only") else "auto"
        return "thermostat", ["thermostat", "climate"], {}, state

    def _media(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        word = str(e["attributes"].get("device_class") or "")
        state: dict[str, Any] = {}
        if e["state"] in ("playing", "paused", "idle", "off"):
            state["playback"] = e["state"]
        if (volume := _number(e["attributes"].get("volume_level"))) is not None:
            state["volume_pct"] = round(100 * volume / self._volume)
        if (track := _number(e["attributes"].get("media_track"))) is not None:
            state["track"] = track
        return "media_player", ["on_off", "media"], {"placement": word} if word else {}, state

    def _vacuum(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        known = ("cleaning", "docked", "returning", "paused", "idle", "error")
        return (
            "vacuum",
            ["vacuum"],
            {},
            {"activity": e["state"] if e["state"] in known else "docked"} if e["state"] else {},
        )

    def _scene(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        return "scene", ["on_off"], {}, {}

    def _binary(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        word = str(e["attributes"].get("device_class") or "")
        if word == "lock":
            return "sensor", [], {}, {"lock": "unlocked" if e["state"] == "on" else "locked"} if e["state"] else {}
        kind, name, placement = _BINARY.get(word, ("sensor", word or "active", ""))
        capability = {"contact": "contact", "presence": "occupancy"}.get(kind, kind)
        state = {name: e["state"] == "on"} if e["state"] in ("on", "off") else {}
        own = [capability] if kind != "sensor" else ["battery"] if word.startswith("battery") else []
        return kind, own, {"placement": placement} if placement else {}, state

    def _sensor(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        a = e["attributes"]
        word = str(a.get("device_class") or "")
        symbol = str(a.get("unit_of_measurement") or a.get("native_unit_of_measurement") or "")
        value: Any = _number(e["state"])
        if not word and symbol in ("°C", "°F"):
            word = "temperature"
        name = _MEASURED.get(word, "") or fold(word).replace(" ", "_") or "value"
        config: dict[str, Any] = {}
        if value is None:
            return "sensor", [], {}, {name: e["state"]} if e["state"] else {}
        if name == "temperature_c" and symbol == "°F":
            value = round(fahrenheit_to_celsius(value), 3)
        own = _MEASURED.get(word) is None or (name == "temperature_c" and not -90 <= value <= 150)
        if name == "temperature_c" and symbol == "°C" and unit == "us":
            own = True
        if own or symbol not in ("°C", "°F", "%", "hPa", "ppm", "W", "kWh", "V", "A", "Hz", "dBm", "lx", ""):
            name = name if name != "temperature_c" else "temperature"
            config = {"levels": {name: {"unit": symbol}}} if symbol else {}
        return "sensor", ["climate"] if name in ("temperature_c", "humidity_pct") else [], config, {name: value}

    def _weather(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        a = e["attributes"]
        state: dict[str, Any] = {}
        if (value := _number(a.get("temperature"))) is not None:
            state["temperature_c"] = (
                round(fahrenheit_to_celsius(value), 3) if a.get("temperature_unit") == "°F" else value
            )
        return "sensor", [], {"placement": "weather"}, {**state, "conditions": str(e["state"])}

    def _person(self, e: Mapping[str, Any], unit: UnitSystem) -> Any:
        return "presence", [], {"placement": "person"}, {"home": e["state"] == "home", "location": e["state"]}

    def outcome(
        self, case: Mapping[str, Any], home: CaseHome, turn: TurnResult
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        changes = {d: self._changed(home, d, dict(a), turn) for d, a in turn.changes.items()}
        for command in turn.commands:
            device = str(command["device_id"])
            if device in changes:
                continue
            extra = self._changed(home, device, {}, turn)
            if extra.get("attributes") or extra.get("state"):
                changes[device] = extra
        commands = [
            {
                "device": c["device_id"],
                "command": c["command"],
                "args": [v for k, v in c.get("parameters", {}).items() if k != "unit"],
            }
            for c in turn.commands
        ]
        return {d: c for d, c in changes.items() if c}, commands

    def _changed(self, home: CaseHome, device_id: str, attributes: dict[str, Any], turn: TurnResult) -> dict[str, Any]:
        """The new values of one device in the case's words."""
        entry = home.raw[device_id]
        domain = str(entry["domain"])
        state: Any = None
        told: dict[str, Any] = {}
        for name, value in attributes.items():
            if name == "on":
                state = {"scene": "activated", "script": "run"}.get(domain, "on" if value else "off")
            elif name in ("lock", "activity", "playback", "hvac_mode") or name == "cover":
                state = value
            elif name == "position_pct":
                told[self._position] = value
            elif name == "brightness_pct":
                told["brightness"] = round(value * self._brightness / 100)
            elif name == "volume_pct":
                told["volume_level"] = value * self._volume / 100
            elif name == "muted" and value:
                told["volume_level"] = 0.0
            elif name == "speed_pct":
                told["percentage"] = value
            elif name == "target_c":
                told["temperature"] = round(celsius_to_fahrenheit(value), 1) if home.unit_system == "us" else value
        sent = [str(c["command"]) for c in turn.commands if c["device_id"] == device_id]
        if domain == "fan" and attributes.get("on") and "percentage" not in told:
            told["percentage"] = 100
        track = home.states.get(device_id, {}).get("track")
        if track is not None and ("next" in sent or "previous" in sent):
            told["media_track"] = max(1, track + (1 if "next" in sent else -1))
        return {k: v for k, v in (("state", state), ("attributes", told)) if v} if state or told else {}


def _on(e: Mapping[str, Any]) -> dict[str, Any]:
    return {"on": e["state"] == "on"} if e["state"] in ("on", "off") else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if number == int(number) else number
