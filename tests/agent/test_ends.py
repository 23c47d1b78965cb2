"""Every way in which a turn can end that is not its own last word."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from agent.lines import MAX_IN_LINE
from agent.models.protocol import Prompt, Step, Token
from homeguard.errors import Overloaded
from homeguard.model import Member, Principal, User

LOCK = ("control_device", {"device_id": "back_door_lock", "command": "lock"})
UNLOCK = ("control_device", {"device_id": "front_door_lock", "command": "unlock"})


class Held:
    """A model that says nothing before it is let, and notes who came when."""

    name = "held"

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.seen: list[tuple[str, ...]] = []

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        words = prompt.messages[-1].text
        self.begun.append(words)
        self.seen.append(tuple(m.text for m in prompt.messages))
        await self.go.wait()
        self.ended.append(words)
        yield Step(text=f"You said {words}.")


async def until(reached: Any) -> None:
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110 - what is looked at has no event
            await asyncio.sleep(0.005)


async def until_said(house: Any, thread_id: str, lines: int) -> None:
    async with asyncio.timeout(10):
        while len(await said(house, thread_id)) < lines:  # noqa: ASYNC110 - a store
            await asyncio.sleep(0.005)


async def said(house: Any, thread_id: str) -> list[str]:
    found = await house.running.stores.conversations.messages(house.home_id, house.home_id, thread_id)
    return [m.text for m in found]


async def test_two_tabs_on_one_conversation_take_turns_in_the_order_in_which_they_came(open_house: Any) -> None:
    model = Held()
    async with open_house(models=[model]) as house:
        one = asyncio.create_task(house.say("one", thread_id="t"))
        await until(lambda: model.begun == ["one"])
        two = asyncio.create_task(house.say("two", thread_id="t"))
        three = asyncio.create_task(house.say("three", thread_id="t"))
        other = asyncio.create_task(house.say("other", thread_id="u"))
        await until(lambda: "other" in model.begun)
        assert model.begun == ["one", "other"]

        model.go.set()
        await asyncio.gather(one, two, three, other)

        assert await said(house, "t") == [
            "one", "You said one.", "two", "You said two.", "three", "You said three.",
        ]  # fmt: skip
        assert model.seen[-1] == ("one", "You said one.", "two", "You said two.", "three")


async def test_a_conversation_has_a_bounded_line(open_house: Any) -> None:
    model = Held()
    async with open_house(models=[model]) as house:
        tabs = [asyncio.create_task(house.say(f"{i}", thread_id="t")) for i in range(MAX_IN_LINE + 1)]
        await until(lambda: len(model.begun) == 1)
        with pytest.raises(Overloaded):
            await house.say("one too many", thread_id="t")
        model.go.set()
        await asyncio.gather(*tabs)

        assert len(await said(house, "t")) == 2 * (MAX_IN_LINE + 1)


async def test_a_client_that_leaves_the_line_is_heard_all_the_same(open_house: Any) -> None:
    model = Held()
    async with open_house(models=[model]) as house:
        first = asyncio.create_task(house.say("one", thread_id="t"))
        await until(lambda: model.begun == ["one"])
        second = asyncio.create_task(house.say("two", thread_id="t"))
        await asyncio.sleep(0)
        second.cancel()
        model.go.set()
        await first
        await until(lambda: model.ended == ["one", "two"])
        await until_said(house, "t", 4)


async def test_a_new_request_leaves_an_open_question_open(open_house: Any, calls: Any) -> None:
    script = {
        "open up": [calls(UNLOCK), Step(text="The Front door lock is unlocked.")],
        "lock up": [calls(LOCK), Step(text="I have locked the Back door lock.")],
    }
    async with open_house(script) as house:
        asked = await house.say("open up")
        other = await house.say("lock up")

        assert other.answer == "I have locked the Back door lock."
        assert [c.id for c in await house.running.plane.commands.inbox(house.owner)] == [asked.cards[0]["id"]]

        await house.press(asked.cards[0]["id"])
        assert await house.continued(asked.all("turn")[0]["turn_id"]) == "The Front door lock is unlocked."


async def test_a_turn_whose_person_has_left_the_home_ends_and_its_cards_close(open_house: Any, calls: Any) -> None:
    script = {"open up": [calls(UNLOCK), Step(text="Unlocked.")]}
    async with open_house(script) as house:
        users, agent = house.running.stores.users, await house.running.agent._late.here()
        anna = User(id="anna", email="anna@x.com", name="Anna", created_at=house.running.clocks.now(""))
        await users.put_user(anna, "-")
        await users.put_member(Member(home_id=house.home_id, user_id="anna", role="member"))
        principal = Principal(home_id=house.home_id, user_id="anna", role="member", caller="person")
        async for event in agent.agent.stream(principal, "open up"):
            last = event.name
        [card] = await house.running.plane.commands.inbox(house.owner)
        assert (last, card.user_id) == ("done", "anna")
        # there is no door for this yet
        await users._database.change("DELETE FROM members WHERE user_id = 'anna'")

    async with open_house(script) as house:
        async with asyncio.timeout(10):
            while await house.running.plane.commands.inbox(house.owner):  # noqa: ASYNC110 - a store
                await asyncio.sleep(0.01)
        closed = await house.running.plane.commands.confirmation(house.owner, card.id)
        assert (closed.state, closed.decided_by) == ("denied", "")
        assert (await house.state("front_door_lock"))["lock"] == "locked"


async def test_a_turn_that_is_cut_off_by_the_end_goes_on_after_the_start(
    open_house: Any, calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = {"lock up": [calls(LOCK), Step(text="I have locked the Back door lock.")]}
    monkeypatch.setattr("agent.service.ENDING_S", 0.05)
    held = Held()
    async with open_house(models=[held]) as house:
        turn = asyncio.create_task(house.say("lock up", thread_id="t"))
        await until(lambda: held.begun == ["lock up"])
    cut = await turn
    assert cut.status == "failed"
    assert cut.all("error")[0]["error"]["code"] == "SHUTTING_DOWN"

    async with open_house(script) as house:
        await until_said(house, "t", 2)
        assert await said(house, "t") == ["lock up", "I have locked the Back door lock."]


@pytest.mark.parametrize("done", [True, False])
async def test_a_turn_that_was_cut_off_too_long_ago_does_nothing_more_and_tells_what_it_did(
    open_house: Any, calls: Any, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    held = Held()
    script = {"*": [calls(LOCK), Step(text="Never said.")]}
    monkeypatch.setattr("agent.service.ENDING_S", 0.05)

    class HeldLater(Held):
        async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
            if prompt.messages[-1].role == "user":
                yield calls(LOCK)
            else:
                async for part in super().stream(prompt):
                    yield part

    held = HeldLater() if done else Held()
    async with open_house(models=[held]) as house:
        turn = asyncio.create_task(house.say("lock up", thread_id="t"))
        await until(lambda: held.begun)
    await turn

    monkeypatch.setattr("agent.taking_up.GOES_ON_WITHIN", timedelta(seconds=-1))
    async with open_house(script) as house:
        await until_said(house, "t", 2)
        [_, answer] = await said(house, "t")
        rows = await house.running.stores.journal.commands(
            house.home_id, since=house.running.clocks.now("").replace(year=2020)
        )

        assert len(rows) == done
        told = "finish. Back door lock is locked." if done else "start. Nothing was changed."
        assert answer.startswith(f"I was interrupted before I could {told} Tell me again if you still want")


async def test_the_name_of_somebody_elses_conversation_opens_one_of_ones_own(open_house: Any) -> None:
    async with open_house({"*": [Step(text="Hello.")]}) as house:
        turn = await house.say("mine")
        thread = turn.all("turn")[0]["thread_id"]
        agent = (await house.running.agent._late.here()).agent
        other = Principal(home_id=house.home_id, user_id="anna", role="member", caller="person")
        async for _ in agent.stream(other, "theirs", thread_id=thread):
            pass
        assert await said(house, thread) == ["mine", "Hello."]
