"""Finding devices, and the index of a home."""

from dataclasses import replace
from typing import Any

import pytest

from homeguard.model import Device
from homeguard.vocabulary import DEVICE_TYPES
from tools.finding import find_devices


def made(home_id: str, name: str, kind: str, area: str, **more: Any) -> Device:
    return Device(
        home_id=home_id, id=name.casefold().replace(" ", "_"), name=name, type=kind, area=area,
        capabilities=DEVICE_TYPES[kind].capabilities, **more,
    )  # fmt: skip


@pytest.fixture
async def rooms(house: Any) -> Any:
    context = house.ann()
    for device in await context.devices.of_home(context.home_id):
        await context.devices.delete(context.home_id, device.id)
    h = context.home_id
    await context.devices.put(
        [
            made(h, "Ceiling lamp", "light", "Kitchen"), made(h, "Counter lamp", "light", "Kitchen"),
            made(h, "Front door", "lock", "Hall", aliases=("main entrance",)), made(h, "Desk lamp", "light", "Study"),
            made(h, "Heating", "thermostat", "Study", floor="Upstairs"),
        ]
    )  # fmt: skip
    return context


async def test_without_arguments_it_is_the_index_of_the_home(rooms: Any) -> None:
    found = await find_devices(rooms)

    assert (found.total, found.devices, found.truncated) == (5, (), False)
    assert [(a.area, a.floor, dict(a.types)) for a in found.areas] == [
        ("Hall", "", {"lock": 1}), ("Kitchen", "", {"light": 2}), ("Study", "", {"light": 1}),
        ("Study", "Upstairs", {"thermostat": 1}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"query": "kitchen lights"}, ["Ceiling lamp", "Counter lamp"]),
        ({"query": "main entrance"}, ["Front door"]),
        ({"area": "study"}, ["Desk lamp", "Heating"]),
        ({"area": "upstairs"}, ["Heating"]),
        ({"type": "light", "area": "Study"}, ["Desk lamp"]),
        ({"query": "lamp", "area": "Kitchen"}, ["Ceiling lamp", "Counter lamp"]),
    ],
)
async def test_it_finds_what_fits_all_that_was_said(rooms: Any, given: dict[str, str], names: list[str]) -> None:
    assert [d.name for d in (await find_devices(rooms, **given)).devices] == names


async def test_what_is_not_there_is_told_with_the_index(rooms: Any) -> None:
    found = await find_devices(rooms, query="submarine")

    assert found.devices == ()
    assert {a.area for a in found.areas} == {"Hall", "Kitchen", "Study"}


async def test_more_than_was_asked_for_is_said(rooms: Any) -> None:
    found = await find_devices(rooms, type="light", limit=2)

    assert (len(found.devices), found.total, found.truncated) == (2, 3, True)


async def test_another_homes_devices_are_not_there(rooms: Any) -> None:
    await rooms.devices.put([made("bob", "Secret lamp", "light", "Vault")])

    assert "Secret lamp" not in {d.name for d in (await find_devices(rooms, query="lamp")).devices}
    bobs = replace(rooms, principal=replace(rooms.principal, home_id="bob"))
    assert [d.name for d in (await find_devices(bobs, query="lamp")).devices] == ["Secret lamp"]
