"""Which sentences want the last thing put back, which ask for a cause, and of what."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.models.offline.planner import OfflinePlanner
from agent.models.protocol import Prompt, Said, Step, ToolResult
from evals.virtual_home import VirtualHome

NOW = datetime(2026, 11, 21, 18, 30, tzinfo=UTC)


def stepped(home: VirtualHome, words: str, *results: ToolResult) -> Step:
    page = ToolResult(call_id="home1", name="get_home_summary", status="ok", output=home.summary())
    messages = [Said(role="user", text=words), Said(role="tool", results=(page,))]
    if results:
        messages.append(Said(role="tool", results=results))
    return OfflinePlanner().step(
        Prompt(system="", messages=tuple(messages), tools=(), now=NOW, time_zone="America/New_York", unit_system="us")
    )


def calls(home: VirtualHome, words: str) -> list[tuple[str, dict[str, Any]]]:
    return [(c.name, dict(c.arguments)) for c in stepped(home, words).calls]


@pytest.mark.parametrize(
    "words",
    [
        "undo that", "Undo!", "please undo the last thing", "revert that", "take that back",
        "put it back the way it was",
        "put everything back", "go back to how it was before", "can you reverse that", "roll that back", "oops, undo",
        "no wait, undo what you just did", "undo my last command", "change it back", "make it like it was before",
        "that was a mistake, undo it", "restore the previous settings", "I didn't mean that, put it back",
        "reverse the last action", "set it back to what it was",
    ],
)  # fmt: skip
def test_twenty_ways_to_want_the_last_thing_back(words: str, homes: Callable[[str], VirtualHome]) -> None:
    assert calls(homes("sarah"), words) == [("undo", {})]


@pytest.mark.parametrize(
    "words",
    [
        "don't undo that",
        "turn it back on",
        "put the light back on",
        "undo the porch light",
        "redo",
        "never take it back",
    ],
)
def test_what_wants_something_else_undoes_nothing(words: str, homes: Callable[[str], VirtualHome]) -> None:
    assert "undo" not in [name for name, _ in calls(homes("sarah"), words)]


PORCH, HALL = {"device_id": "porch_light", "attribute": "on"}, {"device_id": "hallway_light", "attribute": "on"}
LOCK = {"device_id": "front_door_lock", "attribute": "lock"}


@pytest.mark.parametrize(
    ("home", "words", "asked"),
    [
        ("sarah", "why is the porch light on", PORCH),
        ("sarah", "how come the porch light is off", PORCH),
        ("sarah", "who turned on the porch light?", PORCH),
        ("sarah", "do you know who turned on the porch light", PORCH),
        ("sarah", "what made the porch light turn on", PORCH),
        ("sarah", "who switched off the hallway light", HALL),
        ("sarah", "what's the reason the hallway light is on", HALL),
        ("sarah", "why did the front door unlock", LOCK),
        ("sarah", "what caused the front door to unlock", LOCK),
        ("sarah", "how did the front door get unlocked", LOCK),
        ("sarah", "who locked the front door", LOCK),
        ("john", "who opened the garage door", {"device_id": "garage_door"}),
        ("john", "for what reason is the garage door open", {"device_id": "garage_door"}),
        ("john", "who or what closed the garage", {"device_id": "garage_door"}),
        ("john", "who changed the thermostat", {"device_id": "thermostat"}),
        ("john", "why's the heating so high", {"device_id": "thermostat", "attribute": "target_c"}),
        ("john", "who armed the alarm", {"attribute": "arm_state"}),
        ("john", "how come the alarm is armed", {"attribute": "arm_state"}),
        ("john", "why are we in away mode", {"attribute": "mode"}),
        ("john", "why did that happen", {}),
    ],
)
def test_twenty_ways_to_ask_for_a_cause(
    home: str, words: str, asked: dict[str, str], homes: Callable[[str], VirtualHome]
) -> None:
    assert calls(homes(home), words) == [("explain", asked)]


@pytest.mark.parametrize(
    "words",
    ["why don't you turn on the porch light", "why can't I unlock the door", "why is the sky blue",
     "when the door opens, tell me who opened it", "is the porch light on?",
     "did anyone open the front door?"],
)  # fmt: skip
def test_what_asks_for_no_cause_is_not_explained(words: str, homes: Callable[[str], VirtualHome]) -> None:
    assert "explain" not in [name for name, _ in calls(homes("sarah"), words)]


def answered(home: VirtualHome, words: str, status: Any, error: str = "", **output: Any) -> str:
    name = stepped(home, words).calls[0].name
    return stepped(home, words, ToolResult(call_id="c1", name=name, status=status, output=output, error=error)).text


def test_what_came_of_it_is_told_as_the_tool_says_it(homes: Callable[[str], VirtualHome]) -> None:
    home = homes("sarah")
    assert answered(home, "undo that", "ok", text="Porch Light is off again.") == "Porch Light is off again."
    pressed = {"device": "Front Door Lock", "set": {"lock": "unlocked"}, "outcome": "confirmed", "command": "unlock"}
    assert answered(home, "undo that", "ok", **pressed) == "Front Door Lock is unlocked again."
    failed = {"results": [{**pressed, "outcome": "failed", "reason": "no answer"}]}
    assert answered(home, "undo that", "ok", **failed) == "I could not put Front Door Lock back: no answer."
    assert answered(home, "undo that", "denied", error="no") == "Okay, I left the rest as it is."
    assert answered(home, "undo that", "error", error="the journal is away").startswith("I could not undo that")
    unknown = "I don't know: I have no record of a change of Porch Light."
    assert answered(home, "why is the porch light on", "ok", text=unknown) == unknown
    assert answered(home, "why is the porch light on", "error", error="away").startswith("I could not look that up")


@pytest.mark.parametrize("words", ["who changed the thermostat last night?", "who turned the heating up yesterday?"])
def test_who_did_it_in_a_stretch_of_time_is_not_answered_with_the_newest_change(
    words: str, homes: Callable[[str], VirtualHome]
) -> None:
    assert "explain" not in [name for name, _ in calls(homes("sarah"), words)]
