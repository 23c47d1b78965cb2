"""Requests for another time, timers and lists: which call the planner makes of them, and that nothing happens now."""

from typing import Any

import pytest

TURN_ON_PORCH = {"type": "device_command", "device_id": "porch_light", "command": "turn_on", "parameters": {}}


def rules(lived: Any) -> list[Any]:
    return [arguments for name, arguments in lived.calls if name == "create_automation"]


@pytest.mark.parametrize(
    ("words", "trigger", "conditions"),
    [
        ("switch the porch light on at sunset", {"type": "sun", "event": "sunset"}, []),
        ("switch the porch light on when everybody has left", {"type": "home_state", "mode": ["away", "vacation"]}, []),
        ("when it gets dark switch the porch light on", {"type": "sun", "event": "sunset"}, []),
        ("when there is motion in the hallway after sunset, switch the porch light on",
         {"type": "device_event", "event_type": "motion_detected", "device_id": "hallway_motion"},
         [{"type": "sun", "after": "sunset", "before": "sunrise"}]),
        ("switch the porch light on when the front door opens on weekends",
         {"type": "device_event", "event_type": "door_open", "device_id": "front_door"},
         [{"type": "days", "days": ["sat", "sun"]}]),
    ],
)  # fmt: skip
async def test_a_rule_by_time_sun_or_state_is_made_and_nothing_is_done_now(
    words: str, trigger: Any, conditions: Any, talk: Any
) -> None:
    turn, lived = await talk("sarah", words)
    assert not turn.commands
    (made,) = rules(lived)
    assert (made["trigger"], list(made["conditions"]), made["actions"]) == (trigger, conditions, [TURN_ON_PORCH])


async def test_for_a_while_is_now_and_the_opposite_later(talk: Any) -> None:
    turn, lived = await talk("sarah", "put the porch light off for a quarter of an hour")
    assert [(c["device_id"], c["command"]) for c in turn.commands] == [("porch_light", "turn_off")]
    (made,) = rules(lived)
    assert (made["trigger"], made["actions"]) == ({"type": "once", "in_minutes": 15}, [TURN_ON_PORCH])


async def test_one_part_now_and_one_later(talk: Any) -> None:
    turn, lived = await talk("sarah", "hallway light off now and on again in half an hour")
    assert [(c["device_id"], c["command"]) for c in turn.commands] == [("hallway_light", "turn_off")]
    assert [r["actions"][0]["command"] for r in rules(lived)] == ["turn_on"]


@pytest.mark.parametrize("words", ["switch the porch light off later", "switch the porch light off in a while"])
async def test_a_time_that_is_none_is_asked_for(words: str, talk: Any) -> None:
    turn, lived = await talk("sarah", words)
    assert (turn.commands, rules(lived)) == ((), [])
    assert turn.answer.startswith("When should I do that?")


@pytest.mark.parametrize(
    ("said", "tool", "arguments"),
    [
        (["twelve minute timer for the rice"], "set_timer", {"minutes": 12, "label": "rice"}),
        (["start a timer", "45 seconds"], "set_timer", {"minutes": 0.75}),
        (["remind me in an hour to move the car"], "set_timer", {"minutes": 60, "label": "Move the car"}),
        (["remind me at 9 pm to put the bins out"], "set_timer", {"at": "21:00", "label": "Put the bins out"}),
        (["how much time is left on my timer"], "list_timers", {}),
        (["cancel all my timers"], "cancel_timer", {"timer_id": "all"}),
        (["put flour, sugar and a dozen eggs on the shopping list"], "add_to_list",
         {"items": ["flour", "sugar", "dozen eggs"], "list_name": "shopping"}),
        (["take the flour off my shopping list"], "remove_from_list", {"items": ["flour"], "list_name": "shopping"}),
        (["what is on the packing list"], "get_list", {"list_name": "packing"}),
        (["what rules do i have"], "list_automations", {}),
    ],
)  # fmt: skip
async def test_a_timer_or_a_list_becomes_its_tool(said: list[str], tool: str, arguments: Any, talk: Any) -> None:
    turn, lived = await talk("john", *said)
    assert not turn.commands
    assert lived.calls[-1] == (tool, arguments)


async def test_a_timer_of_less_than_nothing_is_refused(talk: Any) -> None:
    turn, lived = await talk("john", "timer for minus ten minutes")
    assert [name for name, _ in lived.calls] == ["get_home_summary"]
    assert turn.answer == "I can't do that: a timer needs a length of more than nothing."
