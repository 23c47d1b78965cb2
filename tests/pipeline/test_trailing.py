"""Commits that trail behind a flush: nothing is forgotten before it is kept, and a crash only reads again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from pipeline_fakes import ManualClock, MemoryLog, event

import pipeline.processor
from homeguard.errors import StorageFull, StoreUnavailable
from homeguard.ports.log import DEAD_LETTERS, EVENTS, NewRecord
from pipeline.envelope import encode
from pipeline.processor import Processor
from pipeline.topics import is_ordinary, is_urgent
from pipeline.trailing import Trailing


class Kept:
    """A store with a memory and a disk: the handler fills the one, `flush` the other."""

    def __init__(self, disk: dict[str, int] | None = None) -> None:
        self.disk = {} if disk is None else disk
        self.memory = dict(self.disk)
        self.flushes = 0
        #: What the next flushes do instead: raise, or wait for ever when it is None.
        self.instead: list[Exception | None] = []

    async def __call__(self, batch) -> None:
        for _, got in batch:
            self.memory[got.event_id] = self.memory.get(got.event_id, 0) + 1

    async def flush(self) -> None:
        self.flushes += 1
        seen = dict(self.memory)
        if self.instead:
            failure = self.instead.pop(0)
            if failure is None:
                await asyncio.Event().wait()
            else:
                raise failure
        await asyncio.sleep(0)
        self.disk.update(seen)


class CommitsFirst(Trailing):
    """The mutant: it forgets what it has not kept yet."""

    async def _keep(self, records, *, is_unflushed: bool) -> None:
        if records:
            await self._log.commit(self._group, records)
        if is_unflushed:
            await self._flush()


@asynccontextmanager
async def running(log: MemoryLog, clock: ManualClock, store: Kept, **options: object) -> AsyncIterator[Processor]:
    processor = Processor(log, "g", [EVENTS], [store], clock, flush=store.flush, **options)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(processor.run(stop))
        try:
            yield processor
        finally:
            stop.set()


async def filled(log: MemoryLog, *ids: str, lane: str = "state") -> None:
    await log.append([encode(event("door_open", "door", event_id=id_, lane=lane)) for id_ in ids])


async def seen(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - it is waited for from outside
            await asyncio.sleep(0.001)


async def lost_by_a_crash_in_the_flush(log: MemoryLog, clock: ManualClock) -> set[str]:
    """What is gone after a process that ended while it flushed, and another one that went on from there."""
    await filled(log, "e0", "e1", "e2")
    store = Kept()
    store.instead = [None]
    dying = asyncio.create_task(Processor(log, "g", [EVENTS], [store], clock, flush=store.flush).run(asyncio.Event()))
    await seen(lambda: store.flushes == 1)
    dying.cancel()
    with suppress(asyncio.CancelledError):
        await dying
    log.reopen()
    after = Kept(store.disk)
    async with running(log, clock, after) as processor, asyncio.timeout(5):
        await processor.caught_up()
    return {"e0", "e1", "e2"} - after.disk.keys()


async def test_a_crash_in_the_flush_loses_nothing(log, clock):
    assert await lost_by_a_crash_in_the_flush(log, clock) == set()


async def test_the_mutant_that_commits_before_the_flush_is_found(log, clock, monkeypatch):
    monkeypatch.setattr(pipeline.processor, "Trailing", CommitsFirst)

    assert await lost_by_a_crash_in_the_flush(log, clock) == {"e0", "e1", "e2"}


async def test_what_is_done_is_kept_and_committed_before_anyone_is_told_that_the_group_is_through(log, clock):
    store = Kept()
    async with running(log, clock, store) as processor, asyncio.timeout(5):
        await processor.caught_up()
        await filled(log, "e0", "e1")
        await processor.caught_up()
        assert store.disk == {"e0": 1, "e1": 1}
        assert await log.lag("g") == 0
        assert processor.processed == 2


async def test_a_record_is_committed_soon_when_nobody_asks(log, clock):
    store = Kept()
    async with running(log, clock, store):
        await filled(log, "e0")
        await seen(lambda: log.committed["g", EVENTS] == 1)
        assert store.disk == {"e0": 1}


@pytest.mark.parametrize("failure", [StorageFull("full"), StoreUnavailable("away"), OSError("disk")])
async def test_a_flush_that_fails_commits_nothing_and_holds_up_no_handler(log, clock, failure):
    store = Kept()
    store.instead = [failure, failure]
    async with running(log, clock, store) as processor, asyncio.timeout(10):
        await filled(log, "e0")
        await seen(lambda: store.flushes == 1)
        assert log.committed["g", EVENTS] == 0
        await filled(log, "e1")
        await seen(lambda: "e1" in store.memory)
        await processor.caught_up()

    assert store.flushes >= 3
    assert store.disk == {"e0": 1, "e1": 1}
    assert log.committed["g", EVENTS] == 2


async def test_many_batches_share_a_flush(log, clock):
    store = Kept()
    async with running(log, clock, store) as processor:
        for number in range(50):
            await filled(log, f"e{number}")
            await seen(lambda n=number: f"e{n}" in store.memory)
        during = store.flushes
        await processor.caught_up()

    assert len(store.disk) == 50
    assert during < 50


async def test_at_the_end_the_last_batch_is_kept_and_committed(log, clock):
    store = Kept()
    async with running(log, clock, store):
        await filled(log, "e0")
        await seen(lambda: "e0" in store.memory)

    assert store.disk == {"e0": 1}
    assert log.committed["g", EVENTS] == 1


async def test_a_group_is_set_back_only_behind_what_it_has_kept(log, clock):
    store = Kept()
    async with running(log, clock, store) as processor, asyncio.timeout(10):
        await filled(log, "e0", "e1")
        await seen(lambda: "e1" in store.memory)
        await processor.rewind(None)
        assert store.disk == {"e0": 1, "e1": 1}
        await processor.caught_up()
        assert store.disk == {"e0": 2, "e1": 2}
        assert await log.lag("g") == 0


async def test_a_group_that_cannot_keep_what_it_did_is_not_set_back(log, clock):
    store = Kept()
    store.instead = [StorageFull("full")] * 3
    async with running(log, clock, store) as processor, asyncio.timeout(10):
        await filled(log, "e0")
        await seen(lambda: "e0" in store.memory)
        with pytest.raises(StoreUnavailable, match="was not moved"):
            await processor.rewind(None)
        await processor.caught_up()

    assert store.disk == {"e0": 1}


async def test_records_of_another_lane_are_passed_over_unread_and_committed(log, clock):
    await filled(log, "e0", "e1")
    await log.append([NewRecord(topic=EVENTS, key="h1/door", value=b"no envelope", headers={})])
    await filled(log, "e2", lane="safety")
    urgent, ordinary = Kept(), Kept()
    async with running(log, clock, urgent, takes=is_urgent) as processor, asyncio.timeout(5):
        await processor.caught_up()
        assert (processor.processed, await log.lag("g")) == (1, 0)
    assert urgent.disk == {"e2": 1}
    assert not log.topics[DEAD_LETTERS]

    log.committed.clear()
    log.reopen()
    async with running(log, clock, ordinary, takes=is_ordinary) as processor, asyncio.timeout(5):
        await processor.caught_up()
    assert ordinary.disk == {"e0": 1, "e1": 1}
    assert len(log.topics[DEAD_LETTERS]) == 1


async def test_a_group_that_only_passes_over_needs_no_flush(log, clock):
    await filled(log, "e0", "e1")
    store = Kept()
    async with running(log, clock, store, takes=is_urgent) as processor, asyncio.timeout(5):
        await processor.caught_up()

    assert store.flushes == 0
    assert log.committed["g", EVENTS] == 2
