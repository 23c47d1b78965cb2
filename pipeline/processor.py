"""The one consume loop: reads a group's records in batches, runs its handlers in order, commits behind them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Final, Protocol, runtime_checkable

from homeguard.clock import Clock, iso, pause
from homeguard.errors import HomeGuardError, InvalidInput, StoreUnavailable
from homeguard.model import Event
from homeguard.ports.log import DEAD_LETTERS, Log, NewRecord, Record
from pipeline.envelope import decode
from pipeline.handlers.observed import Heard, HeardBatch
from pipeline.side_by_side import SideBySide
from pipeline.trailing import Trailing

log = logging.getLogger("homeguard.processor")

Batch = Sequence[tuple[Record, Event]]

#: Records that were read last, kept with what was made of them.
KEPT: Final = 2_000
#: Records a batch; large enough for one transaction to pay, small enough to let other work in between.
BATCH: Final = 500
#: Records a read while a group only passes them over.
PASSED: Final = 4_000
TRIES: Final = 5
#: Seconds before the second try; each further wait is twice as long, up to the longest.
FIRST_WAIT_S: Final = 0.05
LONGEST_WAIT_S: Final = 5.0
#: How long a read waits for a record, so how soon `stop` is seen.
READ_WAIT_S: Final = 0.25
#: How long a group may be busy with a batch before it is told that it could not be moved.
REWIND_LIMIT_S: Final = 30.0


class Handler(Protocol):
    """Takes a batch in the log's order. It must be safe to run twice over the same records."""

    async def __call__(self, batch: Batch) -> None: ...


@runtime_checkable
class Sifting(Protocol):
    """A log that can leave out by itself what a group passes over, and wakes it for nothing else."""

    def sift(self, group: str, takes: Callable[[Record], bool] | None) -> None: ...


class Decoder:
    """Records to events. Groups that share one decode what they read at about the same time only once."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int, int], Heard] = {}

    def __call__(self, record: Record) -> Heard:
        """Raises InvalidInput: it is not an envelope of ours."""
        key = (record.topic, record.partition, record.offset)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = Heard((record, decode(record)))
            if len(self._kept) > KEPT:
                # the oldest quarter at once, since each removal looks for the first one anew
                for old in list(islice(self._kept, KEPT // 4)):
                    del self._kept[old]
        return found


class Processor:
    """Runs one group. `processed` and `poisoned` count records since the start: those done, and the dead letters.

    A handler that fails is tried five times, then record by record: what still fails goes to the dead letters with
    the reason, and everything else goes on (the group's other handlers see the poisoned record too). A store that
    does not answer is waited for, however long: its records are not poison.
    """

    def __init__(
        self,
        log: Log,
        group: str,
        topics: Sequence[str],
        handlers: Sequence[Handler],
        clock: Clock,
        decoder: Decoder | None = None,
        *,
        together: bool = False,
        last: Handler | None = None,
        takes: Callable[[Record], bool] | None = None,
        flush: Callable[[], Awaitable[None]] | None = None,
        apart: Callable[[Event], Sequence[str]] | None = None,
        gather_s: float = 0.0,
    ) -> None:
        """`together`: no handler needs what another one wrote, so they run side by side over the same batch; `last`
        runs when all of them are through.

        `takes`: which records of its topics are this group's; the others are passed over, and committed with them.
        `flush`: makes what the handlers did survive a crash. Commits then trail behind it, beside the handlers, so that
        many batches share one: what was not flushed is read again after a crash.
        `apart` names what an event concerns, where handling one may take long: each record is handled by itself, those
        of the same name in order and all others beside it, and commits trail behind those that are through.
        `gather_s`: after a batch that was not full it waits so long for more, unless somebody waits for the group: many
        small batches cost more than their records.
        """
        self._gather_s = gather_s
        self._together = together
        self._last = last
        if isinstance(log, Sifting):
            log.sift(group, takes)
            takes = None
        self._takes = takes
        #: How many wait in `caught_up`; set while anybody does.
        self._asking, self._is_asked = 0, asyncio.Event()
        #: Without anything to keep, each batch is committed at once.
        self._trails = flush is not None or apart is not None
        self._commits = Trailing(log, group, flush, self._is_asked)
        self._apart = None if apart is None else SideBySide(self._alone, apart, self._note_through)
        self._tasks: asyncio.TaskGroup | None = None
        self._log = log
        self._group = group
        self._topics = tuple(topics)
        self._handlers = tuple(handlers)
        self._clock = clock
        self._decoder = decoder or Decoder()
        self._stop = asyncio.Event()
        self._progress = asyncio.Condition()
        self._has_read = False
        self._only_passes = False
        self._rewinds: list[tuple[datetime | None, asyncio.Future[None]]] = []
        self.processed = 0
        self.poisoned = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set; the batch in hand is finished and committed first, unless a store is away."""
        self._stop = stop
        if not self._trails:
            await self._consume(stop)
            return
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            commits = tasks.create_task(self._commits.run(self._tell_progress), name=f"commits of {self._group}")
            await self._consume(stop)
            commits.cancel()
        await self._commits.settle()

    async def _consume(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                await self._rewind_if_asked()
                await self._turn()
                failures = 0
            except Exception as error:  # a log that fails to read is read again
                failures += 1
                log.warning("group %s: %s", self._group, _reason(error))
                await self._pause(failures)

    async def caught_up(self) -> None:
        """Returns when everything that was appended before the call is committed. `run` must be running."""
        self._asking += 1
        self._is_asked.set()
        try:
            while not await self._is_through():
                async with self._progress:
                    await self._progress.wait()
        finally:
            self._asking -= 1
            if not self._asking:
                self._is_asked.clear()

    async def rewind(self, at: datetime | None) -> None:
        """Set the group back to what was appended at `at` or later (None: to the start). `run` must be running: it
        does this between two batches, so that no commit of an older one undoes it.

        Raises:
            Conflict: another process reads the group as well.
            StoreUnavailable: the log does not answer, or the batch in hand takes too long.
        """
        asked = asyncio.get_running_loop().create_future()
        self._rewinds.append((at, asked))
        try:
            async with asyncio.timeout(REWIND_LIMIT_S):
                await asked
        except TimeoutError as error:
            raise StoreUnavailable(f"group {self._group} is still busy with a batch: it was not moved") from error

    async def _rewind_if_asked(self) -> None:
        while self._rewinds:
            at, asked = self._rewinds.pop(0)
            if asked.done():
                continue
            try:
                await self._move(at)
            except Exception as error:  # it is told to who asked; the loop goes on from where it was
                if not asked.done():
                    asked.set_exception(error)
            else:
                log.info("group %s reads again from %s", self._group, iso(at) if at is not None else "the start")
                if not asked.done():
                    asked.set_result(None)

    async def _move(self, at: datetime | None) -> None:
        if self._apart is not None:
            await self._apart.through()
        if not await self._commits.settle():
            raise StoreUnavailable(f"what group {self._group} did cannot be kept now: it was not moved")
        await self._log.seek(self._group, at)
        if self._apart is not None:
            self._apart.forget()

    def _note_through(self, records: Sequence[Record]) -> None:
        self._commits.note(records, is_unflushed=False)

    async def _is_through(self) -> bool:
        # before the first read the log does not know the group's topics, so its lag says nothing
        try:
            return self._has_read and await self._log.lag(self._group) == 0
        except StoreUnavailable:
            return False

    async def _turn(self) -> None:
        limit = PASSED if self._only_passes else BATCH
        records = await self._log.read(self._group, self._topics, limit=limit, wait_s=READ_WAIT_S)
        mine: Sequence[Record] = records if self._takes is None else [r for r in records if self._takes(r)]
        self._only_passes = bool(records) and not mine
        for first in range(0, len(mine), BATCH):
            if not await self._process(mine[first : first + BATCH]):
                return
        if records and self._apart is None:
            self._commits.note(records, is_unflushed=bool(mine))
        if not self._trails and not await self._commits.settle():
            # It reads on: only so it finds out that a stream has stopped talking to it.
            await self._pause(TRIES)
        self.processed += len(mine)
        self._has_read = True
        if not self._trails or not records:
            await self._tell_progress()
        if records and self._gather_s and len(records) < limit and not self._stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._gather_s):
                    await self._is_asked.wait()
        elif records:
            # a group that lies behind never waits for the log: others have their turn here
            await asyncio.sleep(0)

    async def _tell_progress(self) -> None:
        if self._asking:
            async with self._progress:
                self._progress.notify_all()

    async def _process(self, records: Sequence[Record]) -> bool:
        """False when it was told to stop before everything was done: then nothing of it is committed."""
        if self._apart is not None and self._tasks is not None:
            return await self._start_each(records, self._apart, self._tasks)
        batch = HeardBatch()
        for record in records:
            try:
                batch.append(self._decoder(record))
            except InvalidInput as error:
                if not await self._bury(record, error.message):
                    return False
        return not batch or await self._hand_round(batch)

    async def _start_each(self, records: Sequence[Record], apart: SideBySide, tasks: asyncio.TaskGroup) -> bool:
        for record in records:
            try:
                item = self._decoder(record)
            except InvalidInput as error:
                if not await self._bury(record, error.message):
                    return False
                apart.pass_over(record)
            else:
                await apart.start(item, tasks)
        return True

    async def _alone(self, item: Heard) -> bool:
        return await self._hand_round(HeardBatch([item]))

    async def _hand_round(self, batch: HeardBatch) -> bool:
        if self._together:
            if not all(await asyncio.gather(*(self._run(handler, batch) for handler in self._handlers))):
                return False
        else:
            for handler in self._handlers:
                if not await self._run(handler, batch):
                    return False
        return self._last is None or await self._run(self._last, batch)

    async def _run(self, handler: Handler, batch: Batch) -> bool:
        failure = await self._try(handler, batch)
        if failure is None:
            return True
        if self._stop.is_set():
            return False
        name = type(handler).__name__
        log.warning("group %s: %s fails (%s), now record by record", self._group, name, _reason(failure))
        for item in batch:
            failure = await self._try(handler, [item], tries=1 if len(batch) > 1 else 0, first=failure)
            if failure is None:
                continue
            if self._stop.is_set() and isinstance(failure, StoreUnavailable):
                return False
            if not await self._bury(item[0], f"{name}: {_reason(failure)}"):
                return False
        return True

    async def _try(
        self, handler: Handler, batch: Batch, *, tries: int = TRIES, first: Exception | None = None
    ) -> Exception | None:
        """None when it went well, else what it failed with after `tries`; waits for a store as long as it takes."""
        failure, attempt, waits = first, 0, 0
        while attempt < tries:
            try:
                await handler(batch)
            except StoreUnavailable as error:
                failure = error
                waits += 1
            except Exception as error:  # whatever a handler raises, the loop goes on
                failure = error
                attempt += 1
                waits = attempt
                if attempt >= tries:
                    break
            else:
                return None
            if not await self._pause(waits):
                break
        return failure

    async def _bury(self, record: Record, reason: str) -> bool:
        """Keep the record as a dead letter; False when it was told to stop while the log would not take it."""
        letter = NewRecord(
            topic=DEAD_LETTERS,
            key=record.key,
            value=record.value,
            headers={
                **record.headers,
                "reason": reason[:500],
                "group": self._group,
                "topic": record.topic,
                "offset": f"{record.partition}/{record.offset}",
                "died_at": iso(self._clock.now()),
            },
        )
        waits = 0
        while True:
            try:
                await self._log.append([letter])
            except HomeGuardError as error:
                waits += 1
                log.warning("group %s cannot keep a dead letter: %s", self._group, error.message)
                if not await self._pause(waits):
                    return False
            else:
                self.poisoned += 1
                return True

    async def _pause(self, failures: int) -> bool:
        """Wait before the next try; False as soon as it was told to stop."""
        if self._stop.is_set():
            return False
        delay_s = min(FIRST_WAIT_S * 2 ** (min(failures, 16) - 1), LONGEST_WAIT_S)
        await pause(self._clock, delay_s, until=self._stop)
        return not self._stop.is_set()


def _reason(error: Exception) -> str:
    if isinstance(error, HomeGuardError):
        return f"{error.code}: {error.message}"
    return f"{type(error).__name__}: {error}"
