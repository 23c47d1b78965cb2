"""Appends that come close together share one sync; each reader is woken only for what is its own."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence

import pytest

from homeguard.ports.log import COMMANDS, EVENTS, NewRecord, Record
from homeguard.stores.sqlite import log as logs
from homeguard.stores.sqlite.appender import Append
from homeguard.stores.sqlite.gathering import ENOUGH, GATHER_S, GROUP_RECORDS, Gathering
from homeguard.stores.sqlite.log import PASS_OVER, open_log


def record(number: int, lane: str = "state", topic: str = EVENTS) -> NewRecord:
    return NewRecord(topic=topic, key="h/d", value=b"%d" % number, headers={"lane": lane})


def is_urgent(found: Record) -> bool:
    return found.headers["lane"] == "safety"


class Syncs:
    """Counts the syncs of the log, and holds them back while it is told to."""

    def __init__(self) -> None:
        self.count = 0
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()
        self._really = os.fdatasync

    def __call__(self, fd: int) -> None:
        self.count += 1
        self.begun.set()
        assert self.may_end.wait(20)
        self._really(fd)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    counted = Syncs()
    monkeypatch.setattr(os, "fdatasync", counted)
    return counted


class Turns:
    """A loop whose turns are counted; each takes a millisecond, and `brings` something."""

    def __init__(self, brings: Callable[[int], None] = lambda _: None) -> None:
        self._next: list[Callable[[], None]] = []
        self._brings = brings
        self.turns = 0

    def time(self) -> float:
        return self.turns / 1000

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._next.append(callback)

    def run(self, limit: int = 1_000) -> None:
        while self._next and self.turns < limit:
            self.turns += 1
            now, self._next = self._next, []
            for callback in now:
                callback()
            self._brings(self.turns)


def append(loop: Turns, records: int = 1) -> Append:
    return Append([record(n) for n in range(records)], b"x" * records, 0, None, loop.time())  # type: ignore[arg-type]


def test_an_append_by_itself_waits_for_one_turn() -> None:
    loop, handed = Turns(), []
    Gathering(loop, handed.append).add(append(loop))  # type: ignore[arg-type]
    loop.run()
    assert (len(handed), loop.turns) == (1, 2)


def test_while_each_turn_brings_more_they_go_together_and_none_waits_long() -> None:
    loop, handed = Turns(lambda _: gathering.add(append(loop))), list[Sequence[Append]]()
    gathering = Gathering(loop, handed.append)  # type: ignore[arg-type]
    gathering.add(append(loop))
    loop.run(limit=50)
    assert [len(group) for group in handed] == [GATHER_S * 1000]


def test_a_group_that_is_large_enough_waits_for_no_more() -> None:
    loop, handed = Turns(), list[Sequence[Append]]()
    gathering = Gathering(loop, handed.append)  # type: ignore[arg-type]
    gathering.add(append(loop, ENOUGH))
    loop.run()
    assert (len(handed), loop.turns) == (1, 1)


def test_what_comes_while_a_group_is_under_way_waits_for_it_and_has_bounds() -> None:
    loop, handed = Turns(), list[Sequence[Append]]()
    gathering = Gathering(loop, handed.append)  # type: ignore[arg-type]
    gathering.add(append(loop))
    loop.run()
    for _ in range(5):
        gathering.add(append(loop, GROUP_RECORDS // 2))
    loop.run()
    assert len(handed) == 1
    for _ in range(4):
        gathering.landed()
        loop.run()
    assert [len(group) for group in handed] == [1, 2, 2, 1]


def test_at_the_end_everything_goes_in_order() -> None:
    loop, handed = Turns(), list[Sequence[Append]]()
    gathering = Gathering(loop, handed.append)  # type: ignore[arg-type]
    jobs = [append(loop, GROUP_RECORDS // 2) for _ in range(5)]
    for job in jobs:
        gathering.add(job)
    gathering.flush()
    loop.run()
    assert [job for group in handed for job in group] == jobs


async def appended_at_once(log: logs.SegmentLog, syncs: Syncs) -> int:
    """How many syncs 32 callers took, 31 of whom came while the first one's was under way."""
    before = syncs.count
    syncs.begun.clear()
    syncs.may_end.clear()
    first = asyncio.ensure_future(log.append([record(0)]))
    await asyncio.to_thread(syncs.begun.wait, 20)
    others = [asyncio.ensure_future(log.append([record(n)])) for n in range(1, 32)]
    await asyncio.sleep(0)
    assert not first.done()
    syncs.may_end.set()
    await asyncio.gather(first, *others)
    return syncs.count - before


async def test_those_who_came_during_a_sync_share_the_next_one(tmp_path, clock, syncs) -> None:
    async with open_log(tmp_path, clock) as log:
        assert await appended_at_once(log, syncs) == 2
        found = await log.read("g", [EVENTS], limit=100, wait_s=0)
    assert [(r.offset, int(r.value)) for r in found] == [(n, n) for n in range(32)]


async def test_the_mutant_that_syncs_for_each_is_found(tmp_path, clock, syncs, monkeypatch) -> None:
    monkeypatch.setattr("homeguard.stores.sqlite.gathering.GROUP_RECORDS", 1)
    async with open_log(tmp_path, clock) as log:
        assert await appended_at_once(log, syncs) == 32


async def test_a_log_that_is_closed_answers_those_who_wait_in_its_line(tmp_path, clock, syncs) -> None:
    async with open_log(tmp_path, clock) as log:
        syncs.may_end.clear()
        waiting = [asyncio.ensure_future(log.append([record(n)])) for n in range(3)]
        await asyncio.to_thread(syncs.begun.wait, 20)
        waiting += [asyncio.ensure_future(log.append([record(n)])) for n in range(3, 6)]
        await asyncio.sleep(0)
        syncs.may_end.set()
    await asyncio.wait_for(asyncio.gather(*waiting), 20)
    async with open_log(tmp_path, clock) as log:
        assert [int(r.value) for r in await log.read("g", [EVENTS], limit=100, wait_s=0)] == list(range(6))


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def woken(log: logs.SegmentLog, group: str, topic: str, new: NewRecord) -> bool:
    """Did a reader that waited for something look when this was appended?"""
    looked, really = 0, log._next

    async def look(*given):
        nonlocal looked
        looked += 1
        return await really(*given)

    reading = asyncio.ensure_future(log.read(group, [topic], limit=10, wait_s=20))
    await turns()
    log._next = look  # type: ignore[method-assign]
    await log.append([new])
    await turns()
    log._next = really  # type: ignore[method-assign]
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return looked > 0


async def test_a_reader_is_woken_for_its_own_topics_and_lane_only(tmp_path, clock) -> None:
    async with open_log(tmp_path, clock) as log:
        log.sift("safety", is_urgent)
        assert not await woken(log, "automate", COMMANDS, record(0))
        assert await woken(log, "automate", COMMANDS, record(1, topic=COMMANDS))
        assert not await woken(log, "safety", EVENTS, record(2))
        assert await woken(log, "safety", EVENTS, record(3, lane="safety"))
        log.sift("safety", None)
        assert await woken(log, "safety", EVENTS, record(4))


async def test_a_group_that_takes_a_part_reads_that_part_and_owes_nothing_else(tmp_path, clock) -> None:
    async with open_log(tmp_path, clock) as log:
        log.sift("g", is_urgent)
        await log.append([record(n, lane="safety" if n % 3 == 0 else "bulk") for n in range(10)])
        found = await log.read("g", [EVENTS], limit=100, wait_s=0)
        assert [int(r.value) for r in found] == [0, 3, 6, 9]
        assert await log.lag("g") == 4
        await log.commit("g", found)
        await log.append([record(10)])
        assert await log.lag("g") == 0
        assert await log.read("g", [EVENTS], limit=100, wait_s=0) == []
    async with open_log(tmp_path, clock) as log:
        # what it had passed over is committed with the rest
        assert await log.lag("g") == 0


async def test_a_part_is_read_from_the_files_as_from_memory(tmp_path, clock) -> None:
    async with open_log(tmp_path, clock) as log:
        await log.append([record(n, lane="safety" if n % 3 == 0 else "bulk") for n in range(10)])
    async with open_log(tmp_path, clock) as log:
        log.sift("g", is_urgent)
        found: list[int] = []
        while some := await log.read("g", [EVENTS], limit=3, wait_s=0):
            found += [int(r.value) for r in some]
    assert found == [0, 3, 6, 9]


async def test_a_reader_to_whom_all_is_nothing_is_not_left_behind_what_memory_keeps(tmp_path, clock) -> None:
    async with open_log(tmp_path, clock) as log:
        log.sift("safety", is_urgent)
        reading = asyncio.ensure_future(log.read("safety", [EVENTS], limit=10, wait_s=20))
        await turns()
        await log.append([record(n) for n in range(PASS_OVER + 1)])
        await turns()
        assert log.behind("safety") == 0
        await log.append([record(0, lane="safety")])
        assert [int(r.value) for r in await asyncio.wait_for(reading, 20)] == [0]


async def test_a_reader_that_waited_in_vain_and_one_that_was_cancelled_leave_nothing(tmp_path, clock) -> None:
    async with open_log(tmp_path, clock) as log:
        assert await log.read("g", [EVENTS], limit=1, wait_s=0.01) == []
        reading = asyncio.ensure_future(log.read("g", [EVENTS], limit=1, wait_s=20))
        await turns()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await log.append([record(1)])
        assert [int(r.value) for r in await log.read("g", [EVENTS], limit=1, wait_s=0)] == [1]
