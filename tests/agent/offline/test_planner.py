"""What the planner does with ordinary sentences in the demo homes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.models.offline.planner import OfflinePlanner
from agent.models.protocol import Prompt, Said, Step, Token, ToolResult
from evals.virtual_home import VirtualHome, say

NOW = datetime(2026, 11, 21, 18, 30, tzinfo=UTC)


def sent(turn: Any) -> list[tuple[str, str, dict[str, Any]]]:
    return sorted((c["device_id"], c["command"], c["parameters"]) for c in turn.commands)


@pytest.mark.parametrize(
    ("home", "words", "commands"),
    [
        ("john", "lock everything", [("back_door_lock", "lock", {}), ("front_door_lock", "lock", {})]),
        ("john", "open the garage", [("garage_door", "open", {})]),
        ("john", "set the thermostat to 72", [("thermostat", "set_temperature", {"value": 72.0, "unit": "F"})]),
        ("john", "make it a bit warmer", [("thermostat", "set_temperature", {"value": 71.0, "unit": "F"})]),
        ("john", "set the thermostat to 20 celsius", [("thermostat", "set_temperature", {"value": 20.0, "unit": "C"})]),
        ("john", "don't forget to lock the back door", [("back_door_lock", "lock", {})]),
        ("john", "open the garage to fifty percent", [("garage_door", "set_position", {"position_pct": 50.0})]),
        ("sarah", "dim the living room light to 30%", [("living_room_light", "set_brightness",
        {"brightness_pct": 30.0})]),
        ("sarah", "make the living room light blue", [("living_room_light", "set_color", {"name": "blue"})]),
        ("sarah", "a bit brighter in the living room", [("living_room_light", "set_brightness",
        {"brightness_pct": 70})]),
        ("sarah", "turn of the porch light", [("porch_light", "turn_off", {})]),
        ("sarah", "turn off the prch light", [("porch_light", "turn_off", {})]),
    ],
)  # fmt: skip
async def test_a_request_becomes_exactly_its_commands(home: str, words: str, commands: Any, talk: Any) -> None:
    turn, _ = await talk(home, words)
    assert sent(turn) == commands


async def test_each_part_of_a_request_has_its_own_fate(talk: Any) -> None:
    turn, _ = await talk("john", "turn on the kitchen light and lock the back door")
    assert sent(turn) == [("back_door_lock", "lock", {})]
    assert [r["text"] for r in turn.refused] == ["turn on the kitchen light"]
    assert "kitchen light" in turn.answer
    assert "back door lock is locked" in turn.answer


@pytest.mark.parametrize(
    "words",
    [
        "I unlocked the front door",
        "is the front door locked?",
        "why is the garage door open?",
        "Don't unlock the front door or open the garage",
        "What was the temperature yesterday at 9?",
        "temperature at 5 today?",
        "turn off the thermostat in 10 minutes",
        "turn of the whater valve",
        "lock the clock",
        "the garage door is open",
    ],
)
async def test_what_is_no_clear_request_sends_nothing(words: str, talk: Any) -> None:
    turn, _ = await talk("john", words)
    assert sent(turn) == []
    assert turn.answer


@pytest.mark.parametrize(
    ("home", "words", "answer"),
    [
        ("john", "is everything locked?", "No, the back door lock is not locked."),
        ("john", "what's the battery of the back door lock", "The back door lock has 54% battery."),
        ("john", "what's the temperature?", "The thermostat reads 69°F."),
        ("john", "is there any motion in the living room?", "No, there is no motion in the living room right now."),
        ("sarah", "how many lights are on", "3 lights are on."),
        ("sarah", "is the front door open?", "No, the front door is closed."),
        ("sarah", "which lights are on?", "The hallway light, the living room light and the porch light are on."),
        ("sarah", "are any batteries low?", "No, none of the batteries are low."),
    ],
)
async def test_a_question_is_answered_from_the_home(home: str, words: str, answer: str, talk: Any) -> None:
    turn, _ = await talk(home, words)
    assert (turn.answer, list(turn.commands)) == (answer, [])


async def test_a_name_that_fits_two_locks_is_asked_back_and_the_answer_completes_it(talk: Any) -> None:
    asked, _ = await talk("john", "lock the door")
    assert sent(asked) == []
    assert asked.answer == "Which one should I lock: the back door lock or the front door lock?"
    turn, _ = await talk("john", "lock the door", "the back one")
    assert sent(turn) == [("back_door_lock", "lock", {})]


async def test_it_and_and_carry_the_conversation_on(talk: Any) -> None:
    turn, _ = await talk("john", "is the back door locked?", "lock it")
    assert sent(turn) == [("back_door_lock", "lock", {})]
    turn, _ = await talk("sarah", "turn the porch light off", "and the hallway")
    assert sent(turn) == [("hallway_light", "turn_off", {})]


async def test_five_o_clock_is_the_last_one_that_has_been(talk: Any) -> None:
    turn, home = await talk("john", "What was the temperature today at 5?")
    assert (
        "get_device_history",
        {"device_id": "thermostat", "metric": "temperature_c", "at": "2026-11-21T10:00:00.000Z"},
    ) in home.calls
    assert turn.answer.startswith("The temperature of the thermostat today at 5:00 AM was 69°F")


async def test_a_rule_is_made_with_its_trigger_and_its_command(talk: Any) -> None:
    _, home = await talk("sarah", "when motion is detected in the hallway, turn on the hallway light")
    name, arguments = home.calls[-1]
    assert name == "create_automation"
    assert arguments["trigger"] == {
        "type": "device_event",
        "event_type": "motion_detected",
        "device_id": "hallway_motion",
    }
    assert [a["device_id"] for a in arguments["actions"]] == ["hallway_light"]


async def test_an_if_is_read_from_the_home_first(talk: Any) -> None:
    no, _ = await talk("sarah", "if the temperature is above 75 turn off the hallway light")
    assert sent(no) == []
    assert "69°F" in no.answer
    yes, _ = await talk("sarah", "if the temperature is above 60 turn off the hallway light")
    assert sent(yes) == [("hallway_light", "turn_off", {})]


def _step(homes: Callable[[str], VirtualHome], words: str, result: ToolResult | None) -> Step:
    """The planner's step after the home, or after one result of its first call."""
    home = homes("john")
    page = ToolResult(call_id="home1", name="get_home_summary", status="ok", output=home.summary())
    messages = [Said(role="user", text=words), Said(role="tool", results=(page,))]
    if result is not None:
        messages.append(Said(role="tool", results=(result,)))
    prompt = Prompt(
        system="", messages=tuple(messages), tools=(), now=NOW, time_zone="America/New_York", unit_system="us"
    )
    return OfflinePlanner().step(prompt)


@pytest.mark.parametrize(
    ("status", "output", "error", "said"),
    [
        ("ok", {"device_id": "front_door_lock", "outcome": "confirmed"}, "", "The front door lock is unlocked."),
        ("ok", {"device_id": "front_door_lock", "outcome": "sent"}, "", "has not confirmed it yet"),
        (
            "ok",
            {"device_id": "front_door_lock", "outcome": "failed", "reason": "no answer"},
            "",
            "did not do it: no answer",
        ),
        ("asked", {}, "", "I need your OK to unlock the front door lock"),
        ("denied", {}, "", "Okay, I did not unlock the front door lock."),
        ("refused", {}, "guests may not", "I may not unlock the front door lock: guests may not."),
        ("error", {}, "the lock is offline", "I could not unlock the front door lock: the lock is offline."),
    ],
)
def test_the_answer_says_what_really_came_of_it(
    status: Any, output: Any, error: str, said: str, homes: Callable[[str], VirtualHome]
) -> None:
    result = ToolResult(call_id="c1", name="control_device", status=status, output=output, error=error)
    step = _step(homes, "unlock the front door", result)
    assert said in step.text
    assert not step.calls
    assert bool(step.refusals) == (status in ("refused", "error"))


def test_a_bigger_home_is_read_page_by_page(homes: Callable[[str], VirtualHome]) -> None:
    page = ToolResult(
        call_id="home1", name="get_home_summary", status="ok", output={**homes("john").summary(), "next_cursor": "p2"}
    )
    prompt = Prompt(
        system="", messages=(Said(role="user", text="status"), Said(role="tool", results=(page,))), tools=(), now=NOW,
        time_zone="UTC", unit_system="us",
    )  # fmt: skip
    assert [dict(c.arguments) for c in OfflinePlanner().step(prompt).calls] == [{"limit": 500, "cursor": "p2"}]


def test_without_a_home_it_says_so_and_does_nothing() -> None:
    broken = ToolResult(call_id="home1", name="get_home_summary", status="error", error="the server is away")
    prompt = Prompt(
        system="", messages=(Said(role="user", text="lock up"), Said(role="tool", results=(broken,))), tools=(),
        now=NOW,
        time_zone="UTC", unit_system="us",
    )  # fmt: skip
    step = OfflinePlanner().step(prompt)
    assert (step.text, step.calls) == ("I can't see the home right now: the server is away.", ())


async def test_the_stream_is_the_step_in_pieces(homes: Callable[[str], VirtualHome]) -> None:
    home = homes("john")
    page = ToolResult(call_id="home1", name="get_home_summary", status="ok", output=home.summary())
    prompt = Prompt(
        system="", messages=(Said(role="user", text="is the garage open?"), Said(role="tool", results=(page,))),
        tools=(),
        now=NOW, time_zone="America/New_York", unit_system="us",
    )  # fmt: skip
    pieces = [p async for p in OfflinePlanner().stream(prompt)]
    assert isinstance(pieces[-1], Step)
    assert "".join(p.text for p in pieces[:-1] if isinstance(p, Token)) == pieces[-1].text


WORDS = st.sampled_from(
    [
        "lock",
        "unlock",
        "the",
        "front",
        "back",
        "door",
        "lights",
        "all",
        "except",
        "and",
        "then",
        "don't",
        "is",
        "what",
        "was",
        "at",
        "5",
        "%",
        "to",
        "it",
        "every",
        "when",
        "open",
        "garage",
        "thermostat",
        "120",
        "degrees",
        "how",
        "many",
        "who",
        "last",
        "night",
        "if",
        ",",
        "?",
        ".",
        "blue",
        "play",
        "next",
        "mode",
        "away",
        "not",
        "in",
        "here",
        "one",
        "and",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(text="AH")
@given(text=st.one_of(st.text(max_size=120), st.lists(WORDS, max_size=14).map(" ".join)))
def test_any_text_gets_an_answer_and_raises_nothing(text: str, homes: Callable[[str], VirtualHome]) -> None:
    for name in ("john", "sarah"):
        turn, _ = asyncio.run(say(homes(name), text, now=NOW))
        assert turn.answer
