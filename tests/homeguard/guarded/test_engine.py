"""How one server is opened, asked, left alone and found again."""

import asyncio
import re

import pytest

from homeguard.errors import Conflict, StartRefused, StorageFull, StoreUnavailable
from homeguard.stores.guarded.engine import guard


async def homes(stores):
    return await stores.users.homes()


async def caught(call) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as found:
        await call
    return found.value


async def in_time(clock, call):
    """What a start gives that waits."""
    task = asyncio.ensure_future(call)
    while not task.done():
        await clock.advance(0.05)
        await asyncio.sleep(0.001)
    return await task


async def test_a_call_gets_the_stores_answer_and_the_engine_names_itself(rig):
    assert await rig.engine.call(homes) == []
    health = rig.engine.health()
    assert (health.ok, health.engine, health.version, health.state) == (True, "Embedded", "1.0", "closed")
    assert set(health.as_json()) == {"ok", "engine", "version", "state", "since", "reason"}


async def test_a_call_that_may_be_repeated_is_tried_four_times_and_says_when_to_come_back(rig):
    # Looks at it go well: two in vain would end the tries early.
    rig.wire.mode, rig.wire.ping_mode, rig.wire.calls = "reset", "ok", 0
    error = await caught(rig.finish(rig.engine.call(homes, deadline_s=60)))
    assert rig.wire.calls == 4
    assert error.details["retry_after_s"] > 0
    assert re.fullmatch(r"The engine does not answer \(connection reset by peer\); try again in \d s", error.message)


async def test_after_a_call_without_any_answer_the_next_ones_wait_less_until_a_look_goes_well(rigging):
    async with rigging(deadline_s=0.5) as rig:
        rig.wire.mode, rig.wire.ping_mode = "hangs", "ok"
        limits = [(await caught(rig.engine.call(homes, idempotent=False))).message for _ in range(2)]
        assert "no answer within 0.5 s" in limits[0]
        assert "no answer within 0.3 s" in limits[1]
        own = await caught(rig.engine.call(homes, deadline_s=0.05))
        assert "no answer within 0.05 s" in own.message

        await rig.clock.advance(10)
        assert "no answer within 0.5 s" in (await caught(rig.engine.call(homes, idempotent=False))).message


async def test_a_call_that_may_not_be_repeated_is_tried_once(rig):
    rig.wire.mode, rig.wire.calls = "lost", 0
    await caught(rig.engine.call(homes, idempotent=False))
    assert rig.wire.calls == 1


async def test_a_retry_that_succeeds_is_an_answer(rig):
    rig.wire.errors = [StoreUnavailable("reset"), OSError("reset")]
    assert await rig.finish(rig.engine.call(homes, deadline_s=60)) == []


async def test_waits_grow_and_never_pass_the_deadline(rig):
    rig.wire.mode, rig.wire.calls = "refused", 0
    begun = rig.clock.monotonic()
    await caught(rig.finish(rig.engine.call(homes, deadline_s=0.4)))
    # 100 to 150 ms, then 200 to 300 ms; 400 ms more would be too late.
    assert rig.wire.calls in (2, 3)
    assert rig.clock.monotonic() - begun <= 0.5


async def test_a_server_that_says_nothing_is_given_up_at_the_deadline(rig):
    rig.wire.mode = "hangs"
    error = await caught(rig.engine.call(homes, deadline_s=0.05))
    assert "no answer within 0.05 s" in error.message


@pytest.mark.parametrize("error", [Conflict("it is taken"), StorageFull("the disk is full"), ValueError("a bug")])
async def test_an_error_that_is_an_answer_comes_out_as_it_is_and_is_no_failure(rig, error):
    for _ in range(12):
        rig.wire.errors = [error]
        with pytest.raises(type(error)):
            await rig.engine.call(homes)
    assert rig.engine.health().ok


async def test_after_many_failures_callers_are_answered_without_asking(rig):
    # Looks at it still succeed; only its callers fail.
    rig.wire.ping_mode, rig.wire.mode = "ok", "refused"
    for _ in range(10):
        await caught(rig.engine.call(homes, idempotent=False))
    assert rig.engine.health().state == "open"
    rig.wire.calls = 0
    error = await caught(rig.engine.call(homes))
    assert rig.wire.calls == 0
    assert error.details["retry_after_s"] >= 1


async def test_two_looks_in_vain_are_enough_to_leave_it_alone(rig):
    rig.wire.ping_mode = "refused"
    begun = rig.clock.monotonic()
    await rig.until(lambda: not rig.engine.is_up)
    assert rig.clock.monotonic() - begun <= 10
    health = rig.engine.health()
    assert (health.ok, health.state, health.reason) == (False, "open", "connection refused")


@pytest.mark.parametrize("mode", ["refused", "reset"])
async def test_it_is_asked_again_within_seconds_of_its_return(rig, mode):
    await rig.go_away(mode)
    await rig.clock.advance(120)
    rig.wire.mode = "ok"
    begun = rig.clock.monotonic()
    await rig.until(lambda: rig.engine.health().ok, step_s=0.25)
    assert rig.clock.monotonic() - begun <= 5
    assert await rig.engine.call(homes) == []


async def test_an_engine_that_answers_looks_but_fails_its_callers_is_trusted_more_slowly_each_time(rig):
    rig.wire.ping_mode, rig.wire.mode = "ok", "refused"
    spans = []
    for _ in range(5):
        while rig.engine.is_up:
            await caught(rig.engine.call(homes, idempotent=False))
        begun = rig.clock.monotonic()
        await rig.until(lambda: rig.engine.is_up, step_s=0.25)
        spans.append(rig.clock.monotonic() - begun)
    assert spans == sorted(spans)
    assert spans[0] <= 2
    assert 8 <= spans[-1] <= 10


async def test_those_who_asked_are_told_of_every_return_also_after_a_single_failure(rig):
    told = []
    rig.engine.on_return(lambda: told.append(rig.clock.monotonic()))
    rig.wire.errors = [StoreUnavailable("reset")]
    await caught(rig.engine.call(homes, idempotent=False))
    await rig.until(lambda: told)
    await rig.go_away()
    rig.wire.mode = "ok"
    await rig.until(lambda: len(told) == 2)
    await rig.clock.advance(60)
    assert len(told) == 2


async def test_a_cancelled_call_is_neither_failure_nor_answer(rig):
    rig.wire.mode = "hangs"
    tasks = [asyncio.ensure_future(rig.engine.call(homes, deadline_s=30)) for _ in range(20)]
    await rig.clock.settle()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert rig.engine.health().state == "closed"


async def test_a_server_that_is_not_there_at_start_is_gone_on_without_and_found_later(rig, behind, wire, clock):
    wire.mode = "refused"
    told = []

    async def start():
        async with guard("Elsewhere", behind(rig.remote), clock) as engine:
            engine.on_return(lambda: told.append(True))
            first = engine.health()
            error = await caught(engine.call(homes))
            wire.mode = "ok"
            await clock.advance(2)
            return first, error, engine.health(), await engine.call(homes)

    first, error, later, found = await in_time(clock, start())
    assert (first.ok, first.engine, first.version, first.state) == (False, "Elsewhere", "", "open")
    assert "Elsewhere does not answer (connection refused)" in error.message
    assert later.ok
    assert later.engine == "Embedded"
    assert found == []
    assert told == [True]


async def test_what_is_configured_wrong_is_told_at_start(rig, behind, wire, clock):
    wire.mode = "wrong"
    with pytest.raises(StartRefused, match=r"the password for 127\.0\.0\.1:1 is wrong"):
        async with guard("Elsewhere", behind(rig.remote), clock):
            raise AssertionError("it opened")


async def test_what_turns_out_wrong_later_is_kept_as_the_reason_and_tried_every_ten_seconds(rig, behind, wire, clock):
    wire.mode = "refused"

    async def start():
        async with guard("Elsewhere", behind(rig.remote), clock) as engine:
            wire.mode = "wrong"
            await clock.advance(2)
            reason = engine.health().reason
            wire.mode = "ok"
            await clock.advance(5)
            early = engine.health().ok
            await clock.advance(6)
            return reason, early, engine.health().ok

    assert await in_time(clock, start()) == ("the password for 127.0.0.1:1 is wrong", False, True)


async def test_a_server_that_hangs_while_it_is_opened_does_not_hold_up_the_start(rig, behind, wire, clock):
    wire.mode = "hangs"

    async def start():
        async with guard("Elsewhere", behind(rig.remote), clock, start_wait_s=3) as engine:
            return engine.health().ok, clock.monotonic()

    ok, at = await in_time(clock, start())
    assert not ok
    assert at <= 3.5


async def test_what_the_block_raises_comes_out_as_it_is(rig, behind, clock):
    with pytest.raises(ValueError, match="mine"):
        async with guard("Elsewhere", behind(rig.remote), clock):
            raise ValueError("mine")
