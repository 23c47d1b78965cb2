"""What was said, by thread."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeguard.errors import HomeMismatch
from homeguard.model import Message, Thread

PORTS = ("conversations",)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def message(number: int, **changes) -> Message:
    return replace(
        Message(
            id=f"m{number}", home_id="h1", user_id="anna", thread_id="t1", turn_id="u", role="user",
            text=f"Line {number}", at=AT + number * SECOND, calls=({"tool": "x"},), commands=({"id": "c"},),
            confirmations=("q1",),
        ),
        **changes,
    )  # fmt: skip


async def test_lines_come_oldest_first_and_equal_times_in_the_order_in_which_they_were_said(stores):
    lines = [message(1), message(0, role="assistant", at=AT + SECOND), message(2)]
    await stores.conversations.append("h1", lines)

    assert await stores.conversations.messages("h1", "anna", "t1") == lines
    assert await stores.conversations.messages("h1", "anna", "t1", limit=2) == lines[1:]
    assert await stores.conversations.messages("h1", "anna", "none") == []


async def test_a_line_said_again_replaces_itself_in_place(stores):
    lines = [message(1), message(2, at=AT + SECOND)]
    await stores.conversations.append("h1", lines)
    await stores.conversations.append("h1", [replace(lines[0], text="Better")])

    assert await stores.conversations.messages("h1", "anna", "t1") == [replace(lines[0], text="Better"), lines[1]]


async def test_a_thread_is_titled_by_its_first_words_and_moves_up_when_it_goes_on(stores):
    words = "turn  off every light upstairs except the one in the nursery please and thank you"
    await stores.conversations.append("h1", [message(1, text=words), message(2, text="later")])
    await stores.conversations.append("h1", [message(3, thread_id="t2", text="second")])
    await stores.conversations.append("h1", [message(4, text="again")])

    first, second = await stores.conversations.threads("h1", "anna")
    assert first == Thread(
        id="t1", home_id="h1", user_id="anna", title=first.title, created_at=AT + SECOND, updated_at=AT + 4 * SECOND
    )
    assert first.title == "turn off every light upstairs except the one in the nursery…"
    assert second.title == "second"
    assert await stores.conversations.thread("h1", "anna", "t1") == first
    assert await stores.conversations.threads("h1", "anna", limit=1) == [first]


async def test_a_search_keeps_the_threads_in_which_every_word_occurs(stores):
    await stores.conversations.append("h1", [message(1, text="Unlock the GARAGE"), message(2, text="100 % sure")])
    await stores.conversations.append("h1", [message(3, thread_id="t2", text="the kitchen garage")])
    await stores.conversations.append("h1", [message(4, user_id="ben", thread_id="t3", text="unlock garage")])

    async def found(search: str) -> list[str]:
        return [t.id for t in await stores.conversations.threads("h1", "anna", search=search)]

    assert await found("garage") == ["t2", "t1"]
    assert await found("garage unlock") == ["t1"]
    assert await found("garage cellar") == []
    assert await found("%") == ["t1"]
    assert await found("_") == []


async def test_a_thread_is_its_persons_in_its_home(stores):
    await stores.conversations.append("h1", [message(1)])
    await stores.conversations.append("h1", [message(1, user_id="ben", text="Ben's")])
    await stores.conversations.append("h2", [message(1, home_id="h2", text="Elsewhere")])

    assert await stores.conversations.messages("h1", "anna", "t1") == [message(1)]
    assert [m.text for m in await stores.conversations.messages("h1", "ben", "t1")] == ["Ben's"]
    assert await stores.conversations.thread("h1", "carl", "t1") is None
    assert await stores.conversations.messages("h1", "carl", "t1") == []
    assert await stores.conversations.clear("h1", "carl") == 0
    assert await stores.conversations.clear("h1", "ben", "t1") == 1
    assert [m.text for m in await stores.conversations.messages("h2", "anna", "t1")] == ["Elsewhere"]
    assert await stores.conversations.messages("h1", "anna", "t1") == [message(1)]


async def test_a_line_of_another_home_is_refused(stores):
    with pytest.raises(HomeMismatch):
        await stores.conversations.append("h1", [message(1), message(2, home_id="h2")])

    assert await stores.conversations.messages("h1", "anna", "t1") == []


async def test_clearing_takes_one_thread_or_all_of_a_person(opener):
    async with opener() as stores:
        for number in range(3):
            await stores.conversations.append("h1", [message(number, thread_id=f"t{number}")])
        assert await stores.conversations.clear("h1", "anna", "t0") == 1
        assert await stores.conversations.clear("h1", "anna", "t0") == 0
    async with opener() as stores:
        assert [t.id for t in await stores.conversations.threads("h1", "anna")] == ["t2", "t1"]
        assert await stores.conversations.clear("h1", "anna") == 2
        assert await stores.conversations.messages("h1", "anna", "t1") == []
