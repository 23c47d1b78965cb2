"""The one consume loop: reads a group's records in batches, runs its handlers in order, commits behind them."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from homeguard.clock import Clock, iso, pause
from homeguard.errors import HomeGuardError, InvalidInput, StoreUnavailable
from homeguard.model import Event
from homeguard.ports.log import DEAD_LETTERS, Log, NewRecord, Record
from pipeline.envelope import decode
from pipeline.handlers.observed import Heard

log = logging.getLogger("homeguard.processor")

Batch = Sequence[tuple[Record, Event]]

#: Records that were read last, kept with what was made of them.
KEPT: Final = 2_000
#: Records a batch; large enough for one transaction to pay, small enough to let other work in between.
BATCH: Final = 500
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


class Decoder:
    """Records to events. Groups that share one decode what they read at about the same time only once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, int], Heard] = OrderedDict()

    def __call__(self, record: Record) -> Heard:
        """Raises InvalidInput: it is not an envelope of ours."""
        key = (record.topic, record.partition, record.offset)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = Heard((record, decode(record)))
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found


class Processor:
    """Runs one group. `processed` and `poisoned` count records since the start.

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
    ) -> None:
        """`together`: no handler needs what another one wrote, so they run side by side over the same batch."""
        self._together = together
        self._log = log
        self._group = group
        self._topics = tuple(topics)
        self._handlers = tuple(handlers)
        self._clock = clock
        self._decoder = decoder or Decoder()
        self._stop = asyncio.Event()
        self._progress = asyncio.Condition()
        self._has_read = False
        self._rewinds: list[tuple[datetime | None, asyncio.Future[None]]] = []
        self.processed = 0
        self.poisoned = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set; the batch in hand is finished and committed first, unless a store is away."""
        self._stop = stop
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
        while not await self._is_through():
            async with self._progress:
                await self._progress.wait()

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
                await self._log.seek(self._group, at)
            except Exception as error:  # it is told to who asked; the loop goes on from where it was
                if not asked.done():
                    asked.set_exception(error)
            else:
                log.info("group %s reads again from %s", self._group, iso(at) if at is not None else "the start")
                if not asked.done():
                    asked.set_result(None)

    async def _is_through(self) -> bool:
        # before the first read the log does not know the group's topics, so its lag says nothing
        try:
            return self._has_read and await self._log.lag(self._group) == 0
        except StoreUnavailable:
            return False

    async def _turn(self) -> None:
        records = await self._log.read(self._group, self._topics, limit=BATCH, wait_s=READ_WAIT_S)
        if records and not await self._process(records):
            return
        while records:
            try:
                await self._log.commit(self._group, records)
                break
            except StoreUnavailable as error:
                log.warning("group %s cannot commit: %s", self._group, error.message)
                if not await self._pause(TRIES):
                    return
        self.processed += len(records)
        self._has_read = True
        async with self._progress:
            self._progress.notify_all()

    async def _process(self, records: Sequence[Record]) -> bool:
        """False when it was told to stop before everything was done: then nothing of it is committed."""
        batch: list[tuple[Record, Event]] = []
        for record in records:
            try:
                batch.append(self._decoder(record))
            except InvalidInput as error:
                if not await self._bury(record, error.message):
                    return False
        if not batch:
            return True
        if self._together:
            return all(await asyncio.gather(*(self._run(handler, batch) for handler in self._handlers)))
        for handler in self._handlers:
            if not await self._run(handler, batch):
                return False
        return True

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
