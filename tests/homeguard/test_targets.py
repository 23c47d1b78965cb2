"""What a phrase names: exact words, never a guess."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeguard.model import Device
from homeguard.targets import resolve


def _device(device_id: str, name: str, kind: str, capability: str, area: str = "", **more: Any) -> Device:
    return Device(
        home_id="h", id=device_id, name=name, type=kind, capabilities=(capability,), area=area,
        floor=more.pop("floor", ""), aliases=more.pop("aliases", ()), config=more,
    )  # fmt: skip


HOME = (
    _device("front_lock", "Front Door Lock", "lock", "lock", "Entrance", floor="Ground Floor"),
    _device("back_lock", "Back Door Lock", "lock", "lock", "Kitchen", floor="Ground Floor"),
    _device("front_contact", "Front Door", "contact", "contact", "Entrance", placement="door"),
    _device("garage", "Garage Door", "garage_door", "position", "Garage"),
    _device("hall", "Hallway Light", "light", "on_off", "Hallway", floor="Ground Floor"),
    _device("bed", "Bedroom Light", "light", "on_off", "Bedroom", floor="First Floor"),
    _device("cafe", "Café Lamp", "light", "on_off", "Kitchen", floor="Ground Floor", aliases=("Espresso corner",)),
    _device("blind", "Window Cover", "cover", "position", "Bedroom", placement="blind", floor="First Floor"),
    _device("plug", "Desk Plug 2", "plug", "on_off", "Bedroom", floor="First Floor"),
)


def named(phrase: str, **more: Any) -> list[str]:
    return [d.id for d in resolve(phrase, HOME, **more).devices]


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("the hallway light", ["hall"]),
        ("HALLWAY   light", ["hall"]),
        ("cafe lamp", ["cafe"]),
        ("the espresso corner", ["cafe"]),
        ("lights", ["hall", "bed", "cafe"]),
        ("all the locks", ["front_lock", "back_lock"]),
        ("both locks", ["front_lock", "back_lock"]),
        ("blinds", ["blind"]),
        ("desk plug two", ["plug"]),
        ("kitchen and bedroom lights", ["bed", "cafe"]),
        ("the hallway light and the bedroom light", ["hall", "bed"]),
        ("all lights except the hallway light", ["bed", "cafe"]),
        ("every light but the ones in the kitchen", ["hall", "bed"]),
        ("everything in the kitchen", ["back_lock", "cafe"]),
        ("the lights on the first floor", ["bed"]),
        ("upstairs lights", ["bed"]),
        ("garage", ["garage"]),
        ("front and back door locks", ["front_lock", "back_lock"]),
    ],
)
def test_a_phrase_names_exactly_its_devices(phrase: str, expected: list[str]) -> None:
    assert named(phrase) == expected


def test_what_can_do_it_is_preferred_among_what_fits() -> None:
    assert named("front door", able=lambda d: "lock" in d.capabilities) == ["front_lock"]
    assert named("front door", able=lambda d: "contact" in d.capabilities) == ["front_contact"]


@pytest.mark.parametrize("phrase", ["clock", "purple light", "lockers", "the attic lamp", "bed"])
def test_an_unknown_name_is_unmatched_and_never_guessed(phrase: str) -> None:
    found = resolve(phrase, HOME)
    assert found.devices == ()
    assert found.unmatched


def test_a_typo_finds_a_lamp_but_only_suggests_a_lock() -> None:
    assert named("halway light") == ["hall"]
    found = resolve("front dooor lock", HOME)
    assert (found.devices, [d.id for d in found.suggestions]) == ((), ["front_lock"])


def test_one_lock_meant_and_two_there_is_ambiguous() -> None:
    found = resolve("the lock", HOME)
    assert (found.devices, {d.id for d in found.ambiguous}) == ((), {"front_lock", "back_lock"})


def test_a_bare_kind_means_the_room_that_one_is_in() -> None:
    assert named("lights", near_area="Bedroom") == ["bed"]
    assert named("all the lights in the house", near_area="Bedroom") == ["hall", "bed", "cafe"]
    assert resolve("the lights in here", HOME).here_unknown


def test_an_exception_that_names_nothing_stops_the_whole() -> None:
    found = resolve("all lights except the attic lamp", HOME)
    assert found.devices == ()
    assert "attic" in found.unmatched


@given(st.text(max_size=60))
def test_any_text_resolves_to_devices_of_the_home_or_to_none(text: str) -> None:
    found = resolve(text, HOME)
    assert {d.id for d in found.devices} <= {d.id for d in HOME}
    assert not (found.devices and found.ambiguous)
