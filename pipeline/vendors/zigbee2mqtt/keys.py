"""Which property is which attribute: the tables behind discovery, and the set of keys of one device."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from homeguard.model import Json
from homeguard.vocabulary import CAPABILITIES, DEVICE_TYPES, HVAC_MODES, MEASUREMENTS, attribute_slot
from pipeline.vendors.zigbee2mqtt import values
from pipeline.vendors.zigbee2mqtt.exposes import Feature

#: Their number -> our attribute; the unit decides the scale.
_MEASURED: Final[Mapping[str, str]] = {
    "temperature": "temperature_c", "local_temperature": "temperature_c", "humidity": "humidity_pct",
    "pressure": "pressure_hpa", "illuminance": "illuminance_lx", "illuminance_lux": "illuminance_lx",
    "co2": "co2_ppm", "pm25": "pm25_ugm3", "voc": "voc_ppb", "battery": "battery_pct", "linkquality": "link_quality",
    "power": "power_w", "energy": "energy_kwh", "voltage": "voltage_v", "current": "current_a",
    "ac_frequency": "frequency_hz", "power_factor": "power_factor",
    "power_phase_a": "power_w_a", "power_phase_b": "power_w_b", "power_phase_c": "power_w_c",
    "voltage_phase_a": "voltage_v_a", "voltage_phase_b": "voltage_v_b", "voltage_phase_c": "voltage_v_c",
    "current_phase_a": "current_a_a", "current_phase_b": "current_a_b", "current_phase_c": "current_a_c",
}  # fmt: skip
_DETECTED: Final[Mapping[str, str]] = {
    "occupancy": "motion", "motion": "motion", "presence": "occupancy", "smoke": "smoke", "carbon_monoxide": "co",
    "gas": "gas", "water_leak": "water_leak", "vibration": "vibration", "tamper": "tamper", "contact": "open",
    "battery_low": "battery_low", "glass_break": "glass_break", "garage_door_contact": "open",
}  # fmt: skip
_SCALES: Final[Mapping[tuple[str, str], float]] = {
    ("voltage_v", "mv"): 0.001, ("current_a", "ma"): 0.001, ("power_w", "kw"): 1000, ("energy_kwh", "wh"): 0.001,
    ("pressure_hpa", "kpa"): 10, ("pressure_hpa", "pa"): 0.01, ("pressure_hpa", "mbar"): 1,
}  # fmt: skip
_SUFFIXES: Final[Mapping[str, str]] = {
    "%": "_pct", "°c": "_c", "hpa": "_hpa", "lx": "_lx", "ppm": "_ppm", "ppb": "_ppb", "µg/m³": "_ugm3",
    "μg/m³": "_ugm3", "mg/m³": "_mgm3", "w": "_w", "kwh": "_kwh", "v": "_v", "mv": "_mv", "a": "_a", "ma": "_ma",
    "hz": "_hz", "dbm": "_dbm", "k": "_k", "s": "_s", "min": "_min", "m": "_m", "cm": "_cm", "mm": "_mm", "l": "_l",
    "va": "_va",
}  # fmt: skip


@dataclass(slots=True)
class Keys:
    """The keys of one device by attribute, its public config, and the specific types around its properties."""

    entries: dict[str, Json] = field(default_factory=dict)
    config: dict[str, Json] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)

    def add(self, key: Mapping[str, Any], feature: Feature) -> None:
        """The first key of an attribute stays. Bounds and choices become public config."""
        attribute = str(key["attribute"])
        if attribute in self.entries:
            return
        self.entries[attribute] = {**key, "settable": feature.is_settable}
        if key.get("extra") and feature.is_settable:
            self._declare(attribute, key, feature)

    def _declare(self, attribute: str, key: Mapping[str, Any], feature: Feature) -> None:
        if key["codec"] == "number" and feature.low is not None and feature.high is not None:
            level: dict[str, Json] = {"min": feature.low, "max": feature.high, "unit": feature.unit}
            if feature.step is not None:
                level["step"] = feature.step
            self._section("levels")[attribute] = level
        elif key["codec"] == "choice" and len(feature.values) > 1:
            self._section("options")[attribute] = list(feature.values)
        elif key["codec"] == "binary":
            self._section("options")[attribute] = ["on", "off"]

    def _section(self, name: str) -> dict[str, Json]:
        section = self.config.setdefault(name, {})
        assert isinstance(section, dict)
        return section

    def range(self, attribute: str, low: float | None, high: float | None) -> None:
        if low is not None and high is not None and low < high:
            self._section("ranges")[attribute] = [low, high]

    def choices(self, attribute: str, words: list[str]) -> None:
        if words:
            self._section("options")[attribute] = list(dict.fromkeys(words))

    def settle(self, kind: str) -> None:
        """What only the whole device tells: a valve's switch is a position, presence is not motion."""
        if kind in ("valve", "gate", "garage_door") and "on" in self.entries and "position_pct" not in self.entries:
            key = self.entries.pop("on")
            assert isinstance(key, dict)
            self.entries["position_pct"] = {**key, "attribute": "position_pct", "codec": "valve"}
        if kind == "presence" and "motion" in self.entries and "occupancy" not in self.entries:
            key = self.entries.pop("motion")
            assert isinstance(key, dict)
            self.entries["occupancy"] = {**key, "attribute": "occupancy"}
        if "cool_target_c" in self.entries and "target_c" not in self.entries:
            key = self.entries.pop("cool_target_c")
            assert isinstance(key, dict)
            self.entries["target_c"] = {**key, "attribute": "target_c"}
            ranges = self._section("ranges")
            if "cool_target_c" in ranges:
                ranges["target_c"] = ranges.pop("cool_target_c")
        if kind == "siren" and "siren" in self.entries:
            key = self.entries.pop("siren")
            assert isinstance(key, dict)
            self.entries.setdefault("on", {**key, "attribute": "on"})
        self.entries.pop("siren", None)
        if "open" in self.entries and kind in ("garage_door", "gate"):
            self.config.setdefault("has_contact", True)

    def capabilities(self, kind: str) -> tuple[str, ...]:
        """What this device has, the type's own first."""
        names = [c for c in (*DEVICE_TYPES[kind].capabilities, *CAPABILITIES) if self._has(c)]
        if self.config.get("levels"):
            names.append("level")
        options = self.config.get("options")
        if isinstance(options, dict) and any(attribute_slot(name) is None for name in options):
            names.append("option")
        return tuple(dict.fromkeys(names))

    def _has(self, capability: str) -> bool:
        if capability == "power":
            # The cell voltage of a battery sensor does not make it a meter.
            return any(a.startswith(("power_w", "energy_kwh", "current_a", "frequency_hz")) for a in self.entries)
        if capability == "camera":
            return False
        if capability == "fan":
            return "speed" in self.entries or "speed_pct" in self.entries
        return any(a in self.entries for a in CAPABILITIES[capability].attributes)


def measured_key(feature: Feature) -> dict[str, Any] | None:
    """The key of a plain property that is no detector: a measurement, a button's action, a level, an option."""
    if feature.name == "action" and feature.kind == "enum":
        return {"attribute": "action", "property": feature.prop, "codec": "choice"}
    if feature.kind == "composite":
        if feature.name == "warning":
            return {"attribute": "siren", "property": feature.prop, "codec": "warning"}
        return None
    if feature.kind == "numeric":
        return _number_key(feature)
    if feature.kind == "binary":
        if feature.name in ("alarm", "siren") and feature.is_settable:
            return {"attribute": "siren", "property": feature.prop, "codec": "binary",
                    "on": feature.on, "off": feature.off}  # fmt: skip
        return {"attribute": _own_name(feature.prop), "property": feature.prop, "codec": "binary",
                "on": feature.on, "off": feature.off, "extra": True}  # fmt: skip
    if feature.kind == "enum" and feature.values:
        if feature.name in ("alarm", "siren") and feature.is_settable and "off" in [v.lower() for v in feature.values]:
            off = next(v for v in feature.values if v.lower() == "off")
            on = next(v for v in feature.values if v.lower() != "off")
            return {"attribute": "siren", "property": feature.prop, "codec": "binary", "on": on, "off": off}
        return {"attribute": _own_name(feature.prop), "property": feature.prop, "codec": "choice",
                "extra": True}  # fmt: skip
    return None


def _number_key(feature: Feature) -> dict[str, Any]:
    attribute, unit = _MEASURED.get(feature.name, ""), feature.unit.lower()
    key: dict[str, Any] = {"property": feature.prop, "codec": "number"}
    if attribute and not (attribute == "voc_ppb" and unit not in ("", "ppb")) and not _is_setting(feature):
        if unit in ("°f", "f") and attribute == "temperature_c":
            return {**key, "attribute": attribute, "scale": 1 / 1.8, "offset": -32 / 1.8}
        stem = attribute[:-2] if attribute[-2:] in ("_a", "_b", "_c") and attribute != "current_a" else attribute
        scale = _SCALES.get((stem, unit), 1)
        return {**key, "attribute": attribute} | ({"scale": scale} if scale != 1 else {})
    suffix = _SUFFIXES.get(unit, "")
    name = feature.prop.lower()
    return {**key, "attribute": _own_name(name if name.endswith(suffix) else name + suffix), "extra": True}


def _is_setting(feature: Feature) -> bool:
    return feature.is_settable and feature.name not in ("position",)


def _own_name(prop: str) -> str:
    """A name for what is not in the vocabulary, that collides with nothing there."""
    name = prop.lower().replace(" ", "_")[:60]
    taken = attribute_slot(name) is not None or name in MEASUREMENTS or name in ("temperature_f", "target_f")
    return f"{name}_value" if taken else name


def detector_key(feature: Feature) -> dict[str, Any] | None:
    """The key of a property that says yes or no about the world."""
    attribute = _DETECTED.get(feature.name)
    if attribute is None or feature.kind != "binary":
        return None
    if feature.name in ("contact", "garage_door_contact"):
        # `contact` is true when the magnet is near: closed.
        return {"attribute": attribute, "property": feature.prop, "codec": "binary", "on": False, "off": True}
    return {"attribute": attribute, "property": feature.prop, "codec": "binary",
            "on": feature.on, "off": feature.off}  # fmt: skip


def specific_keys(keys: Keys, feature: Feature) -> None:
    """Keys of a property inside a light, switch, lock, cover, climate or fan."""
    base: dict[str, Any] = {"property": feature.prop}
    binary = {**base, "codec": "binary", "on": feature.on, "off": feature.off}
    match feature.group, feature.name:
        case ("light" | "switch" | "fan", "state"):
            plain = feature.prop in ("state", "fan_state") or feature.prop.startswith("state_")
            if not plain:
                # A toggle of the device's own (`window_detection`), dressed as a switch.
                keys.add({**binary, "attribute": _own_name(feature.prop), "extra": True}, feature)
                return
            on, off = feature.on, feature.off
            if feature.kind == "enum":
                on, off = "ON", "OFF"
            keys.add({**binary, "attribute": "on", "on": on, "off": off}, feature)
        case ("light", "brightness"):
            high = feature.high or 254
            keys.add({**base, "attribute": "brightness_pct", "codec": "percent", "low": 0, "high": high}, feature)
        case ("light", "color_temp"):
            low, high = feature.low or 153, feature.high or 500
            keys.add({**base, "attribute": "color_temperature_k", "codec": "mired", "low": low, "high": high}, feature)
            keys.range("color_temperature_k", float(int(1e6 / high)), float(-(-1e6 // low)))
        case ("light", "color_hs" | "color_xy"):
            keys.add({**base, "attribute": "hue", "codec": "color"}, feature)
        case ("light", _):
            _extra(keys, feature)
        case ("lock", "state"):
            keys.add({**base, "attribute": "lock", "codec": "lock", "on": feature.on, "off": feature.off}, feature)
        case ("lock", "lock_state"):
            keys.add({**base, "attribute": "lock_state", "codec": "lock_state"}, feature)
        case ("cover", "position"):
            keys.add({**base, "attribute": "position_pct", "codec": "position"}, feature)
        case ("cover", "tilt"):
            keys.add({**base, "attribute": "tilt_pct", "codec": "number"}, feature)
        case ("cover", "state"):
            keys.add({**base, "attribute": "cover", "codec": "cover_state"}, feature)
        case ("cover", "moving" | "running"):
            keys.add({**base, "attribute": "moving", "codec": "moving"}, feature)
        case ("climate", _):
            _climate(keys, feature)
            return
        case ("fan", "mode"):
            steps = [v.lower() for v in feature.values if v.lower() not in ("off", "on", "auto", "smart")]
            keys.add({**base, "attribute": "speed", "codec": "speed_word", "steps": list(steps)}, feature)
            keys.choices("speed", list(feature.values))
        case ("fan", "speed"):
            low, high = feature.low or 0, feature.high or 100
            keys.add({**base, "attribute": "speed_pct", "codec": "percent", "low": min(low, 0), "high": high}, feature)
        case _:
            _extra(keys, feature)
            return
    keys.groups.add(feature.group)


def _extra(keys: Keys, feature: Feature) -> None:
    key = detector_key(feature) or measured_key(feature)
    if key is not None:
        keys.add(key, feature)


def _climate(keys: Keys, feature: Feature) -> None:
    base: dict[str, Any] = {"property": feature.prop}
    keys.groups.add("climate")
    match feature.name:
        case "local_temperature":
            keys.add({**base, "attribute": "temperature_c", "codec": "number"}, feature)
        case "occupied_heating_setpoint" | "current_heating_setpoint":
            keys.add({**base, "attribute": "target_c", "codec": "number"}, feature)
            keys.range("target_c", feature.low, feature.high)
        case "occupied_cooling_setpoint":
            # The target of a device that only cools; beside a heating one, the mode decides.
            keys.add({**base, "attribute": "cool_target_c", "codec": "number"}, feature)
            keys.range("cool_target_c", feature.low, feature.high)
        case "system_mode":
            words = {v: values.HVAC_MODES[v] for v in feature.values if v in values.HVAC_MODES}
            keys.add({**base, "attribute": "hvac_mode", "codec": "choice", "words": words}, feature)
            keys.choices("hvac_mode", [m for m in HVAC_MODES if m in words.values()])
        case "running_state":
            keys.add({**base, "attribute": "hvac_action", "codec": "choice"}, feature)
        case "fan_mode" | "swing_mode" | "preset":
            keys.add({**base, "attribute": feature.name, "codec": "choice"}, feature)
            if feature.is_settable:
                keys.choices(feature.name, list(feature.values))
        case _:
            _extra(keys, feature)
