"""What the agent tells its model of itself, and which tools it hands over."""

from collections.abc import AsyncIterator
from typing import Any

from agent.models.offline.planner import OfflinePlanner
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


async def test_locks_the_alarm_and_the_thermostat_are_told_in_plain_words(open_house: Any) -> None:
    async with open_house(models=[OfflinePlanner()]) as house:
        await house.say("Lock the back door")
        await house.say("Set the thermostat to 70 degrees")
        assert (await house.state("back_door_lock"))["lock"] == "locked"
        assert (await house.state("thermostat"))["target_c"] == 21.1
        await house.say("I'm leaving")
        home = await house.running.stores.users.home(house.home_id)
        assert (home.mode, home.arm_state) == ("away", "armed_away")
        back = await house.say("I'm home")
        home = await house.running.stores.users.home(house.home_id)
        assert (home.mode, home.arm_state, len(back.cards)) == ("away", "armed_away", 1)
        await house.press(back.cards[0]["id"])
        home = await house.running.stores.users.home(house.home_id)
        assert (home.mode, home.arm_state) == ("home", "disarmed")
