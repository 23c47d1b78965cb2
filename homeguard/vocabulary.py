"""The one table of device types, capabilities, commands and events. Vendor words are translated at the edge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from homeguard.errors import InvalidInput
from homeguard.model import Attributes, Lane, Value
from homeguard.units import fahrenheit_to_celsius

Kind = Literal["bool", "number", "choice", "text"]


@dataclass(frozen=True, slots=True)
class Slot:
    """An attribute or a parameter: its kind and its bounds. `config` may narrow them for one device (`Bounds`)."""

    kind: Kind
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command: its parameters, and what the attributes are once it has been carried out."""

    parameters: Mapping[str, Slot] = field(default_factory=dict)
    sets: Callable[[Mapping[str, Any]], dict[str, Value]] = field(default=lambda p: {})


@dataclass(frozen=True, slots=True)
class Capability:
    attributes: Mapping[str, Slot]
    commands: Mapping[str, CommandSpec] = field(default_factory=dict)


_BOOL: Final = Slot("bool")
_TEXT: Final = Slot("text")
_NUMBER: Final = Slot("number")
_PERCENT: Final = Slot("number", 0, 100)


def _fixed(**values: Value) -> CommandSpec:
    return CommandSpec({}, lambda _: dict(values))


def _takes(**slots: Slot) -> CommandSpec:
    """Parameters that become attributes of the same name."""
    return CommandSpec(slots, lambda p: {k: v for k, v in p.items() if k in slots})


def _sensor(name: str) -> Capability:
    return Capability({name: _BOOL})


def _cover_word(position: float) -> str:
    return "closed" if position <= 0 else "open"


HVAC_MODES: Final = ("off", "heat", "cool", "auto", "dry", "fan_only")
ARM_MODES: Final = ("home", "away", "night")
#: hue (degrees), saturation (%) of the colours that people name most; `white` is a saturation of 0.
COLORS: Final[Mapping[str, tuple[int, int]]] = {
    "red": (0, 100), "orange": (30, 100), "yellow": (60, 100), "lime": (90, 100), "green": (120, 100),
    "teal": (180, 100), "cyan": (180, 100), "turquoise": (174, 72), "blue": (240, 100), "navy": (240, 100),
    "indigo": (275, 100), "purple": (300, 100), "violet": (300, 45), "magenta": (300, 100), "pink": (350, 25),
    "gold": (51, 100), "brown": (0, 75), "white": (0, 0), "black": (0, 0),
}  # fmt: skip


def _color(p: Mapping[str, Any]) -> dict[str, Value]:
    if "name" in p:
        hue, saturation = COLORS[p["name"]]
        return {"hue": hue, "saturation_pct": saturation}
    if "hue" not in p or "saturation_pct" not in p:
        raise InvalidInput("set_color takes a name, or hue and saturation_pct", field="parameters")
    return {"hue": p["hue"], "saturation_pct": p["saturation_pct"]}


def celsius(value: float, unit: str) -> float:
    """A temperature that a person gave, in Celsius to 0.1: `unit` is `C` or `F`."""
    return round(fahrenheit_to_celsius(value) if unit == "F" else value, 1)


CAPABILITIES: Final[Mapping[str, Capability]] = {
    "on_off": Capability({"on": _BOOL}, {"turn_on": _fixed(on=True), "turn_off": _fixed(on=False)}),
    "brightness": Capability(
        {"brightness_pct": _PERCENT},
        {
            "set_brightness": CommandSpec(
                {"brightness_pct": _PERCENT},
                lambda p: {"brightness_pct": p["brightness_pct"], "on": p["brightness_pct"] > 0},
            )
        },
    ),
    "color": Capability(
        {"hue": Slot("number", 0, 360), "saturation_pct": _PERCENT, "color_temperature_k": Slot("number", 1000, 12000)},
        {
            "set_color": CommandSpec(
                {
                    "name": Slot("choice", choices=tuple(COLORS), optional=True),
                    "hue": Slot("number", 0, 360, optional=True),
                    "saturation_pct": Slot("number", 0, 100, optional=True),
                },
                lambda p: {**_color(p), "on": True},
            ),
            "set_color_temperature": CommandSpec(
                {"kelvin": Slot("number", 1000, 12000)}, lambda p: {"color_temperature_k": p["kelvin"], "on": True}
            ),
        },
    ),
    "lock": Capability(
        {"lock": Slot("choice", choices=("locked", "unlocked", "locking", "unlocking", "jammed"))},
        {"lock": _fixed(lock="locked"), "unlock": _fixed(lock="unlocked")},
    ),
    "position": Capability(
        {
            "position_pct": _PERCENT,
            "cover": Slot("choice", choices=("open", "closed", "opening", "closing", "stopped")),
            "tilt_pct": _PERCENT,
        },
        {
            "open": _fixed(position_pct=100, cover="open"),
            "close": _fixed(position_pct=0, cover="closed"),
            "stop": _fixed(cover="stopped"),
            "set_position": CommandSpec(
                {"position_pct": _PERCENT},
                lambda p: {"position_pct": p["position_pct"], "cover": _cover_word(p["position_pct"])},
            ),
            "set_tilt": _takes(tilt_pct=_PERCENT),
        },
    ),
    "contact": Capability({"open": _BOOL}),
    # how strong is 0 to 1 where a sensor says it; a device's own level may be called so too, and goes further
    "motion": Capability({"motion": _BOOL, "intensity": Slot("number", 0), "confidence": Slot("number", 0, 1)}),
    "occupancy": _sensor("occupancy"),
    "smoke": Capability({"smoke": _BOOL, "density": Slot("number", 0, 1)}),
    "heat": _sensor("heat"),
    "co": _sensor("co"),
    "gas": _sensor("gas"),
    "water_leak": _sensor("water_leak"),
    "glass_break": Capability({"glass_break": _BOOL, "intensity": Slot("number", 0)}),
    "vibration": _sensor("vibration"),
    "tamper": _sensor("tamper"),
    "climate": Capability(
        {
            "temperature_c": Slot("number", -90, 150),
            "humidity_pct": _PERCENT,
            "pressure_hpa": Slot("number", 0, 2000),
            "illuminance_lx": Slot("number", 0, 1e6),
            "co2_ppm": Slot("number", 0, 1e5),
            "pm25_ugm3": Slot("number", 0, 1e4),
            "voc_ppb": Slot("number", 0, 1e6),
        }
    ),
    "thermostat": Capability(
        {
            "target_c": Slot("number", -30, 100),
            "hvac_mode": Slot("choice", choices=HVAC_MODES),
            "hvac_action": _TEXT,
            "fan_mode": _TEXT,
            "swing_mode": _TEXT,
            "preset": _TEXT,
        },
        {
            "set_temperature": CommandSpec(
                {"value": _NUMBER, "unit": Slot("choice", choices=("C", "F"), optional=True)},
                lambda p: {"target_c": celsius(p["value"], p.get("unit", "C"))},
            ),
            "set_hvac_mode": _takes(hvac_mode=Slot("choice", choices=HVAC_MODES)),
            "set_fan_mode": _takes(fan_mode=_TEXT),
            "set_swing_mode": _takes(swing_mode=_TEXT),
            "set_preset": _takes(preset=_TEXT),
        },
    ),
    "fan": Capability(
        {"speed_pct": _PERCENT, "speed": _TEXT},
        {
            "set_speed": CommandSpec(
                {"speed_pct": Slot("number", 0, 100, optional=True), "speed": Slot("text", optional=True)},
                lambda p: {**p, **({"on": p["speed_pct"] > 0} if "speed_pct" in p else {"on": True})},
            )
        },
    ),
    "humidity_target": Capability(
        {"target_humidity_pct": _PERCENT},
        {
            "set_humidity": CommandSpec(
                {"target_humidity_pct": _PERCENT}, lambda p: {"target_humidity_pct": p["target_humidity_pct"]}
            )
        },
    ),
    # The attributes of these two are declared by each device: config["levels"], config["options"].
    "level": Capability(
        {}, {"set_level": CommandSpec({"name": _TEXT, "value": _NUMBER}, lambda p: {p["name"]: p["value"]})}
    ),
    "option": Capability(
        {}, {"set_option": CommandSpec({"name": _TEXT, "option": _TEXT}, lambda p: {p["name"]: p["option"]})}
    ),
    "alarm": Capability(
        {
            "arm_state": Slot(
                "choice",
                choices=("disarmed", "arming", "armed_home", "armed_away", "armed_night", "pending", "triggered"),
            )
        },
        {
            "arm": CommandSpec(
                {"mode": Slot("choice", choices=ARM_MODES)}, lambda p: {"arm_state": f"armed_{p['mode']}"}
            ),
            "disarm": _fixed(arm_state="disarmed"),
        },
    ),
    "camera": Capability(
        {"recording": _BOOL, "streaming": _BOOL, "on": _BOOL},
        {
            "turn_on": _fixed(on=True),
            "turn_off": _fixed(on=False, recording=False, streaming=False),
            "snapshot": CommandSpec(),
            "record": CommandSpec({"duration_s": Slot("number", 1, 3600)}, lambda p: {"recording": True}),
        },
    ),
    "media": Capability(
        {
            "playback": Slot("choice", choices=("playing", "paused", "idle", "off")),
            "volume_pct": _PERCENT,
            "muted": _BOOL,
            "source": _TEXT,
            "title": _TEXT,
        },
        {
            "play": _fixed(playback="playing"),
            "pause": _fixed(playback="paused"),
            "stop": _fixed(playback="idle"),
            "next": CommandSpec(),
            "previous": CommandSpec(),
            "set_volume": _takes(volume_pct=_PERCENT),
            "mute": _fixed(muted=True),
            "unmute": _fixed(muted=False),
            "select_source": _takes(source=_TEXT),
            "play_media": CommandSpec({"query": _TEXT}, lambda p: {"playback": "playing", "title": p["query"]}),
        },
    ),
    "vacuum": Capability(
        {"activity": Slot("choice", choices=("cleaning", "docked", "returning", "paused", "idle", "error"))},
        {
            "start": _fixed(activity="cleaning"),
            "pause": _fixed(activity="paused"),
            "stop": _fixed(activity="idle"),
            "return_to_base": _fixed(activity="returning"),
            "locate": CommandSpec(),
        },
    ),
    # something that is run and comes to an end: a washer, a compactor
    "cycle": Capability({"running": _BOOL}, {"start": _fixed(running=True), "stop": _fixed(running=False)}),
    "power": Capability(
        {
            name + phase: _NUMBER
            for name in ("power_w", "energy_kwh", "voltage_v", "current_a", "frequency_hz", "power_factor")
            for phase in ("", "_a", "_b", "_c")
        }
    ),
    "battery": Capability({"battery_pct": _PERCENT, "battery_low": _BOOL}),
    "signal": Capability({"signal_dbm": _NUMBER, "link_quality": _NUMBER}),
}


@dataclass(frozen=True, slots=True)
class DeviceType:
    """`also` are other words for the same type; `capabilities` are what such a device has unless it says."""

    capabilities: tuple[str, ...]
    also: tuple[str, ...] = ()


DEVICE_TYPES: Final[Mapping[str, DeviceType]] = {
    "lock": DeviceType(("lock", "battery")),
    "contact": DeviceType(("contact",), ("door", "window")),
    "garage_door": DeviceType(("position",)),
    "gate": DeviceType(("position",)),
    "cover": DeviceType(("position",), ("blind", "curtain", "shutter", "awning")),
    "light": DeviceType(("on_off", "brightness"), ("lamp",)),
    "switch": DeviceType(("on_off",)),
    "plug": DeviceType(("on_off",), ("outlet", "socket")),
    "valve": DeviceType(("position",)),
    "sprinkler": DeviceType(("on_off",)),
    "media_player": DeviceType(("on_off", "media"), ("tv", "speaker")),
    "button": DeviceType((), ("remote",)),
    "motion": DeviceType(("motion",)),
    "presence": DeviceType(("occupancy",), ("occupancy",)),
    "camera": DeviceType(("camera", "motion")),
    "doorbell": DeviceType(("camera", "motion")),
    "smoke": DeviceType(("smoke",)),
    "heat": DeviceType(("heat", "climate")),
    "co": DeviceType(("co",)),
    "gas": DeviceType(("gas",)),
    "water_leak": DeviceType(("water_leak",)),
    "glass_break": DeviceType(("glass_break",)),
    "vibration": DeviceType(("vibration",)),
    "siren": DeviceType(("on_off",)),
    "alarm_panel": DeviceType(("alarm",)),
    "thermostat": DeviceType(("thermostat", "climate")),
    "air_conditioner": DeviceType(("on_off", "thermostat", "climate")),
    "heater": DeviceType(("on_off", "thermostat")),
    "water_heater": DeviceType(("on_off", "thermostat")),
    "fan": DeviceType(("on_off", "fan")),
    "humidifier": DeviceType(("on_off", "humidity_target")),
    "dehumidifier": DeviceType(("on_off", "humidity_target")),
    "air_purifier": DeviceType(("on_off", "fan")),
    "diffuser": DeviceType(("on_off",)),
    "sensor": DeviceType(("climate",), ("climate sensor",)),
    "meter": DeviceType(("power",), ("energy meter", "water meter", "gas meter")),
    "breaker": DeviceType(("power",)),
    "vacuum": DeviceType(("vacuum",)),
    "mower": DeviceType(("vacuum",)),
    "appliance": DeviceType(("on_off",), ("coffee maker", "washer", "oven", "dishwasher", "dryer", "kettle")),
    "scene": DeviceType(("on_off",)),
    "group": DeviceType(("on_off",)),
}


@dataclass(frozen=True, slots=True)
class EventType:
    """`sets` is what the event alone says about its device's attributes; `lane` how urgent it is."""

    lane: Lane = "state"
    sets: Attributes = field(default_factory=dict)
    #: Payload keys that are attributes of the device as well.
    carries: tuple[str, ...] = ()


def _says(lane: Lane = "state", *carries: str, **sets: Value) -> EventType:
    return EventType(lane, sets, carries)


EVENT_TYPES: Final[Mapping[str, EventType]] = {
    "motion_detected": _says("state", "intensity", "confidence", motion=True, occupancy=True),
    "motion_stopped": _says("state", motion=False, occupancy=False),
    "door_open": _says(open=True),
    "door_closed": _says(open=False),
    "window_open": _says(open=True),
    "window_closed": _says(open=False),
    "door_locked": _says(lock="locked"),
    "door_unlocked": _says(lock="unlocked"),
    "garage_open": _says(position_pct=100, cover="open", open=True),
    "garage_closed": _says(position_pct=0, cover="closed", open=False),
    "glass_break": _says("safety", "intensity", glass_break=True),
    "smoke_detected": _says("safety", "density", smoke=True),
    "smoke_cleared": _says("safety", smoke=False),
    "heat_anomaly": _says("safety", "temperature_c", heat=True),
    "heat_cleared": _says("safety", heat=False),
    "co_detected": _says("safety", co=True),
    "gas_detected": _says("safety", gas=True),
    "water_leak_detected": _says("safety", water_leak=True),
    "water_leak_cleared": _says("safety", water_leak=False),
    "tamper_detected": _says("safety", tamper=True),
    "doorbell_pressed": _says(),
    "person_detected": _says("state", "confidence"),
    "person_left": _says(),
    "face_recognized": _says(),
    "package_detected": _says(),
    "package_removed": _says(),
    "vehicle_detected": _says(),
    "vehicle_left": _says(),
    "geofence_arriving": _says(),
    "geofence_leaving": _says(),
    "button_pressed": _says(),
    "battery_low": _says(battery_low=True),
    "device_online": _says(),
    "device_offline": _says(),
    "heartbeat": _says("bulk"),
    "telemetry": _says("bulk"),
    "trends": _says("bulk"),
    "state_changed": _says(),
    "command_requested": _says(),
    "command_result": _says(),
    "mode_changed": _says(),
    "arm_state_changed": _says(),
    "code_used": _says(),
    "alert_raised": _says(),
    "incident_opened": _says(),
    "automation_ran": _says(),
    "timer_finished": _says(),
    "scenario_started": _says(),
    "scenario_stopped": _says(),
    "canary": _says("bulk"),
}

#: Events whose payload is a whole state of their device, and what an attribute that became true in one is as an event.
REPORTS: Final = frozenset(("state_changed", "telemetry", "heartbeat", "device_online"))
EVENT_OF_TRUE: Final[Mapping[str, str]] = {
    "smoke": "smoke_detected", "heat": "heat_anomaly", "co": "co_detected", "gas": "gas_detected",
    "water_leak": "water_leak_detected", "tamper": "tamper_detected", "glass_break": "glass_break",
    "motion": "motion_detected", "open": "door_open",
}  # fmt: skip

#: Events that only HomeGuard itself writes: refused from a device or a person.
CORE_EVENTS: Final = frozenset(
    ("command_requested", "command_result", "mode_changed", "arm_state_changed", "alert_raised", "incident_opened",
     "automation_ran", "timer_finished", "scenario_started", "scenario_stopped", "canary")
)  # fmt: skip

#: What devices call their measurements -> the attribute that holds it (temperatures in F have a name of their own).
MEASUREMENTS: Final[Mapping[str, str]] = {
    "temperature": "temperature_c", "temp": "temperature_c", "humidity": "humidity_pct", "pressure": "pressure_hpa",
    "battery": "battery_pct", "battery_level": "battery_pct", "signal": "signal_dbm", "rssi": "signal_dbm",
    "linkquality": "link_quality", "illuminance": "illuminance_lx", "lux": "illuminance_lx", "co2": "co2_ppm",
    "pm25": "pm25_ugm3", "voc": "voc_ppb", "power": "power_w", "energy": "energy_kwh", "voltage": "voltage_v",
    "current": "current_a", "frequency": "frequency_hz", "position": "position_pct", "brightness": "brightness_pct",
    "target": "target_c",
}  # fmt: skip

_ATTRIBUTES: Final[Mapping[str, Slot]] = {
    name: slot for capability in CAPABILITIES.values() for name, slot in capability.attributes.items()
}


def attribute_slot(name: str) -> Slot | None:
    """The slot of a known attribute, `None` for one that only a device declares."""
    return _ATTRIBUTES.get(name)
