"""Ordinary days of a demo home: when somebody is in, and what happens then. Pure, the same for the same seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from homeguard.model import Json
from scenarios.homes import DemoHome

#: On weekdays nobody is in from the departure before 07:15 to the return after 18:30.
LEAVE_BY: Final = time(7, 15)
BACK_FROM: Final = time(18, 30)
_WAKE_H: Final = 6.25
_SLEEP_H: Final = 23.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that one device reports, at UTC."""

    at: datetime
    device_id: str
    event_type: str
    payload: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One local day. `away` are spans of local hours in which nobody is in; `lit` those of each light."""

    date: date
    away: tuple[tuple[float, float], ...]
    lit: dict[str, tuple[tuple[float, float], ...]]

    def is_away(self, hour: float) -> bool:
        return any(start <= hour < end for start, end in self.away)

    def is_lit(self, device_id: str, hour: float) -> bool:
        return any(start <= hour < end for start, end in self.lit.get(device_id, ()))


def plan(demo: DemoHome, on: date, seed: int) -> Day:
    """When people of this home are out and which lights burn on that day."""
    rng = _dice(demo, on, seed, "plan")
    away: tuple[tuple[float, float], ...]
    if on.weekday() < 5:
        away = ((7 + rng.uniform(2, 12) / 60, 18.5 + rng.uniform(2, 20) / 60),)
    else:
        starts = sorted(rng.uniform(10, 16.5) for _ in range(rng.choice((1, 1, 2))))
        away = tuple((s, s + rng.uniform(0.6, 1.4)) for s in starts if s == starts[0] or s > starts[0] + 1.8)
    lit: dict[str, tuple[tuple[float, float], ...]] = {}
    for device in demo.devices:
        if device.type == "light":
            evening = (max(18.6 + rng.uniform(0, 0.6), away[-1][1] + 0.02), 22.2 + rng.uniform(0, 0.7))
            outside = device.floor == "Outside"
            morning = () if outside or on.weekday() > 4 else ((_WAKE_H + rng.uniform(0, 0.3), away[0][0] - 0.02),)
            lit[device.id] = (*morning, evening)
    return Day(date=on, away=away, lit=lit)


def happenings(demo: DemoHome, day: Day, seed: int) -> list[Happening]:
    """Everything that is reported on that day, in order of time."""
    zone = ZoneInfo(demo.home.time_zone)
    rng = _dice(demo, day.date, seed, "events")
    found = [*_motion(demo, day, zone, rng), *_ways(demo, day, zone, rng), *_visitors(demo, day, zone, rng)]
    for device in demo.devices:
        for start, end in day.lit.get(device.id, ()):
            level = demo.initial[device.id].get("brightness_pct", 100)
            on: dict[str, Json] = {"on": True, "brightness_pct": level}
            found.append(_at(day, zone, start, device.id, "state_changed", on))
            found.append(_at(day, zone, end, device.id, "state_changed", {"on": False}))
    return sorted(found, key=lambda h: (h.at, h.device_id, h.event_type))


def _motion(demo: DemoHome, day: Day, zone: ZoneInfo, rng: random.Random) -> Iterator[Happening]:
    for device in demo.devices:
        if device.type != "motion":
            continue
        for slot in range(24 * 6):
            hour = slot / 6 + rng.uniform(0, 0.1)
            if day.is_away(hour) or day.is_away(hour + 0.08):
                continue
            if rng.random() < _liveliness(hour):
                payload: dict[str, Json] = {
                    "zone": device.area.lower(),
                    "intensity": round(rng.uniform(0.3, 0.9), 2),
                    "confidence": round(rng.uniform(0.7, 0.98), 2),
                }
                yield _at(day, zone, hour, device.id, "motion_detected", payload)
                yield _at(day, zone, hour + rng.uniform(0.01, 0.06), device.id, "motion_stopped", {})


def _liveliness(hour: float) -> float:
    """How likely ten minutes of somebody at home have motion in a room."""
    if hour < _WAKE_H - 0.25 or hour >= _SLEEP_H:
        return 0.01
    if hour < 8 or 18.5 <= hour < 22.5:
        return 0.6
    return 0.35


def _ways(demo: DemoHome, day: Day, zone: ZoneInfo, rng: random.Random) -> Iterator[Happening]:
    """Out and in again: through the front door, on weekdays with the car."""
    has = {device.id for device in demo.devices}
    for start, end in day.away:
        for hour, is_out in ((start - 0.025, True), (end + 0.005, False)):
            method = "manual" if is_out else rng.choice(("keypad", "keypad", "app"))
            steps = [(0, "front_door_lock", "door_unlocked", {"method": method})]
            steps += [(6, "front_door", "door_open", {}), (14, "front_door", "door_closed", {})]
            steps += [(25, "front_door_lock", "door_locked", {"method": "auto"})]
            if day.date.weekday() < 5:
                steps += [(30, "garage_door", "garage_open", {}), (75, "garage_door", "garage_closed", {})]
            for seconds, device_id, event_type, payload in steps:
                if device_id in has:
                    yield _at(day, zone, hour + seconds / 3600, device_id, event_type, dict(payload))
    if "back_door_lock" in has and day.date.weekday() > 4:
        hour = rng.uniform(9, 9.8)
        yield _at(day, zone, hour, "back_door_lock", "door_unlocked", {"method": "manual"})
        yield _at(day, zone, hour + rng.uniform(0.1, 0.19), "back_door_lock", "door_locked", {"method": "manual"})


def _visitors(demo: DemoHome, day: Day, zone: ZoneInfo, rng: random.Random) -> Iterator[Happening]:
    has = {device.id for device in demo.devices}
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        hour = rng.uniform(10, 18)
        seen: dict[str, Json] = {"confidence": round(rng.uniform(0.8, 0.99), 2)}
        if "driveway_camera" in has:
            yield _at(day, zone, hour, "driveway_camera", "person_detected", seen)
        if "doorbell" in has:
            yield _at(day, zone, hour + 0.01, "doorbell", "doorbell_pressed", {})


def _dice(demo: DemoHome, on: date, seed: int, what: str) -> random.Random:
    return random.Random(f"{seed}/{demo.owner.email}/{on.isoformat()}/{what}")  # noqa: S311 - a made-up life


def _at(day: Day, zone: ZoneInfo, hour: float, device_id: str, event_type: str, payload: dict[str, Json]) -> Happening:
    midnight = datetime.combine(day.date, time(0), tzinfo=zone)
    # Wall-clock arithmetic: half past six is half past six on the days when the clocks change, too.
    local = (midnight.replace(tzinfo=None) + timedelta(seconds=round(hour * 3600))).replace(tzinfo=zone)
    return Happening(at=local.astimezone(UTC), device_id=device_id, event_type=event_type, payload=payload)
