"""People, devices and rules: the engine first, the copy while it is away, and the copy always in step."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from homeguard.errors import Conflict, StoreUnavailable
from homeguard.model import Automation, Device, Home, Member, User
from homeguard.staleness import collect
from homeguard.stores.guarded.automations import GuardedAutomations
from homeguard.stores.guarded.copies import LocalCopy
from homeguard.stores.guarded.devices import GuardedDevices
from homeguard.stores.guarded.followed import Followed
from homeguard.stores.guarded.replicas import EVERY_S, UsersReplica, automations_replica, devices_replica, replicate
from homeguard.stores.guarded.users import GuardedUsers


def device(id_: str, home_id: str = "h1", **changes) -> Device:
    return replace(Device(home_id=home_id, id=id_, name=id_, type="light", capabilities=("switch",)), **changes)


def rule(id_: str, **changes) -> Automation:
    return replace(Automation(id=id_, home_id="h1", name=id_, trigger={"event": "motion"}, actions=()), **changes)


def user(clock, id_: str, email: str = "") -> User:
    return User(id=id_, email=email or f"{id_}@example.org", name=id_, created_at=clock.began)


class Guards:
    """The three guards of a rig, with the copies that they share with the replicas."""

    def __init__(self, rig) -> None:
        self.copies = [
            LocalCopy("users", rig.local.users),
            LocalCopy("devices", rig.local.devices),
            LocalCopy("automations", rig.local.automations),
        ]
        self.users = GuardedUsers(rig.engine, self.copies[0])
        self.devices = GuardedDevices(rig.engine, self.copies[1])
        self.automations = GuardedAutomations(rig.engine, self.copies[2])

    def replicas(self, rig):
        return [
            UsersReplica(rig.engine, self.copies[0]),
            devices_replica(rig.engine, self.copies[1], rig.local.users.homes),
            automations_replica(rig.engine, self.copies[2], rig.local.users.homes),
        ]


@pytest.fixture
def guards(rig) -> Guards:
    return Guards(rig)


@pytest.fixture
async def homes(rig):
    for home_id in ("h1", "h2"):
        await rig.remote.users.put_home(Home(id=home_id, name=home_id))


async def everything(stores, home_ids=("h1", "h2")):
    users = stores.users
    return (
        [await users.user_by_email(found.email) for found in await users.users()],
        await users.homes(),
        [await users.members(home_id) for home_id in home_ids],
        [await stores.devices.of_home(home_id) for home_id in home_ids],
        [await stores.automations.of_home(home_id) for home_id in home_ids],
    )


async def write_all(guards, clock):
    await guards.users.put_user(user(clock, "anna"), "hash")
    await guards.users.put_home(Home(id="h1", name="Home"))
    await guards.users.put_member(Member(home_id="h1", user_id="anna", role="owner"))
    await guards.users.set_mode("h1", "away", "armed_away")
    await guards.users.set_password_hash("anna", "better")
    await guards.devices.put([device("lamp"), device("door")])
    await guards.devices.delete("h1", "door")
    await guards.automations.put(rule("r1"))
    await guards.automations.put(rule("r2"))
    await guards.automations.delete("h1", "r2")


async def read_all(guards):
    users, devices, automations = guards.users, guards.devices, guards.automations
    return [
        await users.user("anna"), await users.user_by_email("ANNA@example.org"), await users.users(),
        await users.home("h1"), await users.homes(), await users.members("h1"), await users.homes_of("anna"),
        await devices.get("h1", "lamp"), await devices.of_home("h1"), await devices.by_device_id("lamp"),
        await automations.get("h1", "r1"), await automations.of_home("h1"),
    ]  # fmt: skip


async def test_what_is_written_is_on_the_engine_and_in_the_copy(rig, guards):
    await write_all(guards, rig.clock)
    assert await everything(rig.local) == await everything(rig.remote)
    assert (await rig.remote.users.home("h1")).arm_state == "armed_away"
    assert await rig.remote.devices.of_home("h1") == [device("lamp")]


async def test_every_read_is_answered_from_the_copy_and_noted_while_the_engine_is_away(rig, guards):
    await write_all(guards, rig.clock)
    async with replicate(guards.replicas(rig), rig.clock):
        synced = rig.clock.now()
        with collect() as stale:
            before = await read_all(guards)
        assert stale == {}
        await rig.go_away()
        with collect() as stale:
            assert await read_all(guards) == before
    assert set(stale) == {"users", "devices", "automations"}
    assert all(synced <= since < rig.clock.now() for since in stale.values())


async def test_nothing_is_written_while_the_engine_is_away(rig, guards):
    await write_all(guards, rig.clock)
    before = await everything(rig.local)
    await rig.go_away()
    for write in (
        guards.users.put_user(user(rig.clock, "ben"), "x"), guards.users.put_home(Home(id="h2", name="Two")),
        guards.users.set_mode("h1", "home", "disarmed"), guards.devices.put([device("new")]),
        guards.devices.delete("h1", "lamp"), guards.automations.put(rule("r3")), guards.automations.delete("h1", "r1"),
    ):  # fmt: skip
        with pytest.raises(StoreUnavailable):
            await write
    assert await everything(rig.local) == before


async def test_a_conflict_of_the_engine_changes_nothing_here(rig, guards):
    await guards.users.put_user(user(rig.clock, "anna"), "hash")
    with pytest.raises(Conflict):
        await guards.users.put_user(user(rig.clock, "ben", "ANNA@example.org"), "x")
    assert await rig.local.users.users() == [user(rig.clock, "anna")]


async def test_the_copies_are_whole_when_the_work_begins(rig, guards, homes):
    await rig.remote.users.put_user(user(rig.clock, "anna"), "hash")
    await rig.remote.users.put_member(Member(home_id="h1", user_id="anna", role="owner"))
    await rig.remote.devices.put([device("lamp"), device("door", "h2")])
    await rig.remote.automations.put(rule("r1"))
    async with replicate(guards.replicas(rig), rig.clock) as replicas:
        assert await everything(rig.local) == await everything(rig.remote)
        assert set(replicas.synced_at()) == {"users", "devices", "automations"}
        assert all(at == rig.clock.now() for at in replicas.synced_at().values())


async def same(rig) -> bool:
    return await everything(rig.local) == await everything(rig.remote)


async def test_what_others_change_or_delete_is_here_within_seconds(rig, guards, homes):
    await rig.remote.devices.put([device("lamp"), device("door"), device("door", "h2")])
    await rig.remote.automations.put(rule("r1"))
    async with replicate(guards.replicas(rig), rig.clock):
        await rig.remote.devices.put([device("lamp", name="The lamp"), device("new")])
        await rig.remote.devices.delete("h1", "door")
        await rig.remote.automations.put(rule("r1", enabled=False))
        await rig.remote.users.set_mode("h2", "sleep", "armed_night")
        await rig.remote.users.put_member(Member(home_id="h2", user_id="anna", role="guest"))
        await rig.clock.advance(5.1)
        await rig.until(lambda: same(rig), step_s=0)


async def test_a_changed_password_of_another_process_is_here_in_the_end(rig, guards):
    await rig.remote.users.put_user(user(rig.clock, "anna"), "old")
    async with replicate(guards.replicas(rig), rig.clock):
        await rig.remote.users.set_password_hash("anna", "new")
        await rig.until(lambda: same(rig), step_s=5.1)


async def test_they_catch_up_at_once_when_the_engine_returns(rig, guards, homes):
    async with replicate(guards.replicas(rig), rig.clock):
        await rig.go_away()
        await rig.remote.devices.put([device("lamp")])
        await rig.clock.advance(100)
        assert await rig.local.devices.of_home("h1") == []
        rig.wire.mode = "ok"
        await rig.until(lambda: rig.engine.is_up, step_s=0.1)
        await rig.until(lambda: same(rig), step_s=0)


async def test_only_what_changed_is_written_here(rig, guards, homes, wired, wire):
    await rig.remote.devices.put([device("lamp"), device("door")])
    guards.copies[1].store = wired(rig.local.devices, wire)
    async with replicate(guards.replicas(rig), rig.clock):
        wire.asked.clear()
        changed = device("door", area="Hall")
        await rig.remote.devices.put([changed])
        await rig.until(lambda: same(rig))
        await rig.until(lambda: wire.asked.count(("of_home", "h2")) > 5)
    assert [asked for asked in wire.asked if asked[0] != "of_home"] == [("put", [changed])]


async def test_an_empty_engine_does_not_empty_a_home_that_was_not_moved_there(rig, guards):
    await rig.local.users.put_home(Home(id="h1", name="Home"))
    await rig.local.devices.put([device("lamp")])
    await rig.local.automations.put(rule("r1"))
    async with replicate(guards.replicas(rig), rig.clock):
        await rig.clock.advance(30)
    assert await rig.local.devices.of_home("h1") == [device("lamp")]
    assert await rig.local.automations.of_home("h1") == [rule("r1")]


async def test_the_last_device_of_all_goes_too_when_the_engine_had_it(rig, guards, homes):
    await rig.remote.devices.put([device("lamp")])
    async with replicate(guards.replicas(rig), rig.clock):
        assert await rig.local.devices.of_home("h1") == [device("lamp")]
        await rig.remote.devices.delete("h1", "lamp")
        await rig.until(lambda: same(rig))


@pytest.mark.parametrize("write", ["put", "delete"])
async def test_what_was_read_before_a_write_does_not_undo_it(rigging, write):
    async with rigging(deadline_s=30) as rig:
        await read_write_and_copy(rig, Guards(rig), write)


async def read_write_and_copy(rig, guards, write):
    await rig.remote.devices.put([device("lamp"), device("door")])
    replica = guards.replicas(rig)[1]
    await rig.local.users.put_home(Home(id="h1", name="h1"))
    await replica.catch_up(rig.clock.now())
    rig.wire.mode = "slow"
    round_ = asyncio.ensure_future(replica.catch_up(rig.clock.now()))
    await rig.wire.answered.wait()
    rig.wire.mode = "ok"
    if write == "put":
        await guards.devices.put([device("new")])
    else:
        await guards.devices.delete("h1", "lamp")
    rig.wire.gate.set()
    await round_
    assert await rig.local.devices.of_home("h1") == await rig.remote.devices.of_home("h1")


async def test_replicas_of_an_engine_that_is_away_do_not_hold_up_the_start(rig, guards):
    await rig.go_away()
    async with replicate(guards.replicas(rig), rig.clock) as replicas:
        assert set(replicas.synced_at().values()) == {None}
        with collect() as stale:
            assert await guards.devices.of_home("h1") == []
        assert stale["devices"] <= rig.clock.now() - timedelta(seconds=1)


async def test_a_first_device_on_the_engine_does_not_empty_a_home_that_was_not_moved_there(rig, guards, homes):
    await rig.local.devices.put([device("a"), device("b")])
    await rig.local.automations.put(rule("r1"))
    async with replicate(guards.replicas(rig), rig.clock):
        await guards.devices.put([device("new")])
        await guards.automations.put(rule("r2"))
        await rig.remote.devices.put([device("other")])
        await rig.until(lambda: has(rig, "other"))
        await rig.clock.advance(EVERY_S + 1)
    assert [found.id for found in await rig.local.devices.of_home("h1")] == ["a", "b", "new", "other"]
    assert [found.id for found in await rig.local.automations.of_home("h1")] == ["r1", "r2"]


async def has(rig, device_id: str) -> bool:
    return await rig.local.devices.get("h1", device_id) is not None


@pytest.mark.parametrize(
    ("places", "left"),
    [({"devices": "a:1/x"}, ["kept"]), ({"devices": "b:1/x"}, ["gone", "kept"]), ({}, ["gone", "kept"])],
)
async def test_what_went_between_two_runs_goes_here_only_if_the_folder_followed_that_engine(
    rig, homes, tmp_path, places, left
):
    path = tmp_path / "followed.json"
    await rig.remote.devices.put([device("gone"), device("kept")])

    def replicas(followed: Followed):
        copy = LocalCopy("devices", rig.local.devices, followed)
        users = UsersReplica(rig.engine, LocalCopy("users", rig.local.users))
        return [users, devices_replica(rig.engine, copy, rig.local.users.homes)]

    async with replicate(replicas(Followed(path, {"devices": "a:1/x"})), rig.clock):
        assert len(await rig.local.devices.of_home("h1")) == 2
    await rig.remote.devices.delete("h1", "gone")
    Followed(path, places)  # a run in between, with that engine, another one, or none
    async with replicate(replicas(Followed(path, {"devices": "a:1/x"})), rig.clock):
        assert [found.id for found in await rig.local.devices.of_home("h1")] == left


def test_a_damaged_note_of_what_was_followed_means_that_nothing_was(tmp_path):
    path = tmp_path / "followed.json"
    path.write_text("[1", encoding="utf-8")
    assert "devices" not in Followed(path, {"devices": "a"})
