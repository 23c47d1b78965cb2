"""Rules are made through the gate, listed and deleted."""

import pytest
from house_for_tools import House

from homeguard.errors import DeviceNotFound, InvalidInput, NotFound
from tools import automations

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
