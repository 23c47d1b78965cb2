"""Appends on their way to the log's thread: what comes close together goes as one group, under one fdatasync."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from homeguard.stores.sqlite.appender import Append

#: One group takes at most so many bytes or records (one append may be larger).
GROUP_BYTES: Final = 1024 * 1024
GROUP_RECORDS: Final = 1_000
#: A group of so many records waits for no more.
ENOUGH: Final = 64
#: Nor does one whose first append waits for so long.
GATHER_S: Final = 0.003


class Gathering:
    """One group is under way at a time; what comes meanwhile is the next one.

    A group goes as soon as a turn of the loop brought nothing more: by itself an append waits for one turn, and while
    requests come in at every turn they share a sync, two changes of threads and one look of each reader.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, hand_over: Callable[[list[Append]], None]) -> None:
        self._loop = loop
        self._hand_over = hand_over
        self._waiting: deque[Append] = deque()
        self._records = 0
        #: Records that waited at the last look.
        self._seen = 0
        self._is_looking = False
        self._is_under_way = False

    def add(self, job: Append) -> None:
        self._waiting.append(job)
        self._records += len(job.records)
        if not self._is_under_way and not self._is_looking:
            self._begin()

    def landed(self) -> None:
        """The group under way was answered."""
        self._is_under_way = False
        if self._waiting and not self._is_looking:
            self._begin()

    def flush(self) -> None:
        """Hand over everything at once: nothing is added any more."""
        while self._waiting:
            self._go()

    def _begin(self) -> None:
        self._seen, self._is_looking = 0, True
        self._loop.call_soon(self._look)

    def _look(self) -> None:
        if not self._waiting:
            self._is_looking = False
        elif self._seen < self._records < ENOUGH and self._loop.time() - self._waiting[0].since < GATHER_S:
            self._seen = self._records
            self._loop.call_soon(self._look)
        else:
            self._is_looking = False
            self._go()

    def _go(self) -> None:
        group = [self._waiting.popleft()]
        size, count = len(group[0].data), len(group[0].records)
        while self._waiting:
            following = self._waiting[0]
            size += len(following.data)
            count += len(following.records)
            if size > GROUP_BYTES or count > GROUP_RECORDS:
                break
            group.append(self._waiting.popleft())
        self._records -= sum([len(job.records) for job in group])
        self._is_under_way = True
        self._hand_over(group)
