"""Store and forward: from the local log to the stream, in order, at least once, bounded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeguard.clock import SystemClock
from homeguard.errors import Overloaded, PayloadTooLarge, StoreUnavailable
from homeguard.ports.log import DEAD_LETTERS, EVENTS, NewRecord
from homeguard.stores.sqlite.log import SegmentLog, open_log
from pipeline.shipper import SHIP, FrontLog, Shipper

TOPICS = (EVENTS, DEAD_LETTERS)


class Stream:
    """A log in a folder of its own, at the end of a line that can be cut."""

    def __init__(self, log: SegmentLog) -> None:
        self._log = log
        self.is_cut = False
        self.keeps_then_fails = 0

    async def append(self, records) -> None:
        if self.is_cut:
            raise StoreUnavailable("Kafka is away")
        if any(len(r.value) > 100_000 for r in records):
            raise PayloadTooLarge("a record is too large")
        await self._log.append(records)
        if self.keeps_then_fails:
            self.keeps_then_fails -= 1
            raise StoreUnavailable("the answer was lost")

    async def values(self, topic: str = EVENTS) -> list[str]:
        return [r.value.decode() for r in await self._log.read("test", [topic], limit=1000, wait_s=0)]


def new(number: int, **headers: str) -> NewRecord:
    return NewRecord(topic=EVENTS, key="h/d", value=f"v{number}".encode(), headers=headers)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[SegmentLog]:
    async with open_log(tmp_path / "local", SystemClock()) as log:
        yield log


@pytest.fixture
async def stream(tmp_path: Path) -> AsyncIterator[Stream]:
    async with open_log(tmp_path / "stream", SystemClock()) as log:
        yield Stream(log)


async def until(holds) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - there is nothing to wait on in a log that ships
            await asyncio.sleep(0.01)


async def until_shipped(local) -> None:
    async with asyncio.timeout(10):
        while await local.lag(SHIP):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


async def ship_all(front: FrontLog, stream: Stream, **options) -> Shipper:
    stop = asyncio.Event()
    stop.set()
    shipper = Shipper(front, stream, SystemClock(), **options)
    await shipper.run(stop)
    return shipper


async def test_everything_goes_on_in_order_and_once(local, stream):
    front = FrontLog(local, 1 << 20)
    for start in range(0, 2500, 500):
        await front.append([new(n, lane="state") for n in range(start, start + 500)])

    shipper = await ship_all(front, stream)
    again = await ship_all(front, stream)

    found = []
    while part := await stream.values():
        found += part
    assert found == [f"v{n}" for n in range(2500)]
    assert (shipper.shipped, again.shipped, await shipper.waiting(), front.waiting_bytes) == (2500, 0, 0, 0)


async def test_what_the_stream_does_not_take_waits_here_and_goes_when_it_is_back(local, stream):
    front = FrontLog(local, 1 << 20)
    stream.is_cut = True
    await front.append([new(1)])
    stop = asyncio.Event()
    shipper = Shipper(front, stream, SystemClock())
    running = asyncio.create_task(shipper.run(stop))
    await until(lambda: bool(shipper.reason))
    await front.append([new(2)])
    assert await shipper.waiting() == 2

    stream.is_cut = False
    await until_shipped(local)
    stop.set()
    await running

    assert await stream.values() == ["v1", "v2"]
    assert shipper.reason == ""


async def test_told_to_stop_while_the_stream_is_away_nothing_is_lost(tmp_path, stream):
    async with open_log(tmp_path / "own", SystemClock()) as local:
        front = FrontLog(local, 1 << 20)
        await front.append([new(1), new(2)])
        stream.is_cut = True
        await ship_all(front, stream)
        assert await local.lag(SHIP) == 2

    stream.is_cut = False
    async with open_log(tmp_path / "own", SystemClock()) as local:
        await ship_all(FrontLog(local, 1 << 20), stream)

    assert await stream.values() == ["v1", "v2"]


async def test_a_lost_answer_sends_the_batch_again_and_leaves_none_out(local, stream):
    front = FrontLog(local, 1 << 20)
    await front.append([new(1), new(2)])
    stream.keeps_then_fails = 1
    stop = asyncio.Event()
    running = asyncio.create_task(Shipper(front, stream, SystemClock()).run(stop))
    await until_shipped(local)
    stop.set()
    await running

    assert await stream.values() == ["v1", "v2", "v1", "v2"]


async def test_a_record_that_can_never_be_taken_becomes_a_dead_letter_alone(local, stream):
    front = FrontLog(local, 1 << 20)
    await front.append([new(1), NewRecord(topic=EVENTS, key="h/d", value=b"x" * 100_001), new(2)])

    await ship_all(front, stream)

    tail = await stream._log.tail(DEAD_LETTERS, limit=10)
    assert await stream.values() == ["v1", "v2"]
    assert [(r.headers["reason"], r.headers["topic"]) for r in tail] == [("a record is too large", EVENTS)]


async def test_a_full_spool_refuses_and_keeps_a_reserve_for_alarms(local, stream):
    front = FrontLog(local, 10_000)
    for number in range(33):
        await front.append([new(number)])

    with pytest.raises(Overloaded) as refused:
        await front.append([new(33)])
    for number in range(3):
        await front.append([new(1000 + number, lane="safety")])
    with pytest.raises(Overloaded):
        await front.append([new(2000, lane="safety")])

    assert refused.value.details["retry_after_s"] > 0
    assert await local.lag(SHIP) == 36
    await ship_all(front, stream)
    await front.append([new(3000)])


async def test_groups_that_read_the_stream_do_not_keep_old_files_here(local, stream):
    front = FrontLog(local, 1 << 20)
    await local.read("record", [EVENTS], limit=1, wait_s=0)
    await front.append([new(1), new(2)])

    await ship_all(front, stream, elsewhere=("record",))

    assert await local.lag("record") == 0


async def test_a_backlog_that_was_counted_too_large_is_forgotten_when_it_is_shipped(local, stream):
    await local.append([new(n) for n in range(3_000)])
    front = FrontLog(local, 1 << 20)
    front.found_waiting(await local.lag(SHIP))
    with pytest.raises(Overloaded):
        await front.append([new(3_000)])
    await ship_all(front, stream)
    assert front.waiting_bytes == 0
    await front.append([new(3_001)])


async def test_a_large_backlog_lets_records_in_as_soon_as_some_go_on(local):
    await local.append([new(n) for n in range(5_000)])
    front = FrontLog(local, 1 << 20)
    front.found_waiting(await local.lag(SHIP))
    records = await front.read(SHIP, TOPICS, limit=1_000, wait_s=0)
    front.shipped(records)
    await front.append([new(5_000)])
    assert front.waiting_bytes <= 1 << 20


async def test_an_error_that_nobody_foresaw_does_not_end_the_shipping(local, stream):
    class Surprised:
        """A driver with a fault of its own, once."""

        def __init__(self) -> None:
            self.told = asyncio.Event()

        async def append(self, records) -> None:
            if not self.told.is_set():
                self.told.set()
                raise RuntimeError("user:password@host")
            await stream.append(records)

    front, driver, stop = FrontLog(local, 1 << 20), Surprised(), asyncio.Event()
    shipper = Shipper(front, driver, SystemClock())
    await front.append([new(1)])
    shipping = asyncio.create_task(shipper.run(stop))
    await driver.told.wait()
    await until(lambda: shipper.reason or shipping.done())
    assert shipper.reason == "RuntimeError"
    await until_shipped(local)
    stop.set()
    await shipping
    assert await stream.values() == ["v1"]
