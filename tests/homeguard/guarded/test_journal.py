"""Commands go on while the journal's engine is away, once each, and it hears of all of them; questions do not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from homeguard.errors import StoreUnavailable
from homeguard.model import Command, Confirmation, Effect
from homeguard.staleness import collect
from homeguard.stores.guarded.confirmations import GuardedConfirmations
from homeguard.stores.guarded.journal import GuardedJournal

LONG_AGO = timedelta(days=1)


@pytest.fixture
def journal(rig) -> GuardedJournal:
    return GuardedJournal(rig.engine, rig.local.journal, rig.forwarder)


@pytest.fixture
def confirmations(rig) -> GuardedConfirmations:
    return GuardedConfirmations(rig.engine, rig.local.journal, rig.forwarder)


def command(rig, id_: str = "c1", seconds: float = 0, **changes) -> Command:
    at = rig.clock.began + timedelta(seconds=seconds)
    made = Command(
        id=id_, home_id="h1", device_id="lamp", command="turn_on", parameters={}, set={"on": True}, before={}, tier=3,
        caller="agent", user_id="anna", cause="", requested_at=at, not_after=at + timedelta(seconds=10),
    )  # fmt: skip
    return replace(made, **changes)


def card(rig, **changes) -> Confirmation:
    now = rig.clock.began
    made = Confirmation(
        id="q1", home_id="h1", user_id="anna", text="Unlock?", detail="", tier=3, effects=(Effect(kind="device"),),
        created_at=now, expires_at=now + timedelta(minutes=5), caller="agent",
    )  # fmt: skip
    return replace(made, **changes)


async def all_of(rig, journal) -> list[Command]:
    return await journal.commands("h1", since=rig.clock.began - LONG_AGO, limit=1000)


async def test_where_others_carry_out_commands_too_an_unlock_is_not_begun_while_nobody_can_tell(rig):
    journal = GuardedJournal(rig.engine, rig.local.journal, rig.forwarder, is_shared=True)
    other = GuardedJournal(rig.engine, rig.local.journal, rig.forwarder, is_shared=True)
    await rig.go_away()

    assert not await journal.begin(command(rig, "c1", tier=3))
    assert not await other.begin(command(rig, "c1", tier=3))
    assert await journal.begin(command(rig, "c2", tier=1))

    known = await journal.command("h1", "c1")
    assert known is not None
    assert (known.outcome, "not done" in known.reason) == ("failed", True)
    await rig.come_back()
    there = await rig.remote.journal.command("h1", "c1")
    assert there is not None
    assert there.outcome == "failed"
    assert await journal.begin(command(rig, "c3", tier=3))


async def test_a_command_is_in_both_journals(rig, journal):
    assert await journal.begin(command(rig))
    at = rig.clock.now()
    finished = await journal.finish("h1", "c1", "sent", "soon", at)
    assert finished == command(rig, outcome="sent", reason="soon", finished_at=at)
    assert await all_of(rig, rig.local.journal) == await all_of(rig, rig.remote.journal) == [finished]


async def test_commands_of_an_outage_are_begun_finished_and_found_here_and_there_afterwards(rig, journal):
    await journal.begin(command(rig, "c0"))
    await rig.go_away()
    assert await journal.begin(command(rig, "c1", 1))
    assert not await journal.begin(command(rig, "c1", 1))
    at = rig.clock.now()
    await journal.finish("h1", "c0", "failed", "no way", at)
    done = await journal.finish("h1", "c1", "confirmed", "", at)
    with collect() as stale:
        assert await journal.command("h1", "c1") == done
        assert [c.id for c in await all_of(rig, journal)] == ["c1", "c0"]
        assert await journal.executed_since("h1", 3, "agent", rig.clock.began - LONG_AGO) == 1
        assert await journal.pending() == []
    assert set(stale) == {"journal"}
    assert await all_of(rig, rig.remote.journal) == [command(rig, "c0")]
    await rig.come_back()
    assert await all_of(rig, rig.remote.journal) == await all_of(rig, rig.local.journal)
    assert await rig.remote.journal.command("h1", "c1") == done


async def test_a_command_of_an_outage_is_not_begun_a_second_time_when_the_engine_is_back(rig, journal):
    await rig.go_away()
    await journal.begin(command(rig))
    rig.takers["journal"] = refusing
    rig.wire.mode = "ok"
    await rig.until(lambda: rig.engine.is_up, step_s=0.1)
    assert not await journal.begin(command(rig))


async def test_a_command_that_another_process_began_is_not_begun_again(rig, journal):
    await rig.remote.journal.begin(command(rig))
    assert not await journal.begin(command(rig))
    assert await journal.command("h1", "c1") == command(rig)


async def test_a_beginning_whose_answer_was_lost_is_carried_out_once(rig, journal):
    rig.wire.mode, rig.wire.ping_mode = "lost", "ok"
    assert await journal.begin(command(rig))
    rig.wire.mode = "ok"
    assert not await journal.begin(command(rig))
    await journal.finish("h1", "c1", "sent", "", rig.clock.now())
    await rig.come_back()
    assert [c.outcome for c in await all_of(rig, rig.remote.journal)] == ["sent"]


async def test_an_end_whose_answer_was_lost_is_told_as_ours(rig, journal):
    await journal.begin(command(rig))
    rig.wire.losses = 1
    at = rig.clock.now()
    assert await rig.finish(journal.finish("h1", "c1", "sent", "", at)) == command(rig, outcome="sent", finished_at=at)


async def test_what_was_sent_and_is_confirmed_in_an_outage_is_confirmed_there_too(rig, journal):
    await journal.begin(command(rig))
    await journal.finish("h1", "c1", "sent", "", rig.clock.now())
    await rig.go_away()
    assert (await journal.finish("h1", "c1", "confirmed", "", rig.clock.now())).outcome == "confirmed"
    await rig.come_back()
    assert (await rig.remote.journal.command("h1", "c1")).outcome == "confirmed"


async def test_a_finished_command_is_finished_once(rig, journal):
    await journal.begin(command(rig))
    await journal.finish("h1", "c1", "failed", "", rig.clock.now())
    await rig.clock.advance(1)
    assert await journal.finish("h1", "c1", "confirmed", "", rig.clock.now()) is None
    assert await journal.finish("h1", "nobody", "confirmed", "", rig.clock.now()) is None
    await rig.go_away()
    assert await journal.finish("h1", "c1", "confirmed", "", rig.clock.now()) is None
    await rig.come_back()
    assert (await rig.remote.journal.command("h1", "c1")).outcome == "failed"


async def test_what_waits_counts_before_it_was_handed_over(rig, journal):
    """Between the return and the end of the handing over, no budget grows and nothing looks unfinished."""
    await journal.begin(command(rig, "c0"))
    await rig.go_away()
    for number in range(1, 4):
        await journal.begin(command(rig, f"c{number}", number))
    await journal.finish("h1", "c0", "confirmed", "", rig.clock.now())
    rig.takers["journal"] = refusing
    rig.wire.mode = "ok"
    await rig.until(lambda: rig.engine.is_up, step_s=0.1)
    assert rig.forwarder.waiting("journal") > 0
    assert await journal.executed_since("h1", 3, "agent", rig.clock.began - LONG_AGO) == 4
    assert [c.id for c in await all_of(rig, journal)] == ["c3", "c2", "c1", "c0"]
    assert [c.id for c in await journal.pending()] == ["c1", "c2", "c3"]
    assert (await journal.command("h1", "c0")).outcome == "confirmed"


async def test_what_ended_in_an_outage_does_not_end_again_before_that_was_handed_over(rig, journal):
    await rig.go_away()
    await journal.begin(command(rig))
    await journal.finish("h1", "c1", "failed", "", rig.clock.now())
    await rig.remote.journal.begin(command(rig))
    rig.takers["journal"] = refusing
    rig.wire.mode = "ok"
    await rig.until(lambda: rig.engine.is_up, step_s=0.1)
    assert await journal.finish("h1", "c1", "sent", "", rig.clock.now()) is None


async def refusing(stores, values) -> None:
    raise StoreUnavailable("not yet")


async def test_what_others_left_pending_or_settled_is_known_here(rig, journal):
    await journal.begin(command(rig, "mine"))
    await rig.remote.journal.begin(command(rig, "theirs", 1))
    at = rig.clock.now()
    await rig.remote.journal.finish("h1", "mine", "sent", "", at)
    assert [c.id for c in await journal.pending()] == ["theirs"]
    settled = command(rig, "mine", outcome="sent", finished_at=at)
    assert await rig.local.journal.command("h1", "mine") == await journal.command("h1", "mine") == settled


async def test_no_question_is_asked_or_answered_while_the_engine_is_away_and_the_words_say_so(rig, confirmations):
    await confirmations.ask(card(rig))
    await rig.go_away()
    for call, words in (
        (confirmations.ask(card(rig, id="q2")), "the question cannot be kept now; nothing was done"),
        (confirmations.open("h1", rig.clock.now()), "open questions cannot be looked up now"),
        (confirmations.get("h1", "q1"), "the question cannot be looked up now"),
        (
            confirmations.decide(
                "h1", "q1", approve=True, by="anna", now=rig.clock.now(), commands=[command(rig, grant_id="q1")]
            ),
            "the answer cannot be kept now; nothing was done",
        ),
    ):
        with pytest.raises(StoreUnavailable, match=words) as caught:
            await call
        assert caught.value.details["retry_after_s"] > 0
    assert await confirmations.expire(rig.clock.now()) == []
    assert await rig.local.journal.pending() == []
    await rig.come_back()
    assert [found.id for found in await confirmations.open("h1", rig.clock.began)] == ["q1"]


async def test_what_came_of_an_approval_is_kept_when_the_engine_goes_away_in_between(rig, confirmations, journal):
    await confirmations.ask(card(rig))
    approved = command(rig, grant_id="q1")
    decided = await confirmations.decide("h1", "q1", approve=True, by="anna", now=rig.clock.now(), commands=[approved])
    assert decided.state == "approved"
    await rig.go_away()
    assert (await journal.finish("h1", "c1", "confirmed", "", rig.clock.now())).outcome == "confirmed"
    await confirmations.settle("h1", "q1", [{"command_id": "c1", "outcome": "confirmed"}])
    await rig.come_back()
    assert (await confirmations.get("h1", "q1")).outcome == ({"command_id": "c1", "outcome": "confirmed"},)
    assert (await rig.remote.journal.command("h1", "c1")).outcome == "confirmed"


async def test_an_approval_whose_answer_was_lost_carries_nothing_out(rig, confirmations):
    await confirmations.ask(card(rig))
    rig.wire.mode, rig.wire.ping_mode = "lost", "ok"
    with pytest.raises(StoreUnavailable):
        await confirmations.decide(
            "h1", "q1", approve=True, by="anna", now=rig.clock.now(), commands=[command(rig, grant_id="q1")]
        )
    assert await rig.local.journal.pending() == []
