"""What matters of a home right now, from its devices as REST tells of them, and how it changes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]

#: Attributes that are an alarm while they are true, the gravest first.
ALARMS: Final = ("smoke", "co", "gas", "heat", "water_leak", "glass_break", "tamper")
LOW_BATTERY_PCT: Final = 20
_ENTRANCES: Final = ("garage_door", "gate")
_WATCHED: Final = frozenset((*ALARMS, "lock", "open", "cover", "battery_pct", "temperature_c", "target_c", "on"))
_REACH: Final = {"device_online": True, "device_offline": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Something that lets people in: `how` is open, unlocked, jammed or another word of its lock."""

    name: str
    how: str
    device: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`alarms` are (name, attribute), `low` are (name, battery in percent); `guarded` counts locks, doors, windows."""

    devices: int
    guarded: int
    locks: int
    alarms: tuple[tuple[str, str], ...]
    open: tuple[Open, ...]
    silent: tuple[str, ...]
    low: tuple[tuple[str, float], ...]
    inside_c: float | None
    target_c: float | None
    lights: int
    lights_on: int

    @property
    def is_secure(self) -> bool:
        """Everything that lets people in is known to be shut, and nothing is wrong."""
        return bool(self.guarded) and not (self.alarms or self.open or self.silent)


def facts_of(devices: Sequence[Json]) -> Facts:
    alarms, opened, silent, low = [], [], [], []
    guarded = locks = 0
    for device in devices:
        name, state = name_of(device), device.get("state") or {}
        alarms += [(name, attribute) for attribute in ALARMS if state.get(attribute) is True]
        lock, cover = state.get("lock"), state.get("cover")
        locks += lock is not None
        guarded += lock is not None or "open" in state or is_entrance(device)
        if lock is not None and lock != "locked":
            opened.append(Open(name=name, how=str(lock), device=device))
        if state.get("open") is True or (is_entrance(device) and cover in ("open", "opening", "stopped")):
            opened.append(Open(name=name, how="open", device=device))
        if device.get("available") is False:
            silent.append(name)
        battery = device.get("battery_pct", state.get("battery_pct"))
        if isinstance(battery, int | float) and battery <= LOW_BATTERY_PCT:
            low.append((name, float(battery)))
    lights = [d for d in devices if d.get("type") == "light"]
    return Facts(
        devices=len(devices),
        guarded=guarded,
        locks=locks,
        alarms=tuple(alarms),
        open=tuple(opened),
        silent=tuple(silent),
        low=tuple(low),
        inside_c=_climate(devices, "temperature_c"),
        target_c=_climate(devices, "target_c"),
        lights=len(lights),
        lights_on=sum((d.get("state") or {}).get("on") is True for d in lights),
    )


def changed(devices: Mapping[str, Json], data: Json) -> dict[str, Json] | None:
    """The devices (by id) after something that one of them said; None when nothing that matters here is different.

    Raises KeyError: it is a device that is not known yet.
    """
    device_id = str(data.get("device_id") or "")
    device = devices[device_id]
    before, said = device.get("state") or {}, data.get("state")
    news = {k: v for k, v in said.items() if before.get(k) != v} if isinstance(said, Mapping) else {}
    reach = _REACH.get(str(data.get("event_type")), device.get("available"))
    if reach == device.get("available") and not _WATCHED & set(news):
        return None
    told = {**device, "state": {**before, **news}, "available": reach}
    if "battery_pct" in news:
        told["battery_pct"] = news["battery_pct"]
    return {**devices, device_id: told}


def name_of(device: Json) -> str:
    return str(device.get("name") or device.get("id") or "?")


def is_entrance(device: Json) -> bool:
    return device.get("type") in _ENTRANCES


def temperature(celsius: float, unit_system: str) -> str:
    """`72 °F` or `22.2 °C`, as people of the home read it."""
    if unit_system == "us":
        return f"{celsius * 9 / 5 + 32:.0f}\u00a0°F"
    return f"{celsius:.1f}\u00a0°C"


def _climate(devices: Sequence[Json], attribute: str) -> float | None:
    """What a thermostat says; another sensor only where there is none."""
    for device in sorted(devices, key=lambda d: d.get("type") != "thermostat"):
        value = (device.get("state") or {}).get(attribute)
        if isinstance(value, int | float) and device.get("available") is not False:
            return float(value)
    return None
