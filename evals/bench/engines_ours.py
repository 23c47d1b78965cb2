"""Our side: the stores of a process that records, its group's handlers and live state, over Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from evals.bench.engines_place import Place
from homeguard.clock import SystemClock
from homeguard.ports.log import Log, NewRecord, Record
from homeguard.runtime import open_stores
from pipeline.detectors.bank import SeriesBank
from pipeline.handlers.events import StoreEvents
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.readings import StoreReadings
from pipeline.handlers.scoring import StoreAnomalies
from pipeline.processor import Handler, Processor
from pipeline.topics import RECORD, TOPICS_OF


@dataclass(slots=True)
class Taken:
    """Seconds, and seconds of this process's processor, from the first batch in hand to the last commit."""

    elapsed_s: float = 0.0
    cpu_s: float = 0.0

    def begin(self) -> None:
        self.elapsed_s, self.cpu_s = -time.perf_counter(), -time.process_time()

    def end(self) -> None:
        self.elapsed_s += time.perf_counter()
        self.cpu_s += time.process_time()


class Watched:
    """A `Log` that sees when the first records come, and when `n` were read and are committed: a commit names the last
    record of each partition only."""

    def __init__(self, log: Log, n: int, taken: Taken, finished: Callable[[], None]) -> None:
        self._log = log
        self._left = n
        self._taken = taken
        self._finished = finished
        #: Topic and partition -> the last offset that was read and is not committed.
        self._open: dict[tuple[str, int], int] = {}
        self._has_begun = False

    async def append(self, records: Sequence[NewRecord]) -> None:
        await self._log.append(records)

    async def read(self, group: str, topics: Sequence[str], *, limit: int, wait_s: float) -> list[Record]:
        records = await self._log.read(group, topics, limit=limit, wait_s=wait_s)
        if records and not self._has_begun:
            self._has_begun = True
            self._taken.begin()
        self._left -= len(records)
        self._open |= {(r.topic, r.partition): r.offset for r in records}
        return records

    async def commit(self, group: str, records: Sequence[Record]) -> None:
        await self._log.commit(group, records)
        for r in records:
            if r.offset >= self._open.get((r.topic, r.partition), r.offset + 1):
                del self._open[r.topic, r.partition]
        if self._left <= 0 and not self._open:
            self._taken.end()
            self._finished()

    async def seek(self, group: str, at: datetime | None) -> None:
        await self._log.seek(group, at)

    async def tail(self, topic: str, *, limit: int) -> list[Record]:
        return await self._log.tail(topic, limit=limit)

    async def lag(self, group: str) -> int:
        return await self._log.lag(group)

    async def trim(self, older_than: datetime) -> int:
        return await self._log.trim(older_than)


async def run(place: Place, ground: str, n: int, limit_s: float) -> Taken:
    """Record the next `n` records of the group."""
    taken, stop = Taken(), asyncio.Event()
    async with _processor(place, ground, n, taken, stop.set) as processor, asyncio.timeout(limit_s):
        await processor.run(stop)
    if processor.poisoned:
        raise RuntimeError(f"{processor.poisoned} records of ours became dead letters")
    return taken


@asynccontextmanager
async def _processor(
    place: Place, ground: str, n: int, taken: Taken, finished: Callable[[], None]
) -> AsyncIterator[Processor]:
    clock = SystemClock()
    async with open_stores(place.settings(ground), clock, keeps_live=False, is_shared=True) as opened:
        assert opened.stream is not None
        stores = opened.near
        handlers: list[Handler] = [
            StoreEvents(stores.events),
            StoreReadings(stores.readings),
            StoreAnomalies(stores.anomalies, SeriesBank()),
            KeepLiveState(stores.live),
        ]
        log = Watched(opened.stream, n, taken, finished)
        yield Processor(log, RECORD, TOPICS_OF[RECORD], handlers, clock, together=True)
