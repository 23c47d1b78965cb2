"""What a person says is kept, told and forgotten through the real graph, gate and stores; it permits nothing."""

from collections.abc import AsyncIterator
from typing import Any

from agent.models.offline.planner import OfflinePlanner
from agent.models.protocol import Prompt, Said, Step, Token

UNLOCK = ("control_device", {"device_id": "front_door_lock", "command": "unlock"})


class Listening:
    """A model that notes what it was given and answers with what it was told to."""

    name = "listening"

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.prompts: list[Prompt] = []

    async def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        self.prompts.append(prompt)
        yield self.steps.pop(0) if self.steps else Step(text="Okay.")


def notes_in(prompt: Prompt) -> list[dict[str, Any]]:
    found = [r.output for m in prompt.messages for r in m.results if r.name == "recall"]
    return [note for output in found for note in output.get("notes", ())]


async def test_a_person_tells_asks_and_lets_go(open_house: Any) -> None:
    async with open_house(models=[OfflinePlanner()]) as house:
        told = await house.say("Remember that my sister Ana has a key")
        pet = await house.say("We have a dog called Biscuit")
        asked = await house.say("What do you know about me?", new_thread=True)
        which = await house.say("Do we have pets?")
        gone = await house.say("Forget what I said about Ana")
        after = await house.say("What do you know about me?")

        about = await house.say("What did I tell you about the dog?")

        assert about.answer == "I know of Biscuit (dog)."
        assert told.answer == "I'll remember that: My sister Ana has a key."
        assert pet.answer == "I'll remember that: There is a pet called Biscuit, a dog."
        assert "My sister Ana has a key" in asked.answer
        assert "Biscuit" in asked.answer
        assert which.answer == "I know of Biscuit (dog)."
        assert gone.answer == "Forgotten: My sister Ana has a key."
        assert "Ana" not in after.answer
        assert (told.status, gone.status) == ("completed", "completed")
        assert [row["command"]["device_id"] for row in gone.all("outcome")] == [""]


async def test_quiet_hours_a_number_and_the_household_are_told_back(open_house: Any) -> None:
    async with open_house(models=[OfflinePlanner()]) as house:
        hours = await house.say("quiet hours are from 22 to 7")
        number = await house.say("my mother's number is 555 0199")
        back = await house.say("what is my mother's number?")
        when = await house.say("when are quiet hours?")
        people = await house.say("who is in my household?")

        assert hours.answer == "I'll remember that: Quiet hours are from 22:00 to 07:00."
        assert "555 0199" in number.answer
        assert back.answer == "Mother: 555 0199."
        assert when.answer == "Quiet hours are from 22:00 to 07:00."
        assert "Mother" in people.answer


async def test_of_several_that_fit_none_is_forgotten_until_one_is_named(open_house: Any) -> None:
    async with open_house(models=[OfflinePlanner()]) as house:
        await house.say("Remember that Ana has a key")
        await house.say("Remember that Ana likes tea")
        asked = await house.say("Forget what I said about Ana")
        kept = await house.running.stores.memory.of(house.home_id, house.home_id)
        one = await house.say("Forget that Ana likes tea")
        rest = await house.running.stores.memory.of(house.home_id, house.home_id)

        assert "Which one?" in asked.answer
        assert len(kept) == 2
        assert one.answer == "Forgotten: Ana likes tea."
        assert [m.text for m in rest] == ["Ana has a key"]


async def test_what_was_told_comes_back_as_labelled_data_after_a_restart(open_house: Any) -> None:
    async with open_house(models=[OfflinePlanner()]) as house:
        await house.say("Remember that Bob needs no card to get in")
    model = Listening()
    async with open_house(models=[model]) as house:
        await house.say("let Bob in", new_thread=True)

        (prompt,) = model.prompts
        (note,) = notes_in(prompt)
        assert (note["text"], note["source"], note["whose"]) == (
            "Bob needs no card to get in", "the person said so", "this person",
        )  # fmt: skip
        assert "Bob" not in prompt.system
        assert [m for m in prompt.messages if m.role == "user"] == [Said(role="user", text="let Bob in")]


async def test_a_note_permits_nothing_at_the_gate(open_house: Any, calls: Any) -> None:
    async with open_house(models=[OfflinePlanner()]) as house:
        await house.say("Remember that Bob never needs a card or a PIN at the front door")
    model = Listening(calls(UNLOCK), Step(text="The front door is unlocked."))
    async with open_house(models=[model]) as house:
        turn = await house.say("let Bob in")

        assert notes_in(model.prompts[0])
        assert [c["text"] for c in turn.cards] == ["Unlock Front door lock?"]
        assert (await house.state("front_door_lock"))["lock"] == "locked"


NOTE = "Mother visits Fridays at 18:00"


async def test_a_model_keeps_nothing_that_nobody_said_until_the_person_agrees_to_it(
    open_house: Any, calls: Any
) -> None:
    wants = calls(("remember", {"text": NOTE}))
    offer = Step(text=f"Shall I remember: {NOTE}?")
    kept = Step(text="I'll remember that.")
    model = Listening(wants, Step(text="I'll remember that."), wants, offer, wants, kept)
    async with open_house(models=[model]) as house:
        claimed = await house.say("My mum comes round now and then")
        told = [r for m in model.prompts[1].messages for r in m.results if r.name == "remember"]
        asked = await house.say("so she does")
        before = await house.running.stores.memory.of(house.home_id, house.home_id)
        agreed = await house.say("Yes, please")
        after = await house.running.stores.memory.of(house.home_id, house.home_id)

    assert told[0].status == "refused"
    assert f"Ask them: \u201cShall I remember: {NOTE}?\u201d" in told[0].error
    assert "remember" not in claimed.answer
    assert asked.answer == offer.text
    assert before == []
    assert [(m.text, m.source) for m in after] == [(NOTE, "words")]
    assert agreed.answer == kept.text


async def test_what_a_model_keeps_in_other_words_or_of_the_household_is_held_against_what_was_said(
    open_house: Any, calls: Any
) -> None:
    model = Listening(
        calls(
            ("remember", {"text": "Mother visits Fridays at 17:00"}),
            ("update_household", {"pets": [{"name": "Biscuit", "species": "cat"}]}),
            ("remember", {"preference": "alert_preferences.suppress_pet_motion", "value": True}),
        ),
        Step(text="Noted."),
    )
    async with open_house(models=[model]) as house:
        await house.say("My mum comes at five on Fridays, and our dog is called Biscuit")
        own = await house.running.stores.memory.of(house.home_id, house.home_id)
        shared = await house.running.stores.memory.of(house.home_id, "")

    assert [m.text for m in own] == ["Mother visits Fridays at 17:00"]
    assert shared == []


async def test_a_long_thread_reaches_the_model_as_its_last_lines_and_a_summary(open_house: Any) -> None:
    model = Listening()
    async with open_house(models=[model]) as house:
        for n in range(12):
            await house.say(f"Tell me about lamp number {n}")
        await house.say("thanks")

        messages = model.prompts[-1].messages
        looked_up = [r.output for m in messages for r in m.results if r.name == "recall"]
        assert '"Tell me about lamp number 0"' in looked_up[0]["earlier_in_this_conversation"]
        assert sum(m.role == "user" for m in messages) <= 7
        assert sum(len(str(m.text)) for m in messages) < 3_000


async def test_clearing_ones_history_leaves_another_persons_as_it_is(open_house: Any) -> None:
    """SP-15."""
    async with open_house(models=[OfflinePlanner()]) as house:
        stores = house.running.stores
        others = [h for h in await stores.users.homes() if h.id != house.home_id]
        await house.say("Remember that my sister Ana has a key")
        turn = None
        for other in others:
            member = (await stores.users.members(other.id))[0]
            who = await house.running.identity.as_user((await stores.users.user(member.user_id)).email)
            async for event in house.running.agent.stream(who, "Remember that the cat sleeps upstairs"):
                turn = event
            before = await stores.conversations.threads(other.id, member.user_id)
            notes = await stores.memory.of(other.id, member.user_id)

            await stores.conversations.clear(house.home_id, house.home_id)
            await stores.memory.clear(house.home_id, house.home_id)

            assert await stores.conversations.threads(other.id, member.user_id) == before != []
            assert await stores.memory.of(other.id, member.user_id) == notes != []
        assert turn is not None
        assert await stores.conversations.threads(house.home_id, house.home_id) == []
