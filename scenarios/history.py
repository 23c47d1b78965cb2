"""Thirty days of a demo home's past, ending now: readings every five minutes and the events of ordinary days.

It goes straight to the stores, behind the doors: the past sets off no alarm and no automation.
"""

import asyncio
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from homeguard.ids import derived_id
from homeguard.model import Device, Event, Metadata, Reading
from homeguard.ports.events import EventStore
from homeguard.ports.readings import ReadingStore
from homeguard.units import unit_of
from scenarios.days import Day, Happening, happenings, plan
from scenarios.homes import DemoHome

SEED: Final = 42
DAYS: Final = 30
EVERY: Final = timedelta(minutes=5)
_CHUNK: Final = 5_000
#: Readings made before others get their turn: some milliseconds.
_SLICE: Final = 200
_HVAC_W: Final = 1450.0
_IDLE_W: Final = 4.0
_UNITS: Final = {m: unit_of(m) for m in ("temperature_c", "humidity_pct", "target_c", "power_w", "battery_pct")}


@dataclass(frozen=True, slots=True)
class Written:
    """How many were new."""

    events: int
    readings: int


async def write_history(
    demo: DemoHome, *, events: EventStore, readings: ReadingStore, now: datetime, days: int = DAYS, seed: int = SEED
) -> Written:
    """Write the past of that home over `[now - days, now)`. Safe to repeat with the same `now`.

    Events first (there are few), then readings in chunks of 5,000; others get their turn between chunks.
    """
    told = past_events(demo, now, days=days, seed=seed)
    stored = 0
    for start in range(0, len(told), _CHUNK):
        stored += await events.append(told[start : start + _CHUNK])
    measured = 0
    chunk: list[Reading] = []
    for reading in past_readings(demo, now, days=days, seed=seed):
        chunk.append(reading)
        if len(chunk) % _SLICE == 0:
            await asyncio.sleep(0)
        if len(chunk) >= _CHUNK:
            measured += await readings.append(chunk)
            chunk = []
    if chunk:
        measured += await readings.append(chunk)
    return Written(stored, measured)


def past_events(demo: DemoHome, now: datetime, *, days: int = DAYS, seed: int = SEED) -> list[Event]:
    """What happened, oldest first."""
    start = now - timedelta(days=days)
    found = [
        happening
        for day in _days(demo, start, now, seed)
        for happening in happenings(demo, day, seed)
        if start <= happening.at < now
    ]
    found = sorted([*found, *_how_it_came_to_be(demo, found, now)], key=lambda h: h.at)
    return [_event(demo, happening, seed) for happening in found]


def _how_it_came_to_be(demo: DemoHome, found: list[Happening], now: datetime) -> Iterator[Happening]:
    """A lock that is open now was opened by somebody: on the last evening that it was seen to."""
    for device in demo.devices:
        if demo.initial[device.id].get("lock") == "unlocked":
            zone = ZoneInfo(demo.home.time_zone)
            evening = now.astimezone(zone).replace(hour=19, minute=40, second=0, microsecond=0).astimezone(UTC)
            while evening > now - timedelta(hours=1):
                evening -= timedelta(days=1)
            later = [h.at for h in found if h.device_id == device.id and h.at >= evening]
            at = max([evening, *(moment + timedelta(minutes=5) for moment in later)])
            yield Happening(
                at=min(at, now), device_id=device.id, event_type="door_unlocked", payload={"method": "manual"}
            )


def _event(demo: DemoHome, happening: Happening, seed: int) -> Event:
    parts = (demo.home.id, str(seed), happening.device_id, happening.event_type, happening.at.isoformat())
    return Event(
        home_id=demo.home.id,
        event_id=derived_id("history", *parts),
        event_type=happening.event_type,
        at=happening.at,
        received_at=happening.at,
        device_id=happening.device_id,
        payload=happening.payload,
        metadata=Metadata(is_simulated=True),
        source="simulator",
    )


def past_readings(demo: DemoHome, now: datetime, *, days: int = DAYS, seed: int = SEED) -> Iterator[Reading]:
    """What was measured: every device each five minutes (on the clock's own fives), oldest first."""
    start = now - timedelta(days=days)
    zone = ZoneInfo(demo.home.time_zone)
    step = EVERY.total_seconds()
    at = datetime.fromtimestamp(math.ceil(start.timestamp() / step) * step, UTC)
    plans = {day.date: day for day in _days(demo, start, now, seed)}
    rng = random.Random(f"{seed}/{demo.owner.email}/{at.isoformat()}/readings")  # noqa: S311 - a made-up life
    room = 21.5
    bases = {d.id: derived_id("history", demo.home.id, str(seed), d.id) for d in demo.devices}
    while at < now:
        local = at.astimezone(zone)
        hour = local.hour + local.minute / 60
        day = plans[local.date()]
        share = 1 - (now - at) / timedelta(days=days)
        target = _target(demo, day, hour)
        # The furnace lets the room swing around its target, half an hour there and back.
        goal = target + 0.8 * math.sin(2 * math.pi * at.timestamp() / 1800 + 0.7)
        room += (goal - room) * 0.35
        for device in demo.devices:
            event_id = f"{bases[device.id]}:{int(at.timestamp())}"
            for metric, value in _measured(demo, device, day, hour, share, room, target, rng):
                yield Reading(
                    home_id=demo.home.id,
                    device_id=device.id,
                    metric=metric,
                    value=value,
                    unit=_UNITS[metric],
                    at=at,
                    event_id=event_id,
                    is_simulated=True,
                )
        at += EVERY


def _target(demo: DemoHome, day: Day, hour: float) -> float:
    """What the thermostat is set to: less when nobody is in, and at night."""
    set_to = next((s["target_c"] for s in demo.initial.values() if "target_c" in s), 21.5)
    assert isinstance(set_to, int | float)
    if day.is_away(hour):
        return set_to - 2.2
    return set_to - 1.1 if hour < 6 or hour >= 23 else float(set_to)


def _measured(
    demo: DemoHome, device: Device, day: Day, hour: float, share: float, room: float, target: float, rng: random.Random
) -> Iterator[tuple[str, float]]:
    """One device's readings; `share` is how much of the time has passed, 0..1."""
    if device.type == "thermostat":
        yield "temperature_c", round(room + rng.gauss(0, 0.05), 2)
        yield "humidity_pct", round(45 + 4 * math.sin(2 * math.pi * (hour - 4) / 24) + rng.gauss(0, 0.4), 1)
        yield "target_c", round(target, 1)
        yield "power_w", round((_HVAC_W if room < target + 0.1 else _IDLE_W) * (1 + rng.gauss(0, 0.01)), 1)
    if device.type == "light":
        rated, level = device.config.get("rated_w", 9), demo.initial[device.id].get("brightness_pct", 100)
        assert isinstance(rated, int | float)
        assert isinstance(level, int | float)
        power = rated * level / 100 if day.is_lit(device.id, hour) else 0.3
        yield "power_w", round(power * (1 + rng.gauss(0, 0.01)), 2)
    before, today = demo.batteries.get(device.id), demo.initial[device.id].get("battery_pct")
    if before is not None and isinstance(today, int | float):
        yield "battery_pct", round(before + (today - before) * share + rng.gauss(0, 0.05), 2)


def _days(demo: DemoHome, start: datetime, end: datetime, seed: int) -> list[Day]:
    zone = ZoneInfo(demo.home.time_zone)
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    dates = [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
    return [plan(demo, on, seed) for on in dates]
