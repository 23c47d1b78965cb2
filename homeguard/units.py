"""Conversions between what HomeGuard keeps (SI) and what people read and say."""

from datetime import datetime, time
from typing import Final

#: Attribute suffix -> unit symbol as stored.
UNIT_OF_SUFFIX: Final = {
    "_c": "°C", "_pct": "%", "_hpa": "hPa", "_lx": "lx", "_ppm": "ppm", "_ppb": "ppb", "_ugm3": "µg/m³",
    "_w": "W", "_kwh": "kWh", "_v": "V", "_a": "A", "_hz": "Hz", "_dbm": "dBm", "_k": "K", "_s": "s",
}  # fmt: skip


def unit_of(attribute: str) -> str:
    """The unit that an attribute's name carries, `""` for none: `temperature_c` -> `°C`."""
    stem = attribute
    for phase in ("_a", "_b", "_c"):
        if stem.endswith(phase) and any(stem[:-2].endswith(s) for s in ("_v", "_a", "_w", "_kwh")):
            stem = stem[:-2]
            break
    for suffix, unit in UNIT_OF_SUFFIX.items():
        if stem.endswith(suffix):
            return unit
    return ""


def fahrenheit_to_celsius(value: float) -> float:
    return (value - 32) / 1.8


def celsius_to_fahrenheit(value: float) -> float:
    return value * 1.8 + 32


def temperature_text(value_c: float, unit_system: str) -> str:
    """As a person of that home reads it: `72°F`, `21.5°C`."""
    if unit_system == "us":
        return f"{_trim(celsius_to_fahrenheit(value_c), 0)}°F"
    return f"{_trim(value_c, 1)}°C"


def wall_time(local: datetime | time, unit_system: str, *, seconds: bool = False) -> str:
    """A time of day as people of that home read it: `17:45`, in the US `5:45 PM`; `local` is in the home's zone."""
    tail = f":{local:%S}" if seconds else ""
    if unit_system == "us":
        return f"{local.hour % 12 or 12}:{local:%M}{tail} {local:%p}"
    return f"{local:%H:%M}{tail}"


def _trim(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else ("0" if text == "-0" else text)


def value_text(attribute: str, value: float, unit_system: str) -> str:
    """A reading as people read it, with its unit: `21.5°C`, `45%`, `1013 hPa`."""
    unit = unit_of(attribute)
    if unit == "°C":
        return temperature_text(value, unit_system)
    number = _trim(value, 2)
    return f"{number}{unit}" if unit in ("%", "") else f"{number} {unit}"
