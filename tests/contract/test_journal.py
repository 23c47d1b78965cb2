"""Commands and confirmations."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from homeguard.errors import Conflict, HomeMismatch
from homeguard.model import Command, Confirmation, Effect

PORTS = ("journal", "confirmations")

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
UNLOCK = Effect(
    kind="device", device_id="lock", device_name="Back door", device_type="lock", command="unlock",
    parameters={"x": 1}, set={"lock": "unlocked"}, before={"lock": "locked"},
)  # fmt: skip
QUESTION = Confirmation(
    id="q1", home_id="h1", user_id="anna", text="Unlock?", detail="", tier=3,
    effects=(UNLOCK, Effect(kind="create_automation", contains=(UNLOCK,))), created_at=AT, expires_at=AT + 5 * MINUTE,
    caller="agent", thread_id="t", turn_id="u", cause="c",
)  # fmt: skip


def command(number: int, **changes) -> Command:
    return replace(
        Command(
            id=f"c{number}", home_id="h1", device_id="lock", command="unlock", parameters={"a": [1]},
            set={"lock": "unlocked"}, before={"lock": "locked"}, tier=3, caller="agent", user_id="anna", cause="turn",
            requested_at=AT + number * SECOND, not_after=AT + MINUTE, grant_id="q1",
        ),
        **changes,
    )  # fmt: skip


async def test_a_command_begins_once(stores):
    assert await stores.journal.begin(command(1))
    assert not await stores.journal.begin(command(1, command="lock"))
    assert await stores.journal.begin(command(1, home_id="h2"))

    assert await stores.journal.command("h1", "c1") == command(1)
    assert await stores.journal.command("h3", "c1") is None


async def test_an_outcome_is_final_but_sent_may_become_confirmed(stores):
    for number in (1, 2, 3):
        await stores.journal.begin(command(number))
    finish = stores.journal.finish

    assert await finish("h1", "c1", "failed", "no answer", AT) == command(
        1, outcome="failed", reason="no answer", finished_at=AT
    )
    assert await finish("h1", "c1", "confirmed", "", AT) is None
    assert (await finish("h1", "c2", "sent", "", AT)).outcome == "sent"
    assert await finish("h1", "c2", "failed", "", AT) is None
    assert (await finish("h1", "c2", "confirmed", "", AT + SECOND)).finished_at == AT + SECOND
    assert await finish("h2", "c3", "confirmed", "", AT) is None
    assert await finish("h1", "c9", "confirmed", "", AT) is None
    assert await stores.journal.command("h1", "c3") == command(3)


async def test_commands_come_newest_first_within_home_and_device(stores):
    for number in range(4):
        await stores.journal.begin(command(number, device_id=f"d{number % 2}"))
    await stores.journal.begin(command(9, home_id="h2"))

    async def ids(**query) -> list[str]:
        return [c.id for c in await stores.journal.commands("h1", **query)]

    assert await ids(since=AT) == ["c3", "c2", "c1", "c0"]
    assert await ids(since=AT + 2 * SECOND) == ["c3", "c2"]
    assert await ids(since=AT, device_id="d0") == ["c2", "c0"]
    assert await ids(since=AT, limit=1) == ["c3"]
    assert await stores.journal.commands("h3", since=AT) == []


async def test_executed_counts_what_was_not_refused_and_not_failed(stores):
    for number, outcome in enumerate(("confirmed", "sent", "failed", "refused")):
        await stores.journal.begin(command(number))
        await stores.journal.finish("h1", f"c{number}", outcome, "", AT)
    await stores.journal.begin(command(4))
    await stores.journal.begin(command(5, tier=1))
    await stores.journal.begin(command(6, caller="person"))
    await stores.journal.begin(command(7, home_id="h2"))

    assert await stores.journal.executed_since("h1", 3, "agent", AT) == 3
    assert await stores.journal.executed_since("h1", 3, "agent", AT + SECOND) == 2
    assert await stores.journal.executed_since("h3", 3, "agent", AT) == 0


async def test_what_a_crash_left_pending_is_found_again(opener):
    async with opener() as stores:
        for number in (2, 1, 3):
            await stores.journal.begin(command(number, home_id=f"h{number}"))
        await stores.journal.finish("h3", "c3", "confirmed", "", AT)
    async with opener() as stores:
        assert await stores.journal.pending() == [command(1), command(2, home_id="h2")]


async def test_of_many_that_begin_or_finish_one_command_one_does(stores):
    journal = stores.journal

    begun = await asyncio.gather(*(journal.begin(command(1, command=f"do{n}")) for n in range(30)))
    finished = await asyncio.gather(*(journal.finish("h1", "c1", "failed", f"r{n}", AT) for n in range(30)))

    assert begun.count(True) == 1
    (winner,) = [n for n, answer in enumerate(finished) if answer is not None]
    expected = command(1, command=f"do{begun.index(True)}", outcome="failed", reason=f"r{winner}", finished_at=AT)
    assert finished[winner] == await journal.command("h1", "c1") == expected


async def test_commands_of_one_moment_come_by_id_backwards_and_the_bound_is_of_any_time_zone(stores):
    for number in (1, 3, 2):
        await stores.journal.begin(command(number, requested_at=AT))
    zone = timezone(timedelta(hours=-9, minutes=-30))

    async def ids(since: datetime, **query) -> list[str]:
        return [c.id for c in await stores.journal.commands("h1", since=since.astimezone(zone), **query)]

    assert await ids(AT) == ["c3", "c2", "c1"]
    assert await ids(AT, limit=2) == ["c3", "c2"]
    assert await ids(AT, limit=0) == []
    assert await ids(AT + timedelta(microseconds=1)) == []


@pytest.mark.parametrize(
    "value",
    [1.0, 0.1 + 0.2, 2**53 + 1, -(2**40), True, None, "", 'a"b\\c\n', "家 🏠", [], {}, [1, [2.5, {"k": [None]}]]],
)
async def test_what_a_command_carries_is_read_back_to_the_last_type(stores, value):
    given = command(1, parameters={"z": value, "a": {"n": value}}, reason="why", cause="é")
    await stores.journal.begin(given)

    found = await stores.journal.command("h1", "c1")

    assert found == given
    assert repr(found.parameters["z"]) == repr(value)
    assert list(found.parameters) == ["z", "a"]


async def test_a_journal_takes_over_what_another_one_says(opener):
    done = command(1, outcome="confirmed", reason="ok", finished_at=AT + timedelta(microseconds=7))
    sent = command(2, outcome="sent", finished_at=AT)
    foreign = command(1, home_id="h2", outcome="refused", reason="no", finished_at=AT)
    async with opener() as stores:
        assert await stores.journal.adopt([done, sent, command(3), foreign]) == 4
        assert await stores.journal.adopt([done, sent, command(3), foreign]) == 0
        assert await stores.journal.adopt([]) == 0
    async with opener() as stores:
        assert await stores.journal.commands("h1", since=AT) == [command(3), sent, done]
        assert await stores.journal.command("h2", "c1") == foreign
        assert await stores.journal.pending() == [command(3)]
        assert not await stores.journal.begin(done)


async def test_only_a_pending_command_goes_on_when_it_is_taken_over(stores):
    for number, outcome in enumerate(("pending", "pending", "sent", "failed")):
        await stores.journal.begin(command(number))
        if outcome != "pending":
            await stores.journal.finish("h1", f"c{number}", outcome, "here", AT)
    there = [
        command(0, outcome="confirmed", reason="there", finished_at=AT + SECOND),
        command(1, reason="there"),
        command(2, outcome="confirmed", reason="there", finished_at=AT + SECOND),
        command(3, outcome="pending", reason="there"),
    ]

    assert await stores.journal.adopt(there) == 1

    assert await stores.journal.commands("h1", since=AT) == [
        command(3, outcome="failed", reason="here", finished_at=AT),
        command(2, outcome="sent", reason="here", finished_at=AT),
        command(1),
        there[0],
    ]


@pytest.mark.parametrize("backwards", [False, True])
async def test_of_one_command_told_twice_the_finished_one_is_taken_over(stores, backwards):
    told = [command(1), command(1, outcome="failed", reason="x", finished_at=AT)]

    assert await stores.journal.adopt(told[::-1] if backwards else told) == 1

    assert await stores.journal.command("h1", "c1") == told[1]


async def test_a_journal_taken_over_by_many_at_once_is_taken_over_once(stores):
    batch = [command(n, home_id=f"h{n % 3}") for n in range(300)]

    counts = await asyncio.gather(*(stores.journal.adopt(batch if n % 2 else batch[::-1]) for n in range(10)))

    assert sum(counts) == 300
    assert len(await stores.journal.pending()) == 300


async def test_a_question_is_stored_once_while_it_is_open(stores):
    assert await stores.confirmations.ask(QUESTION) == QUESTION
    assert await stores.confirmations.ask(replace(QUESTION, text="Other?")) == QUESTION
    assert await stores.confirmations.get("h1", "q1") == QUESTION
    assert await stores.confirmations.get("h2", "q1") is None


async def test_open_questions_come_oldest_first_until_they_expire(stores):
    young = replace(QUESTION, id="q0", created_at=AT + SECOND, expires_at=AT + 6 * MINUTE)
    for question in (young, QUESTION, replace(QUESTION, home_id="h2")):
        await stores.confirmations.ask(question)

    assert await stores.confirmations.open("h1", AT) == [QUESTION, young]
    assert await stores.confirmations.open("h1", AT + 5 * MINUTE) == [young]
    assert await stores.confirmations.open("h3", AT) == []


async def test_of_fifty_answers_one_wins_and_its_commands_are_in_the_journal(stores):
    await stores.confirmations.ask(QUESTION)

    decided = await asyncio.gather(
        *(
            stores.confirmations.decide(
                "h1",
                "q1",
                approve=n % 2 == 0,
                by=f"p{n}",
                now=AT + MINUTE,
                commands=[command(2 * n), command(2 * n + 1)],
            )
            for n in range(50)
        )
    )

    (winner,) = [n for n, answer in enumerate(decided) if answer is not None]
    state = "approved" if winner % 2 == 0 else "denied"
    expected = replace(QUESTION, state=state, decided_by=f"p{winner}", decided_at=AT + MINUTE)
    assert decided[winner] == expected
    assert await stores.confirmations.get("h1", "q1") == expected
    written = {c.id for c in await stores.journal.pending()}
    assert written == ({f"c{2 * winner}", f"c{2 * winner + 1}"} if state == "approved" else set())


async def test_a_denial_an_expired_question_and_another_home_write_no_commands(stores):
    await stores.confirmations.ask(QUESTION)
    decide = stores.confirmations.decide
    given = {"by": "anna", "commands": [command(1)]}

    assert await decide("h1", "q1", approve=True, now=AT + 5 * MINUTE, **given) is None
    assert await decide("h2", "q1", approve=True, by="x", now=AT, commands=[command(1, home_id="h2")]) is None
    assert (await decide("h1", "q1", approve=False, now=AT, **given)).state == "denied"
    assert await decide("h1", "q1", approve=True, now=AT, **given) is None
    assert await stores.journal.pending() == []


async def test_an_approval_whose_command_is_already_journalled_changes_nothing(stores):
    await stores.confirmations.ask(QUESTION)
    await stores.journal.begin(command(2))

    with pytest.raises(Conflict):
        await stores.confirmations.decide(
            "h1", "q1", approve=True, by="anna", now=AT, commands=[command(1), command(2)]
        )

    assert await stores.confirmations.get("h1", "q1") == QUESTION
    assert await stores.journal.command("h1", "c1") is None


async def test_only_an_approved_question_is_settled(stores):
    result = ({"command_id": "c1", "outcome": "confirmed", "set": {"lock": "unlocked"}},)
    for id_ in ("q1", "q2"):
        await stores.confirmations.ask(replace(QUESTION, id=id_))
    await stores.confirmations.decide("h1", "q1", approve=True, by="a", now=AT, commands=[])
    await stores.confirmations.decide("h1", "q2", approve=False, by="a", now=AT, commands=[])

    for home_id, id_ in (("h1", "q1"), ("h1", "q2"), ("h2", "q1")):
        await stores.confirmations.settle(home_id, id_, result)

    assert (await stores.confirmations.get("h1", "q1")).outcome == result
    assert (await stores.confirmations.get("h1", "q2")).outcome == ()


async def test_of_many_that_ask_at_once_all_get_the_one_question(stores):
    asked = await asyncio.gather(*(stores.confirmations.ask(replace(QUESTION, text=f"Unlock? {n}")) for n in range(30)))

    assert set(map(repr, asked)) == {repr(await stores.confirmations.get("h1", "q1"))}
    assert len(await stores.confirmations.all("h1")) == 1


async def test_a_question_that_was_answered_may_be_asked_again(stores):
    await stores.confirmations.ask(QUESTION)
    await stores.confirmations.decide("h1", "q1", approve=True, by="anna", now=AT, commands=[])
    await stores.confirmations.settle("h1", "q1", ({"command_id": "c1"},))
    again = replace(QUESTION, text="Again?", effects=(), created_at=AT + MINUTE, expires_at=AT + 6 * MINUTE)

    assert await stores.confirmations.ask(again) == again
    assert await stores.confirmations.get("h1", "q1") == again
    assert await stores.confirmations.all("h1") == [again]


async def test_an_answer_and_the_end_of_its_time_have_one_winner(stores):
    for number in range(20):
        await stores.confirmations.ask(replace(QUESTION, id=f"q{number:02}"))
    late, in_time = AT + 5 * MINUTE, AT + 4 * MINUTE

    async def answer(number: int) -> str:
        decided = await stores.confirmations.decide(
            "h1", f"q{number:02}", approve=True, by="anna", now=in_time, commands=[command(number)]
        )
        return f"q{number:02}" if decided else ""

    *answered, expired = await asyncio.gather(*(answer(n) for n in range(20)), stores.confirmations.expire(late))

    approved = {id_ for id_ in answered if id_}
    assert approved.isdisjoint(c.id for c in expired)
    assert approved | {c.id for c in expired} == {f"q{n:02}" for n in range(20)}
    assert {c.id: c.state for c in await stores.confirmations.all("h1")} == (
        dict.fromkeys(approved, "approved") | {c.id: "expired" for c in expired}
    )
    assert len(await stores.journal.pending()) == len(approved)


async def test_an_answer_with_another_homes_command_is_refused_whole(stores):
    await stores.confirmations.ask(QUESTION)

    with pytest.raises(HomeMismatch):
        await stores.confirmations.decide(
            "h1", "q1", approve=True, by="anna", now=AT, commands=[command(1), command(2, home_id="h2")]
        )

    assert await stores.confirmations.get("h1", "q1") == QUESTION
    assert await stores.journal.pending() == []


async def test_all_questions_of_a_home_come_oldest_first_in_any_state(opener):
    young, twin = replace(QUESTION, id="q0", created_at=AT + SECOND), replace(QUESTION, id="q2")
    async with opener() as stores:
        for question in (young, twin, QUESTION, replace(QUESTION, home_id="h2")):
            await stores.confirmations.ask(question)
        await stores.confirmations.decide("h1", "q1", approve=False, by="ben", now=AT, commands=[])
        await stores.confirmations.expire(AT + 5 * MINUTE)
    async with opener() as stores:
        assert await stores.confirmations.all("h1") == [
            replace(QUESTION, state="denied", decided_by="ben", decided_at=AT),
            replace(twin, state="expired"),
            replace(young, state="expired"),
        ]
        assert await stores.confirmations.all("h3") == []


async def test_questions_are_taken_over_as_they_are_unless_they_are_here(opener):
    settled = replace(
        QUESTION, state="approved", decided_by="anna", decided_at=AT + SECOND, outcome=({"set": {"lock": 1.5}},)
    )
    expired, foreign = replace(QUESTION, id="q2", state="expired"), replace(settled, home_id="h2")
    here = replace(QUESTION, id="q3", text="Here")
    async with opener() as stores:
        await stores.confirmations.ask(here)
        assert await stores.confirmations.adopt([settled, expired, expired, foreign, replace(here, text="There")]) == 3
        assert await stores.confirmations.adopt([settled, expired, foreign]) == 0
        assert await stores.confirmations.adopt([]) == 0
    async with opener() as stores:
        assert await stores.confirmations.all("h1") == [settled, expired, here]
        assert await stores.confirmations.all("h2") == [foreign]
        assert await stores.journal.pending() == []


async def test_an_open_question_that_was_taken_over_is_answered_here(stores):
    counts = await asyncio.gather(*(stores.confirmations.adopt([QUESTION]) for _ in range(10)))
    decided = await stores.confirmations.decide("h1", "q1", approve=True, by="anna", now=AT, commands=[command(1)])

    assert sum(counts) == 1
    assert decided.state == "approved"
    assert await stores.journal.pending() == [command(1)]


async def test_expiring_closes_what_is_over_in_all_homes_once(stores):
    other = replace(QUESTION, home_id="h2", created_at=AT + SECOND)
    young = replace(QUESTION, id="q9", expires_at=AT + 6 * MINUTE)
    for question in (QUESTION, other, young):
        await stores.confirmations.ask(question)

    assert await stores.confirmations.expire(AT + 5 * MINUTE) == [
        replace(QUESTION, state="expired"),
        replace(other, state="expired"),
    ]
    assert await stores.confirmations.expire(AT + 5 * MINUTE) == []
    assert await stores.confirmations.get("h1", "q9") == young


async def test_an_open_question_survives_a_reopen_and_is_answered_then(opener):
    async with opener() as stores:
        await stores.confirmations.ask(QUESTION)
    async with opener() as stores:
        assert await stores.confirmations.open("h1", AT) == [QUESTION]
        await stores.confirmations.decide("h1", "q1", approve=True, by="a", now=AT, commands=[command(1)])
    async with opener() as stores:
        assert (await stores.confirmations.get("h1", "q1")).state == "approved"
        assert await stores.journal.pending() == [command(1)]
