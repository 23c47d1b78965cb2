"""Devices and automations of a home."""

from dataclasses import replace
from datetime import UTC, datetime

from homeguard.model import Automation, Device, Hardware

PORTS = ("devices", "automations")

AT = datetime(2026, 3, 1, tzinfo=UTC)
LOCK = Device(
    home_id="h1", id="lock", name="Back door", type="lock", capabilities=("lock", "battery"), area="Hall", floor="0",
    aliases=("rear door",), hardware=Hardware(id="0x1", vendor="Acme"), config={"ranges": {"x": [0, 1.5]}},
    binding={"driver": "simulated"}, is_simulated=True, created_at=AT,
)  # fmt: skip
LAMP = Device(home_id="h1", id="lamp", name="Desk lamp", type="light", capabilities=("on_off",))
RULE = Automation(
    id="r1", home_id="h1", name="Night", trigger={"event": "door_open"}, actions=({"do": "lock"},),
    conditions=({"after": "22:00"},), enabled=False, version="v1", created_by="anna", created_at=AT,
)  # fmt: skip


async def test_a_device_is_read_as_it_was_put(stores):
    await stores.devices.put([LOCK, LAMP])

    assert await stores.devices.get("h1", "lock") == LOCK
    assert await stores.devices.get("h1", "lamp") == LAMP
    assert await stores.devices.get("h1", "none") is None


async def test_devices_of_a_home_come_by_name_then_id(stores):
    twin = replace(LAMP, id="a-lamp")
    await stores.devices.put([LAMP, LOCK, twin])
    await stores.devices.put([replace(LOCK, name="Attic")])

    assert await stores.devices.of_home("h1") == [replace(LOCK, name="Attic"), twin, LAMP]
    assert await stores.devices.of_home("h2") == []


async def test_another_homes_device_of_the_same_id_is_another_device(stores):
    other = replace(LOCK, home_id="h2", name="Other")
    await stores.devices.put([LOCK, other])

    assert await stores.devices.delete("h2", "lock")
    assert not await stores.devices.delete("h2", "lock")

    assert await stores.devices.get("h1", "lock") == LOCK
    assert await stores.devices.get("h2", "lock") is None
    assert await stores.devices.by_device_id("lock") == [LOCK]


async def test_at_most_ten_homes_are_named_for_a_device_id(stores):
    await stores.devices.put([replace(LAMP, home_id=f"h{n:02}") for n in range(12)])

    assert [d.home_id for d in await stores.devices.by_device_id("lamp")] == [f"h{n:02}" for n in range(10)]
    assert await stores.devices.by_device_id("none") == []


async def test_changing_the_answer_does_not_change_the_store(stores):
    await stores.devices.put([LAMP])

    (await stores.devices.of_home("h1")).clear()

    assert await stores.devices.of_home("h1") == [LAMP]


async def test_automations_are_read_as_they_were_put_by_name_and_only_in_their_home(stores):
    early = replace(RULE, id="r2", name="Day", enabled=True)
    await stores.automations.put(RULE)
    await stores.automations.put(early)
    await stores.automations.put(replace(RULE, home_id="h2", name="Foreign"))

    assert await stores.automations.of_home("h1") == [early, RULE]
    assert await stores.automations.get("h1", "r1") == RULE
    assert await stores.automations.get("h3", "r1") is None
    assert await stores.automations.delete("h1", "r1")
    assert not await stores.automations.delete("h1", "r1")
    assert [a.name for a in await stores.automations.of_home("h2")] == ["Foreign"]


async def test_devices_and_automations_survive_a_reopen(opener):
    async with opener() as stores:
        await stores.devices.put([LOCK, LAMP])
        await stores.devices.delete("h1", "lamp")
        await stores.automations.put(RULE)
    async with opener() as stores:
        assert await stores.devices.of_home("h1") == [LOCK]
        assert await stores.automations.of_home("h1") == [RULE]
