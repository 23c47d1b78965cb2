"""Reflexes ask this folder only, but for a home that it does not know yet."""

from datetime import UTC, datetime

import pytest

from homeguard.model import Device, Home, Member, User
from homeguard.stores.guarded.copies import LocalCopy
from homeguard.stores.guarded.devices import GuardedDevices
from homeguard.stores.guarded.near import NearDevices, NearUsers
from homeguard.stores.guarded.users import GuardedUsers

LAMP = Device(home_id="h1", id="lamp", name="Lamp", type="light", capabilities=("switch",))
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACE = Member(home_id="h1", user_id="u1", role="owner")


@pytest.fixture
def near(rig):
    users = GuardedUsers(rig.engine, LocalCopy("users", rig.local.users))
    devices = GuardedDevices(rig.engine, LocalCopy("devices", rig.local.devices))
    return NearUsers(rig.local.users, users), NearDevices(rig.local.devices, devices)


async def fill(stores) -> None:
    await stores.users.put_user(User(id="u1", email="u1@example.org", name="U", created_at=AT), "hash")
    await stores.users.put_home(Home(id="h1", name="Home"))
    await stores.users.put_member(PLACE)
    await stores.devices.put([LAMP])


async def told(rig, near) -> list:
    users, devices = near
    asked = (users.home("h1"), users.homes_of("u1"), devices.of_home("h1"), devices.get("h1", "lamp"))
    return [await rig.finish(one) for one in asked]


async def test_a_home_that_another_process_made_a_moment_ago_is_known_at_once(rig, near):
    await fill(rig.remote)
    assert await told(rig, near) == [Home(id="h1", name="Home"), [PLACE], [LAMP], LAMP]


async def test_of_a_home_that_is_known_here_nobody_else_is_asked(rig, near):
    await fill(rig.local)
    rig.wire.asked.clear()
    assert await told(rig, near) == [Home(id="h1", name="Home"), [PLACE], [LAMP], LAMP]
    assert await near[1].get("h1", "nowhere") is None
    assert await near[0].home("") is None
    assert rig.wire.asked == []


async def test_while_the_engine_is_away_an_unknown_home_is_unknown(rig, near):
    await fill(rig.remote)
    await rig.go_away()
    assert await told(rig, near) == [None, [], [], None]
