"""What is said while the engine is away is heard, found and handed over in its order."""

from datetime import timedelta

import pytest

from homeguard.errors import HomeMismatch, Overloaded, StoreUnavailable
from homeguard.model import Message
from homeguard.staleness import collect
from homeguard.stores.guarded.conversations import GuardedConversations


@pytest.fixture
def talk(rig) -> GuardedConversations:
    return GuardedConversations(rig.engine, rig.local.conversations, rig.forwarder)


def line(rig, number: int, thread_id: str = "t1", text: str = "", seconds: float | None = None) -> Message:
    return Message(
        id=f"m{number}", home_id="h1", user_id="anna", thread_id=thread_id, turn_id="", role="user",
        text=text or f"line {number}", at=rig.clock.began + timedelta(seconds=number if seconds is None else seconds),
        calls=({"name": "get_device", "arguments": {"n": number}},),
    )  # fmt: skip


async def heard(store, thread_id: str = "t1", limit: int = 200) -> list[str]:
    return [m.text for m in await store.messages("h1", "anna", thread_id, limit=limit)]


async def test_what_passes_through_is_here_when_the_engine_goes_away(rig, talk):
    await talk.append("h1", [line(rig, 1), line(rig, 2)])
    await rig.go_away()
    await talk.append("h1", [line(rig, 3)])
    with collect() as stale:
        assert await heard(talk) == ["line 1", "line 2", "line 3"]
        (thread,) = await talk.threads("h1", "anna", search="LINE 3")
        assert thread == await talk.thread("h1", "anna", "t1")
    assert set(stale) == {"conversations"}
    assert await heard(rig.remote.conversations) == ["line 1", "line 2"]
    await rig.come_back()
    assert await talk.messages("h1", "anna", "t1") == [line(rig, n) for n in (1, 2, 3)]
    assert await talk.threads("h1", "anna") == await rig.remote.conversations.threads("h1", "anna")


async def test_lines_of_one_moment_keep_their_order_over_an_outage(rig, talk):
    await talk.append("h1", [line(rig, 1, seconds=0)])
    await rig.go_away()
    for number in (5, 2, 9):
        await talk.append("h1", [line(rig, number, seconds=0)])
    rig.wire.mode = "ok"
    await rig.until(lambda: rig.engine.is_up, step_s=0.1)
    await talk.append("h1", [line(rig, 3, seconds=0)])
    await rig.come_back()
    assert await heard(talk) == ["line 1", "line 5", "line 2", "line 9", "line 3"]


async def test_an_append_whose_answer_was_lost_is_there_once(rig, talk):
    rig.wire.losses = 4
    await rig.finish(talk.append("h1", [line(rig, 1)]))
    await talk.append("h1", [line(rig, 2)])
    await rig.come_back()
    assert await heard(rig.remote.conversations) == ["line 1", "line 2"]


async def test_while_some_wait_reads_have_them_beside_what_the_engine_has(rig, talk):
    await rig.remote.conversations.append("h1", [line(rig, 1, text="old times"), line(rig, 7, "t2")])
    await rig.go_away()
    await talk.append("h1", [line(rig, 5, text="new times"), line(rig, 6, "t3")])
    rig.takers["conversations"] = never
    rig.wire.mode = "ok"
    await rig.until(lambda: rig.engine.is_up, step_s=0.1)
    assert await heard(talk) == ["old times", "new times"]
    assert await heard(talk, limit=1) == ["new times"]
    assert await heard(talk, limit=0) == []
    threads = await talk.threads("h1", "anna")
    assert [(t.id, t.title) for t in threads] == [("t2", "line 7"), ("t3", "line 6"), ("t1", "old times")]
    assert await talk.threads("h1", "anna", limit=1) == threads[:1]
    assert await talk.thread("h1", "anna", "t1") == threads[2]
    assert await talk.thread("h1", "anna", "t3") == threads[1]
    assert await talk.thread("h1", "anna", "nobody's") is None


async def never(stores, values) -> None:
    raise StoreUnavailable("not yet")


async def test_what_is_cleared_during_an_outage_is_cleared_there_too_and_nothing_said_after_it(rig, talk):
    await talk.append("h1", [line(rig, 1), line(rig, 2, "t2")])
    await rig.go_away()
    assert await talk.clear("h1", "anna", "t1") == 1
    await talk.append("h1", [line(rig, 3)])
    assert await heard(talk) == ["line 3"]
    await rig.come_back()
    assert await heard(rig.remote.conversations) == ["line 3"]
    assert await heard(rig.remote.conversations, "t2") == ["line 2"]
    assert await talk.clear("h1", "anna") == 2
    assert await talk.threads("h1", "anna") == await rig.local.conversations.threads("h1", "anna") == []


async def test_a_line_of_another_home_is_refused_also_during_an_outage(rig, talk):
    await rig.go_away()
    with pytest.raises(HomeMismatch):
        await talk.append("h2", [line(rig, 1)])
    assert rig.forwarder.waiting() == 0


async def test_when_nothing_more_can_wait_the_caller_hears_so_and_nothing_is_kept(rig, talk):
    await rig.go_away()
    rig.spool._row_limit = 1
    await talk.append("h1", [line(rig, 1)])
    with pytest.raises(Overloaded):
        await talk.append("h1", [line(rig, 2)])
    assert await heard(talk) == ["line 1"]
