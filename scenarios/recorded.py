"""One line of a recorded sensor log, as a device and an event of ours. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from homeguard.clock import parse_time
from homeguard.model import Device, Json, Value
from homeguard.vocabulary import MEASUREMENTS, attribute_slot

_TRUE: Final = frozenset(("on", "true", "1", "open", "opened", "detected", "active", "start", "yes", "unlocked", "wet"))
_FALSE: Final = frozenset(
    ("off", "false", "0", "closed", "close", "clear", "cleared", "inactive", "stop", "no", "locked", "dry")
)
_ID: Final = re.compile(r"[\w.:\-]{1,128}")
#: Kind -> device type, capabilities, and the attribute that its on and off are.
_KINDS: Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    "contact": ("contact", ("contact",), "open"), "door": ("contact", ("contact",), "open"),
    "window": ("contact", ("contact",), "open"), "magnetic": ("contact", ("contact",), "open"),
    "motion": ("motion", ("motion",), "motion"), "pir": ("motion", ("motion",), "motion"),
    "occupancy": ("presence", ("occupancy",), "occupancy"), "presence": ("presence", ("occupancy",), "occupancy"),
    "pressure": ("presence", ("occupancy",), "occupancy"), "bed": ("presence", ("occupancy",), "occupancy"),
    "smoke": ("smoke", ("smoke",), "smoke"), "leak": ("water_leak", ("water_leak",), "water_leak"),
    "water_leak": ("water_leak", ("water_leak",), "water_leak"),
    "vibration": ("vibration", ("vibration",), "vibration"), "lock": ("lock", (), "lock"),
    "power": ("plug", ("power",), "on"), "electric": ("plug", ("power",), "on"),
    "switch": ("switch", (), "on"), "light": ("light", (), "on"), "plug": ("plug", ("power",), "on"),
    # Water that runs is no leak.
    "water": ("meter", (), "water_flow"), "flush": ("meter", (), "water_flow"), "flow": ("meter", (), "water_flow"),
}  # fmt: skip
_EVENTS: Final[Mapping[str, tuple[str, str]]] = {
    "motion": ("motion_detected", "motion_stopped"), "smoke": ("smoke_detected", "smoke_cleared"),
    "water_leak": ("water_leak_detected", "water_leak_cleared"), "lock": ("door_unlocked", "door_locked"),
}  # fmt: skip
_NUMERIC_TYPES: Final = {"power": "meter", "energy": "meter", "voltage": "meter", "current": "meter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a line says. `at` is UTC."""

    device_id: str
    name: str
    area: str
    kind: str
    at: datetime
    event_type: str
    payload: dict[str, Json] = field(default_factory=dict)
    is_number: bool = False


def read_line(value: object, zone: ZoneInfo) -> Line:
    """A decoded line; a naive time is in the home's zone.

    Raises:
        ValueError: a field is missing or cannot be read; the message names it.
    """
    if not isinstance(value, Mapping):
        raise ValueError("a line is a JSON object")  # noqa: TRY004 - one kind of error for one kind of fault
    device_id = value.get("device_id", value.get("device"))
    if not isinstance(device_id, str) or not _ID.fullmatch(device_id):
        raise ValueError("device_id is a text of 1 to 128 letters, digits, '_', '-', '.', ':'")
    stamp = value.get("ts", value.get("timestamp", value.get("at")))
    if stamp is None:
        raise ValueError("ts is missing")
    at = parse_time(stamp)
    if isinstance(stamp, str) and datetime.fromisoformat(stamp).tzinfo is None:
        at = at.replace(tzinfo=zone).astimezone(UTC)
    state = value.get("state", value.get("value"))
    kind = str(value.get("kind") or value.get("type") or "sensor").strip().lower()[:40]
    name = str(value.get("name") or device_id.replace("_", " "))
    event_type, payload, is_number = _said(kind, name, state)
    return Line(
        device_id=device_id, name=name, area=str(value.get("area") or ""), kind=kind, at=at,
        event_type=event_type, payload=payload, is_number=is_number,
    )  # fmt: skip


def device_of(line: Line, home_id: str, name: str, area: str, now: datetime) -> Device:
    """The device behind a line that the home does not know: it reports, nothing commands it."""
    kind, capabilities, _ = _KINDS.get(line.kind, ("sensor", (), ""))
    config: dict[str, Json] = {}
    if line.is_number:
        kind = _NUMERIC_TYPES.get(line.kind, "sensor")
        capabilities = ("power",) if kind == "meter" else ("climate",)
    if kind == "contact":
        config["placement"] = _placement(line.kind, name)
    return Device(
        home_id=home_id, id=line.device_id, name=name, type=kind, capabilities=capabilities, area=area,
        config=config, binding={"driver": "recorded"}, created_at=now,
    )  # fmt: skip


def _said(kind: str, name: str, state: Any) -> tuple[str, dict[str, Json], bool]:
    if state is None or isinstance(state, list | dict):
        raise ValueError("state is on, off, a number or a text")
    word = str(state).strip().lower()
    has_switch = kind in _KINDS
    number = _number(state)
    if number is not None and not (has_switch and number in (0, 1)):
        return "telemetry", {"metrics": {_metric(kind): number}}, True
    is_on = True if word in _TRUE else False if word in _FALSE else None
    if is_on is None:
        if not word or len(word) > 200:
            raise ValueError("state is on, off, a number or a text")
        return "state_changed", {_metric(kind): str(state)[:200]}, False
    attribute = _KINDS[kind][2] if has_switch else _metric(kind)
    if attribute == "open":
        what = "window" if _placement(kind, name) == "window" else "door"
        return f"{what}_open" if is_on else f"{what}_closed", {}, False
    if attribute in _EVENTS:
        return _EVENTS[attribute][0 if is_on else 1], {}, False
    slot = attribute_slot(attribute)
    value: Value = is_on if slot is None or slot.kind == "bool" else word
    return "state_changed", {attribute: value}, False


def _number(state: Any) -> float | None:
    if isinstance(state, bool):
        return None
    try:
        number = float(state)
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number):
        raise ValueError("state is no finite number")
    return number


def _metric(kind: str) -> str:
    name = re.sub(r"\W+", "_", kind).strip("_") or "value"
    return MEASUREMENTS.get(name, name)


def _placement(kind: str, name: str) -> str:
    words = f"{kind} {name}".lower()
    return next((word for word in ("window", "garage", "gate", "door") if word in words), "other")
