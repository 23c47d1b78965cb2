"""Rules are made through the gate, listed and deleted."""

from dataclasses import replace

import pytest
from house_for_tools import BOB, House

from homeguard.automation import parse
from homeguard.errors import DeviceNotFound, InvalidInput, NotFound
from tools import automations
from tools.text import moment

TRIGGER = {"type": "device_event", "event_type": "motion_detected", "device_id": "hall_motion"}
LIGHT_ON = {"type": "device_command", "device_id": "lamp", "command": "turn_on"}
UNLOCK = {"type": "device_command", "device_id": "front_door_lock", "command": "unlock"}


async def test_a_rule_of_a_client_is_asked_and_shows_what_it_would_do(house: House) -> None:
    answer = await automations.create_automation(house.ann(), name="Night light", trigger=TRIGGER, actions=[LIGHT_ON])
    assert answer.outcome == "asked"
    assert answer.confirmation is not None
    assert "Turn on Lamp" in answer.confirmation.text


async def test_a_persons_harmless_rule_is_made_listed_and_deleted(house: House) -> None:
    ann = house.ann(caller="person")
    made = await automations.create_automation(ann, name="Night light", trigger=TRIGGER, actions=[LIGHT_ON])
    assert made.outcome == "confirmed"
    (line,) = (await automations.list_automations(ann)).automations
    assert (line.name, line.enabled, line.actions[0]["command"]) == ("Night light", True, "turn_on")
    assert made.data is not None
    assert line.id == made.data["automation_id"]
    gone = await automations.delete_automation(ann, automation_id=line.id)
    assert gone.outcome == "confirmed"
    assert (await automations.list_automations(ann)).automations == ()


async def test_a_rule_that_would_unlock_is_asked_even_of_a_person(house: House) -> None:
    answer = await automations.create_automation(
        house.ann(caller="person"), name="Helper", trigger=TRIGGER, actions=[LIGHT_ON, UNLOCK]
    )
    assert answer.outcome == "asked"
    assert (await automations.list_automations(house.ann())).automations == ()


async def test_a_foreign_device_or_a_wrong_command_is_refused_before_anyone_is_asked(house: House) -> None:
    for action in ({**LIGHT_ON, "device_id": "bobs_lock"}, {**LIGHT_ON, "device_id": "nothing"}):
        with pytest.raises(DeviceNotFound):
            await automations.create_automation(house.ann(), name="x", trigger=TRIGGER, actions=[action])
    with pytest.raises(InvalidInput) as caught:
        await automations.create_automation(
            house.ann(), name="x", trigger=TRIGGER, actions=[{**LIGHT_ON, "command": "explode"}]
        )
    assert str(caught.value.details["field"]).startswith("actions[0]")
    assert await house.stores.confirmations.open("ann", house.clock.now()) == []


async def test_deleting_what_is_not_there_says_so(house: House) -> None:
    with pytest.raises(NotFound):
        await automations.delete_automation(house.ann(), automation_id="nothing")


async def test_a_rule_by_the_clock_is_told_with_its_next_run(house: House) -> None:
    ann = house.ann(caller="person")
    house.clock.at = moment("2026-05-01T13:00:00", "America/New_York", "now")
    trigger = {"type": "time", "at": "07:00", "days": ["weekend"]}
    made = await automations.create_automation(ann, name="Late", trigger=trigger, actions=[LIGHT_ON])
    assert made.outcome == "confirmed"
    (line,) = (await automations.list_automations(ann)).automations
    assert line.trigger == {"type": "time", "at": "07:00", "days": ["sat", "sun"]}
    assert line.next_run_at == "2026-05-02T11:00:00.000Z"


async def test_the_card_of_a_rule_by_the_clock_says_when(house: House) -> None:
    ann = house.ann(caller="person")
    house.clock.at = moment("2026-05-01T13:00:00", "America/New_York", "now")
    for trigger, when in (
        ({"type": "time", "at": "07:00", "days": ["thu"]}, "at 7:00 AM on thu"),
        ({"type": "once", "in_minutes": 10}, "once in 10 minutes"),
        ({"type": "once", "at": "2026-05-01T17:30"}, "once on Fri 1 May at 5:30 PM"),
    ):
        answer = await automations.create_automation(ann, name="Visit", trigger=trigger, actions=[UNLOCK])
        assert answer.confirmation is not None
        assert answer.confirmation.text == (
            f"Create the automation 'Visit', which would, {when}: Unlock Front Door Lock?"
        )


async def test_the_sun_needs_to_know_where_the_home_stands(house: House) -> None:
    ann = house.ann(caller="person")
    sunset = {"type": "sun", "event": "sunset"}
    for asked in (
        {"trigger": sunset, "conditions": []},
        {"trigger": TRIGGER, "conditions": [{"type": "sun", "after": "sunset"}]},
    ):
        with pytest.raises(InvalidInput) as refused:
            await automations.create_automation(ann, name="Dusk", actions=[LIGHT_ON], **asked)  # type: ignore[arg-type]
        assert refused.value.code == "HOME_PLACE_UNKNOWN"
    home = await house.stores.users.home("ann")
    assert home is not None
    await house.stores.users.put_home(replace(home, latitude=40.7, longitude=-74.0))
    made = await automations.create_automation(ann, name="Dusk", trigger=sunset, actions=[LIGHT_ON])
    assert made.outcome == "confirmed"


async def test_a_rule_is_changed_in_parts_and_judged_by_all_that_it_would_do(house: House) -> None:
    ann = house.ann(caller="person")
    made = await automations.create_automation(ann, name="Night light", trigger=TRIGGER, actions=[LIGHT_ON])
    assert made.data is not None
    rule_id = made.data["automation_id"]

    off = await automations.update_automation(ann, automation_id=rule_id, enabled=False)
    assert off.outcome == "confirmed"
    (line,) = (await automations.list_automations(ann)).automations
    assert (line.enabled, line.name, line.trigger["event_type"]) == (False, "Night light", "motion_detected")
    with pytest.raises(InvalidInput, match="like this already"):
        await automations.update_automation(ann, automation_id=rule_id, enabled=False)
    with pytest.raises(InvalidInput):
        await automations.update_automation(ann, automation_id=rule_id, trigger={"type": "time", "at": "7"})
    with pytest.raises(NotFound):
        await automations.update_automation(ann, automation_id="nothing", enabled=True)
    with pytest.raises(NotFound):
        await automations.update_automation(house.context(BOB), automation_id=rule_id, enabled=True)

    unlocks = await automations.update_automation(ann, automation_id=rule_id, enabled=True, actions=[UNLOCK])
    assert unlocks.outcome == "asked"
    assert unlocks.confirmation is not None
    assert unlocks.confirmation.text == (
        "Change the automation 'Night light', which then would: Unlock Front Door Lock?"
    )


async def test_switching_on_a_rule_that_unlocks_takes_the_card_and_switching_it_off_does_not(house: House) -> None:
    ann = house.ann(caller="person")
    asked = await automations.create_automation(ann, name="Guest", trigger=TRIGGER, actions=[UNLOCK])
    assert asked.confirmation is not None
    rule = parse(
        {"name": "Guest", "trigger": TRIGGER, "actions": [UNLOCK]}, home_id="ann", automation_id="a1", created_by="ann"
    )
    await house.stores.automations.put(rule)
    assert (await automations.update_automation(ann, automation_id="a1", enabled=False)).outcome == "confirmed"
    again = await automations.update_automation(ann, automation_id="a1", enabled=True)
    assert again.outcome == "asked"
    assert (await automations.update_automation(house.ann(), automation_id="a1", name="Visitor")).outcome == "asked"
