"""Records handled side by side: a device that does not answer holds up nothing else, and nothing is lost by it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from pipeline_fakes import ManualClock, MemoryLog, event

from homeguard.errors import StoreUnavailable
from homeguard.ports.log import DEAD_LETTERS, EVENTS
from pipeline.envelope import encode
from pipeline.processor import Processor
from pipeline.side_by_side import AT_ONCE


class Slow:
    """Waits for a word before it is through with what concerns the devices in `silent`."""

    def __init__(self, *silent: str) -> None:
        self.silent = frozenset(silent)
        self.answer = asyncio.Event()
        self.begun: list[str] = []
        self.through: list[str] = []
        self.fails: dict[str, list[Exception]] = {}
        self.at_once = self.most = 0

    async def __call__(self, batch) -> None:
        for _, got in batch:
            self.begun.append(got.event_id)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            try:
                if self.fails.get(got.event_id):
                    raise self.fails[got.event_id].pop(0)
                if got.device_id in self.silent:
                    await self.answer.wait()
                await asyncio.sleep(0)
            finally:
                self.at_once -= 1
            self.through.append(got.event_id)


@asynccontextmanager
async def running(log: MemoryLog, clock: ManualClock, handler: Slow, *, apart: bool = True) -> AsyncIterator[Processor]:
    keys = (lambda e: [e.device_id]) if apart else None
    processor, stop = Processor(log, "g", [EVENTS], [handler], clock, apart=keys), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(processor.run(stop))
        try:
            async with asyncio.timeout(10):
                yield processor
        finally:
            handler.answer.set()
            stop.set()


async def say(log: MemoryLog, **devices: str) -> None:
    """Event id -> device."""
    await log.append([encode(event("door_open", device, event_id=id_)) for id_, device in devices.items()])


async def until_through(handler: Slow, *ids: str) -> None:
    async with asyncio.timeout(5):
        while not set(ids) <= set(handler.through):  # noqa: ASYNC110 - a poll with an end is all that a test needs
            await asyncio.sleep(0.001)


async def test_what_waits_for_one_device_holds_up_no_other(log, clock):
    handler = Slow("dead_lamp")
    async with running(log, clock, handler) as processor:
        await say(log, a="dead_lamp", b="lamp", c="fan")
        await say(log, d="lamp")
        await until_through(handler, "b", "c", "d")
        assert "a" not in handler.through
        assert log.committed["g", EVENTS] == 0
        handler.answer.set()
        await processor.caught_up()
        assert await log.lag("g") == 0

    assert sorted(handler.through) == ["a", "b", "c", "d"]


async def test_the_mutant_that_handles_batch_by_batch_is_found(log, clock):
    handler = Slow("dead_lamp")
    async with running(log, clock, handler, apart=False):
        await say(log, a="dead_lamp", b="lamp")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await until_through(handler, "b")


async def test_what_concerns_one_device_stays_in_order(log, clock):
    handler = Slow("lamp")
    async with running(log, clock, handler) as processor:
        await say(log, a="lamp", b="lamp", c="lamp", d="fan")
        await until_through(handler, "d")
        assert handler.begun == ["a", "d"]
        handler.answer.set()
        await processor.caught_up()

    assert [id_ for id_ in handler.through if id_ != "d"] == ["a", "b", "c"]


async def test_no_more_than_so_many_are_under_way(log, clock):
    handler = Slow(*(f"d{n}" for n in range(2 * AT_ONCE)))
    async with running(log, clock, handler) as processor:
        await say(log, **{f"e{n}": f"d{n}" for n in range(2 * AT_ONCE)})
        async with asyncio.timeout(5):
            while handler.at_once < AT_ONCE:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)
        handler.answer.set()
        await processor.caught_up()

    assert handler.most == AT_ONCE
    assert len(handler.through) == 2 * AT_ONCE


async def test_after_a_crash_all_of_what_was_not_committed_comes_again(log, clock):
    handler = Slow("dead_lamp")
    await say(log, a="dead_lamp", b="lamp")
    keys = Processor(log, "g", [EVENTS], [handler], clock, apart=lambda e: [e.device_id])
    dying = asyncio.create_task(keys.run(asyncio.Event()))
    await until_through(handler, "b")
    dying.cancel()
    with suppress(asyncio.CancelledError):
        await dying
    log.reopen()
    after = Slow()
    async with running(log, clock, after) as processor:
        await processor.caught_up()

    assert sorted(after.through) == ["a", "b"]


async def test_what_is_through_does_not_wait_to_be_committed_for_what_comes_behind_it(log, clock):
    handler = Slow("dead_lamp")
    async with running(log, clock, handler):
        await say(log, a="lamp", b="fan", c="dead_lamp", d="door")
        await until_through(handler, "a", "b", "d")
        async with asyncio.timeout(5):
            while log.committed["g", EVENTS] < 2:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)
        assert log.committed["g", EVENTS] == 2
        handler.answer.set()


async def test_a_store_that_is_away_is_waited_for_and_poison_is_put_aside(log, clock):
    handler = Slow()
    handler.fails = {"a": [StoreUnavailable("away")] * 9, "b": [ValueError("no sense")] * 99}
    async with running(log, clock, handler) as processor:
        await say(log, a="lamp", b="fan", c="door")
        await processor.caught_up()

    assert sorted(handler.through) == ["a", "c"]
    assert len(log.topics[DEAD_LETTERS]) == processor.poisoned == 1


async def test_what_was_told_to_stop_before_it_was_through_is_not_committed(log, clock):
    handler = Slow()
    handler.fails = {"a": [StoreUnavailable("away")] * 9_999}
    async with running(log, clock, handler):
        await say(log, a="lamp", b="fan")
        await until_through(handler, "b")

    assert log.committed["g", EVENTS] == 0
