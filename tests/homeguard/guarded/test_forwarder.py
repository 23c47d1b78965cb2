"""What waits in the spool reaches the engine in order, once it is there, and nothing blocks the others for ever."""

from datetime import timedelta

import pytest

from homeguard.errors import InvalidInput, Overloaded, StoreUnavailable
from homeguard.model import Alert
from homeguard.stores.guarded.alerts import CONCERN
from homeguard.stores.guarded.codec import encode
from homeguard.stores.guarded.forwarder import TRIES, forward
from homeguard.stores.sqlite.spool import open_spool


def alert(number: int, clock) -> Alert:
    return Alert(
        id=f"a{number:04}", home_id="h", at=clock.began + timedelta(seconds=number), kind="smoke", severity="critical",
        title="Smoke", text="In the hall",
    )  # fmt: skip


class Took:
    """A taker that remembers what it was given."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self.batches = 0
        self.refused: set[str] = set()
        #: How many refusals of a single value there are, before it is taken.
        self.patience = 1_000

    async def __call__(self, stores, values) -> None:
        await stores.users.homes()
        self.batches += 1
        if self.refused & set(values):
            self.patience -= len(values) == 1
            if self.patience == 0:
                self.refused = set()
            raise InvalidInput("no such thing")
        self.values += values


@pytest.fixture
def took(rig) -> Took:
    """Takes "things" and "others"."""
    taker = Took()
    rig.takers.update(things=taker, others=taker)
    return taker


async def stored(rig) -> list[str]:
    day = timedelta(days=1)
    found = await rig.remote.alerts.query("h", start=rig.clock.began - day, end=rig.clock.began + day, limit=5000)
    return [alert.id for alert in reversed(found)]


async def test_an_entry_is_handed_over_at_once_while_the_engine_is_up(rig):
    await rig.forwarder.keep(CONCERN, [encode(alert(1, rig.clock))])
    await rig.until(lambda: rig.forwarder.waiting() == 0, step_s=0)
    assert await stored(rig) == ["a0001"]


async def test_a_long_backlog_goes_over_in_order_when_the_engine_returns(rig):
    await rig.go_away()
    for start in range(0, 350, 7):
        await rig.forwarder.keep(CONCERN, [encode(alert(n, rig.clock)) for n in range(start, start + 7)])
    assert rig.forwarder.waiting(CONCERN) == 350
    await rig.come_back()
    assert await stored(rig) == [f"a{n:04}" for n in range(350)]


async def test_order_holds_over_concerns(rig, took):
    await rig.go_away()
    for number in range(20):
        await rig.forwarder.keep("things" if number % 3 else "others", [str(number)])
    await rig.come_back()
    assert took.values == [str(number) for number in range(20)]


async def test_what_the_engine_took_without_saying_so_is_given_again(rig):
    rig.wire.mode = "lost"
    rig.wire.ping_mode = "ok"
    await rig.forwarder.keep(CONCERN, [encode(alert(1, rig.clock))])
    await rig.until(lambda: stored_any(rig))
    assert rig.forwarder.waiting() == 1
    rig.wire.ping_mode = ""
    await rig.come_back()
    assert await stored(rig) == ["a0001"]


async def stored_any(rig) -> bool:
    return bool(await stored(rig))


async def test_what_the_engine_refuses_for_ever_is_set_aside_with_its_reason_and_the_others_pass(rig, took):
    took.refused = {"3"}
    await rig.forwarder.keep("things", [str(number) for number in range(6)])
    await rig.until(lambda: rig.forwarder.waiting() == 0)
    assert took.values == ["0", "1", "2", "4", "5"]
    (aside,) = await rig.spool.aside(rig.engine.name)
    assert (aside.entry.value, aside.tries, aside.reason) == ("3", TRIES, "no such thing")


async def test_what_is_refused_only_for_a_while_keeps_its_place(rig, took):
    took.refused, took.patience = {"3"}, 3
    await rig.forwarder.keep("things", [str(number) for number in range(6)])
    await rig.until(lambda: rig.forwarder.waiting() == 0)
    assert took.values == [str(number) for number in range(6)]
    assert await rig.spool.aside(rig.engine.name) == []


async def test_an_engine_that_is_away_is_no_refusal(rig, took):
    await rig.go_away()
    await rig.forwarder.keep("things", ["1"])
    await rig.clock.advance(300)
    (waiting,) = await rig.spool.next(rig.engine.name)
    assert waiting.tries == 0
    rig.wire.mode = "ok"
    await rig.until(lambda: took.values == ["1"])


async def test_an_engine_that_is_overloaded_is_no_refusal_either(rig, took):
    rig.wire.errors = [Overloaded("busy", retry_after_s=1)] * 8
    await rig.forwarder.keep("things", ["1"])
    await rig.until(lambda: took.values == ["1"])
    assert await rig.spool.aside(rig.engine.name) == []


async def test_a_concern_that_nobody_takes_is_set_aside_too(rig, took):
    await rig.forwarder.keep("strange", ["1"])
    await rig.forwarder.keep("things", ["2"])
    await rig.until(lambda: took.values == ["2"])
    assert [w.reason for w in await rig.spool.aside(rig.engine.name)] == ["LookupError: nobody takes strange"]


async def test_entries_of_an_earlier_run_are_handed_over_by_the_next(rig, rigging):
    async with rigging("again") as first:
        await first.go_away()
        await first.forwarder.keep(CONCERN, [encode(alert(1, first.clock))])
    async with rigging("again") as second:
        await second.until(lambda: second.forwarder.waiting() == 0)
        assert await stored(second) == ["a0001"]


async def test_drained_returns_when_the_last_one_is_over(rig, took):
    await rig.forwarder.keep("things", ["1", "2"])
    await rig.forwarder.drained()
    assert took.values == ["1", "2"]


async def test_a_full_spool_fails_who_must_know_and_is_counted_for_who_must_go_on(rig, took):
    await rig.go_away()
    rig.spool._row_limit = 4
    await rig.forwarder.keep("things", list("1234"))
    with pytest.raises(Overloaded):
        await rig.forwarder.keep("things", ["5"])
    await rig.forwarder.keep_or_count("things", ["5"])
    await rig.forwarder.keep_or_count("things", ["6", "7"])
    assert rig.forwarder.lost == 2
    rig.wire.mode = "ok"
    await rig.until(lambda: rig.forwarder.waiting() == 0)
    assert took.values == list("12345")


async def test_a_disk_that_does_not_answer_stops_the_hand_over_only_for_a_while(rig, tmp_path, wired, wire):
    taker = Took()
    async with (
        open_spool(tmp_path / "other.db", rig.clock) as spool,
        forward(rig.engine, wired(spool, wire), rig.clock, {"things": taker}) as forwarder,
    ):
        await rig.go_away()
        await forwarder.keep("things", ["1"])
        wire.errors = [StoreUnavailable("the disk")] * 3
        rig.wire.mode = "ok"
        await rig.until(lambda: taker.values == ["1"])
    assert wire.errors == []
