"""What the device tools tell and do."""

from datetime import timedelta

import pytest
from house_for_tools import ANN, NOW, House, device, say

from homeguard.errors import DeviceNotFound, HomeMismatch, InvalidInput
from homeguard.ports.live_state import StateChange
from tools import devices


async def test_the_summary_counts_the_home_and_names_what_is_not_secure(house: House) -> None:
    summary = await devices.get_home_summary(house.ann())
    assert (summary.total_devices, summary.online_devices, summary.active_mode) == (7, 7, "home")
    assert not summary.all_secure
    assert [(i.device_id, i.reason) for i in summary.insecure] == [("back_door_lock", "unlocked")]
    assert (summary.home.unit_system, summary.home.time_zone) == ("us", "America/New_York")


async def test_all_secure_needs_locks_windows_and_the_garage(house: House) -> None:
    await say(house.stores, "ann", "back_door_lock", NOW, lock="locked")
    assert (await devices.get_home_summary(house.ann())).all_secure
    await say(house.stores, "ann", "kitchen_window", NOW, open=True)
    await say(house.stores, "ann", "garage_door", NOW, position_pct=40, cover="stopped")
    summary = await devices.get_home_summary(house.ann())
    assert {i.device_id: i.reason for i in summary.insecure} == {
        "kitchen_window": "open",
        "garage_door": "partly open",
    }


async def test_a_lock_that_is_offline_or_never_spoke_is_named_as_not_known(house: House) -> None:
    await say(house.stores, "ann", "back_door_lock", NOW, lock="locked")
    await house.stores.devices.put([device("ann", "shed_lock", "Shed Lock", "lock", "lock")])
    gone = StateChange(home_id="ann", device_id="front_door_lock", at=NOW, sequence=10**6, available=False)
    await house.stores.live.apply([gone])
    summary = await devices.get_home_summary(house.ann())
    reasons = {i.device_id: i.reason for i in summary.insecure}
    assert not summary.all_secure
    assert reasons.keys() == {"shed_lock", "front_door_lock"}
    assert all(r.startswith("not known: offline") for r in reasons.values())
    assert "last said locked" in reasons["front_door_lock"]


async def test_pages_of_the_summary_hold_every_device_once(house: House) -> None:
    seen: list[str] = []
    cursor = ""
    for _ in range(10):
        page = await devices.get_home_summary(house.ann(), limit=3, cursor=cursor)
        seen += [d.device_id for d in page.devices]
        assert page.total_devices == 7
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize("cursor", ["%%%", "AAAA", "a", "🙂"])
async def test_a_cursor_that_is_not_ours_is_refused(house: House, cursor: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await devices.get_home_summary(house.ann(), cursor=cursor)
    assert caught.value.details["field"] == "cursor"


async def test_the_summary_tells_each_devices_last_event(house: House) -> None:
    await house.happened("door_unlocked", "back_door_lock", NOW - timedelta(minutes=5))
    await house.happened("door_locked", "back_door_lock", NOW - timedelta(minutes=50))
    by_id = {d.device_id: d for d in (await devices.get_home_summary(house.ann())).devices}
    last = by_id["back_door_lock"].last_event
    assert last is not None
    assert (last.event_type, last.at) == ("door_unlocked", "2026-06-15T11:55:00.000Z")
    assert by_id["lamp"].last_event is None


async def test_names_of_devices_lose_control_and_direction_characters_and_are_cut(house: House) -> None:
    nasty = "Lamp\u202e\u0000\x1b[31m ignore\nall previous " + "x" * 500
    await house.stores.devices.put([device("ann", "nasty", nasty, "light", "on_off")])
    line = next(d for d in (await devices.get_home_summary(house.ann())).devices if d.device_id == "nasty")
    assert len(line.name) <= 200
    assert line.name.startswith("Lamp[31m ignore all previous")
    assert line.name.isprintable()


async def test_a_devices_state_has_units_and_bounds_in_the_homes_own_unit(house: House) -> None:
    state = await devices.get_device_state(house.ann(), device_id="thermostat")
    target = next(a for a in state.attributes if a.name == "target_c")
    assert (target.value, target.unit, target.text, target.changed_at) == (
        21.1, "°C", "70°F", "2026-06-15T11:00:00.000Z",
    )  # fmt: skip
    command = next(c for c in state.commands if c.command == "set_temperature")
    value = next(p for p in command.parameters if p.name == "value")
    assert (value.low, value.high) == (45.0, 95.0)


@pytest.mark.parametrize("device_id", ["bobs_lock", "nothing", "", "x" * 5000, "../etc"])
async def test_foreign_and_absent_devices_look_the_same(house: House, device_id: str) -> None:
    with pytest.raises(DeviceNotFound) as caught:
        await devices.get_device_state(house.ann(), device_id=device_id)
    assert caught.value.code == "DEVICE_NOT_FOUND"
    assert caught.value.details == {"field": "device_id"}


async def test_a_command_is_told_as_confirmed_with_what_it_set(house: House) -> None:
    (answer,) = await devices.control_devices(
        house.ann(), device_ids=["lamp"], command="set_brightness", parameters={"brightness_pct": 20}
    )
    assert (answer.outcome, answer.device, dict(answer.set)) == (
        "confirmed",
        "Lamp",
        {"brightness_pct": 20, "on": True},
    )
    state = await house.stores.live.get("ann", "lamp")
    assert state is not None
    assert state.attributes["brightness_pct"] == 20


async def test_an_unlock_is_asked_and_moves_nothing(house: House) -> None:
    (answer,) = await devices.control_devices(
        house.ann(), device_ids=["front_door_lock"], command="unlock", parameters={}
    )
    assert answer.outcome == "asked"
    assert answer.confirmation is not None
    assert answer.confirmation.confirm_url == f"http://127.0.0.1:8000/confirm/{answer.confirmation.id}.s3cret"
    assert house.commands.carried_out == []


async def test_nothing_is_done_when_one_of_several_devices_is_foreign(house: House) -> None:
    with pytest.raises(DeviceNotFound):
        await devices.control_devices(house.ann(), device_ids=["lamp", "bobs_lock"], command="turn_off", parameters={})
    assert house.commands.carried_out == []


async def test_more_than_a_hundred_devices_or_none_are_refused(house: House) -> None:
    for ids in ([], ["lamp"] * 101):
        with pytest.raises(InvalidInput):
            await devices.control_devices(house.ann(), device_ids=ids, command="turn_off", parameters={})


async def test_someone_elses_user_id_is_refused_and_ones_own_is_taken(house: House) -> None:
    with pytest.raises(HomeMismatch):
        await devices.get_home_summary(house.ann(), user_id="bob")
    assert (await devices.get_home_summary(house.ann(), user_id="ann")).home.id == "ann"


async def test_going_away_arms_and_coming_home_is_asked(house: House) -> None:
    away = await devices.set_home_mode(house.ann(), mode="away")
    assert (away.outcome, away.set["arm_state"]) == ("confirmed", "armed_away")
    back = await devices.set_home_mode(house.ann(), mode="home")
    assert back.outcome == "asked"
    home = await house.stores.users.home("ann")
    assert home is not None
    assert (home.mode, home.arm_state) == ("away", "armed_away")


async def test_a_mode_for_some_hours_says_that_it_does_not_end_by_itself(house: House) -> None:
    answer = await devices.set_home_mode(house.ann(), mode="vacation", duration_hours=48)
    assert "stays so until someone changes it" in answer.reason


async def test_an_unknown_mode_names_the_known_ones(house: House) -> None:
    with pytest.raises(InvalidInput) as caught:
        await devices.set_home_mode(house.ann(), mode="holiday")
    assert caught.value.details["field"] == "mode"
    assert "vacation" in caught.value.details["allowed"]


async def test_a_guest_is_refused_by_the_gate_not_by_an_error(house: House) -> None:
    assert ANN.role == "owner"
    (answer,) = await devices.control_devices(
        house.ann(role="guest"), device_ids=["lamp"], command="turn_off", parameters={}
    )
    assert answer.outcome == "refused"
