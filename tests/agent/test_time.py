"""What the assistant says of timers, lists and rules by the clock is held against what its tools did."""

import asyncio
from typing import Any

import pytest

from agent.models.protocol import Step

LAMP_OFF = [{"type": "device_command", "device_id": "back_door_lock", "command": "lock"}]
TIMER = ("set_timer", {"minutes": 10, "label": "pasta"})
REMINDER = ("set_timer", {"minutes": 90, "label": "call mom"})
MILK = ("add_to_list", {"items": ["milk", "eggs"]})
ONCE = (
    "create_automation",
    {"name": "Lock up later", "trigger": {"type": "once", "in_minutes": 10}, "actions": LAMP_OFF},
)
DAILY = ("create_automation", {"name": "Lock up", "trigger": {"type": "time", "at": "22:30"}, "actions": LAMP_OFF})

TRUE = [
    ("set a timer for 10 minutes", [TIMER], "I've set a timer for 10 minutes."),
    ("set a pasta timer for 10 minutes", [TIMER], "Your pasta timer is set for 10 minutes."),
    ("set a timer for 10 minutes", [TIMER], "Timer set: 10 minutes."),
    ("remind me in 90 minutes to call mom", [REMINDER], "I'll remind you to call mom in 90 minutes."),
    ("remind me in 90 minutes to call mom", [REMINDER], "I set a reminder to call mom in 90 minutes."),
    ("add milk and eggs to the shopping list", [MILK], "I've added milk and eggs to the shopping list."),
    ("add milk and eggs to the shopping list", [MILK], "Milk and eggs are on your shopping list."),
    ("lock the back door lock in ten minutes", [ONCE], "I'll lock the back door lock in 10 minutes."),
    ("lock the back door lock in ten minutes", [ONCE], "The back door lock will be locked in 10 minutes."),
    ("lock the back door lock every day at 22:30", [DAILY], "I created the automation 'Lock up': every day at 22:30."),
    ("cancel my timers", [TIMER, ("cancel_timer", {"timer_id": "all"})], "I cancelled your timers."),
    ("what is on the shopping list", [MILK, ("get_list", {})], "On your shopping list: milk and eggs."),
]
FALSE = [
    ("set a timer for 10 minutes", [("list_timers", {})], "I've set a timer for 10 minutes."),
    ("set a timer for 10 minutes", [("list_timers", {})], "Your timer is set for 10 minutes."),
    ("remind me to call mom in an hour", [("list_timers", {})], "I set a reminder to call mom."),
    ("add milk to the shopping list", [("get_list", {})], "I've added milk to the shopping list."),
    ("cancel my timer", [("list_timers", {})], "I cancelled your timer."),
    ("take milk off the list", [("get_list", {})], "I removed milk from the shopping list."),
    ("lock the back door lock in ten minutes", [("list_automations", {})], "I scheduled the lock in 10 minutes."),
]  # fmt: skip


async def said(open_house: Any, calls: Any, words: str, tools: list[Any], answer: str) -> Any:
    script = {words: [calls(tool) for tool in tools] + [Step(text=answer)]}
    async with open_house(script) as house:
        return await house.say(words)


@pytest.mark.parametrize(("words", "tools", "answer"), TRUE, ids=range(len(TRUE)))
async def test_what_was_done_is_told(open_house: Any, calls: Any, words: str, tools: list[Any], answer: str) -> None:
    turn = await said(open_house, calls, words, tools, answer)
    assert [end["status"] for end in turn.all("tool_end")] == ["ok"] * len(tools), turn.all("tool_end")
    assert turn.answer == answer


@pytest.mark.parametrize(("words", "tools", "answer"), FALSE, ids=range(len(FALSE)))
async def test_what_was_not_done_is_not_told(
    open_house: Any, calls: Any, words: str, tools: list[Any], answer: str
) -> None:
    turn = await said(open_house, calls, words, tools, answer)
    assert answer not in turn.answer


async def test_a_timer_and_a_rule_for_a_moment_ahead_come_true_in_the_whole_system(open_house: Any, calls: Any) -> None:
    words = "in two seconds lock the back door lock, and tell me when a second is over"
    rule = {"name": "Lock up", "trigger": {"type": "once", "in_minutes": 0.03}, "actions": LAMP_OFF}
    tools = calls(("create_automation", rule), ("set_timer", {"minutes": 0.02, "label": "second"}))
    async with open_house({words: [tools, Step(text="ok")]}) as house:
        stores = house.running.stores
        async with stores.feed.subscribe(house.home_id, user_id=house.home_id) as items, asyncio.timeout(30):
            turn = await house.say(words)
            assert (turn.status, turn.cards) == ("completed", [])
            heard: list[str] = []
            async for item in items:
                if item.kind == "notice":
                    heard.append(str(item.data["title"]))
                if item.kind == "command" and item.data["command"] == "lock":
                    heard.append(str(item.data["outcome"]))
                if len(heard) == 2:
                    break
        assert heard == ["second", "confirmed"]
        for _ in range(3):
            await house.running.plane.caught_up()
        assert (await house.state("back_door_lock"))["lock"] == "locked"
        assert await stores.automations.of_home(house.home_id) == []
        assert await stores.schedules.of_home(house.home_id, kind="timer") == []
