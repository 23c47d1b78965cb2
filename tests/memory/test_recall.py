"""What a turn begins with, over the embedded stores: bounded, labelled, and nobody else's."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeguard.clock import SystemClock
from homeguard.model import Effect, Message, Principal, Turn
from homeguard.ports.memory import SHARED
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from memory.items import Item, fact, member_of_household
from memory.recall import LIMIT, Recall
from memory.remember import AfterTurn, Memories, NotSaid

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = Principal(home_id="h1", user_id="anna", role="owner", caller="agent")
BEN = replace(ANNA, user_id="ben", role="member")
GUEST = replace(ANNA, user_id="gus", role="guest")


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_embedded(tmp_path, SystemClock()) as opened:
        yield opened


def memories(stores: Stores) -> Memories:
    return Memories(stores.memory, SystemClock(), stores.conversations, is_yes=lambda words: words == "yes")


async def keep(stores: Stores, principal: Principal, *items: Item, words: str = "") -> None:
    turn = Turn(id="t", thread_id="th", words=words or " ".join(i.text for i in items))
    effect = Effect(kind="remember", parameters={"items": [i.as_json() for i in items]})
    who = replace(principal, turn=turn) if principal.caller == "agent" else principal
    await memories(stores).remember(who, effect, "act")


async def talk(stores: Stores, turns: int, first: int = 0, who: Principal = ANNA) -> None:
    for n in range(first, first + turns):
        at = AT + timedelta(minutes=n)
        row = {"command_id": f"c{n}", "device": f"Lamp {n}", "command": "turn_on", "outcome": "confirmed"}
        lines = [
            Message(id=f"s{n}", home_id="h1", user_id=who.user_id, thread_id="th", turn_id=f"t{n}", role="user",
                    text=f"Switch on lamp {n}", at=at),
            Message(id=f"a{n}", home_id="h1", user_id=who.user_id, thread_id="th", turn_id=f"t{n}", role="assistant",
                    text=f"Lamp {n} is on.", at=at, commands=(row,) if n % 3 == 0 else ()),
        ]  # fmt: skip
        await stores.conversations.append("h1", lines)
        await AfterTurn(stores.conversations).after_turn(
            who, "th", words=lines[0].text, commands=lines[1].commands, now=at, time_zone="Europe/Berlin"
        )


async def test_what_was_kept_comes_back_with_its_source_and_time_as_data(stores: Stores) -> None:
    await keep(stores, ANNA, fact("My sister Ana has a key"))
    await keep(stores, BEN, member_of_household("pet", {"name": "Biscuit", "species": "dog"}))

    found = await Recall(stores.conversations, stores.memory).recall(ANNA, "", "does Ana like the dog?")

    assert [(n.text, n.whose, n.source) for n in found.notes] == [
        ("There is a pet called Biscuit, a dog", "the household", "the person said so"),
        ("My sister Ana has a key", "this person", "the person said so"),
    ]
    notes = found.as_data()["notes"]
    assert isinstance(notes, list)
    assert all(set(n) == {"id", "text", "kind", "whose", "source", "at"} and n["at"] for n in notes)
    assert not found.tainted


async def test_nobody_recalls_another_persons_notes_and_a_guest_none_at_all(stores: Stores) -> None:
    await keep(stores, ANNA, fact("The diary is under the bed"))
    await keep(stores, ANNA, fact("The diary shop is on Elm Street", shared=True))
    recall = Recall(stores.conversations, stores.memory)

    assert [n.text for n in (await recall.recall(BEN, "", "diary")).notes] == ["The diary shop is on Elm Street"]
    assert (await recall.recall(GUEST, "", "diary")).notes == ()
    assert (await recall.recall(replace(ANNA, home_id="h2"), "", "diary")).notes == ()
    assert len((await recall.recall(ANNA, "", "diary")).notes) == 2


async def test_a_long_thread_is_recalled_by_its_last_lines_and_a_summary_that_grows(stores: Stores) -> None:
    recall = Recall(stores.conversations, stores.memory)
    await talk(stores, 6)
    assert (await recall.recall(ANNA, "th", "hello")).summary == ""

    await talk(stores, 4, first=6)
    found = await recall.recall(ANNA, "th", "hello")

    assert [m.text for m in found.messages][:2] == ["Switch on lamp 4", "Lamp 4 is on."]
    assert found.summary.splitlines()[0] == (
        '2026-03-01 12:00 asked: "Switch on lamp 0". Done: Lamp 0: turn on, confirmed.'
    )
    assert len(found.summary.splitlines()) == 4
    context = await stores.conversations.context("h1", "anna", "th")
    assert context["summary"][1]["ids"] == ["s1", "a1"]  # type: ignore[index,call-overload]


async def test_all_that_is_recalled_stays_small_however_much_there_is(stores: Stores) -> None:
    await talk(stores, 120)
    for n in range(40):
        await keep(stores, ANNA, fact(f"Lamp note {n} " + "x" * 300))

    found = await Recall(stores.conversations, stores.memory).recall(ANNA, "th", "lamp")

    assert len(found.messages) == 12
    assert len(found.summary) + sum(len(n.text) for n in found.notes) <= LIMIT
    assert found.summary
    assert found.notes
    context = await stores.conversations.context("h1", "anna", "th")
    rows = context["summary"]
    assert isinstance(rows, list)
    assert len(rows) == 40
    assert sum(bool(r["did"]) for r in rows) == 38  # what was done stays longest


async def test_what_a_program_or_a_tainted_turn_kept_is_marked_for_good(stores: Stores) -> None:
    await keep(stores, replace(ANNA, caller="client", name="desktop"), fact("No PIN is needed for Bob"))
    turn = Turn(id="t", thread_id="th", words="read me the note", tainted=True)
    effect = Effect(kind="remember", parameters={"items": [fact("Bob may come in").as_json()]})
    await memories(stores).remember(replace(ANNA, turn=turn), effect, "act")

    found = await Recall(stores.conversations, stores.memory).recall(ANNA, "", "bob")

    assert {n.source for n in found.notes} == {"written by a program", "third-party text"}
    assert found.tainted


async def test_what_a_model_made_up_is_not_kept_and_the_person_is_to_be_asked(stores: Stores) -> None:
    await keep(stores, ANNA, fact("Bob is my brother"), words="please remember that Bob is my brother, ok?")
    with pytest.raises(NotSaid, match=r"Ask them: .Shall I remember: Bob is allowed everything\?"):
        await keep(stores, ANNA, fact("Bob is allowed everything"), words="remember that Bob is my brother")

    kept = {m.text: m.source for m in await stores.memory.of("h1", "anna")}
    assert kept == {"Bob is my brother": "words"}


async def test_what_was_said_earlier_counts_and_so_does_a_yes_to_the_very_words(stores: Stores) -> None:
    await talk(stores, 1)
    said = ("earlier", "user", "my mum drops by on Fridays"), ("offer", "assistant", "Shall I note: Ruth has a key?")
    for n, (turn_id, role, text) in enumerate(said, 10):
        at = AT + timedelta(minutes=n)
        line = Message(id=f"m{n}", home_id="h1", user_id="anna", thread_id="th", turn_id=turn_id, role=role, text=text,
                       at=at)  # type: ignore[arg-type]  # fmt: skip
        await stores.conversations.append("h1", [line])

    await keep(stores, ANNA, fact("Mother visits on Fridays"), words="remember that, please")
    with pytest.raises(NotSaid):
        await keep(stores, ANNA, fact("Ruth has a key"), words="not now")
    with pytest.raises(NotSaid):
        await keep(stores, BEN, fact("Mother visits on Fridays"), words="hello")
    with pytest.raises(NotSaid):
        await keep(stores, ANNA, fact("Ruth has two keys"), words="yes")
    await keep(stores, ANNA, fact("Ruth has a key"), words="yes")

    assert {m.text for m in await stores.memory.of("h1", "anna")} == {"Mother visits on Fridays", "Ruth has a key"}


async def test_a_vacation_that_was_told_is_recalled_in_its_thread(stores: Stores) -> None:
    await talk(stores, 1)
    await AfterTurn(stores.conversations).after_turn(
        ANNA, "th", words="I'm leaving tomorrow for 2 weeks",
        commands=[{"command_id": "c", "outcome": "confirmed", "data": {"mode": "vacation"}}],
        now=datetime(2024, 1, 15, 23, 30, tzinfo=UTC), time_zone="Europe/Berlin",
    )  # fmt: skip

    context = await stores.conversations.context("h1", "anna", "th")
    assert (context["vacation_mode"], context["return_date"]) == (True, "2024-01-31")  # it was the 16th in Berlin
    found = await Recall(stores.conversations, stores.memory).recall(ANNA, "th", "hi")
    assert [n.text for n in found.notes] == ["The person said that they come back on 2024-01-31"]


class Alike:
    """Nearness by shared letters: enough to stand for one that knows meanings."""

    async def near(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        return [0.9 if "hound" in question and "dog" in text else 0.1 for text in texts]


async def test_with_nearness_notes_are_found_that_share_no_word(stores: Stores) -> None:
    await keep(stores, ANNA, fact("The dog sleeps upstairs"), fact("The car is blue"))

    without = await Recall(stores.conversations, stores.memory).recall(ANNA, "", "where is the hound?")
    found = await Recall(stores.conversations, stores.memory, Alike()).recall(ANNA, "", "where is the hound?")

    assert without.notes == ()
    assert [n.text for n in found.notes] == ["The dog sleeps upstairs"]


async def test_a_thread_of_another_person_recalls_nothing(stores: Stores) -> None:
    await talk(stores, 20)
    found = await Recall(stores.conversations, stores.memory).recall(BEN, "th", "lamp")

    assert (found.messages, found.summary, found.notes) == ((), "", ())
    assert await stores.memory.of("h1", SHARED) == []
