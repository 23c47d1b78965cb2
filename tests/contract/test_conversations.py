"""What was said, by thread."""

import asyncio
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

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


@pytest.mark.parametrize("limit", [0, -1, -200])
async def test_a_limit_below_one_asks_for_nothing(stores, limit):
    await stores.conversations.append("h1", [message(1), message(2)])

    assert await stores.conversations.messages("h1", "anna", "t1", limit=limit) == []
    assert await stores.conversations.threads("h1", "anna", limit=limit) == []
    assert await stores.conversations.threads("h1", "anna", limit=limit, search="line") == []


async def test_saying_nothing_begins_no_thread(stores):
    await stores.conversations.append("h1", [])

    assert await stores.conversations.threads("h1", "anna") == []


@pytest.mark.parametrize(
    "text", ["", " \n ", "🏠 " * 50, "a\x00b", "Line one\nline two", "x" * 50_000, "\ufeffİstanbul ß", '{"$set": 1}']
)
async def test_a_line_is_read_as_it_was_said(opener, text):
    odd = {"a.b": [[1, [2.5]]], "$ne": None, "": {"large": 2**63}, "text": text}
    line = message(1, text=text, calls=(odd, {"result": [odd]}), commands=({"set": odd},), confirmations=("q2", "q1"))
    async with opener() as stores:
        await stores.conversations.append("h1", [line])
    async with opener() as stores:
        assert await stores.conversations.messages("h1", "anna", "t1") == [line]


async def test_a_number_that_json_does_not_know_is_kept_as_null(stores):
    await stores.conversations.append("h1", [message(1, calls=({"n": [math.nan, math.inf, 1.5]},))])

    (kept,) = await stores.conversations.messages("h1", "anna", "t1")
    assert kept.calls == ({"n": [None, None, 1.5]},)


async def test_times_of_lines_are_kept_to_the_microsecond_and_come_back_in_utc(stores):
    at = datetime(2026, 3, 1, 0, 30, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    await stores.conversations.append("h1", [message(2, at=at + timedelta(microseconds=1)), message(1, at=at)])

    lines = await stores.conversations.messages("h1", "anna", "t1")
    thread = await stores.conversations.thread("h1", "anna", "t1")
    assert [line.at for line in lines] == [at, at + timedelta(microseconds=1)]
    assert (thread.created_at, thread.updated_at) == (at + timedelta(microseconds=1),) * 2
    assert {t.utcoffset() for t in (lines[0].at, thread.created_at, thread.updated_at)} == {timedelta()}


async def test_a_line_of_earlier_comes_earlier_and_does_not_move_its_thread(stores):
    await stores.conversations.append("h1", [message(5, text="First said")])
    await stores.conversations.append("h1", [message(9, thread_id="t2")])
    await stores.conversations.append("h1", [message(1, text="Said before")])

    newest, older = await stores.conversations.threads("h1", "anna")
    assert newest.id == "t2"
    assert (older.title, older.created_at, older.updated_at) == ("First said", AT + 5 * SECOND, AT + 5 * SECOND)
    assert [m.id for m in await stores.conversations.messages("h1", "anna", "t1")] == ["m1", "m5"]


async def test_threads_of_equal_time_come_by_id_backwards(stores):
    for number, thread in enumerate(["b", "c", "a"]):
        await stores.conversations.append("h1", [message(number, at=AT, thread_id=thread)])

    assert [t.id for t in await stores.conversations.threads("h1", "anna")] == ["c", "b", "a"]
    assert [t.id for t in await stores.conversations.threads("h1", "anna", limit=2)] == ["c", "b"]
    assert [t.id for t in await stores.conversations.threads("h1", "anna", limit=2, search="line")] == ["c", "b"]


async def test_lines_of_equal_time_keep_their_order_over_many_appends(stores):
    lines = [message(number, at=AT) for number in range(25)]
    for start in range(0, 25, 5):
        await stores.conversations.append("h1", lines[start : start + 5])
    await stores.conversations.append("h1", [lines[20], lines[3]])

    assert await stores.conversations.messages("h1", "anna", "t1") == lines
    assert await stores.conversations.messages("h1", "anna", "t1", limit=7) == lines[-7:]


async def test_more_lines_than_one_request_takes_keep_their_order(stores):
    lines = [message(number, at=AT) for number in range(250)]
    await stores.conversations.append("h1", lines)

    assert await stores.conversations.messages("h1", "anna", "t1", limit=1000) == lines
    assert await stores.conversations.messages("h1", "anna", "t1") == lines[50:]


async def test_saying_everything_again_changes_nothing(stores):
    lines = [message(1), message(2, at=AT + SECOND), message(3, thread_id="t2"), message(4, user_id="ben")]
    await stores.conversations.append("h1", lines)
    before = await stores.conversations.threads("h1", "anna")
    await stores.conversations.append("h1", lines)

    assert await stores.conversations.threads("h1", "anna") == before
    assert await stores.conversations.messages("h1", "anna", "t1") == lines[:2]
    assert await stores.conversations.messages("h1", "anna", "t2") == lines[2:3]
    assert await stores.conversations.messages("h1", "ben", "t1") == lines[3:]


async def test_of_a_line_that_is_twice_in_one_append_the_last_counts(stores):
    await stores.conversations.append("h1", [message(1), message(2), message(1, text="Better")])

    assert [m.text for m in await stores.conversations.messages("h1", "anna", "t1")] == ["Better", "Line 2"]


async def test_a_line_said_again_in_another_thread_moves_there(stores):
    await stores.conversations.append("h1", [message(1, text="garage"), message(2)])
    await stores.conversations.append("h1", [message(1, text="garage", thread_id="t2")])

    assert await stores.conversations.messages("h1", "anna", "t1") == [message(2)]
    assert await stores.conversations.messages("h1", "anna", "t2") == [message(1, text="garage", thread_id="t2")]
    assert [t.id for t in await stores.conversations.threads("h1", "anna", search="garage")] == ["t2"]


async def test_words_that_were_replaced_are_no_longer_found(stores):
    await stores.conversations.append("h1", [message(1, text="garage"), message(2, text="kitchen")])
    await stores.conversations.append("h1", [message(1, text="cellar")])

    assert await stores.conversations.threads("h1", "anna", search="garage") == []
    assert len(await stores.conversations.threads("h1", "anna", search="kitchen cellar")) == 1


@pytest.mark.parametrize(
    ("said", "search"),
    [
        ("a.c", "a.c"), ("(x", "(X"), ("[a-z]", "[A-Z]"), ("C:\\dir", "c:\\DIR"), ("^top$", "^top$"), ("a+?", "a+?"),
        ("{2}", "{2}"), ("a|b", "a|b"), ("#1 -x &y ~z", "&y #1 ~z -x"), ("100%", "100%"), ("a_b", "a_b"),
        ("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("🏠 alarm", "ALARM 🏠"), ("\\Q.\\E", "\\q.\\e"), ('"*"', '"*"'),
        ("nul\x00nul", "l\x00n"), ("one two", "  two\t\none  two "),
    ],
)  # fmt: skip
async def test_a_search_takes_every_sign_as_itself(stores, said, search):
    await stores.conversations.append("h1", [message(1, thread_id="t1", text=said)])
    await stores.conversations.append("h1", [message(2, thread_id="t2", text="abc xy ab aa bb 1 10 alarm 0")])

    assert [t.id for t in await stores.conversations.threads("h1", "anna", search=search)] == ["t1"]


async def test_a_search_of_blanks_asks_for_all(stores):
    await stores.conversations.append("h1", [message(1), message(2, thread_id="t2")])

    assert [t.id for t in await stores.conversations.threads("h1", "anna", search=" \t ")] == ["t2", "t1"]


async def test_search_and_clearing_reach_past_many_threads(stores):
    lines = [message(n, thread_id=f"t{n:03}", text=f"{'needle' if n % 100 == 7 else 'hay'} {n}") for n in range(130)]
    await stores.conversations.append("h1", lines)

    found = await stores.conversations.threads("h1", "anna", search="needle")
    assert [t.id for t in found] == ["t107", "t007"]
    assert len(await stores.conversations.threads("h1", "anna", limit=500)) == 130
    assert [t.id for t in await stores.conversations.threads("h1", "anna", limit=2, search="hay")] == ["t129", "t128"]
    assert await stores.conversations.clear("h1", "anna") == 130
    assert await stores.conversations.threads("h1", "anna") == []


async def test_ids_that_look_alike_when_joined_are_different_threads_and_lines(stores):
    twins = [("a/b", "c", "d"), ("a", "b/c", "d"), ("a", "b", "c/d"), ("a%2Fb", "c", "d"), ("a", "b", "c%2Fd")]
    for home, user, id_ in twins:
        line = message(1, home_id=home, user_id=user, thread_id=id_, id=id_, text=f"{home} {user} {id_}")
        await stores.conversations.append(home, [line])

    for home, user, id_ in twins:
        lines = await stores.conversations.messages(home, user, id_)
        assert [m.text for m in lines] == [f"{home} {user} {id_}"]
    assert await stores.conversations.clear("a", "b") == 2
    assert len(await stores.conversations.messages("a", "b/c", "d")) == 1


async def test_a_person_who_clears_all_keeps_what_is_in_other_homes_and_leaves_others_alone(stores):
    await stores.conversations.append("h1", [message(1), message(2, thread_id="t2"), message(3, user_id="ben")])
    await stores.conversations.append("h2", [message(1, home_id="h2")])

    assert await stores.conversations.clear("h1", "anna") == 2
    assert await stores.conversations.clear("h1", "anna") == 0
    assert [t.id for t in await stores.conversations.threads("h2", "anna")] == ["t1"]
    assert [m.id for m in await stores.conversations.messages("h1", "ben", "t1")] == ["m3"]


async def test_a_thread_that_was_cleared_begins_anew(stores):
    await stores.conversations.append("h1", [message(n, text=f"Old {n}") for n in range(3)])
    await stores.conversations.clear("h1", "anna", "t1")
    await stores.conversations.append("h1", [message(1, text="New", at=AT - SECOND)])

    assert await stores.conversations.messages("h1", "anna", "t1") == [message(1, text="New", at=AT - SECOND)]
    assert await stores.conversations.threads("h1", "anna") == [
        Thread(id="t1", home_id="h1", user_id="anna", title="New", created_at=AT - SECOND, updated_at=AT - SECOND)
    ]
    assert await stores.conversations.threads("h1", "anna", search="old") == []


@pytest.mark.needs("atomic")
async def test_lines_that_are_said_at_once_are_all_there_in_one_order(stores):
    lines = [message(number, at=AT) for number in range(30)]
    async with asyncio.TaskGroup() as tasks:
        for line in lines:
            tasks.create_task(stores.conversations.append("h1", [line]))

    first = await stores.conversations.messages("h1", "anna", "t1")
    assert sorted(first, key=lambda m: int(m.id[1:])) == lines
    await stores.conversations.append("h1", lines)
    assert await stores.conversations.messages("h1", "anna", "t1") == first
    (thread,) = await stores.conversations.threads("h1", "anna")
    assert thread.title in {line.text for line in lines}


@pytest.mark.needs("atomic")
async def test_pairs_that_are_said_at_once_stay_in_their_order(stores):
    pairs = [[message(2 * n, at=AT), message(2 * n + 1, at=AT, role="assistant")] for n in range(15)]
    async with asyncio.TaskGroup() as tasks:
        for pair in pairs:
            tasks.create_task(stores.conversations.append("h1", pair))

    numbers = [int(m.id[1:]) for m in await stores.conversations.messages("h1", "anna", "t1")]
    assert sorted(numbers) == list(range(30))
    assert all(numbers.index(2 * n) < numbers.index(2 * n + 1) for n in range(15))


@pytest.mark.needs("atomic")
async def test_what_is_said_while_a_thread_is_cleared_is_wholly_there_or_wholly_gone(stores):
    for round_ in range(10):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stores.conversations.append("h1", [message(2 * round_), message(2 * round_ + 1)]))
            tasks.create_task(stores.conversations.clear("h1", "anna", "t1"))

        lines = await stores.conversations.messages("h1", "anna", "t1")
        thread = await stores.conversations.thread("h1", "anna", "t1")
        assert (thread is None) == (lines == [])
        assert len(lines) % 2 == 0


async def test_what_holds_for_a_thread_is_kept_with_it_and_goes_with_it(opener):
    context = {"vacation_mode": True, "return_date": "2026-01-30", "summary": [{"asked": "ü", "a.b": [1, None]}]}
    async with opener() as stores:
        assert await stores.conversations.set_context("h1", "anna", "t1", context) is False
        await stores.conversations.append("h1", [message(1)])
        assert await stores.conversations.context("h1", "anna", "t1") == {}
        assert await stores.conversations.set_context("h1", "anna", "t1", {"old": 1})
        assert await stores.conversations.set_context("h1", "anna", "t1", context)
        await stores.conversations.append("h1", [message(2)])
    async with opener() as stores:
        assert await stores.conversations.context("h1", "anna", "t1") == context
        assert await stores.conversations.context("h1", "ben", "t1") == {}
        assert await stores.conversations.context("h2", "anna", "t1") == {}
        await stores.conversations.clear("h1", "anna", "t1")
        await stores.conversations.append("h1", [message(3)])
        assert await stores.conversations.context("h1", "anna", "t1") == {}


async def test_a_thread_keeps_the_title_that_its_person_gave_it(opener):
    async with opener() as stores:
        assert await stores.conversations.rename("h1", "anna", "t1", "Holidays") is False
        await stores.conversations.append("h1", [message(1)])
        assert await stores.conversations.rename("h1", "ben", "t1", "Taken") is False
        assert await stores.conversations.rename("h2", "anna", "t1", "Taken") is False
        assert await stores.conversations.rename("h1", "anna", "t1", "Ferien \u2600 'n' \"so\"")
        await stores.conversations.append("h1", [message(2)])
    async with opener() as stores:
        [thread] = await stores.conversations.threads("h1", "anna")
        assert thread.title == "Ferien \u2600 'n' \"so\""
        assert await stores.conversations.thread("h1", "anna", "t1") == thread
