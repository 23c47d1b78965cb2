"""What happened, told shortly: the same thing several times is one item, the newest first, five at most."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agent.models.offline.wording import listed, start, the, times, when
from homeguard.model import Device

#: What an event says of its device: "was unlocked", "saw motion".
SAID: Final[Mapping[str, str]] = {
    "door_unlocked": "unlocked", "door_locked": "locked", "door_open": "opened", "door_closed": "closed",
    "window_open": "opened", "window_closed": "closed", "garage_open": "opened", "garage_closed": "closed",
    "motion_detected": "saw motion", "motion_stopped": "went quiet", "doorbell_pressed": "pressed",
    "smoke_detected": "detected smoke", "smoke_cleared": "no longer detected smoke",
    "device_offline": "went offline", "device_online": "came online", "battery_low": "reported a low battery",
    "person_detected": "saw a person", "person_left": "saw the person leave", "package_detected": "saw a package",
    "package_removed": "saw the package go", "vehicle_detected": "saw a vehicle", "vehicle_left": "saw the vehicle go",
    "face_recognized": "recognised a face", "glass_break": "heard breaking glass",
    "water_leak_detected": "found a leak",
    "water_leak_cleared": "found no more leak", "tamper_detected": "was tampered with", "co_detected": "detected CO",
    "gas_detected": "detected gas", "heat_anomaly": "reported heat", "heat_cleared": "reported normal heat",
    "geofence_arriving": "came home", "geofence_leaving": "left home", "button_pressed": "pressed",
    "code_used": "was used with a code",
}  # fmt: skip
_PASSIVE: Final = frozenset(("unlocked", "locked", "opened", "closed", "pressed"))
#: Readings, echoes of what was asked, and HomeGuard's own notes are no news.
QUIET: Final = frozenset(
    ("heartbeat", "telemetry", "trends", "canary", "state_changed", "command_result", "command_requested",
     "mode_changed", "arm_state_changed", "automation_ran", "incident_opened", "scenario_started", "scenario_stopped",
     "motion_stopped", "device_online")
)  # fmt: skip
_FAMILIES: Final[Mapping[str, str]] = {
    "door_locked": "lock", "door_unlocked": "lock", "door_open": "door", "door_closed": "door", "window_open": "door",
    "window_closed": "door", "garage_open": "door", "garage_closed": "door",
}  # fmt: skip
#: What undoes something is told behind it.
_ORDER: Final = ("was unlocked", "was locked", "was opened", "was closed")
MOST: Final = 5
Row = tuple[datetime, Mapping[str, Any]]


def did(event: Mapping[str, Any]) -> str:
    """The event as what its device did: `was unlocked`, `saw motion`."""
    kind = str(event.get("event_type") or "")
    if kind == "alert_raised":
        return f'alert "{_title(event)}"'
    spoken = SAID.get(kind, f"reported {kind.replace('_', ' ')}")
    return f"was {spoken}" if spoken in _PASSIVE else spoken


def subject(event: Mapping[str, Any], names: Mapping[str, Device]) -> str:
    device = names.get(str(event.get("device_id")))
    return the(device) if device is not None else str(event.get("device") or "the home")


def digest(rows: Sequence[Row], names: Mapping[str, Device], now: datetime) -> str:
    """`rows` newest first, as sentences: `The front door was opened twice and closed twice, last at 5:02 PM. ...`"""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        kind = str(row[1].get("event_type") or "")
        family = _title(row[1]) if kind == "alert_raised" else _FAMILIES.get(kind, kind)
        groups.setdefault((str(row[1].get("device_id")), family), []).append(row)
    said = [_item(group, names, now) for group in groups.values()]
    more = len(said) - MOST
    text = start("; ".join(said[:MOST])) + "."
    if more > 0:
        text += (
            f" There {'was one more thing' if more == 1 else f'were {more} more things'}: ask about a device or a time."
        )
    return text


def _item(group: Sequence[Row], names: Mapping[str, Device], now: datetime) -> str:
    at, newest = group[0]
    if newest.get("event_type") == "alert_raised":
        often = f"{times(len(group))}, most recently " if len(group) > 1 else ""
        return f"{did(newest)} {often}{when(at, now)}"
    if len(group) == 1:
        return f"{subject(newest, names)} {did(newest)} {when(at, now)}"
    counts: dict[str, int] = dict.fromkeys(_ORDER, 0)
    for _, event in group:
        counts[did(event)] = counts.get(did(event), 0) + 1
    counts = {what: n for what, n in counts.items() if n}
    if len(counts) > 1 and len(set(counts.values())) == 1:
        deeds = listed([what.removeprefix("was ") for what in counts])
        count = next(iter(counts.values()))
        often = f" {times(count)}" if count > 1 else ""
        return f"{subject(newest, names)} was {deeds}{often}, most recently {when(at, now)}"
    parts = [
        f"{what.removeprefix('was ') if index else what} {times(n)}" for index, (what, n) in enumerate(counts.items())
    ]
    return f"{subject(newest, names)} {listed(parts)}, most recently {when(at, now)}"


def _title(event: Mapping[str, Any]) -> str:
    payload = event.get("payload")
    found = payload.get("title") or payload.get("kind") if isinstance(payload, Mapping) else ""
    return str(found or "something needs attention").replace("_", " ").rstrip(".")
