"""Commands, confirmations and the audit."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeguard.errors import Conflict
from homeguard.model import Command, Confirmation, Effect

PORTS = ("journal", "confirmations", "audit")

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


async def note(stores, home_id: str, number: int) -> None:
    await stores.audit.write(
        home_id, at=AT, actor="anna", action=f"act{number}", decision="allow", rule="T1", detail={"n": number}
    )


async def test_the_audit_is_numbered_per_home_newest_first_and_chained(opener):
    async with opener() as stores:
        await asyncio.gather(*(note(stores, f"h{n % 2}", n) for n in range(10)))
    async with opener() as stores:
        await note(stores, "h0", 10)
        rows = await stores.audit.rows("h0", limit=3)

        assert [row["seq"] for row in rows] == [6, 5, 4]
        assert {**rows[0], "hash": ""} == {
            "seq": 6, "at": "2026-03-01T12:00:00.000Z", "actor": "anna", "action": "act10", "decision": "allow",
            "rule": "T1", "detail": {"n": 10}, "hash": "",
        }  # fmt: skip
        assert len({row["hash"] for row in rows}) == 3
        assert await stores.audit.rows("h9") == []
        assert await stores.audit.verify() == 11
