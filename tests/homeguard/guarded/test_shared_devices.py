"""Several processes hear the devices of one home, now these, now those: none hands on a part for the whole."""

from datetime import UTC, datetime, timedelta

import pytest

from homeguard.model import Device, Home, LiveState
from homeguard.ports.live_state import StateChange
from homeguard.stores.guarded.copies import LocalCopy
from homeguard.stores.guarded.live_state import GuardedLive, mirror
from homeguard.stores.guarded.near import MergedLive
from homeguard.stores.guarded.replicas import GONE_ROUNDS, devices_replica

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def change(seconds: float, **attributes) -> StateChange:
    at = AT + timedelta(seconds=seconds)
    return StateChange(home_id="h1", device_id="lamp", at=at, sequence=0, attributes=attributes, available=True)


def state(seen: float, changed: float, *, available: bool = True, **attributes) -> LiveState:
    return LiveState(
        home_id="h1", device_id="lamp", attributes=attributes, available=available,
        changed_at=dict.fromkeys(attributes, AT + timedelta(seconds=changed)),
        last_seen_at=AT + timedelta(seconds=seen),
    )  # fmt: skip


@pytest.fixture
async def shared(rig):
    await rig.local.users.put_home(Home(id="h1", name="Home"))
    async with mirror(rig.local.live, rig.engine, rig.clock, rig.local.users.homes, is_shared=True) as mirrored:
        yield mirrored


async def test_a_device_that_comes_from_another_process_comes_with_all_that_it_said(rig, shared):
    await rig.remote.live.apply([change(1, on=True, level=7)])
    await rig.finish(shared.apply([change(2, on=False)]))
    assert (await rig.local.live.get("h1", "lamp")).attributes == {"level": 7, "on": False}


async def test_a_device_that_was_elsewhere_meanwhile_comes_back_as_it_is(rig, shared):
    await rig.finish(shared.apply([change(1, on=True)]))
    await rig.finish(shared.level())
    await rig.remote.live.apply([change(5, on=False, level=3)])
    await rig.clock.advance(60)
    await rig.finish(shared.apply([change(70, color="red")]))
    assert (await rig.local.live.get("h1", "lamp")).attributes == {"color": "red", "level": 3, "on": False}


async def test_a_part_of_the_truth_does_not_replace_it_when_the_engine_returns(rig, shared):
    await rig.remote.live.apply([change(1, on=True, level=7)])
    await rig.finish(shared.apply([change(2, on=False)]))
    await rig.go_away()
    await rig.finish(shared.apply([change(3, on=True)]))
    await rig.come_back()
    await rig.finish(shared.level())
    assert (await rig.remote.live.get("h1", "lamp")).attributes == {"level": 7, "on": True}


async def test_a_device_that_is_heard_all_the_time_is_not_asked_for(rig, shared):
    await rig.finish(shared.apply([change(0, on=True)]))
    await rig.finish(shared.level())
    await shared.apply([change(1, on=False)])
    rig.wire.asked.clear()
    for n in range(2, 20):
        await rig.clock.advance(1)
        await shared.apply([change(n, level=n)])
    assert [asked for asked in rig.wire.asked if "all" in asked] == []


async def test_reflexes_go_on_while_the_engine_is_away(rig, shared):
    await rig.go_away()
    await rig.finish(shared.apply([change(1, on=True)]))
    assert (await shared.get("h1", "lamp")).attributes == {"on": True}


@pytest.mark.parametrize(
    ("near", "far", "wanted"),
    [
        # near knows a part only
        (state(5, 5, on=True), state(5, 1, on=False, level=7), {"on": True, "level": 7}),
        # near was told something else before the device went to another process
        (state(2, 2, on=True), state(9, 8, on=False), {"on": False}),
        # near is ahead of what it hands over
        (state(9, 9, on=False), state(2, 2, on=True, level=1), {"on": False, "level": 1}),
    ],
)
async def test_what_two_processes_know_is_put_together(rig, near, far, wanted):
    await rig.local.live.adopt([near])
    await rig.remote.live.adopt([far])
    merged = MergedLive(rig.local.live, GuardedLive(rig.engine, rig.clock))
    assert (await rig.finish(merged.get("h1", "lamp"))).attributes == wanted
    assert (await rig.finish(merged.all("h1")))["lamp"].attributes == wanted


async def test_a_device_that_went_is_not_there_because_another_has_not_heard_of_it(rig):
    await rig.local.live.adopt([state(5, 5, on=True)])
    await rig.remote.live.adopt([state(5, 5, available=False, on=True)])
    merged = MergedLive(rig.local.live, GuardedLive(rig.engine, rig.clock))
    assert not (await rig.finish(merged.get("h1", "lamp"))).available


async def test_near_alone_answers_while_far_is_away(rig):
    await rig.local.live.adopt([state(5, 5, on=True)])
    await rig.go_away()
    merged = MergedLive(rig.local.live, GuardedLive(rig.engine, rig.clock))
    assert (await rig.finish(merged.get("h1", "lamp"))).attributes == {"on": True}
    assert set(await rig.finish(merged.all("h1"))) == {"lamp"}
    assert await rig.finish(merged.get("h1", "none")) is None


async def test_that_a_device_went_is_told_until_its_last_words_are_over(rig):
    told: list[str] = []

    async def gone(home_id: str, device_id: str) -> None:
        told.append(device_id)

    await rig.remote.users.put_home(Home(id="h1", name="Home"))
    lamps = [Device(home_id="h1", id=i, name=i, type="light", capabilities=("on_off",)) for i in ("a", "b")]
    await rig.remote.devices.put(lamps)
    replica = devices_replica(rig.engine, LocalCopy("devices", rig.local.devices), rig.remote.users.homes, gone)
    await rig.finish(replica.catch_up(AT))
    assert told == []
    await rig.remote.devices.delete("h1", "a")
    for _ in range(GONE_ROUNDS + 5):
        await rig.finish(replica.catch_up(AT))
    assert told == ["a"] * GONE_ROUNDS

    await rig.remote.devices.delete("h1", "b")
    await rig.remote.devices.put(lamps[:1])
    await rig.finish(replica.catch_up(AT))
    await rig.remote.devices.put(lamps)
    told.clear()
    await rig.finish(replica.catch_up(AT))
    assert told == []
