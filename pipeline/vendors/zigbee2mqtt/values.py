"""One property's value, theirs <-> ours. A key is JSON: `{"property", "codec", ...}`, kept in a device's binding."""

import math
from collections.abc import Mapping
from typing import Any, Final

from homeguard.model import Value

HVAC_MODES: Final[Mapping[str, str]] = {
    "off": "off", "heat": "heat", "cool": "cool", "auto": "auto", "dry": "dry", "fan_only": "fan_only",
    "heat_cool": "auto", "sleep": "auto", "emergency_heating": "heat",
}  # fmt: skip
_LOCK_STATES: Final = {"locked": "locked", "unlocked": "unlocked", "not_fully_locked": "jammed", "jammed": "jammed"}
_COVER_STATES: Final = {"open": "open", "close": "closed", "closed": "closed", "stop": "stopped", "stopped": "stopped"}
_MOVING: Final = {"up": "opening", "opening": "opening", "open": "opening", "down": "closing", "closing": "closing",
                  "close": "closing"}  # fmt: skip


def read(key: Mapping[str, Any], raw: object) -> dict[str, Value]:
    """What a raw value says, in our attributes; empty when it says nothing (null, a foreign kind)."""
    attribute = str(key["attribute"])
    match key["codec"]:
        case "binary":
            value = _binary(key, raw)
            if value is None:
                return {}
            # A setting of the device's own is an option with two choices, not a sensor.
            return {attribute: ("on" if value else "off") if key.get("extra") and key.get("settable") else value}
        case "number":
            number = _number(raw)
            return {} if number is None else {attribute: _tidy(number * key.get("scale", 1) + key.get("offset", 0))}
        case "percent":
            number = _number(raw)
            low, high = key.get("low", 0), key.get("high", 254)
            if number is None or high <= low:
                return {}
            share = (min(max(number, low), high) - low) / (high - low) * 100
            return {attribute: max(1, round(share)) if number > low else 0}
        case "mired":
            number = _number(raw)
            return {attribute: round(1e6 / number)} if number is not None and number >= 1 else {}
        case "color":
            return _read_color(raw)
        case "choice":
            words = key.get("words") or {}
            text = str(raw)[:64] if isinstance(raw, str | int | float) and not isinstance(raw, bool) else ""
            found = words.get(text, words.get(text.lower())) if words else text
            return {attribute: found} if found else {}
        case "lock":
            value = _binary(key, raw)
            return {} if value is None else {attribute: "locked" if value else "unlocked"}
        case "lock_state":
            word = _LOCK_STATES.get(str(raw).lower())
            return {attribute: word} if word else {}
        case "cover_state":
            word = _COVER_STATES.get(str(raw).lower())
            return {attribute: word} if word else {}
        case "moving":
            word = _MOVING.get(str(raw).lower())
            return {attribute: word} if word else {}
        case "position":
            number = _number(raw)
            if number is None or not 0 <= number <= 100:
                return {}
            position = _tidy(number)
            return {"position_pct": position, "cover": "closed" if position <= 0 else "open"}
        case "valve":
            value = _binary(key, raw)
            if value is None:
                return {}
            return {"position_pct": 100 if value else 0, "cover": "open" if value else "closed"}
        case "speed_word":
            text = str(raw)[:64].lower() if isinstance(raw, str | int) and not isinstance(raw, bool) else ""
            steps = list(key.get("steps") or ())
            found = {attribute: text} if text else {}
            return found | ({"speed_pct": round((steps.index(text) + 1) * 100 / len(steps))} if text in steps else {})
        case _:
            return {}


def write(key: Mapping[str, Any], value: Value) -> Any:
    """The raw value that makes the attribute `value`.

    Raises:
        ValueError: this property cannot be set to that.
    """
    if not key.get("settable"):
        raise ValueError(f"{key['attribute']} only reports")
    match key["codec"]:
        case "binary":
            on = value in (True, "on")
            return key.get("on", True) if on else key.get("off", False)
        case "number":
            return _tidy((float(value) - key.get("offset", 0)) / key.get("scale", 1))
        case "percent":
            low, high = key.get("low", 0), key.get("high", 254)
            return round(low + float(value) * (high - low) / 100)
        case "mired":
            mired = round(1e6 / float(value))
            return min(max(mired, round(key.get("low", 1))), round(key.get("high", 1000)))
        case "choice":
            words = key.get("words") or {}
            if not words:
                return str(value)
            # An exact word first: `auto` must not become `heat_cool` on a device that has both.
            for theirs, ours in sorted(words.items(), key=lambda w: w[0] != w[1]):
                if ours == value:
                    return theirs
            raise ValueError(f"{key['attribute']} has no '{value}'")
        case "lock":
            return key.get("on", "LOCK") if value == "locked" else key.get("off", "UNLOCK")
        case "position":
            return round(float(value))
        case "valve":
            return key.get("on", "ON") if float(value) > 0 else key.get("off", "OFF")
        case "speed_word":
            return str(value)
        case "speed_pct":
            steps = list(key.get("steps") or ())
            if not steps:
                raise ValueError("the fan has no named speeds")
            return steps[min(max(math.ceil(float(value) * len(steps) / 100), 1), len(steps)) - 1]
        case _:
            raise ValueError(f"{key['attribute']} cannot be set")


def _binary(key: Mapping[str, Any], raw: object) -> bool | None:
    """`value_on`/`value_off` exactly, then without case, then a plain boolean."""
    on, off = key.get("on", True), key.get("off", False)
    for wanted, meaning in ((on, True), (off, False)):
        if raw == wanted and isinstance(raw, bool) == isinstance(wanted, bool):
            return meaning
        if isinstance(raw, str) and isinstance(wanted, str) and raw.lower() == wanted.lower():
            return meaning
    if isinstance(raw, bool) and not isinstance(on, bool):
        return raw
    if isinstance(on, bool) and isinstance(raw, str) and raw.lower() in ("true", "false"):
        return (raw.lower() == "true") == on
    return None


def _number(raw: object) -> float | None:
    if type(raw) is int:
        return raw if -1e300 < raw < 1e300 else None
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        number = float(raw)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _tidy(number: float) -> float | int:
    rounded = round(number, 4)
    return int(rounded) if rounded == int(rounded) and abs(rounded) < 1e15 else rounded


def _read_color(raw: object) -> dict[str, Value]:
    if not isinstance(raw, Mapping):
        return {}
    hue, saturation = (_number(raw.get(a, raw.get(b))) for a, b in (("hue", "h"), ("saturation", "s")))
    if hue is None or saturation is None:
        x, y = _number(raw.get("x")), _number(raw.get("y"))
        if x is None or y is None or not 0 < y <= 1 or not 0 <= x <= 1:
            return {}
        hue, saturation = _from_xy(x, y)
    if not 0 <= hue <= 360 or not 0 <= saturation <= 100:
        return {}
    return {"hue": _tidy(hue), "saturation_pct": _tidy(saturation)}


def _from_xy(x: float, y: float) -> tuple[float, float]:
    """Hue and saturation of a CIE 1931 chromaticity at full brightness (sRGB primaries)."""
    big_x, big_z = x / y, (1 - x - y) / y
    red = 3.2406 * big_x - 1.5372 - 0.4986 * big_z
    green = -0.9689 * big_x + 1.8758 + 0.0415 * big_z
    blue = 0.0557 * big_x - 0.2040 + 1.0570 * big_z
    peak = max(red, green, blue, 1e-9)
    parts = [max(c / peak, 0.0) for c in (red, green, blue)]
    r, g, b = (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in parts)
    high, low = max(r, g, b), min(r, g, b)
    spread = high - low
    if spread < 1e-6:
        return 0.0, 0.0
    if high == r:
        hue = 60 * (((g - b) / spread) % 6)
    elif high == g:
        hue = 60 * ((b - r) / spread + 2)
    else:
        hue = 60 * ((r - g) / spread + 4)
    return float(round(hue)) % 360, float(round(spread / high * 100))
