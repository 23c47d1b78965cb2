"""What the agent tells its model of itself, and which tools it hands over."""

from collections.abc import AsyncIterator
from typing import Any

from agent.models.protocol import Prompt, Step, Token

NINE = {
    "get_home_summary", "get_device_state", "get_recent_events", "get_anomalies", "control_device",
    "create_automation", "set_home_mode", "get_predictions", "get_energy_insights",
}  # fmt: skip


class Listener:
    """A model that keeps what it was asked and has little to say."""

    name = "listener"

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        self.prompts.append(prompt)
        yield Step(text="Hello.")


async def test_the_model_is_told_who_it_is_what_it_sees_and_that_facts_come_from_tools(open_house: Any) -> None:
    model = Listener()
    async with open_house(models=[model]) as house:
        turn = await house.say("hello")
    [prompt] = model.prompts
    assert turn.answer == "Hello."
    assert prompt.system.startswith("You are HomeGuard AI, an intelligent home security assistant.")
    assert all(word in prompt.system for word in ("device states", "event history", "automations", "anomaly findings"))
    assert "Use tools for every fact." in prompt.system
    assert {tool.name for tool in prompt.tools} >= NINE
    assert {tool.server for tool in prompt.tools} == {"devices", "events", "analytics", "automations", "anomaly"}
    assert prompt.messages[-1].text == "hello"
