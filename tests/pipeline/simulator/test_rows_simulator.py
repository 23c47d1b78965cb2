"""The life of simulated devices over whole days: when locks move, and how long a room's cycle is."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

from homeguard.clock import parse_time
from homeguard.ports.live_state import StateChange
from pipeline.simulator.simulator import Simulator


async def _passed(world: Any, simulator: Simulator, seconds: float, step: float) -> None:
    for _ in range(round(seconds / step)):
        await simulator.tick()
        await world.clock.advance(step)


def _simulator(world: Any, home: Any, **more: Any) -> Simulator:
    return Simulator(world.intake, world.stores.devices, world.clock, world.clocks, homes=[home], **more)


async def test_doors_are_used_most_in_the_morning_and_in_the_evening(world: Any) -> None:
    home, now = world.sarah.home, world.clock.now()
    locked = StateChange(
        home_id=home.id, device_id="front_door_lock", at=now, sequence=1, attributes={"lock": "locked"}, available=True
    )
    await world.stores.live.apply([locked])
    simulator = _simulator(world, home, rate=0.5, doors_move_in={home.id}, live=world.stores.live)
    await _passed(world, simulator, 3 * 24 * 3600, step=60)
    by_hour: Counter[int] = Counter()
    for event in world.log.events():
        if event["event_type"] == "door_unlocked":
            by_hour[(parse_time(event["timestamp"]) - timedelta(hours=4)).hour] += 1
    peak, night = (7, 8, 17, 18, 19), (23, 0, 1, 2, 3, 4, 5)
    others = [h for h in range(24) if h not in peak and h not in night]
    in_peak = sum(by_hour[h] for h in peak) / len(peak)
    assert in_peak > 1.3 * sum(by_hour[h] for h in others) / len(others) > 0


async def test_nobody_goes_through_the_doors_all_night(world: Any) -> None:
    home, now = world.sarah.home, world.clock.now()
    locked = StateChange(
        home_id=home.id, device_id="front_door_lock", at=now, sequence=1, attributes={"lock": "locked"}, available=True
    )
    await world.stores.live.apply([locked])
    simulator = _simulator(world, home, rate=0.5, doors_move_in={home.id}, live=world.stores.live)
    await _passed(world, simulator, 4 * 24 * 3600, step=60)
    hours = [
        (parse_time(event["timestamp"]) - timedelta(hours=4)).hour
        for event in world.log.events()
        if event["event_type"] == "door_unlocked"
    ]
    # a mean of one a day by the rate of the night: four nights of seven hours see one or two, never one an hour
    assert sum(hour in (0, 1, 2, 3, 4, 5) for hour in hours) <= 6 < len(hours)


async def test_a_free_room_takes_half_an_hour_from_top_to_top(world: Any) -> None:
    await _passed(world, _simulator(world, world.john.home, rate=2.0), 3 * 3600, step=5)
    room = [
        (parse_time(event["timestamp"]), event["payload"]["metrics"]["temperature_c"])
        for event in world.log.events()
        if "temperature_c" in event["payload"].get("metrics", {})
    ]
    middle = 22.22
    rises = [
        after[0]
        for before, after in pairwise(room)
        if before[1] < middle <= after[1] and after[0] - room[0][0] > timedelta(minutes=30)
    ]
    # Readings carry noise, so one crossing may be seen more than once within a minute.
    tops = [at for before, at in pairwise(rises) if at - before > timedelta(minutes=5)]
    gaps = [later - earlier for earlier, later in pairwise(tops)]
    assert gaps
    assert all(timedelta(minutes=28) < gap < timedelta(minutes=32) for gap in gaps)
