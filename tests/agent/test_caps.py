"""How far a turn may go, and what the person is told at each end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from agent.graph.caps import Caps
from agent.models.protocol import Prompt, Step, Token, ToolCall
from agent.models.scripted import ScriptedModel

LOCK = ("control_device", {"device_id": "back_door_lock", "command": "lock"})
LOOK = ("get_home_summary", {})


class Silent:
    """A model that never begins, or never ends."""

    name = "silent"

    def __init__(self, *, begins: bool = False) -> None:
        self._begins = begins

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        if self._begins:
            yield Token(text="Well, ")
        await asyncio.Event().wait()
        yield Step(text="Never.")


class Broken:
    """A model whose stream ends without its step."""

    name = "broken"

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        yield Token(text="I am ")


async def capped(house: Any, **caps: Any) -> None:
    agent = (await house.running.agent._late.here()).agent
    agent._answering._running._caps = replace(Caps(), **caps)


async def test_a_model_that_does_not_begin_gives_way_to_the_next(open_house: Any) -> None:
    async with open_house(models=[Silent(), Broken(), ScriptedModel({"*": [Step(text="Hello.")]})]) as house:
        await capped(house, first_token_s=0.05)
        turn = await house.say("hello")

        assert (turn.answer, turn.status, turn.all("done")[0]["model"]) == ("Hello.", "completed", "scripted")


async def test_a_turn_that_takes_too_long_is_stopped_and_tells_what_it_did(open_house: Any, calls: Any) -> None:
    class LocksThenStalls(Silent):
        async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
            if prompt.messages[-1].role == "user":
                yield calls(LOCK)
            async for part in super().stream(prompt):
                yield part

    async with open_house(models=[LocksThenStalls(begins=True)]) as house:
        await capped(house, turn_s=6.0)
        turn = await house.say("lock up")

        assert turn.status == "failed"
        assert turn.all("error")[0]["error"]["code"] == "TURN_TIMEOUT"
        assert turn.answer == "Sorry, this took too long, so I stopped. Back door lock is locked."
        said = await house.running.stores.conversations.messages(
            house.home_id, house.home_id, turn.all("turn")[0]["thread_id"]
        )
        assert said[-1].text == turn.answer


@pytest.mark.parametrize(
    ("caps", "steps", "told", "made"),
    [
        ({"steps": 2}, [[LOOK], [LOOK], [LOOK]], "too many steps", 2),
        ({"calls": 3}, [[LOOK] * 5, []], "more than I do in one go (3 calls)", 3),
        ({"tokens": 100}, [[LOOK], [LOOK], [LOOK]], "more words than one request may use", 2),
    ],
)
async def test_each_cap_is_told_in_words(
    open_house: Any, caps: dict[str, int], steps: list[list[Any]], told: str, made: int
) -> None:
    script = [
        Step(
            text="" if wanted else "That is all.",
            calls=tuple(ToolCall(id=f"c{n}-{i}", name=c[0], arguments=c[1]) for i, c in enumerate(wanted)),
            input_tokens=40, output_tokens=20,
        )
        for n, wanted in enumerate(steps)
    ]  # fmt: skip
    async with open_house({"go": script}) as house:
        await capped(house, **caps)
        turn = await house.say("go")

        assert turn.status == "completed"
        assert told in turn.answer
        assert len(turn.all("tool_start")) == made


async def test_what_is_shown_has_an_end(open_house: Any) -> None:
    words = "All is well here today my friend. " * 2_000
    async with open_house({"talk": [Step(text=words)]}) as house:
        turn = await house.say("talk")

        assert len(turn.answer) <= 20_000
        assert sum(len(t["text"]) for t in turn.all("token")) <= 21_000


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"device_id": "x" * 70_000}, "larger than 65536 bytes"),
        ({"device_id": float("nan")}, "cannot be read"),
        ({"device_id": "\ud800"}, "cannot be read"),
        ({"device_id": {1, 2}}, "cannot be read"),
        (["not", "an", "object"], "not an object"),
    ],
)
async def test_arguments_that_cannot_be_used_are_told_and_not_called(
    open_house: Any, arguments: Any, told: str
) -> None:
    call = ToolCall(id="c", name="control_device", arguments=arguments)
    async with open_house({"go": [Step(text="", calls=(call,)), Step(text="Okay.")]}) as house:
        turn = await house.say("go")

        assert turn.status == "completed"
        [end] = turn.all("tool_end")
        assert end["status"] == "error"
        assert told in end["result"]


async def test_calls_that_share_an_id_are_still_calls_of_their_own(open_house: Any) -> None:
    wanted = ("lock", "lock", "unlock")
    steps = [
        Step(text="", calls=tuple(
            ToolCall(id="same", name="control_device", arguments={"device_id": "back_door_lock", "command": c})
            for c in wanted
        )),
        Step(text="", calls=(ToolCall(id="same", name="get_home_summary", arguments={}), ToolCall(id="", name=""))),
        Step(text="Okay."),
    ]  # fmt: skip
    async with open_house({"go": steps}) as house:
        turn = await house.say("go")
        ids = [t["id"] for t in turn.all("tool_start")]

        assert len(set(ids)) == len(ids) == 3
        assert turn.status == "waiting"
