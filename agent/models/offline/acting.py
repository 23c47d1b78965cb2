"""From what a clause wants and a device can do to one exact, absolute command, or why not. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent.models.offline.frames import Frame
from agent.models.offline.home import Home
from agent.models.offline.lexicon import HVAC_WORDS, NAMED_SPEEDS
from agent.models.offline.moments import span_s
from agent.models.offline.values import Amount
from homeguard.kinds import fold, name_words, singular
from homeguard.model import Device
from homeguard.units import celsius_to_fahrenheit

#: Why nothing can be set: nobody said to what.
UNSAID = "needs a value"
#: How far "a bit", nothing, "a lot" go, in percent; degrees are a tenth of it in Celsius.
_STEPS = {"small": 10.0, "usual": 20.0, "large": 40.0}


@dataclass(frozen=True, slots=True)
class Order:
    """One command with absolute parameters."""

    command: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cannot:
    """Why a device cannot do it, as half a sentence: "cannot be dimmed"."""

    why: str


_LEAST = frozenset(("min", "minimum", "lowest", "dimmest"))
_MOST = frozenset(("max", "maximum", "highest", "brightest", "full"))
#: Where a thermostat that tells nothing is taken to stand.
_COMFORT_C = 21.0
_ATTRIBUTE_COMMANDS = {
    "brightness": "set_brightness", "color": "set_color", "color_temperature": "set_color_temperature",
    "volume": "set_volume", "temperature": "set_temperature", "target": "set_temperature", "position": "set_position",
    "tilt": "set_tilt", "speed": "set_speed", "humidity": "set_humidity", "source": "select_source",
}  # fmt: skip
_PLAIN = {
    "lock": "be locked", "unlock": "be unlocked", "open": "be opened", "close": "be closed", "turn_on": "be turned on",
    "turn_off": "be turned off", "stop": "be stopped", "pause": "be paused", "play": "play", "next": "skip",
    "previous": "go back", "mute": "be muted", "unmute": "be unmuted", "start": "be started", "dock": "be sent home",
    "locate": "be located", "arm": "be armed", "disarm": "be disarmed", "snapshot": "take pictures", "record": "record",
    "set_brightness": "be dimmed", "set_color": "change colour", "set_color_temperature": "change its white",
    "set_volume": "change its volume", "set_temperature": "set a temperature", "set_position": "be set to a position",
    "set_tilt": "be tilted", "set_speed": "change its speed", "set_humidity": "set a humidity", "toggle": "be toggled",
    "select_source": "change its source", "set_hvac_mode": "change its mode", "play_media": "play that",
}  # fmt: skip
_CANDIDATES: Mapping[str, tuple[str, ...]] = {
    "turn_on": ("turn_on", "start", "open", "play", "set_hvac_mode", "arm"),
    "turn_off": ("turn_off", "close", "return_to_base", "stop", "set_hvac_mode", "disarm"),
    "lock": ("lock",), "unlock": ("unlock",), "open": ("open",), "close": ("close",),
    "stop": ("stop", "pause", "turn_off"), "play": ("play",), "pause": ("pause",), "next": ("next",),
    "previous": ("previous",), "mute": ("mute",), "unmute": ("unmute",), "start": ("start", "turn_on", "play"),
    "dock": ("return_to_base",), "locate": ("locate",), "arm": ("arm",), "disarm": ("disarm",),
    "snapshot": ("snapshot",), "record": ("record",), "play_media": ("play_media",),
}  # fmt: skip


def able(action: str, wanted: Frame, home: Home, device: Device) -> bool:
    """Whether the device can do it at all."""
    return isinstance(order(action, wanted, home, device), Order)


def order(action: str, wanted: Frame, home: Home, device: Device) -> Order | Cannot:
    """The command for one device. Relative changes are resolved from its state."""
    if action in ("open", "close", "set", "turn_on") and wanted.has_value and not wanted.relative:
        given = _given(wanted, home, device)
        if isinstance(given, Order) or action == "set" or wanted.attribute:
            return given
        if action == "turn_on" or wanted.value is not None:
            return given
    if action in ("open", "close", "set") and wanted.relative and wanted.value is not None:
        return _step("raise" if _upwards(wanted) else "lower", wanted, home, device)
    if action == "set":
        area = cleaning_area(wanted, home, device)
        if area:
            return Order("set_option", {"name": "cleaning_area", "option": area})
        if device.type == "scene":
            return Order("turn_on")
        if "turn_on" in wanted.actions or ("heat" in wanted.words and home.takes(device, "turn_on")):
            return _simple("turn_on", wanted, home, device)
        if set(wanted.words) & {"heat", "cool"} and home.takes(device, "set_temperature"):
            return _step("raise" if "heat" in wanted.words else "lower", wanted, home, device)
        return Cannot(UNSAID)
    if action in ("raise", "lower"):
        if wanted.has_value and not wanted.relative:
            return _given(wanted, home, device)
        return _step(action, wanted, home, device)
    if action == "toggle":
        on = home.state(device).get("on")
        if "on_off" in device.capabilities and isinstance(on, bool):
            return Order("turn_off" if on else "turn_on")
        return Cannot("cannot be toggled")
    return _simple(action, wanted, home, device)


def _simple(action: str, wanted: Frame, home: Home, device: Device) -> Order | Cannot:
    area = cleaning_area(wanted, home, device) if action == "start" else ""
    if area:
        return Order("set_option", {"name": "cleaning_area", "option": area})
    if action == "mute" and not home.takes(device, "mute") and home.takes(device, "set_volume"):
        return Order("set_volume", {"volume_pct": 0})
    for command in _CANDIDATES.get(action, ()):
        if not home.takes(device, command):
            continue
        if command == "open" and action == "turn_on" and device.type not in ("valve", "sprinkler"):
            continue
        if command == "close" and action == "turn_off" and device.type not in ("valve", "sprinkler"):
            continue
        if command == "set_hvac_mode":
            return Order(command, {"hvac_mode": "auto" if action == "turn_on" else "off"})
        if command == "arm":
            words = set(wanted.words)
            mode = "night" if words & {"night", "bed"} else "home" if words & {"home", "stay"} else "away"
            return Order(command, {"mode": mode})
        if command == "record":
            return Order(command, {"duration_s": _record_s(wanted)})
        return Order(command)
    if action == "unlock" and home.takes(device, "open"):
        return Cannot("can be opened but not unlocked")
    if action == "lock" and home.takes(device, "close"):
        return Cannot("can be closed but not locked")
    if action == "open" and home.takes(device, "unlock"):
        return Cannot("can be unlocked but not opened")
    if action == "close" and home.takes(device, "lock"):
        return Cannot("can be locked but not closed")
    return Cannot(f"cannot {_PLAIN.get(action, 'do that')}")


def cleaning_area(wanted: Frame, home: Home, device: Device) -> str:
    """The room that a vacuum is to clean, as the device itself calls it; `""` when none was said or it knows none."""
    options = device.config.get("options")
    rooms = options.get("cleaning_area") if isinstance(options, Mapping) else None
    if not isinstance(rooms, list | tuple) or not home.takes(device, "set_option"):
        return ""
    text = f" {' '.join(singular(w) for w in wanted.words)} "
    return next((str(r) for r in rooms if f" {' '.join(name_words(str(r)))} " in text), "")


def _record_s(wanted: Frame) -> float:
    return min(3600.0, span_s(" ".join(wanted.words)) or 30.0)


def _given(wanted: Frame, home: Home, device: Device) -> Order | Cannot:
    """A value that was said, for the attribute that was said or that fits this kind of device."""
    if wanted.color:
        return _if(home, device, "set_color", {"name": wanted.color})
    if wanted.kelvin:
        return _if(home, device, "set_color_temperature", {"kelvin": wanted.kelvin})
    attribute = wanted.attribute
    if wanted.option:
        return _named(wanted.option, attribute, wanted, home, device)
    value = wanted.value
    if value is None:
        return Cannot(UNSAID)
    bright = home.state(device).get("brightness_pct")
    if value.word == "half" and " half as " in f" {' '.join(wanted.words)} " and isinstance(bright, int | float):
        return _if(home, device, "set_brightness", {"brightness_pct": _whole(bright / 2)})
    if value.unit == "kelvin":
        return _if(home, device, "set_color_temperature", {"kelvin": value.number})
    own = _own_level(attribute, wanted, home, device)
    if own:
        return Order("set_level", {"name": own, "value": _extreme(value, device, own)})
    if attribute == "fan_speed":
        return _if(home, device, "set_speed", {"speed_pct": value.number})
    if attribute in ("intensity", "interval"):
        return Cannot(f"has no {attribute}")
    if value.unit in ("degrees", "F", "C") and device.type in ("garage_door", "gate", "lock"):
        return Cannot("takes no temperature")
    command = _ATTRIBUTE_COMMANDS.get(attribute, "") or _by_kind(value, home, device)
    if attribute == "position" and value.unit == "degrees" and not home.takes(device, "set_position"):
        command = _by_kind(value, home, device)
    if not command:
        return Cannot("does not take a value" if not home.fact(device, "commands") else "cannot be set to a value")
    if command == "set_temperature":
        unit = value.unit if value.unit in ("F", "C") else home.unit
        if value.word or value.unit == "percent":
            return Cannot("takes degrees, not a share")
        return _if(home, device, command, {"value": value.number, "unit": unit})
    return _if(home, device, command, {_parameter(command): _extreme(value, device, _parameter(command))})


def _extreme(value: Amount, device: Device, attribute: str) -> float:
    """The number that was said; "the lowest" and "the highest" are the device's own where it declares them."""
    if value.word in _LEAST and _declares(device, attribute):
        return _whole(_range(device, attribute)[0])
    if value.word in _MOST and _declares(device, attribute):
        return _whole(_range(device, attribute)[1])
    return value.number


def _parameter(command: str) -> str:
    return {
        "set_brightness": "brightness_pct", "set_volume": "volume_pct", "set_position": "position_pct",
        "set_tilt": "tilt_pct", "set_speed": "speed_pct", "set_humidity": "target_humidity_pct",
        "set_color_temperature": "kelvin",
    }.get(command, "value")  # fmt: skip


def _by_kind(value: Amount, home: Home, device: Device) -> str:
    """What a bare number means to a device of this kind."""
    if value.unit in ("F", "C") or (value.unit == "degrees" and home.takes(device, "set_temperature")):
        return "set_temperature"
    order_ = ("set_temperature", "set_brightness", "set_position", "set_volume", "set_speed", "set_humidity")
    if value.unit == "percent" or value.word:
        order_ = (*order_[1:], "set_temperature")
    return next((c for c in order_ if home.takes(device, c)), "")


def _if(home: Home, device: Device, command: str, parameters: Mapping[str, Any]) -> Order | Cannot:
    if home.takes(device, command):
        return Order(command, parameters)
    return Cannot(f"cannot {_PLAIN.get(command, 'do that')}")


def _own_level(attribute: str, wanted: Frame, home: Home, device: Device) -> str:
    """The name of a level that the device itself declares and that the words name."""
    levels = device.config.get("levels")
    if not isinstance(levels, Mapping) or not home.takes(device, "set_level"):
        return ""
    text = f" {' '.join(wanted.words)} "
    for name in levels:
        if f" {fold(name)} " in text or name == attribute or fold(name).split()[0] == attribute:
            return str(name)
    if (
        not attribute
        and len(levels) == 1
        and not any(
            home.takes(device, c)
            for c in ("set_temperature", "set_brightness", "set_position", "set_volume", "set_speed")
        )
    ):
        return str(next(iter(levels)))
    return ""


def _named(option: str, attribute: str, wanted: Frame, home: Home, device: Device) -> Order | Cannot:
    """A setting by its word: a mode, a speed, a swing, an option that the device declares."""
    word = fold(option).replace(" ", "_")
    options = device.config.get("options")
    if isinstance(options, Mapping) and home.takes(device, "set_option"):
        names = [
            n
            for n in options
            if attribute in ("", n) or attribute in fold(n).split() or fold(n) in " ".join(wanted.words)
        ]
        for name in names:
            choices = options[name]
            for choice in choices if isinstance(choices, list | tuple) else ():
                if fold(str(choice)).replace(" ", "_") == word:
                    return Order("set_option", {"name": name, "option": str(choice)})
        if names and attribute:
            return Cannot(f"has no '{option}' for its {attribute.replace('_', ' ')}")
    if attribute == "swing":
        return _if(home, device, "set_swing_mode", {"swing_mode": option})
    if attribute == "preset":
        return _if(home, device, "set_preset", {"preset": option})
    if attribute == "source":
        return _if(home, device, "select_source", {"source": option})
    share = {"low": 20.0, "medium": 50.0, "high": 80.0}.get(option)
    if share is not None and attribute in ("volume", "brightness", "position", "humidity"):
        command = _ATTRIBUTE_COMMANDS[attribute]
        return _if(home, device, command, {_parameter(command): share})
    if attribute in ("fan_speed", "speed") or (option in NAMED_SPEEDS and option != "auto"):
        if home.takes(device, "set_speed"):
            return Order("set_speed", {"speed": option})
        if device.type == "heater":
            return Cannot("has no fan that I can set")
        return _if(home, device, "set_fan_mode", {"fan_mode": option})
    if option in HVAC_WORDS and home.takes(device, "set_hvac_mode"):
        return Order("set_hvac_mode", {"hvac_mode": HVAC_WORDS[option]})
    if option in NAMED_SPEEDS and home.takes(device, "set_speed"):
        return Order("set_speed", {"speed": option})
    return Cannot(f"has no '{option}' mode" if attribute in ("mode", "") else f"has no {attribute.replace('_', ' ')}")


_STEPPED = {
    "set_brightness": ("brightness_pct", "brightness"), "set_volume": ("volume_pct", "volume"),
    "set_position": ("position_pct", "position"), "set_speed": ("speed_pct", "speed"),
    "set_humidity": ("target_humidity_pct", "humidity"), "set_tilt": ("tilt_pct", "tilt"),
}  # fmt: skip


def _step(action: str, wanted: Frame, home: Home, device: Device) -> Order | Cannot:
    """Up or down from where it is now."""
    sign = 1 if action == "raise" else -1
    state = home.state(device)
    wanted = replace(wanted, words=tuple(w for at, w in enumerate(wanted.words) if at not in wanted.held))
    stepped = _step_option(sign, wanted, home, device)
    if stepped is not None:
        return stepped
    own = _own_level(wanted.attribute, wanted, home, device) if wanted.attribute or wanted.value else ""
    if own:
        low, high = _range(device, own)
        now = float(state.get(own, low) or 0)
        return Order("set_level", {"name": own, "value": _whole(min(high, max(low, now + sign * _size(wanted))))})
    words = set(wanted.words)
    heat = words & {"warmer", "hotter", "cooler", "colder", "heat", "temperature", "degrees"} or wanted.attribute in (
        "temperature",
        "target",
    )
    if (
        home.takes(device, "set_temperature")
        and (heat or not wanted.attribute)
        and wanted.attribute in ("", "temperature", "target")
    ):
        base = state.get("target_c", state.get("temperature_c"))
        if not isinstance(base, int | float):
            base = _COMFORT_C
        now = celsius_to_fahrenheit(base) if home.unit == "F" else float(base)
        step = wanted.value.number if wanted.value is not None else _size(wanted) / (10 if home.unit == "F" else 20)
        exact = wanted.value is not None or home.unit == "C"
        return Order("set_temperature", {"value": round(now + sign * step, 1 if exact else None), "unit": home.unit})
    command = _ATTRIBUTE_COMMANDS.get(wanted.attribute, "")
    if not command:
        command = next(
            (c for c in ("set_brightness", "set_volume", "set_speed", "set_humidity") if home.takes(device, c)), ""
        )
    if not command and home.takes(device, "set_position"):
        if wanted.value is None:
            return Order("open" if sign > 0 else "close")
        command = "set_position"
    if command in ("set_brightness", "set_volume", "set_position", "set_speed", "set_humidity", "set_tilt"):
        if not home.takes(device, command):
            return Cannot(f"cannot {_PLAIN[command]}")
        attribute, _ = _STEPPED[command]
        now = _now(state, attribute, action)
        low, high = _range(device, attribute)
        return Order(command, {attribute: _whole(min(high, max(low, now + sign * _size(wanted))))})
    if home.takes(device, "open") and home.takes(device, "close"):
        return Order("open" if sign > 0 else "close")
    if words & {"heat", "warm"} and sign > 0 and home.takes(device, "turn_on"):
        return Order("turn_on")
    return Cannot(f"cannot be turned {'up' if sign > 0 else 'down'}")


def _upwards(wanted: Frame) -> bool:
    """Which way "by 30" goes when the verb alone does not say: the words of growing and shrinking, else "open"."""
    words = set(wanted.words)
    if words & {"increasing", "raising"}:
        return True
    return "close" not in wanted.actions and not words & {"decreasing", "lowering", "reducing"}


def _step_option(sign: int, wanted: Frame, home: Home, device: Device) -> Order | None:
    """The next of the named settings that the device declares in order: fan speed low -> medium, swing middle -> up."""
    options = device.config.get("options")
    attribute = wanted.attribute
    if attribute not in ("fan_speed", "speed", "swing") or not isinstance(options, Mapping):
        return None
    name = (
        next((n for n in (attribute, "fan_speed", "speed") if n in options), "") if attribute != "swing" else attribute
    )
    declared = options.get(name)
    choices = [str(c) for c in declared] if isinstance(declared, list | tuple) else []
    now = str(home.state(device).get(name))
    if now not in choices or not home.takes(device, "set_option"):
        return None
    count = int(wanted.value.number) if wanted.value is not None and wanted.value.unit in ("", "levels") else 1
    way = next((w[:2] for w in wanted.words if w in ("up", "upwards", "down", "downwards")), "")
    counted = {"increase", "decrease", "increasing", "decreasing", "reduce"} & set(wanted.words)
    if {"up", "down"} <= set(choices) and (way or not counted):
        # a direction in the room, not along the list: "auto" is none
        upwards = [c for c in ("down", "middle", "up") if c in choices]
        up = way == "up" if way else sign > 0
        at = upwards.index(now) + (count if up else -count) if now in upwards else (len(upwards) if up else -1)
        return Order("set_option", {"name": name, "option": upwards[min(len(upwards) - 1, max(0, at))]})
    at = min(len(choices) - 1, max(0, choices.index(now) + sign * count))
    return Order("set_option", {"name": name, "option": choices[at]})


def _now(state: Mapping[str, Any], attribute: str, action: str) -> float:
    value = state.get(attribute)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if state.get("on") is False:
        return 0.0
    return 100.0 if action == "lower" and attribute == "brightness_pct" else 50.0


def _size(wanted: Frame) -> float:
    if wanted.value is not None:
        return wanted.value.number
    words = set(wanted.words)
    if words & {"bit", "little", "slightly", "touch", "somewhat"}:
        return _STEPS["small"]
    if words & {"lot", "much", "way"}:
        return _STEPS["large"]
    return _STEPS["usual"]


def _declares(device: Device, attribute: str) -> bool:
    return any(
        isinstance(table := device.config.get(name), Mapping) and attribute in table for name in ("levels", "ranges")
    )


def _range(device: Device, attribute: str) -> tuple[float, float]:
    for table in ("levels", "ranges"):
        found = device.config.get(table)
        bounds = found.get(attribute) if isinstance(found, Mapping) else None
        if isinstance(bounds, Mapping):
            return float(str(bounds.get("min") or 0)), float(str(bounds.get("max") or 100))
        if isinstance(bounds, list | tuple) and len(bounds) == 2:
            return float(str(bounds[0])), float(str(bounds[1]))
    return 0.0, 100.0


def _whole(value: float) -> float:
    return int(value) if value == int(value) else round(value, 1)
