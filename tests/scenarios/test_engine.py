"""Stories are told in their time, through the intake, and leave the home as it was."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homeguard.clock import parse_time
from homeguard.errors import Conflict, InvalidInput, NotFound
from homeguard.ports.live_state import StateChange
from scenarios.engine import ScenarioEngine
from scenarios.schema import Given, load_scenario, read_scenario

VIRTUAL = {"back_window_sensor", "bedroom_motion", "hallway_motion", "back_door"}


def engine_of(world: Any) -> ScenarioEngine:
    return ScenarioEngine(
        world.intake, world.stores.devices, world.stores.users, world.stores.live, world.clocks, world.clock
    )


def told(world: Any) -> list[tuple[str, str]]:
    return [
        (e["event_type"], e["device_id"])
        for e in world.log.events("scenario")
        if not e["event_type"].startswith("scenario_")
    ]


async def devices_of(world: Any) -> set[str]:
    return {d.id for d in await world.stores.devices.of_home(world.john.home.id)}


async def test_a_story_is_told_beat_by_beat_in_its_own_time(world: Any) -> None:
    began = world.clock.now()
    run = await engine_of(world).run("break_in", world.john.home.id)
    for until, count in ((0, 1), (1.9, 1), (2, 2), (5, 3), (7.9, 3), (8, 4), (10, 5), (29, 5)):
        await world.clock.advance(until - world.clock.monotonic())
        assert len(told(world)) == count, until
        assert run.status == f"break_in (T+{until:.0f}s of 30s)"
    home = await world.stores.users.home(world.john.home.id)
    assert (home.mode, home.arm_state) == ("away", "armed_away")
    await world.clock.advance(1)
    await run.finished()
    assert run.state == "finished"
    events = [e for e in world.log.events("scenario") if not e["event_type"].startswith("scenario_")]
    assert [parse_time(e["timestamp"]) - began for e in events] == [timedelta(seconds=s) for s in (0, 2, 5, 8, 10)]
    assert all(e["metadata"]["is_simulated"] for e in events)
    assert [e["event_id"] for e in events] == run.injected
    assert events[0]["payload"] == {"intensity": 0.92}


async def test_afterwards_the_home_is_as_before(world: Any) -> None:
    before = await devices_of(world)
    run = await engine_of(world).run("break_in", world.john.home.id)
    assert await devices_of(world) == before | VIRTUAL
    await world.clock.advance(31)
    await run.finished()
    home = await world.stores.users.home(world.john.home.id)
    assert (home.mode, home.arm_state) == ("home", "disarmed")
    assert await devices_of(world) == before
    assert await world.stores.live.get(world.john.home.id, "back_door") is None
    assert not world.clocks.is_shifted(world.john.home.id)


async def test_a_story_that_is_stopped_says_no_more_and_clears_up(world: Any) -> None:
    engine = engine_of(world)
    await engine.run("break_in", world.john.home.id)
    await world.clock.advance(3)
    run = await engine.stop(world.john.home.id)
    assert run is not None
    assert run.state == "stopped"
    assert run.status == "break_in (T+3s of 30s, stopped)"
    await world.clock.advance(60)
    assert len(told(world)) == 2
    assert not VIRTUAL & await devices_of(world)


async def test_told_without_waiting_the_order_and_the_times_are_the_same(world: Any) -> None:
    began = world.clock.now()
    engine = engine_of(world)
    run = await engine.run("break_in", world.john.home.id, speed=math.inf, keep=True)
    await run.finished()
    events = [e for e in world.log.events("scenario") if not e["event_type"].startswith("scenario_")]
    assert [parse_time(e["timestamp"]) - began for e in events] == [timedelta(seconds=s) for s in (0, 2, 5, 8, 10)]
    assert await devices_of(world) > VIRTUAL
    await engine.reset(world.john.home.id)
    assert not VIRTUAL & await devices_of(world)
    assert world.clock.monotonic() == 0


async def test_one_story_at_a_time(world: Any) -> None:
    engine = engine_of(world)
    await engine.run("break_in", world.john.home.id)
    with pytest.raises(Conflict, match="break_in"):
        await engine.run("break_in", world.john.home.id)
    await engine.close()
    await engine.run("break_in", world.john.home.id)
    await engine.close()


async def test_a_story_of_devices_that_are_nowhere_is_not_begun(world: Any) -> None:
    story = replace(load_scenario("break_in"), given=Given(mode="away"))
    with pytest.raises(InvalidInput, match="back_door"):
        await engine_of(world).run(story, world.john.home.id)
    with pytest.raises(NotFound):
        await engine_of(world).run("break_in", "no such home")
    home = await world.stores.users.home(world.john.home.id)
    assert home.mode == "home"


async def test_a_mode_that_a_person_set_meanwhile_stays(world: Any) -> None:
    engine = engine_of(world)
    await engine.run("break_in", world.john.home.id)
    await world.stores.users.set_mode(world.john.home.id, "party", "disarmed")
    await engine.stop(world.john.home.id)
    home = await world.stores.users.home(world.john.home.id)
    assert (home.mode, home.arm_state) == ("party", "disarmed")


async def test_on_a_clock_that_was_set_reports_still_reach_the_live_state(world: Any) -> None:
    home_id = world.john.home.id
    now = world.clock.now()
    await world.stores.live.apply(
        [StateChange(home_id=home_id, device_id="garage_door", at=now, sequence=9, attributes={"cover": "closed"})]
    )
    story = read_scenario(
        {
            "name": "night",
            "duration": "1m",
            "given": {"clock": "02:00"},
            "events": [{"at": 5, "type": "garage_open", "device": "garage_door"}],
        }
    )
    engine = engine_of(world)
    await engine.run(story, home_id)
    assert world.clocks.now(home_id) == datetime(2026, 5, 6, 6, 0, tzinfo=UTC)
    await world.clock.advance(5)
    [event] = [e for e in world.log.events("scenario") if e["event_type"] == "garage_open"]
    at = parse_time(event["timestamp"])
    assert at == datetime(2026, 5, 6, 6, 0, 5, tzinfo=UTC)
    [changed] = await world.stores.live.apply(
        [StateChange(home_id=home_id, device_id="garage_door", at=at, sequence=10, attributes={"cover": "open"})]
    )
    assert changed.attributes["cover"] == "open"
    await engine.close()
    assert world.clocks.now(home_id) == world.clock.now()


async def test_what_a_crash_left_on_the_stage_is_cleared_at_the_next_start(world: Any) -> None:
    await engine_of(world).run("break_in", world.john.home.id)
    after = engine_of(world)
    homes = await world.stores.users.homes()
    assert await after.recover(homes) == len(VIRTUAL)
    home = await world.stores.users.home(world.john.home.id)
    assert (home.mode, home.arm_state) == ("home", "disarmed")
    assert not VIRTUAL & await devices_of(world)
    assert await after.recover(homes) == 0
