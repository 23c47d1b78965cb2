"""The demo homes are what their users were promised."""

from datetime import UTC, datetime
from typing import Any

import pytest

from homeguard.commands import resolve_command
from homeguard.errors import InvalidInput, NotFound
from homeguard.ids import derived_id
from scenarios.homes import initial_events, load_home, load_homes, read_home

NOW = datetime(2026, 5, 6, 18, 0, tzinfo=UTC)


def test_john_has_five_devices_and_sarah_twelve() -> None:
    john, sarah = load_homes(NOW)
    assert [d.id for d in john.devices] == [
        "front_door_lock",
        "back_door_lock",
        "living_room_motion",
        "thermostat",
        "garage_door",
    ]
    assert {d.id for d in sarah.devices} == {
        "front_door_lock", "front_door", "garage_door", "living_room_motion", "hallway_motion", "doorbell",
        "driveway_camera", "thermostat", "smoke_kitchen", "porch_light", "living_room_light", "hallway_light",
    }  # fmt: skip
    for demo in (john, sarah):
        assert demo.home.id == demo.owner.id == derived_id("user", demo.owner.email)
        assert (demo.home.unit_system, demo.home.time_zone) == ("us", "America/New_York")
        assert all(d.is_simulated and d.area and d.binding == {"driver": "simulated"} for d in demo.devices)
    assert (john.doors_move, sarah.doors_move) == (False, True)


def test_they_begin_as_the_contract_says() -> None:
    john, sarah = (demo.initial for demo in load_homes(NOW))
    assert (john["front_door_lock"]["lock"], john["back_door_lock"]["lock"]) == ("locked", "unlocked")
    assert john["garage_door"] == sarah["garage_door"] == {"cover": "closed", "position_pct": 0}
    assert sarah["front_door_lock"]["lock"] == "locked"
    assert all(sarah[light]["on"] is True for light in ("porch_light", "living_room_light", "hallway_light"))
    assert john["front_door_lock"]["battery_pct"] == 18


@pytest.mark.parametrize(
    ("value", "is_taken"), [(45, True), (95, True), (72, True), (44, False), (96, False), (120, False)]
)
def test_thermostats_take_45_to_95_fahrenheit(value: float, is_taken: bool) -> None:
    [thermostat] = [d for d in load_home("john", NOW).devices if d.id == "thermostat"]
    if is_taken:
        assert resolve_command(thermostat, "set_temperature", {"value": value}, "F")
    else:
        with pytest.raises(InvalidInput, match="45 to 95"):
            resolve_command(thermostat, "set_temperature", {"value": value}, "F")


def test_their_first_reports_are_the_same_events_whenever_they_are_made() -> None:
    demo = load_home("sarah", NOW)
    first, again = initial_events(demo, NOW), initial_events(demo, NOW)
    assert [e.event_id for e in first] == [e.event_id for e in again]
    assert all(e.metadata.is_simulated for e in first)
    assert len(first) == 12


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "dragon"}, "no device type"),
        ({"capabilities": ["flying"]}, "no capability"),
        ({"initial": {"lock": "ajar"}}, "lock is one of"),
        ({"initial": {"on": True}}, "has no 'on'"),
        ({"colour": "red"}, "unknown key"),
    ],
)
def test_a_home_that_the_vocabulary_does_not_know_is_refused(change: dict[str, Any], said: str) -> None:
    device = {"id": "d", "type": "lock", "initial": {"lock": "locked"}} | change
    document = {
        "person": {"email": "a@b.c", "name": "A"},
        "home": {"name": "H", "time_zone": "UTC", "unit_system": "si"},
        "devices": [device],
    }
    with pytest.raises(InvalidInput, match=said):
        read_home(document, NOW)


def test_there_is_no_home_of_another_name() -> None:
    with pytest.raises(NotFound):
        load_home("nobody", NOW)
