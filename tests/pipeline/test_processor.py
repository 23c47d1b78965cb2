"""The consume loop: order, retries, poison, a store that is away, a crash between the handlers and the commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from pipeline_fakes import NOW, ManualClock, MemoryLog, event

from homeguard.errors import Conflict, StoreUnavailable
from homeguard.ports.log import DEAD_LETTERS, EVENTS, HEARTBEATS, NewRecord
from pipeline.envelope import encode
from pipeline.processor import BATCH, TRIES, Processor


class Collect:
    """Keeps the ids of what it was given; fails as often as `fails` says, or always on the ids in `poison`."""

    def __init__(self, *fails: Exception, poison: frozenset[str] = frozenset()) -> None:
        self.fails = list(fails)
        self.poison = poison
        self.seen: list[str] = []
        self.batches: list[int] = []

    async def __call__(self, batch) -> None:
        self.batches.append(len(batch))
        if self.fails:
            raise self.fails.pop(0)
        for _, got in batch:
            if got.event_id in self.poison:
                raise ValueError(f"cannot make sense of {got.event_id}")
        self.seen += [got.event_id for _, got in batch]


@asynccontextmanager
async def running(log: MemoryLog, clock: ManualClock, *handlers, together: bool = False) -> AsyncIterator[Processor]:
    processor, stop = Processor(log, "g", [EVENTS], handlers, clock, together=together), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(processor.run(stop))
        try:
            yield processor
        finally:
            stop.set()


async def filled(log: MemoryLog, count: int) -> list[str]:
    ids = [f"e{i}" for i in range(count)]
    await log.append([encode(event("door_open", "door", event_id=i)) for i in ids])
    return ids


async def test_records_reach_every_handler_in_order_and_are_committed(log, clock):
    ids = await filled(log, BATCH * 2 + 7)
    first, second = Collect(), Collect()

    async with running(log, clock, first, second) as processor:
        await processor.caught_up()
        assert await log.lag("g") == 0

    assert first.seen == second.seen == ids
    assert first.batches == [BATCH, BATCH, 7]
    assert (processor.processed, processor.poisoned) == (len(ids), 0)


async def test_a_handler_that_fails_a_few_times_is_tried_again_with_growing_waits(log, clock):
    ids = await filled(log, 3)
    before, shaky = Collect(), Collect(*[RuntimeError("no")] * (TRIES - 1))

    async with running(log, clock, before, shaky) as processor:
        await processor.caught_up()

    assert shaky.seen == ids
    assert before.batches == [3]
    assert clock.slept == [0.05, 0.1, 0.2, 0.4]
    assert not log.topics[DEAD_LETTERS]


async def test_poison_goes_to_the_dead_letters_and_everything_else_goes_on(log, clock):
    ids = await filled(log, 5)
    strict, after = Collect(poison=frozenset(("e2",))), Collect()

    async with running(log, clock, strict, after) as processor:
        await processor.caught_up()

    assert strict.seen == [i for i in ids if i != "e2"]
    assert after.seen == ids
    (letter,) = log.topics[DEAD_LETTERS]
    assert letter.value == log.topics[EVENTS][2].value
    assert letter.headers["reason"] == "Collect: ValueError: cannot make sense of e2"
    assert (letter.headers["group"], letter.headers["topic"], letter.headers["offset"]) == ("g", EVENTS, "0/2")
    assert processor.poisoned == 1


@pytest.mark.parametrize("value", [b"", b"\xff", b"{}", b"[]", b'{"event_id": 1}', b"[" * 5000])
async def test_a_record_that_is_no_envelope_is_a_dead_letter(log, clock, value):
    await log.append([NewRecord(topic=EVENTS, key="h1/door", value=value, headers={})])
    ids = await filled(log, 2)
    handler = Collect()

    async with running(log, clock, handler) as processor:
        await processor.caught_up()

    assert handler.seen == ids
    assert [letter.value for letter in log.topics[DEAD_LETTERS]] == [value]


async def test_a_store_that_is_away_is_waited_for_and_nothing_is_lost(log, clock):
    ids = await filled(log, 4)
    handler = Collect(*[StoreUnavailable("away")] * 40)

    async with running(log, clock, handler) as processor:
        await processor.caught_up()

    assert handler.seen == ids
    assert not log.topics[DEAD_LETTERS]
    assert max(clock.slept) == 5.0


async def test_handlers_that_need_nothing_of_one_another_work_side_by_side(log, clock):
    ids = await filled(log, 3)
    first_is_in, second_is_in = asyncio.Event(), asyncio.Event()

    class Meets(Collect):
        def __init__(self, mine: asyncio.Event, others: asyncio.Event) -> None:
            super().__init__()
            self.mine, self.others = mine, others

        async def __call__(self, batch):
            self.mine.set()
            await self.others.wait()
            await super().__call__(batch)

    handlers = Meets(first_is_in, second_is_in), Meets(second_is_in, first_is_in)
    async with asyncio.timeout(5), running(log, clock, *handlers, together=True) as processor:
        await processor.caught_up()

    assert [h.seen for h in handlers] == [ids, ids]


async def test_side_by_side_too_nothing_is_committed_while_one_store_is_away(log, clock):
    ids = await filled(log, 4)
    away, well = Collect(*[StoreUnavailable("away")] * 20, poison=frozenset(("e2",))), Collect()

    async with running(log, clock, away, well, together=True) as processor:
        await processor.caught_up()

    assert away.seen == ["e0", "e1", "e3"]
    assert well.seen == ids
    assert processor.poisoned == 1


async def test_a_dead_letter_that_cannot_be_kept_is_tried_again(log, clock):
    await filled(log, 1)
    log.fails = [StoreUnavailable("away"), StoreUnavailable("away")]

    async with running(log, clock, Collect(poison=frozenset(("e0",)))) as processor:
        await processor.caught_up()

    assert len(log.topics[DEAD_LETTERS]) == 1


async def test_a_stop_while_a_store_is_away_commits_nothing(log, clock):
    await filled(log, 4)
    stop = asyncio.Event()

    class Away:
        calls = 0

        async def __call__(self, batch):
            self.calls += 1
            if self.calls == 10:
                stop.set()
            raise StoreUnavailable("away")

    await asyncio.wait_for(Processor(log, "g", [EVENTS], [Away()], clock).run(stop), 5)

    assert await log.lag("g") == 4


async def test_after_a_crash_before_the_commit_the_batch_comes_again(log, clock):
    ids = await filled(log, 3)
    handler = Collect()

    class CrashingLog:
        """The same log, of a process that ends when it wants to commit."""

        def __getattr__(self, name):
            return getattr(log, name)

        async def commit(self, group, records):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Processor(CrashingLog(), "g", [EVENTS], [handler], clock).run(asyncio.Event())
    log.reopen()
    async with running(log, clock, handler) as processor:
        await processor.caught_up()

    assert handler.seen == ids + ids
    assert await log.lag("g") == 0


async def test_a_read_that_fails_is_tried_again(log, clock):
    ids = await filled(log, 2)
    read, left = log.read, [OSError("disk"), StoreUnavailable("away")]

    async def shaky(*args, **kwargs):
        if left:
            raise left.pop()
        return await read(*args, **kwargs)

    log.read = shaky
    handler = Collect()
    stop = asyncio.Event()

    class StopAfter:
        async def __call__(self, batch):
            stop.set()

    await asyncio.wait_for(Processor(log, "g", [EVENTS], [handler, StopAfter()], clock).run(stop), 5)

    assert handler.seen == ids


async def test_two_groups_move_at_their_own_pace_over_the_real_log(stores, clock):
    await stores.log.append([encode(event("door_open", "door", event_id=f"e{i}", at=NOW)) for i in range(3)])
    fast, slow = Collect(), Collect()
    for group, handler in (("fast", fast), ("slow", slow)):
        processor, stop = Processor(stores.log, group, [EVENTS], [handler], clock), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(processor.run(stop))
            async with asyncio.timeout(10):
                await processor.caught_up()
            stop.set()

    assert fast.seen == slow.seen == ["e0", "e1", "e2"]
    assert await stores.log.lag("fast") == 0


async def test_a_group_that_is_set_back_does_everything_again_and_commits_behind_it(stores, clock):
    first = [encode(event("door_open", "door", event_id=f"e{i}", at=NOW)) for i in range(4)]
    await stores.log.append(first)
    clock.at += timedelta(hours=1)
    later = clock.now()
    await stores.log.append([encode(event("door_open", "door", event_id=f"e{i}", at=NOW)) for i in range(4, 6)])
    handler = Collect()

    async with running(stores.log, clock, handler) as processor:
        await processor.caught_up()
        await processor.rewind(None)
        await processor.caught_up()
        assert handler.seen == [f"e{i}" for i in range(6)] * 2
        handler.seen.clear()
        await processor.rewind(later)
        await processor.caught_up()
        assert handler.seen == ["e4", "e5"]
        assert await stores.log.lag("g") == 0


async def test_a_batch_in_hand_is_committed_before_the_group_is_set_back(stores, clock):
    await stores.log.append([encode(event("door_open", "door", event_id=f"e{i}", at=NOW)) for i in range(3)])
    busy, go_on = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    class Slow:
        async def __call__(self, batch):
            busy.set()
            await go_on.wait()
            seen.extend(got.event_id for _, got in batch)

    async with running(stores.log, clock, Slow()) as processor:
        await busy.wait()
        asked = asyncio.ensure_future(processor.rewind(None))
        await asyncio.sleep(0)
        assert not asked.done()
        go_on.set()
        await asked
        await processor.caught_up()
        assert await stores.log.lag("g") == 0

    assert seen == ["e0", "e1", "e2"] * 2


async def test_a_group_that_cannot_be_set_back_says_why_and_goes_on(log, clock):
    ids = await filled(log, 2)

    async def shared(group, at):
        raise Conflict("another process reads it")

    log.seek = shared
    handler = Collect()
    async with running(log, clock, handler) as processor:
        with pytest.raises(Conflict):
            await processor.rewind(None)
        await processor.caught_up()

    assert handler.seen == ids


async def test_caught_up_waits_while_the_log_does_not_say_how_far_it_is(log, clock):
    ids = await filled(log, 2)
    lag, left = log.lag, [StoreUnavailable("away")] * 3

    async def shaky(group):
        if left:
            raise left.pop()
        return await lag(group)

    log.lag = shaky
    handler = Collect()
    async with running(log, clock, handler) as processor:
        await processor.caught_up()

    assert handler.seen == ids
    assert not left


async def _nothing() -> None: ...


@pytest.mark.parametrize("flush", [None, _nothing], ids=["at once", "behind a flush"])
async def test_a_group_whose_commits_are_not_answered_reads_on_and_commits_all_of_it_later(log, clock, flush):
    commit, is_away, owed = log.commit, True, set()

    async def unanswered(group, records):
        if is_away:
            owed.add(frozenset((r.topic, r.offset) for r in records))
            raise StoreUnavailable("no answer")
        await commit(group, records)

    async def is_owed(*done):
        while frozenset(done) not in owed:  # noqa: ASYNC110 - it is waited for from outside
            await asyncio.sleep(0.001)

    log.commit = unanswered
    handler, stop = Collect(), asyncio.Event()
    processor = Processor(log, "g", [EVENTS, HEARTBEATS], [handler], clock, flush=flush)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(processor.run(stop))
        await filled(log, 2)
        await is_owed((EVENTS, 1))
        await log.append([encode(event("heartbeat", "door", event_id="beat"))])
        await is_owed((EVENTS, 1), (HEARTBEATS, 0))
        assert handler.seen == ["e0", "e1", "beat"]
        is_away = False
        await processor.caught_up()
        stop.set()

    assert handler.seen == ["e0", "e1", "beat"]
    assert (log.committed["g", EVENTS], log.committed["g", HEARTBEATS]) == (2, 1)
