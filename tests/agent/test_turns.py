"""Turns through the real graph, MCP servers, gate and stores, with a scripted model."""

import asyncio
from typing import Any

import pytest

from agent.models.protocol import Step
from homeguard.errors import InvalidInput, StorageFull

UNLOCK = ("control_device", {"device_id": "front_door_lock", "command": "unlock"})
LOCK_BACK = ("control_device", {"device_id": "back_door_lock", "command": "lock"})


async def test_a_turn_reads_acts_and_answers_with_evidence(open_house: Any, calls: Any) -> None:
    script = {"lock up": [calls(LOCK_BACK), Step(text="I have locked the Back door lock.")]}
    async with open_house(script) as house:
        turn = await house.say("lock up")

        assert [name for name, _ in turn.events if name != "token"] == [
            "turn", "tool_start", "tool_end", "outcome", "answer", "done",
        ]  # fmt: skip
        assert (turn.answer, turn.status) == ("I have locked the Back door lock.", "completed")
        assert turn.all("answer")[0]["evidence"] == [turn.all("outcome")[0]["command"]["command_id"]]
        assert (await house.state("back_door_lock"))["lock"] == "locked"


async def test_a_model_that_claims_what_did_not_happen_is_corrected(open_house: Any, calls: Any) -> None:
    script = {
        "lie": [Step(text="Done! I have unlocked the front door.")],
        "lie after asking": [calls(UNLOCK), Step(text="The door has been unlocked. All done.")],
    }
    async with open_house(script) as house:
        plain = await house.say("lie")
        asked = await house.say("lie after asking")
        await house.press(asked.cards[0]["id"], approve=False)
        said = await house.continued(asked.all("turn")[0]["turn_id"])

        assert plain.answer == "Nothing was changed."
        assert "unlocked" not in said
        assert "you said no" in said
        assert (await house.state("front_door_lock"))["lock"] == "locked"


async def test_an_unlock_waits_for_the_card_and_goes_on_when_it_is_pressed_at_another_door(
    open_house: Any, calls: Any
) -> None:
    script = {"open up": [calls(UNLOCK), Step(text="I have unlocked the Front door lock.")]}
    async with open_house(script) as house:
        turn = await house.say("open up")

        assert turn.status == "waiting"
        assert [c["text"] for c in turn.cards] == ["Unlock Front door lock?"]
        assert (await house.state("front_door_lock"))["lock"] == "locked"

        await house.press(turn.cards[0]["id"])

        assert await house.continued(turn.all("turn")[0]["turn_id"]) == "I have unlocked the Front door lock."
        assert (await house.state("front_door_lock"))["lock"] == "unlocked"


async def test_a_waiting_turn_survives_a_restart(open_house: Any, calls: Any) -> None:
    script = {"open up": [calls(UNLOCK), Step(text="I have unlocked the Front door lock.")]}
    async with open_house(script) as house:
        turn = await house.say("open up")
    async with open_house(script) as house:
        inbox = await house.running.plane.commands.inbox(house.owner)
        assert [c.id for c in inbox] == [turn.cards[0]["id"]]

        await house.press(inbox[0].id)

        assert await house.continued(turn.all("turn")[0]["turn_id"]) == "I have unlocked the Front door lock."


async def test_a_card_answered_just_before_a_crash_is_told_after_the_restart(open_house: Any, calls: Any) -> None:
    script = {"open up": [calls(UNLOCK), Step(text="I have unlocked the Front door lock.")]}
    async with open_house(script) as house:
        turn = await house.say("open up")
        card = turn.cards[0]["id"]
    async with open_house(script) as house:
        # decided in the store alone, as if the process had ended before the worker saw it
        stores, now = house.running.stores, house.running.clocks.now("")
        assert await stores.confirmations.decide(
            house.home_id, card, approve=False, by=house.home_id, now=now, commands=[]
        )
    async with open_house(script) as house:
        assert "you said no" in await house.continued(turn.all("turn")[0]["turn_id"])


async def test_words_in_the_chat_are_never_the_press(open_house: Any, calls: Any) -> None:
    script = {"open up": [calls(UNLOCK)], "yes": [Step(text="You're welcome.")]}
    async with open_house(script) as house:
        turn = await house.say("open up")
        await house.say("yes")

        assert (await house.state("front_door_lock"))["lock"] == "locked"
        assert [c.id for c in await house.running.plane.commands.inbox(house.owner)] == [turn.cards[0]["id"]]


async def test_a_turn_is_finished_and_written_down_when_the_listener_leaves(open_house: Any, calls: Any) -> None:
    script = {"lock up": [calls(LOCK_BACK), Step(text="I have locked the Back door lock.")]}
    async with open_house(script) as house:
        stream = house.running.agent.stream(house.owner, "lock up")
        first = await anext(stream)
        await stream.aclose()

        async with asyncio.timeout(10):
            while True:
                said = await house.running.stores.conversations.messages(
                    house.home_id, house.home_id, first.data["thread_id"]
                )
                if len(said) == 2:
                    break
                await asyncio.sleep(0.01)
        assert said[-1].text == "I have locked the Back door lock."


async def test_a_model_that_cannot_stop_is_stopped(open_house: Any, calls: Any) -> None:
    look = calls(("get_home_summary", {}))
    async with open_house({"loop": [look] * 50}) as house:
        turn = await house.say("loop")

        assert turn.status == "completed"
        assert len(turn.all("tool_start")) <= 20
        assert "stopped" in turn.answer


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("no_such_tool", {}, "no tool"),
        ("control_device", {"device_id": "nobody", "command": "lock"}, "no device"),
        (
            "control_device",
            {"device_id": "thermostat", "command": "set_temperature", "parameters": {"value": 120}},
            "95",
        ),
        ("control_device", {"device_id": 5}, "device_id"),
        ("control_device", {"device_id": "front_door_lock", "command": "lock" * 5_000}, "lock"),
    ],
)
async def test_malformed_calls_come_back_as_errors_and_change_nothing(
    open_house: Any, calls: Any, name: str, arguments: dict[str, Any], why: str
) -> None:
    async with open_house({"go": [calls((name, arguments)), Step(text="ok")]}) as house:
        before = {d: await house.state(d) for d in ("front_door_lock", "thermostat")}
        turn = await house.say("go")

        assert turn.status == "completed"
        assert turn.all("tool_end")[0]["status"] == "error"
        assert why in turn.all("tool_end")[0]["result"]
        assert {d: await house.state(d) for d in before} == before


async def test_a_model_that_does_not_answer_ends_the_turn_in_words(open_house: Any) -> None:
    async with open_house({}) as house:
        turn = await house.say("anything")

        assert turn.status == "failed"
        assert turn.all("error")[0]["error"]["code"] == "MODEL_UNAVAILABLE"
        assert "Nothing was changed" in turn.answer


@pytest.mark.parametrize("words", ["", "   ", "x" * 8_001, "\ud800", "a\x00b"])
async def test_what_is_not_a_message_is_refused_and_not_kept(open_house: Any, words: str) -> None:
    async with open_house({}) as house:
        with pytest.raises(InvalidInput):
            await house.say(words)

        assert await house.running.stores.conversations.threads(house.home_id, house.home_id) == []


async def test_one_question_that_two_turns_wait_for_is_told_to_both(open_house: Any, calls: Any) -> None:
    script = {"open up": [calls(UNLOCK), Step(text="I have unlocked the Front door lock.")]}
    async with open_house(script) as house:
        first = await house.say("open up")
        second = await house.say("open up")
        assert first.cards[0]["id"] == second.cards[0]["id"]

        await house.press(first.cards[0]["id"])

        for turn in (first, second):
            assert "unlocked" in await house.continued(turn.all("turn")[0]["turn_id"])
        commands = await house.running.stores.journal.commands(
            house.home_id, since=house.running.stores and house.running.clocks.now("").replace(year=2020)
        )
        assert [c.command for c in commands] == ["unlock"]


async def test_a_claim_is_not_even_streamed_before_it_is_true(open_house: Any, calls: Any) -> None:
    script = {
        "lie": [Step(text="Hello there. I have unlocked the front door. Anything else?")],
        "act": [calls(LOCK_BACK), Step(text="I have locked the Back door lock.")],
    }
    async with open_house(script) as house:
        lie, act = await house.say("lie"), await house.say("act")

        assert "".join(t["text"] for t in lie.all("token")).split() == ["Hello", "there.", "Anything", "else?"]
        assert "".join(t["text"] for t in act.all("token")).strip() == "I have locked the Back door lock."


async def test_an_answer_that_cannot_be_written_down_ends_that_turn_only(
    open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house({"hello": [Step(text="Hello there.")]}) as house:
        store = house.running.stores.conversations
        append = store.append

        async def full(home_id: str, messages: Any) -> None:
            if any(message.role == "assistant" for message in messages):
                raise StorageFull("the disk is full")
            await append(home_id, messages)

        monkeypatch.setattr(store, "append", full)
        assert (await house.say("hello")).status == "failed"
        monkeypatch.undo()

        assert (await house.say("hello")).status == "completed"
