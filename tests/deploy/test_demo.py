"""The demo of a folder: made once, also where several processes share the stores, and finished after a crash."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.demo import demo_of
from homeguard.clock import SystemClock
from homeguard.identity.identity import Identity
from homeguard.ports.stores import Stores
from homeguard.settings import Settings
from homeguard.stores.sqlite.open import open_embedded

CLOCK = SystemClock()


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    """What the processes share."""
    async with open_embedded(tmp_path / "shared", CLOCK) as opened:
        yield opened


def settings(folder: Path) -> Settings:
    folder.mkdir(exist_ok=True)
    return Settings(data_dir=folder, demo=True)


async def test_a_second_folder_leaves_what_another_made_and_people_changed(tmp_path: Path, stores: Stores):
    identity = Identity(users=stores.users, sessions=stores.sessions, clock=CLOCK, key=b"k" * 32)
    first = demo_of(settings(tmp_path / "one"), CLOCK)
    assert first is not None
    assert not await first.leave_to_others(stores)
    await first.make(stores, identity)
    home_id = first.homes[0].home.id
    [device, *_] = await stores.devices.of_home(home_id)
    await stores.devices.put([replace(device, name="My own name")])

    second = demo_of(settings(tmp_path / "two"), CLOCK)
    assert second is not None
    assert second.is_new
    assert await second.leave_to_others(stores)
    assert (second.is_new, second.has_history) == (False, True)
    again = demo_of(settings(tmp_path / "two"), CLOCK)
    assert again is not None
    assert (again.is_new, again.has_history) == (False, True)
    identity.close()


async def test_devices_that_are_all_gone_from_a_store_of_their_own_are_made_again(tmp_path: Path, stores: Stores):
    identity = Identity(users=stores.users, sessions=stores.sessions, clock=CLOCK, key=b"k" * 32)
    first = demo_of(settings(tmp_path / "one"), CLOCK)
    assert first is not None
    await first.make(stores, identity)
    for demo in first.homes:
        for device in await stores.devices.of_home(demo.home.id):
            await stores.devices.delete(demo.home.id, device.id)

    second = demo_of(settings(tmp_path / "two"), CLOCK)
    assert second is not None
    assert await second.leave_to_others(stores)

    assert [len(await stores.devices.of_home(d.home.id)) for d in first.homes] == [5, 12]
    identity.close()


async def test_one_that_a_crash_cut_off_is_made_by_the_same_folder(tmp_path: Path, stores: Stores):
    identity = Identity(users=stores.users, sessions=stores.sessions, clock=CLOCK, key=b"k" * 32)
    first = demo_of(settings(tmp_path / "one"), CLOCK)
    assert first is not None
    await first.make(stores, identity)

    again = demo_of(settings(tmp_path / "one"), CLOCK)
    assert again is not None
    assert again.is_new
    assert not await again.leave_to_others(stores)
    assert again.homes[0].devices == first.homes[0].devices
    identity.close()
