"""Questions about what was: which read tool to call with which arguments, and the answer from what it returned."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.models.offline.digest import QUIET, SAID, did, digest, subject
from agent.models.offline.home import Home
from agent.models.offline.times import Span, moment, span
from agent.models.offline.wording import clock, listed, start, the, when
from agent.models.offline.words import those
from homeguard.clock import iso, parse_time
from homeguard.model import Device
from homeguard.targets import Targets
from homeguard.units import value_text

_ARRIVING: Final = those("who when anyone someone come came get got did")
_OVER_TIME: Final = those(
    "average mean highest lowest maximum minimum max min peak low high changed over history graph trend"
)

_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "unlock": ("door_unlocked",), "unlocks": ("door_unlocked",),
    "unlocked": ("door_unlocked",), "unlocking": ("door_unlocked",),
    "lock": ("door_locked",), "locked": ("door_locked",),
    "open": ("door_open", "window_open", "garage_open"), "opened": ("door_open", "window_open", "garage_open"),
    "close": ("door_closed", "window_closed", "garage_closed"),
    "closed": ("door_closed", "window_closed", "garage_closed"), "shut": ("door_closed", "window_closed",
    "garage_closed"),
    "ring": ("doorbell_pressed",), "rang": ("doorbell_pressed",), "rung": ("doorbell_pressed",),
    "doorbell": ("doorbell_pressed",), "visitor": ("doorbell_pressed", "person_detected"),
    "visitors": ("doorbell_pressed", "person_detected"), "motion": ("motion_detected",),
    "movement": ("motion_detected",), "move": ("motion_detected",), "moved": ("motion_detected",),
    "smoke": ("smoke_detected",), "leak": ("water_leak_detected",), "package": ("package_detected",),
    "delivery": ("package_detected",), "deliveries": ("package_detected",), "packages": ("package_detected",),
    "person": ("person_detected",), "face": ("face_recognized",), "car": ("vehicle_detected",),
    "vehicle": ("vehicle_detected",), "glass": ("glass_break",),
    "alarm": ("alert_raised",), "alert": ("alert_raised",), "offline": ("device_offline",), "code": ("code_used",),
    "arrive": ("geofence_arriving",), "arrived": ("geofence_arriving",),
    "home": ("geofence_arriving",), "leave": ("geofence_leaving",), "left": ("geofence_leaving",),
    "come": ("geofence_arriving", "person_detected", "door_open", "door_unlocked"),
    "enter": ("door_open", "door_unlocked"),
    "entered": ("door_open", "door_unlocked"), "came": ("geofence_arriving", "person_detected", "door_open",
    "door_unlocked"), "broke": ("glass_break",), "tamper": ("tamper_detected",), "armed": ("arm_state_changed",),
    "disarmed": ("arm_state_changed",),
}  # fmt: skip
_NONE: Final[Mapping[str, str]] = {
    "motion_detected": "no motion was seen", "package_detected": "no package was seen",
    "person_detected": "no person was seen", "face_recognized": "no face was recognised",
    "vehicle_detected": "no vehicle was seen", "smoke_detected": "no smoke was detected",
    "water_leak_detected": "no leak was found", "glass_break": "no breaking glass was heard",
    "alert_raised": "there were no alerts", "device_offline": "no device went offline",
    "tamper_detected": "nothing was tampered with", "code_used": "no code was used",
}  # fmt: skip
_YES_NO: Final = frozenset(("did", "was", "were", "has", "have", "any", "is"))


def local(now: datetime, zone: str) -> datetime:
    """The moment in the home's zone; UTC when the zone is unknown."""
    try:
        return now.astimezone(ZoneInfo(zone or "UTC"))
    except (KeyError, ValueError, OSError):
        return now


def event_types(words: Sequence[str]) -> tuple[str, ...]:
    """The event types that a question about the past asks for, `()` for all."""
    for word in words:
        if word in _KINDS and not (word in ("home", "left") and not _ARRIVING & set(words)):
            return _KINDS[word]
    return ()


def events_call(words: Sequence[str], found: Targets, now: datetime) -> tuple[Mapping[str, Any], Span]:
    """The arguments of `get_recent_events` and the stretch that the answer covers. `now` is local."""
    stretch = span(words, now) or Span(
        now - timedelta(hours=24 * (7 if "last" in words or "when" in words or "ever" in words else 1)),
        now,
        "in the last week" if "last" in words or "when" in words or "ever" in words else "in the last 24 hours",
    )
    types = event_types(words)
    hours = max(1, min(24 * 90, -int(-((now - stretch.start).total_seconds() // 3600)) + 1))
    arguments: dict[str, Any] = {"hours": hours, "limit": 500}
    if len(found.devices) == 1 and len(types) == 3:
        types = (_of_kind(found.devices[0], types),)
    if len(types) == 1:
        arguments["event_type"] = types[0]
    if len(found.devices) == 1:
        arguments["device_id"] = found.devices[0].id
    return arguments, stretch


def _of_kind(device: Device, types: Sequence[str]) -> str:
    """Of "door, window or garage opened" the one that this device can report."""
    garage = device.type in ("garage_door", "gate") or device.config.get("placement") == "garage"
    kind = "garage" if garage else "window" if device.config.get("placement") == "window" else "door"
    return next(t for t in types if t.startswith(kind))


def events_answer(
    output: Mapping[str, Any], words: Sequence[str], found: Targets, stretch: Span, now: datetime, zone: str, home: Home
) -> str:
    """What happened in that stretch, newest first, at most five said."""
    types = event_types(words)
    ids = {d.id for d in found.devices} | {d.id for d in found.ambiguous}
    names = {d.id: d for d in home.devices}
    rows: list[tuple[datetime, Mapping[str, Any]]] = []
    for event in output.get("events") or output.get("items") or ():
        if not isinstance(event, Mapping):
            continue
        try:
            at = local(parse_time(event.get("at") or event.get("timestamp")), zone)
        except ValueError:
            continue
        kind = str(event.get("event_type") or "")
        if (
            stretch.start <= at <= stretch.end
            and (not types or kind in types)
            and (not ids or event.get("device_id") in ids)
            and (types or kind not in QUIET)
        ):
            rows.append((at, event))
    rows.sort(key=lambda r: r[0], reverse=True)
    about = f" for {_names(found)}" if ids else ""
    if not rows:
        verb = _verb(types, words)
        if types and types[0] in _NONE and not (types[0] == "doorbell_pressed" and len(types) > 1):
            return f"No, {_NONE[types[0]]} {stretch.said}{about.replace(' for ', ' by ', 1)}."
        if types[:1] == ("doorbell_pressed",) and len(types) > 1:
            return f"No, nobody was seen at the door {stretch.said}."
        if verb and len(found.devices) == 1:
            opening = "" if words[:1] and words[0] in ("when", "what", "who", "how") else "No, "
            return start(f"{opening}{the(found.devices[0])} was not {verb} {stretch.said}.")
        opening = "No, nothing" if words[:1] and words[0] in _YES_NO else "Nothing"
        return f"{opening} {f'was {verb}' if verb else 'happened'} {stretch.said}{about}."
    tail = " I looked at the latest 500 events only." if output.get("truncated") else ""
    if "times" in words or ("how" in words and {"many", "often"} & set(words)):
        count = f"{len(rows)} time{'s' if len(rows) != 1 else ''}"
        return f"{count} {stretch.said}{about}; the last was {when(rows[0][0], now)}.{tail}"
    first = "when" in words or "time" in words or ("last" in words and "night" not in words)
    if first and types:
        deed = did(rows[0][1])
        if stretch.said == "in the last week" and "last" in words and deed.startswith("was "):
            deed = f"was last {deed.removeprefix('was ')}"
        return f"{start(subject(rows[0][1], names))} {deed} {when(rows[0][0], now)}."
    said = digest(rows, names, now)
    if words[:1] and words[0] in _YES_NO:
        came = types[:1] == ("geofence_arriving",) and not any("geofence" in str(e["event_type"]) for _, e in rows)
        return f"{'Perhaps' if came else 'Yes'}: {said[:1].lower() + said[1:]}{tail}"
    return f"{said}{tail}"


def _names(found: Targets) -> str:
    return listed([the(d) for d in (found.devices or found.ambiguous)], 3)


def _verb(types: Sequence[str], words: Sequence[str]) -> str:
    spoken = SAID.get(types[0], "") if types else ""
    return spoken if spoken in ("unlocked", "locked", "opened", "closed", "pressed") else ""


def history_call(
    words: Sequence[str], device: Device, metric: str, now: datetime
) -> tuple[Mapping[str, Any], datetime | None, Span | None]:
    """The arguments of `get_device_history`: a moment, or a stretch for averages and extremes. `now` is local."""
    at = moment(words, now)
    extremes = bool(_OVER_TIME & set(words))
    if at is not None and not extremes:
        return {"device_id": device.id, "metric": metric, "at": iso(at)}, at, None
    stretch = span(words, now) or Span(now - timedelta(hours=24), now, "in the last 24 hours")
    return stretch_arguments(device, metric, stretch), None, stretch


def stretch_arguments(device: Device, metric: str, stretch: Span) -> Mapping[str, Any]:
    """The arguments of `get_device_history` for a stretch, in windows of a day at most."""
    minutes = max(60, int((stretch.end - stretch.start).total_seconds() // 60))
    return {
        "device_id": device.id, "metric": metric, "start": iso(stretch.start), "end": iso(stretch.end),
        "every_minutes": min(1440, minutes),
    }  # fmt: skip


def summed_up(output: Mapping[str, Any]) -> Mapping[str, float]:
    """`average`, `minimum` and `maximum` over all windows of a history; empty when it has none."""
    windows = [
        w for w in output.get("windows") or () if isinstance(w, Mapping) and isinstance(w.get("average"), int | float)
    ]
    if not windows:
        return {}
    count = sum(int(w.get("count") or 1) for w in windows)
    return {
        "average": sum(float(w["average"]) * int(w.get("count") or 1) for w in windows) / max(1, count),
        "minimum": min(float(w.get("minimum", w["average"])) for w in windows),
        "maximum": max(float(w.get("maximum", w["average"])) for w in windows),
    }


def history_answer(
    output: Mapping[str, Any], words: Sequence[str], device: Device, metric: str, at: datetime | None,
    stretch: Span | None, now: datetime, zone: str, home: Home,
) -> str:  # fmt: skip
    """The value then, or low, high and average over the stretch."""
    name = the(device)
    what = {
        "temperature_c": "temperature",
        "humidity_pct": "humidity",
        "battery_pct": "battery",
        "target_c": "target temperature",
        "power_w": "power",
    }.get(metric, metric.replace("_", " "))
    if at is not None:
        found = output.get("value_at")
        if not isinstance(found, Mapping) or not isinstance(found.get("value"), int | float):
            return f"I have no {what} reading from {name} {_said_at(at, now)}."
        shown = value_text(metric, float(found["value"]), home.unit_system)
        return f"The {what} of {name} {_said_at(at, now)} was {shown}{_measured(found, at, zone)}."
    values = summed_up(output)
    said = stretch.said if stretch is not None else ""
    if not values:
        return f"I have no {what} readings from {name} {said}."
    text = {k: value_text(metric, v, home.unit_system) for k, v in values.items()}
    asked = set(words)
    if asked & {"highest", "maximum", "max", "peak", "high"} or ({"hot", "warm"} & asked and "get" in asked):
        return f"The highest {what} of {name} {said} was {text['maximum']}."
    if asked & {"lowest", "minimum", "min", "low"} or ("cold" in asked and "get" in asked):
        return f"The lowest {what} of {name} {said} was {text['minimum']}."
    return f"The {what} of {name} {said} averaged {text['average']}, between {text['minimum']} and {text['maximum']}."


def _said_at(at: datetime, now: datetime) -> str:
    if at.date() == now.date():
        return f"today at {clock(at)}"
    return when(at, now)


def _measured(found: Mapping[str, Any], at: datetime, zone: str) -> str:
    try:
        taken = local(parse_time(found.get("at")), zone)
    except ValueError:
        return ""
    return "" if abs((taken - at).total_seconds()) < 60 else f", taken at {clock(taken)}"
