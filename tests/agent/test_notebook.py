"""What a turn leaves behind: a context for the next one, and one line of log."""

import json
import logging
from typing import Any

import pytest

from agent.intent import action_name, intent_of
from agent.models.protocol import Prompt, Step

LOCK = ("control_device", {"device_id": "back_door_lock", "command": "lock"})


class Listener:
    name = "listener"

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    async def stream(self, prompt: Prompt) -> Any:
        self.prompts.append(prompt)
        yield Step(text="Hello.")


async def test_the_mode_and_the_last_actions_are_kept_for_an_hour_and_recalled(open_house: Any, calls: Any) -> None:
    script = {
        "leave": [calls(LOCK, ("set_home_mode", {"mode": "away"})), Step(text="Goodbye.")],
        "hello": [Step(text="Hello.")],
    }
    async with open_house(script) as house:
        await house.say("leave")
        context = await house.running.stores.contexts.get(house.home_id, house.home_id)
        assert context["current_mode"] == "away"
        assert [a["action"] for a in context["recent_actions"]] == ["lock_back_door", "set_away_mode"]

        listener = Listener()
        (await house.running.agent._late.here()).agent._answering._running._models = [listener]
        await house.say("hello", new_thread=True)

        looked_up = [r for m in listener.prompts[0].messages for r in m.results if r.name == "recall"]
        assert looked_up[0].output["recently"]["current_mode"] == "away"
        assert listener.prompts[0].messages[-1].text == "hello"
        assert "away" not in listener.prompts[0].system


async def test_each_request_has_a_line_of_log_without_its_words(
    open_house: Any, calls: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "homeguard.agent.turns")
    script = {"lock my secret door": [calls(LOCK), Step(text="Done.", input_tokens=30, output_tokens=12)]}
    async with open_house(script) as house:
        await house.say("lock my secret door")
    [line] = [r.getMessage() for r in caplog.records if r.name == "homeguard.agent.turns"]
    told = json.loads(line.removeprefix("request "))

    assert (told["intent"], told["actions_taken"], told["llm_tokens"]) == ("control", ["lock_back_door"], 42)
    assert told["duration_ms"] >= 0
    assert "secret" not in line


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ({"command": "lock", "device": "Front door lock"}, "lock_front_door"),
        ({"command": "set_mode", "set": {"mode": "vacation"}}, "set_vacation_mode"),
        ({"command": "turn_on", "device": "Porch light"}, "turn_on_porch_light"),
        ({"command": "create_automation"}, "create_automation"),
    ],
)
def test_actions_have_stable_names(command: dict[str, Any], name: str) -> None:
    assert action_name(command) == name


@pytest.mark.parametrize(
    ("tools", "intent"),
    [
        (["get_home_summary", "control_device"], "control"), (["set_home_mode"], "mode"), ([], "talk"),
        (["get_home_summary"], "status"), (["get_recent_events"], "history"), (["create_automation"], "automation"),
    ],
)  # fmt: skip
def test_a_turn_is_about_what_it_called(tools: list[str], intent: str) -> None:
    assert intent_of("what is going on here", [{"tool": t} for t in tools]) == intent
