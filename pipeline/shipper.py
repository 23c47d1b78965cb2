"""Store and forward: what this process took onto its own disk goes on to the stream that all processes share."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from homeguard.clock import Clock, pause
from homeguard.errors import HomeGuardError, InvalidInput, Overloaded
from homeguard.ports.log import (
    AGENT_ACTIONS,
    ALERTS,
    ANOMALIES,
    COMMANDS,
    DEAD_LETTERS,
    EVENTS,
    HEARTBEATS,
    NOTIFICATIONS,
    Log,
    NewRecord,
    Record,
)

log = logging.getLogger("homeguard.shipper")

#: Name of the group that reads the local log for the stream.
SHIP: Final = "ship"
_TOPICS: Final = (
    EVENTS, HEARTBEATS, COMMANDS, ALERTS, DEAD_LETTERS, ANOMALIES, AGENT_ACTIONS, NOTIFICATIONS,
)  # fmt: skip
_BATCH: Final = 1_000
_READ_WAIT_S: Final = 0.25
_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 2.0
#: What a record costs beside its value, roughly: key, headers, frame.
_FRAME_BYTES: Final = 300
#: Alarms are taken until this much more than the limit waits.
_RESERVE: Final = 1.1


class FrontLog:
    """The local log as the rooms write to it: bounded by what still waits for the stream.

    An append is safe on this machine's disk when it returns; the stream may be away. When `limit_bytes` wait, further
    records are refused until some went on; records of the safety lane have a reserve of a tenth.
    """

    def __init__(self, local: Log, limit_bytes: int) -> None:
        self._local = local
        self._limit = limit_bytes
        self._waiting = 0

    @property
    def waiting_bytes(self) -> int:
        return self._waiting

    def shipped(self, records: Sequence[Record]) -> None:
        """These are in the stream."""
        self._waiting = max(0, self._waiting - sum(len(r.value) + _FRAME_BYTES for r in records))

    def found_waiting(self, records: int) -> None:
        """At start: so many were left by the last run. Their size is not known: half a kilobyte each is assumed, and no
        more than may wait, so that there is room as soon as some go on."""
        self._waiting = min(records * (512 + _FRAME_BYTES), self._limit)

    def nothing_waits(self) -> None:
        """The stream has everything: what was assumed too large counts no longer."""
        self._waiting = 0

    async def append(self, records: Sequence[NewRecord]) -> None:
        """As the port says.

        Raises:
            Overloaded: too much waits for the stream; nothing was taken.
        """
        size = sum(len(r.value) + _FRAME_BYTES for r in records)
        limit = self._limit * (_RESERVE if all(r.headers.get("lane") == "safety" for r in records) else 1)
        if self._waiting + size > limit:
            raise Overloaded(
                f"Kafka is away and the {self._limit >> 20} MiB that may wait for it on disk are full: "
                "nothing was taken, send it again later",
                retry_after_s=10,
            )
        await self._local.append(records)
        self._waiting += size

    async def read(self, group: str, topics: Sequence[str], *, limit: int, wait_s: float) -> list[Record]:
        return await self._local.read(group, topics, limit=limit, wait_s=wait_s)

    async def commit(self, group: str, records: Sequence[Record]) -> None:
        await self._local.commit(group, records)

    async def seek(self, group: str, at: datetime | None) -> None:
        await self._local.seek(group, at)

    async def tail(self, topic: str, *, limit: int) -> list[Record]:
        return await self._local.tail(topic, limit=limit)

    async def lag(self, group: str) -> int:
        return await self._local.lag(group)

    async def trim(self, older_than: datetime) -> int:
        return await self._local.trim(older_than)


class Shipper:
    """Moves records on in order, at least once: they are committed here when the stream has them.

    A crash in between sends a batch twice; who reads the stream stores an event once by its id.
    """

    def __init__(self, front: FrontLog, stream: Log, clock: Clock, *, elsewhere: Sequence[str] = ()) -> None:
        """`elsewhere`: groups that read the stream, and so have nothing to read here any more."""
        self.front = front
        self._stream = stream
        self._clock = clock
        self._elsewhere = tuple(elsewhere)
        self._progress = asyncio.Condition()
        self.shipped = 0
        #: Why the stream does not take what waits; "" while it does.
        self.reason = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Ship until `stop` is set and nothing is left that the stream would take."""
        while True:
            try:
                records = await self.front.read(SHIP, _TOPICS, limit=_BATCH, wait_s=_READ_WAIT_S)
            except Exception as error:  # whatever it is, the records are there, and are read again
                log.warning("the local log cannot be read: %s", _words(error))
                if stop.is_set():
                    return
                await self._clock.sleep(_LONGEST_WAIT_S)
                continue
            if records:
                if not await self._ship(records, stop):
                    return
                continue
            self.front.nothing_waits()
            if stop.is_set():
                return

    async def caught_up(self) -> None:
        """Returns when the stream has everything that was there when it was called. `run` must be running."""
        behind = self.shipped + await self.waiting()
        while self.shipped < behind and await self.waiting():
            async with self._progress:
                await self._progress.wait()

    async def waiting(self) -> int:
        """Records that the stream does not have yet."""
        return await self.front.lag(SHIP)

    async def _ship(self, records: Sequence[Record], stop: asyncio.Event) -> bool:
        """False when it was told to stop before the stream took them: they stay here for the next run."""
        new = [NewRecord(topic=r.topic, key=r.key, value=r.value, headers=r.headers) for r in records]
        failures = 0
        while True:
            try:
                await self._append(new)
            except Exception as error:  # whatever a driver raises, the records stay here and are sent again
                failures += 1
                if not self.reason:
                    known = isinstance(error, HomeGuardError)
                    log.warning(
                        "the stream does not take records, they wait here: %s",
                        _words(error), exc_info=None if known else error,
                    )  # fmt: skip
                self.reason = _words(error)
                if stop.is_set():
                    return False
                await pause(self._clock, min(_FIRST_WAIT_S * 2 ** min(failures, 10), _LONGEST_WAIT_S), until=stop)
                continue
            break
        if self.reason:
            log.info("the stream takes records again")
            self.reason = ""
        for group in (SHIP, *self._elsewhere):
            await self.front.commit(group, records)
        self.front.shipped(records)
        self.shipped += len(records)
        async with self._progress:
            self._progress.notify_all()
        return True

    async def _append(self, new: Sequence[NewRecord]) -> None:
        """What can never be taken becomes a dead letter, alone; the others go on."""
        try:
            await self._stream.append(new)
        except InvalidInput as error:
            if len(new) > 1:
                for record in new:
                    await self._append([record])
                return
            record = new[0]
            headers: Mapping[str, str] = {**record.headers, "reason": error.message[:500], "topic": record.topic}
            log.warning("a record of %s becomes a dead letter: %s", record.topic, error.message)
            await self._stream.append(
                [NewRecord(topic=DEAD_LETTERS, key=record.key, value=record.value[:65_536], headers=headers)]
            )


def _words(error: Exception) -> str:
    """What anybody may read of it."""
    return error.message if isinstance(error, HomeGuardError) else type(error).__name__
