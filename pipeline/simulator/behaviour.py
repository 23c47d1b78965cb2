"""How simulated things behave: rates by the hour, rooms that warm and cool, what a reading is. Pure."""

import math
import random
from collections.abc import Mapping
from typing import Final

from homeguard.model import Device, Json, Value

PEAK_HOURS: Final = frozenset((8, 9, 17, 18, 19, 20))
DOOR_PEAK_HOURS: Final = frozenset((7, 8, 17, 18, 19))
NIGHT: Final = frozenset((23, 0, 1, 2, 3, 4, 5))
#: 68 to 76 °F and back in half an hour, when nobody ever set the thermostat.
CYCLE_LOW_C: Final = 20.0
CYCLE_HIGH_C: Final = 24.44
CYCLE_S: Final = 1800.0
#: Two thirds of the way to a new target in ten minutes.
_DRIFT_S: Final = 600.0
#: What a battery loses in a day.
_BATTERY_PCT_PER_DAY: Final = 0.2
#: Only these may fall silent by themselves: what a person commands stays reachable.
FRAGILE_TYPES: Final = frozenset(("motion", "contact", "smoke", "camera", "doorbell", "sensor"))
LOW_BATTERY_PCT: Final = 20.0


def motion_gap_s(hour: int) -> float:
    """Mean seconds between two episodes of one motion sensor in a lived-in home."""
    if hour in PEAK_HOURS:
        return 60.0
    return 3600.0 if hour in NIGHT else 240.0


def door_gap_s(hour: int) -> float:
    """Mean seconds between two times that somebody goes through a locked door."""
    if hour in DOOR_PEAK_HOURS:
        return 1200.0
    return 24 * 3600.0 if hour in NIGHT else 7200.0


def visitor_gap_s(hour: int) -> float:
    """Mean seconds between two people in front of a camera or a doorbell."""
    return 24 * 3600.0 if hour in NIGHT or hour in (6, 22) else 3600.0


def room_after(temperature_c: float, target_c: float | None, elapsed_s: float, at_s: float) -> float:
    """The room's temperature `elapsed_s` later: towards the commanded target, or on the free cycle (`None`)."""
    if target_c is None:
        middle, swing = (CYCLE_LOW_C + CYCLE_HIGH_C) / 2, (CYCLE_HIGH_C - CYCLE_LOW_C) / 2
        goal = middle + swing * math.sin(2 * math.pi * at_s / CYCLE_S)
        return goal if abs(goal - temperature_c) < 0.3 else temperature_c + (goal - temperature_c) * 0.1
    return target_c + (temperature_c - target_c) * math.exp(-elapsed_s / _DRIFT_S)


def hvac_action(temperature_c: float, target_c: float | None, mode: str) -> str:
    if mode == "off" or target_c is None:
        return "idle"
    if temperature_c < target_c - 0.3 and mode in ("heat", "auto"):
        return "heating"
    if temperature_c > target_c + 0.3 and mode in ("cool", "auto"):
        return "cooling"
    return "idle"


def battery_after(battery_pct: float, elapsed_s: float) -> float:
    return max(battery_pct - _BATTERY_PCT_PER_DAY * elapsed_s / 86_400, 0.0)


def measured(device: Device, state: Mapping[str, Value], rng: random.Random) -> dict[str, Json]:
    """One set of readings of a device as it is; empty when it measures nothing."""
    found: dict[str, Json] = {}
    temperature = state.get("temperature_c")
    if isinstance(temperature, int | float):
        found["temperature_c"] = round(temperature + rng.gauss(0, 0.03), 2)
        found["humidity_pct"] = round(44 + 3 * math.sin(temperature) + rng.gauss(0, 0.2), 1)
    battery = state.get("battery_pct")
    if isinstance(battery, int | float):
        found["battery_pct"] = round(battery, 2)
    if "power" in device.capabilities:
        found["power_w"] = round(_power_w(device, state) * (1 + rng.gauss(0, 0.01)), 1)
    if not found:
        found["signal_dbm"] = round(-52 + rng.gauss(0, 2))
    return found


def _power_w(device: Device, state: Mapping[str, Value]) -> float:
    if device.type == "thermostat":
        return 1450.0 if state.get("hvac_action") in ("heating", "cooling") else 4.0
    rated = device.config.get("rated_w")
    full = float(rated) if isinstance(rated, int | float) else 9.0
    if state.get("on") is not True:
        return 0.3
    level = state.get("brightness_pct")
    return full * (float(level) / 100 if isinstance(level, int | float) else 1.0)
