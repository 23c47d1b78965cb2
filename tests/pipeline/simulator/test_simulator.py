"""What simulated devices do by themselves, on a clock that the test moves."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from homeguard.clock import parse_time
from homeguard.commands import resolve_command
from homeguard.model import Command
from pipeline.drivers.simulated import SimulatedDriver
from pipeline.simulator.simulator import LEFT_ALONE_S, Simulator


def simulator_of(world: Any, **more: Any) -> Simulator:
    more.setdefault("homes", [world.john.home, world.sarah.home])
    return Simulator(world.intake, world.stores.devices, world.clock, world.clocks, **more)


async def passed(world: Any, simulator: Simulator, seconds: float, step: float = 0.5) -> int:
    count = 0
    for _ in range(round(seconds / step)):
        count += await simulator.tick()
        await world.clock.advance(step)
    return count


def command_of(device: Any, name: str, /, **parameters: Any) -> Command:
    return Command(
        id="c-1", home_id=device.home_id, device_id=device.id, command=name, parameters=parameters, before={},
        set=resolve_command(device, name, parameters, "F"), tier=1, caller="person", user_id="u", cause="",
        requested_at=device.created_at, not_after=device.created_at,
    )  # fmt: skip


async def test_it_makes_ten_events_a_second_over_all_devices_all_marked(world: Any) -> None:
    count = await passed(world, simulator_of(world), 60)
    assert count == pytest.approx(600, abs=15)
    events = world.log.events()
    assert all(e["metadata"]["is_simulated"] and e["headers"]["source"] == "simulator" for e in events)
    assert {(e["home_id"], e["device_id"]) for e in events} == {
        (demo.home.id, d.id) for demo in (world.john, world.sarah) for d in demo.devices
    }
    assert len({e["event_id"] for e in events}) == len(events)


async def test_every_device_has_a_heartbeat_each_thirty_seconds(world: Any) -> None:
    await passed(world, simulator_of(world, rate=0.0), 300)
    beats = Counter((e["home_id"], e["device_id"]) for e in world.log.events())
    assert {e["event_type"] for e in world.log.events()} == {"heartbeat"}
    assert set(beats.values()) == {10}
    assert len(beats) == 17


async def test_the_same_seed_makes_the_same_life(world: Any) -> None:
    lives = []
    for seed in (7, 7, 8):
        await passed(world, simulator_of(world, seed=seed), 20)
        lives.append([(e["device_id"], e["event_type"], e["payload"]) for e in world.log.events()])
        world.log.records.clear()
    assert lives[0] == lives[1]
    assert lives[0] != lives[2]


async def test_a_long_pause_is_not_made_up_for(world: Any) -> None:
    simulator = simulator_of(world)
    await passed(world, simulator, 5)
    await world.clock.advance(8 * 3600)
    assert await simulator.tick() <= 10 + 17 * 2


async def test_in_a_still_home_no_lock_and_no_door_ever_moves(world: Any) -> None:
    simulator = simulator_of(world, rate=2.0, doors_move_in={world.sarah.home.id})
    await passed(world, simulator, 4 * 3600, step=5)
    moved = {"door_locked", "door_unlocked", "garage_open", "garage_closed", "door_open", "state_changed"}
    by_home = {
        demo.home.id: Counter(e["event_type"] for e in world.log.events() if e["home_id"] == demo.home.id)
        for demo in (world.john, world.sarah)
    }
    assert not moved & set(by_home[world.john.home.id])
    assert by_home[world.john.home.id]["motion_detected"] > 5
    locks = by_home[world.sarah.home.id]
    assert locks["door_unlocked"] - locks["door_locked"] in (0, 1)
    assert not {"garage_open", "state_changed"} & set(locks)


async def test_there_is_more_motion_in_peak_hours(world: Any) -> None:
    simulator = simulator_of(world, rate=2.0)
    counts: Counter[int] = Counter()
    await passed(world, simulator, 12 * 3600, step=10)  # from 14:00 in New York
    for event in world.log.events():
        if event["event_type"] == "motion_detected":
            counts[(parse_time(event["timestamp"]) - timedelta(hours=4)).hour] += 1
    assert min(counts[h] for h in (17, 18, 19, 20)) > max(counts[h] for h in (14, 15, 16, 21, 22, 23))
    assert max(counts[0], counts[1]) < min(counts[h] for h in (14, 15, 16, 21, 22))


async def test_an_empty_or_armed_home_and_one_with_a_story_have_no_motion(world: Any) -> None:
    await world.stores.users.set_mode(world.john.home.id, "away", "armed_away")
    world.clocks.set(world.sarah.home.id, world.clock.now() - timedelta(hours=3))
    simulator = simulator_of(world, rate=2.0, users=world.stores.users, doors_move_in={world.sarah.home.id})
    await passed(world, simulator, 2 * 3600, step=5)
    assert {e["event_type"] for e in world.log.events()} <= {"heartbeat", "telemetry", "battery_low", "device_online"}


async def test_anomalies_are_rare_and_what_goes_silent_comes_back(world: Any) -> None:
    simulator = simulator_of(world, rate=1.0)
    await passed(world, simulator, 6 * 3600, step=5)
    events = world.log.events()
    counts = Counter(e["event_type"] for e in events)
    anomalies = (
        counts["battery_low"] + counts["device_offline"] + sum(e["payload"] == {"reason": "restarted"} for e in events)
    )
    assert 0.005 < anomalies / counts["heartbeat"] < 0.02
    assert {e["device_id"] for e in events if e["event_type"] == "battery_low"} <= {"front_door_lock"}
    commanded = {"front_door_lock", "back_door_lock", "thermostat", "garage_door", "porch_light"}
    offline: set[tuple[str, str]] = set()
    for event in events:
        key = (event["home_id"], event["device_id"])
        if event["event_type"] == "device_offline":
            assert event["device_id"] not in commanded
            offline.add(key)
        elif event["payload"] == {"reason": "signal is back"}:
            offline.remove(key)
        else:
            assert key not in offline


async def test_a_room_drifts_to_the_commanded_target_and_the_target_is_never_touched(world: Any) -> None:
    simulator = simulator_of(world, homes=[world.john.home])
    driver = SimulatedDriver(world.intake, world.clock, world.clocks, on_command=simulator.note_command)
    await passed(world, simulator, 10)
    [thermostat] = [d for d in world.john.devices if d.id == "thermostat"]
    command = command_of(thermostat, "set_temperature", value=60)
    await driver.send(thermostat, command)
    await passed(world, simulator, 3600, step=5)
    said = [e["payload"] for e in world.log.events() if e["device_id"] == "thermostat"]
    assert [p["target_c"] for p in said if "target_c" in p] == [15.6]
    room = [p["metrics"]["temperature_c"] for p in said if "temperature_c" in p.get("metrics", {})]
    assert room[0] > 19
    assert room[-1] == pytest.approx(15.6, abs=0.3)


async def test_a_free_room_swings_between_68_and_76_fahrenheit(world: Any) -> None:
    simulator = simulator_of(world, homes=[world.john.home])
    await passed(world, simulator, 2 * 3600, step=5)
    room = [
        e["payload"]["metrics"]["temperature_c"] * 1.8 + 32
        for e in world.log.events()
        if "temperature_c" in e["payload"].get("metrics", {})
    ]
    assert (min(room), max(room)) == (pytest.approx(68, abs=1), pytest.approx(76, abs=1))


async def test_a_commanded_device_is_left_alone_for_ten_minutes(world: Any) -> None:
    simulator = simulator_of(world, homes=[world.sarah.home], doors_move_in={world.sarah.home.id}, rate=2.0)
    motions = [d for d in world.sarah.devices if d.type in ("motion", "lock")]
    await passed(world, simulator, 1)
    for device in motions:
        simulator.note_command(device, replace(command_of(world.sarah.devices[0], "lock"), set={}))
    world.log.records.clear()
    await passed(world, simulator, LEFT_ALONE_S - 5, step=2.5)
    own = {e["event_type"] for e in world.log.events() if e["device_id"] in {d.id for d in motions}}
    assert own == {"heartbeat", "telemetry"}
