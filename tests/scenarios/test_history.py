"""The past of the demo homes: thirty ordinary days, the same whenever they are made."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from homeguard.vocabulary import EVENT_TYPES
from scenarios.history import past_events, past_readings, write_history
from scenarios.homes import load_home

NOW = datetime(2026, 3, 20, 15, 2, 30, tzinfo=UTC)  # the clocks changed twelve days before
ZONE = ZoneInfo("America/New_York")


def test_the_same_now_gives_the_same_past() -> None:
    demo = load_home("john", NOW)
    assert past_events(demo, NOW) == past_events(demo, NOW)
    assert list(past_readings(demo, NOW, days=2)) == list(past_readings(demo, NOW, days=2))


@pytest.mark.parametrize("name", ["john", "sarah"])
def test_events_lie_in_thirty_days_are_known_and_happen_once(name: str) -> None:
    demo = load_home(name, NOW)
    events = past_events(demo, NOW)
    assert all(NOW - timedelta(days=30) <= e.at <= NOW and e.metadata.is_simulated for e in events)
    assert {e.device_id for e in events} <= {d.id for d in demo.devices}
    assert {e.event_type for e in events} <= set(EVENT_TYPES) - {"heartbeat"}
    assert len({e.event_id for e in events}) == len(events)
    assert [e.at for e in events] == sorted(e.at for e in events)
    assert len({e.at.astimezone(ZONE).date() for e in events}) >= 30


@pytest.mark.parametrize("name", ["john", "sarah"])
def test_nobody_moves_on_weekdays_between_leaving_and_coming_back(name: str) -> None:
    for event in past_events(load_home(name, NOW), NOW):
        local = event.at.astimezone(ZONE)
        if event.event_type.startswith("motion") and local.weekday() < 5:
            assert not (7, 15) <= (local.hour, local.minute) < (18, 30), local


def test_doors_are_locked_again_except_the_one_that_is_open_now() -> None:
    events = [e for e in past_events(load_home("john", NOW), NOW) if e.event_type in ("door_locked", "door_unlocked")]
    last = {e.device_id: e.event_type for e in events}
    assert last == {"front_door_lock": "door_locked", "back_door_lock": "door_unlocked"}
    counts = Counter((e.device_id, e.event_type) for e in events)
    assert counts["front_door_lock", "door_locked"] == counts["front_door_lock", "door_unlocked"]


def test_readings_come_every_five_minutes_in_one_unit_each() -> None:
    demo = load_home("sarah", NOW)
    readings = list(past_readings(demo, NOW, days=1))
    room = [r for r in readings if (r.device_id, r.metric) == ("thermostat", "temperature_c")]
    assert len(room) == 288
    assert {b.at - a.at for a, b in pairwise(room)} == {timedelta(minutes=5)}
    assert all(10 < r.value < 30 and r.unit == "°C" for r in room)
    assert {r.device_id for r in readings if r.metric == "power_w"} == {
        "thermostat",
        "porch_light",
        "living_room_light",
        "hallway_light",
    }


def test_the_front_door_lock_falls_slowly_to_what_it_has_now() -> None:
    falling = [
        r.value
        for r in past_readings(load_home("john", NOW), NOW)
        if (r.device_id, r.metric) == ("front_door_lock", "battery_pct")
    ]
    assert falling[0] == pytest.approx(24, abs=0.5)
    assert falling[-1] == pytest.approx(18, abs=0.5)
    by_day = [sum(falling[n : n + 288]) / 288 for n in range(0, 288 * 30, 288)]
    assert by_day == sorted(by_day, reverse=True)


async def test_it_is_written_once_however_often_it_is_asked_for(world: Any) -> None:
    stores = world.stores
    first = await write_history(world.john, events=stores.events, readings=stores.readings, now=NOW, days=2)
    again = await write_history(world.john, events=stores.events, readings=stores.readings, now=NOW, days=2)
    assert first.readings == 7 * 288 * 2
    assert first.events > 0
    assert (again.events, again.readings) == (0, 0)
    assert await stores.events.count(world.john.home.id) == first.events
