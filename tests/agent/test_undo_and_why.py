""" "Undo that" and "why ..." in whole turns: chat, planner, tools, gate, journal, devices, evidence."""

from dataclasses import replace
from typing import Any

import pytest

from agent.models.offline.planner import OfflinePlanner


@pytest.fixture
def planner() -> list[Any]:
    return [OfflinePlanner()]


async def settled(house: Any) -> None:
    for _ in range(3):
        await house.running.plane.caught_up()


async def test_a_thermostat_goes_back_and_the_answer_says_so(open_house: Any, planner: Any) -> None:
    async with open_house(models=planner) as house:
        before = (await house.state("thermostat"))["target_c"]
        await house.say("set the thermostat to 74")
        assert (await house.state("thermostat"))["target_c"] != before

        turn = await house.say("undo that")
        assert (await house.state("thermostat"))["target_c"] == pytest.approx(before, abs=0.3)
        assert turn.answer.startswith("Thermostat is set to")
        assert turn.answer.rstrip(".").endswith("again")


async def test_undoing_a_lock_waits_for_the_press_and_then_unlocks(open_house: Any, planner: Any) -> None:
    async with open_house(models=planner) as house:
        asked = await house.say("unlock the front door")
        await house.press(asked.cards[0]["id"])
        await house.continued(asked.all("turn")[0]["turn_id"])
        await house.say("lock the front door")
        assert (await house.state("front_door_lock"))["lock"] == "locked"

        turn = await house.say("undo that")
        assert turn.status != "completed"
        assert (await house.state("front_door_lock"))["lock"] == "locked"
        await house.press(turn.cards[0]["id"])
        said = await house.continued(turn.all("turn")[0]["turn_id"])
        assert "unlocked" in said
        assert (await house.state("front_door_lock"))["lock"] == "unlocked"


async def test_why_names_the_persons_own_words_and_another_persons_are_kept(open_house: Any, planner: Any) -> None:
    async with open_house(models=planner) as house:
        await house.say("set the thermostat to 74")
        await settled(house)

        answer = (await house.say("who changed the thermostat?")).answer
        assert "HomeGuard told Thermostat to go to" in answer
        assert 'asked the assistant for it: "set the thermostat to 74"' in answer


async def test_why_says_i_dont_know_where_nothing_of_ours_did_it(open_house: Any, planner: Any) -> None:
    async with open_house(models=planner) as house:
        await settled(house)
        answer = (await house.say("why did the back door unlock?")).answer
        assert "I don't know" in answer


async def test_a_guest_changes_nothing_by_undoing(open_house: Any, planner: Any) -> None:
    async with open_house(models=planner) as house:
        await house.say("set the thermostat to 74")
        now = (await house.state("thermostat"))["target_c"]
        guest = replace(house.owner, role="guest")
        async for _ in house.running.agent.stream(guest, "undo that"):
            pass
        assert (await house.state("thermostat"))["target_c"] == now
