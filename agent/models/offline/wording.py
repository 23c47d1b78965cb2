"""How things, lists, values, states and times are said to people: short and plain."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from agent.models.offline.home import Home
from homeguard.kinds import KINDS, name_words
from homeguard.model import Device
from homeguard.units import temperature_text, value_text

_SPECIAL = {
    "smoke": ("smoke", "no smoke"), "co": ("carbon monoxide", "no carbon monoxide"), "gas": ("gas", "no gas"),
    "water_leak": ("a leak", "no leak"), "motion": ("motion", "no motion"), "heat": ("heat", "no heat"),
    "occupancy": ("someone", "nobody"), "glass_break": ("broken glass", "no broken glass"),
    "vibration": ("vibration", "no vibration"), "tamper": ("tampering", "no tampering"),
}  # fmt: skip
#: How the states of an alarm are said.
ARMED = {
    "disarmed": "disarmed", "armed_home": "armed (home)", "armed_away": "armed (away)", "armed_night": "armed (night)",
    "arming": "arming", "pending": "about to sound", "triggered": "triggered",
}  # fmt: skip


def the(device: Device) -> str:
    """The device in the middle of a sentence: `the front door lock`, `Rover`."""
    words = name_words(device.name)
    if (
        device.type in ("motion", "smoke", "co", "gas", "water_leak")
        and words[-1:]
        and words[-1] in ("motion", "smoke", "leak", "gas", "co")
    ):
        return f"the {_lower(device.name)} sensor"
    if any((w,) in KINDS or w in ("plug", "remote", "panel", "detector", "machine", "maker") for w in words):
        return f"the {_lower(device.name)}"
    person = device.type == "presence" and device.config.get("placement") == "person"
    return device.name if person or device.type in ("vacuum", "scene", "mower") else f"the {_lower(device.name)}"


def unlocked_name(device: Device) -> str:
    """What a lock locks: `front door` for the front door lock."""
    name = _lower(device.name).strip()
    return name.removesuffix(" lock").removesuffix(" deadbolt") or name


def _lower(name: str) -> str:
    return " ".join(w if sum(c.isupper() for c in w) > 1 else w.lower() for w in name.split())


def start(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def listed(names: Sequence[str], most: int = 8, joint: str = "and") -> str:
    """`a, b and c`; more than `most` are counted: `a, b and 3 more`. `joint`: instead of "and"."""
    names = list(names)
    if len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    if len(names) < 2:
        return names[0] if names else "nothing"
    return f"{', '.join(names[:-1])} {joint} {names[-1]}"


def in_order(devices: Iterable[Device]) -> tuple[Device, ...]:
    """As they are told: in the alphabet's order."""
    return tuple(sorted(devices, key=lambda d: d.name.lower()))


def names_of(devices: Iterable[Device], most: int = 8, joint: str = "and") -> str:
    """Their names in the alphabet's order, with "the"; equal names carry their area."""
    found = in_order(devices)
    twice = {d.name for d in found if sum(x.name == d.name for x in found) > 1}
    return listed([f"{the(d)}{f' ({d.area})' if d.name in twice and d.area else ''}" for d in found], most, joint)


def value(attribute: str, amount: object, home: Home, device: Device) -> str:
    """A value with its unit as people of that home read it."""
    if isinstance(amount, bool):
        return "yes" if amount else "no"
    if isinstance(amount, int | float):
        levels = device.config.get("levels")
        own = levels.get(attribute) if isinstance(levels, Mapping) else None
        if isinstance(own, Mapping) and own.get("unit"):
            unit = str(own["unit"])
            return f"{amount:g}{unit if unit in ('%', '°C', '°F') else ' ' + unit}"
        if attribute in ("hue",):
            return f"{amount:g}°"
        return value_text(attribute, float(amount), home.unit_system)
    return str(amount).replace("_", " ")


def state_words(device: Device, home: Home) -> str:
    """What a device is like now, as the end of "the ... is": `locked`, `on at 40%`, `21°C`."""
    state = home.state(device)
    if home.fact(device, "online") is False:
        return "offline" + (f" (last seen {known})" if (known := _main(device, state, home)) else "")
    return _main(device, state, home) or "not reporting anything yet"


def _main(device: Device, state: Mapping[str, Any], home: Home) -> str:
    if "lock" in state:
        return str(state["lock"])
    if "arm_state" in state:
        return ARMED.get(str(state["arm_state"]), str(state["arm_state"]))
    if "target_c" in state or device.type == "thermostat":
        return _climate(state, home)
    if "cover" in state or "position_pct" in state:
        position = state.get("position_pct")
        word = str(state.get("cover") or ("closed" if not position else "open"))
        return f"{word} ({position:g}%)" if isinstance(position, int | float) and 0 < position < 100 else word
    if "playback" in state:
        title = f" {state['title']}" if state.get("title") and state["playback"] == "playing" else ""
        return f"{state['playback']}{title}"
    if "activity" in state:
        return str(state["activity"])
    if isinstance(state.get("open"), bool):
        return "open" if state["open"] else "closed"
    for name, (yes, no) in _SPECIAL.items():
        if (
            isinstance(state.get(name), bool)
            and name in device.capabilities
            and device.type not in ("camera", "doorbell")
        ):
            return f"reporting {yes}" if state[name] else f"reporting {no}"
    if isinstance(state.get("on"), bool):
        level = state.get("brightness_pct", state.get("speed_pct"))
        return ("on" + (f" at {level:g}%" if isinstance(level, int | float) else "")) if state["on"] else "off"
    if device.type in ("camera", "doorbell"):
        return "recording" if state.get("recording") else "on" if state.get("on", True) else "off"
    if "location" in state:
        return "at home" if str(state["location"]).lower() == "home" else f"at {state['location']}"
    parts = [
        value(n, v, home, device)
        for n, v in state.items()
        if n not in ("battery_pct", "battery_low", "signal_dbm", "link_quality")
    ]
    return listed(parts[:3]) if parts else (f"at {state['battery_pct']:g}% battery" if "battery_pct" in state else "")


def _climate(state: Mapping[str, Any], home: Home) -> str:
    said = []
    target = state.get("target_c")
    if isinstance(target, int | float):
        said.append(f"set to {temperature_text(target, home.unit_system)}")
    if state.get("hvac_mode"):
        said.append(f"mode {str(state['hvac_mode']).replace('_', ' ')}")
    measured = state.get("temperature_c")
    if isinstance(measured, int | float):
        said.append(f"reading {temperature_text(measured, home.unit_system)}")
    return ", ".join(said)


def times(count: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def clock(at: datetime) -> str:
    """`5:00 PM`."""
    return f"{at.hour % 12 or 12}:{at.minute:02d} {'AM' if at.hour < 12 else 'PM'}"


def when(at: datetime, now: datetime) -> str:
    """A local moment next to the local now: `at 5:02 PM`, `yesterday at 11:40 PM`, `on Mon 3 Nov at 8:00 AM`."""
    if at.date() == now.date():
        return f"at {clock(at)}"
    if at.date() == (now - timedelta(days=1)).date():
        return f"yesterday at {clock(at)}"
    return f"on {at:%a} {at.day} {at:%b} at {clock(at)}"
