"""Records that are handled side by side: what concerns one thing stays in order, and nothing else waits for it."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from homeguard.model import Event
from homeguard.ports.log import Record
from pipeline.handlers.observed import Heard

log = logging.getLogger("homeguard.processor")

#: So many are under way at a time.
AT_ONCE: Final = 64
#: How long one waits for the one before it that concerns the same thing: by then that one has said what it had to say,
#: and waits for an answer.
ORDER_S: Final = 2.0
AGAIN_S: Final = 1.0


class _Place:
    __slots__ = ("is_through", "record")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.is_through = False


class SideBySide:
    """`run` handles one record and says whether it got through; `keys` name what an event concerns.

    `passed` is told which records may be committed, in their order: each with all before it. So one that takes long
    holds back no more than what came behind it, and what was through before it does not come again after a crash.
    """

    def __init__(
        self,
        run: Callable[[Heard], Awaitable[bool]],
        keys: Callable[[Event], Sequence[str]],
        passed: Callable[[Sequence[Record]], None],
    ) -> None:
        self._run = run
        self._keys = keys
        self._passed = passed
        #: From the first that is not through.
        self._line: deque[_Place] = deque()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._under_way: set[asyncio.Task[None]] = set()
        #: Key -> the task of the last record that concerns it.
        self._last: dict[str, asyncio.Task[Any]] = {}

    def pass_over(self, record: Record) -> None:
        """There is nothing to be done for this one."""
        place = _Place(record)
        self._line.append(place)
        self._let_by(place)

    async def start(self, item: Heard, tasks: asyncio.TaskGroup) -> None:
        """Returns when it is under way; waits while too many are."""
        await self._room.acquire()
        keys = self._keys(item[1])
        before = {task for key in keys if (task := self._last.get(key)) is not None}
        place = _Place(item[0])
        self._line.append(place)
        task = tasks.create_task(self._one(item, before, place), name=f"record {item[0].offset}")
        self._under_way.add(task)
        for key in keys:
            self._last[key] = task
        task.add_done_callback(lambda done: self._end(done, keys))

    async def through(self) -> None:
        """Returns when none is under way."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    async def _one(self, item: Heard, before: set[asyncio.Task[None]], place: "_Place") -> None:
        if before:
            await asyncio.wait(before, timeout=ORDER_S)
        while True:
            try:
                is_through = await self._run(item)
            except Exception:  # whatever it is, the others go on
                log.exception("record %d is tried again", item[0].offset)
                await asyncio.sleep(AGAIN_S)
            else:
                if is_through:
                    self._let_by(place)
                return

    def _let_by(self, place: "_Place") -> None:
        place.is_through = True
        passed = []
        while self._line and self._line[0].is_through:
            passed.append(self._line.popleft().record)
        if passed:
            self._passed(passed)

    def forget(self) -> None:
        """The group was moved: what was not through is read again, or not."""
        self._line.clear()

    def _end(self, task: asyncio.Task[None], keys: Sequence[str]) -> None:
        self._room.release()
        self._under_way.discard(task)
        for key in keys:
            if self._last.get(key) is task:
                del self._last[key]
