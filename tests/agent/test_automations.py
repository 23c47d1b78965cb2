"""Automations that people make really fire, and do no more than what was approved."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from agent.models.protocol import Step
from homeguard.ids import new_id
from homeguard.model import Event

NIGHT_MOTION = {
    "name": "Night light",
    "trigger": {"type": "device_event", "device_id": "living_room_motion", "event_type": "motion_detected"},
    "actions": [{"type": "device_command", "device_id": "back_door_lock", "command": "lock"}],
}
OPEN_ON_MOTION = {
    **NIGHT_MOTION,
    "name": "Open up",
    "actions": [{"type": "device_command", "device_id": "front_door_lock", "command": "unlock"}],
}


async def motion(house: Any) -> str:
    now = datetime.now(UTC)
    event = Event(
        home_id=house.home_id,
        event_id=new_id(),
        event_type="motion_detected",
        at=now,
        received_at=now,
        device_id="living_room_motion",
    )
    await house.running.plane.intake.submit([event])
    await settled(house)
    return event.event_id


async def settled(house: Any) -> None:
    for _ in range(3):
        await house.running.plane.caught_up()


async def commands(house: Any) -> list[tuple[str, str, str]]:
    since = datetime(2020, 1, 1, tzinfo=UTC)
    rows = await house.running.stores.journal.commands(house.home_id, since=since)
    return [(c.device_id, c.command, c.outcome) for c in rows if c.caller == "automation"]


async def test_an_automation_that_was_asked_for_in_so_many_words_fires_and_acts_once(
    open_house: Any, calls: Any
) -> None:
    words = "when there is motion in the living room, lock the back door lock"
    script = {words: [calls(("create_automation", NIGHT_MOTION)), Step(text="ok")]}
    async with open_house(script) as house:
        turn = await house.say(words)
        assert (turn.status, turn.cards) == ("completed", [])

        await motion(house)

        assert await commands(house) == [("back_door_lock", "lock", "confirmed")]
        assert (await house.state("back_door_lock"))["lock"] == "locked"


async def test_an_automation_that_nobody_asked_for_in_words_is_asked(open_house: Any, calls: Any) -> None:
    script = {"hello": [calls(("create_automation", NIGHT_MOTION)), Step(text="ok")]}
    async with open_house(script) as house:
        turn = await house.say("hello")

        assert turn.status == "waiting"
        assert await house.running.stores.automations.of_home(house.home_id) == []


async def test_an_automation_that_unlocks_takes_the_card_and_then_does_exactly_that(
    open_house: Any, calls: Any
) -> None:
    words = "when there is motion in the living room, unlock the front door lock"
    script = {words: [calls(("create_automation", OPEN_ON_MOTION)), Step(text="ok")]}
    async with open_house(script) as house:
        turn = await house.say(words)
        assert turn.status == "waiting"
        assert "unlock" in turn.cards[0]["text"].lower()
        await motion(house)
        assert await commands(house) == []

        await house.press(turn.cards[0]["id"])
        await motion(house)

        assert await commands(house) == [("front_door_lock", "unlock", "confirmed")]


async def test_an_automation_that_was_changed_behind_the_card_no_longer_unlocks(open_house: Any, calls: Any) -> None:
    words = "when there is motion in the living room, unlock the front door lock"
    script = {words: [calls(("create_automation", OPEN_ON_MOTION)), Step(text="ok")]}
    async with open_house(script) as house:
        turn = await house.say(words)
        await house.press(turn.cards[0]["id"])
        store = house.running.stores.automations
        made = (await store.of_home(house.home_id))[0]
        await store.put(replace(made, conditions=({"type": "mode", "operator": "eq", "value": "home"},)))
        await motion(house)
        await asyncio.sleep(0)

        assert all(outcome != "confirmed" for _, _, outcome in await commands(house))
        assert (await house.state("front_door_lock"))["lock"] == "locked"
