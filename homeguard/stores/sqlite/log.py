"""The log in files: appended by one thread in groups, read by each consumer group from memory or from the files."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from homeguard.clock import Clock
from homeguard.errors import HomeGuardError, Overloaded, StartRefused, StoreUnavailable
from homeguard.files import sync_directory
from homeguard.ports.log import RETRIES, NewRecord, Record
from homeguard.stores.sqlite.appender import SEGMENT_SIZE, Append, Appender, Written
from homeguard.stores.sqlite.columns import micros, moment
from homeguard.stores.sqlite.gathering import Gathering
from homeguard.stores.sqlite.log_recovery import LogDamage, recover_log
from homeguard.stores.sqlite.offsets import check_group, load_offsets, save_offsets
from homeguard.stores.sqlite.segments import (
    Place,
    Segment,
    encode,
    first_since,
    last_of,
    locate,
    read_from,
    starts_at,
)

#: What may wait for the disk; appends that are all of the safety lane have a reserve of a tenth on top.
WAITING_BYTES: Final = 64 * 1024 * 1024
_RESERVE: Final = 1.1
#: What is kept in memory for groups that keep up.
TAIL_RECORDS: Final = 20_000
TAIL_BYTES: Final = 16 * 1024 * 1024
#: So many that were handed out and not committed are counted for each group.
OPEN_RECORDS: Final = 100_000
READ_CHUNK: Final = 1024 * 1024
#: A reader to whom so many records are nothing passes them over, before memory forgets them.
PASS_OVER: Final = 2_000
FLUSH_EVERY_S: Final = 1.0
ANSWER_LIMIT_S: Final = 60.0
_LOOK_EVERY_S: Final = 1.0

_logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_log(directory: Path, clock: Clock, *, segment_size: int = SEGMENT_SIZE) -> AsyncIterator["SegmentLog"]:
    """Open the log of a folder, made when it is not there. What a crash left half written at its end is cut off.

    Raises:
        StartRefused: a record that a group has yet to read is damaged, or a file is missing between two others.
    """
    log = SegmentLog(directory, clock)
    try:
        await asyncio.to_thread(log._open, asyncio.get_running_loop(), segment_size)
    except OSError as error:
        raise StartRefused(f"the log in {directory} cannot be opened: {error.strerror}") from error
    flushing = asyncio.create_task(log._flush_regularly(), name="log-offsets")
    watching = asyncio.create_task(log._give_up_regularly(), name="log-answers")
    try:
        yield log
    finally:
        await log._close()
        await flushing
        await watching


@dataclass(slots=True, eq=False)
class _Group:
    """A consumer group: `position` is read next, `delivered` is behind the last record handed out."""

    position: int
    committed: int
    delivered: int
    #: The log's end when the group was opened or moved: what lies before is no sign that it is slow.
    inherited: int = 0
    #: What it reads; None before its first read.
    wanted: frozenset[str] | None = None
    #: Which records of these topics are for it; None: all.
    takes: Callable[[Record], bool] | None = None
    #: Offsets that were handed out and are not committed.
    open: deque[int] = field(default_factory=lambda: deque(maxlen=OPEN_RECORDS))
    place: Place | None = None
    #: One reader at a time moves the position.
    moving: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: Its readers that have nothing to read.
    waiting: "list[asyncio.Future[bool]]" = field(default_factory=list)

    def is_for(self, record: Record) -> bool:
        return record.topic in (self.wanted or ()) and (self.takes is None or self.takes(record))

    def wake(self) -> None:
        for waiter in self.waiting:
            _answer(waiter, True)

    def settle(self) -> bool:
        """When nothing that was handed out is open, what was passed over is done too; True when that moved it."""
        if self.committed < self.delivered or self.committed >= self.position:
            return False
        self.committed = self.position
        return True


class SegmentLog:
    """A `Log` of one partition. `open_log` makes one. A group always reads the same topics."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._segments: list[Segment] = []
        self._appender: Appender | None = None
        self._end = 0
        self._tail: list[Record] = []
        self._tail_bytes = 0
        self._groups: dict[str, _Group] = {}
        self._moved: set[str] = set()
        self._moved_any = asyncio.Event()
        self._gathering: Gathering | None = None
        self._waiting_bytes = 0
        #: Appends that were handed over and not answered, in their order.
        self._unanswered: deque[Append] = deque()
        self._last_at = 0
        self._closed = False
        self._ended = asyncio.Event()
        #: What was wrong with the files when they were opened.
        self.damage: tuple[LogDamage, ...] = ()

    # --- appending

    async def append(self, records: Sequence[NewRecord]) -> None:
        """As the port says. Also raises PayloadTooLarge when a record is larger than 8 MiB."""
        if not records:
            return
        # Times never step back in the log, so that `seek` can search.
        at = max(self._last_at, micros(self._clock.now()))
        data = encode(records, at)
        if self._closed or self._gathering is None:
            raise StoreUnavailable("the log is closed")
        if self._waiting_bytes and self._waiting_bytes + len(data) > WAITING_BYTES:
            urgent = all(record.headers.get("lane") == "safety" for record in records)
            if not urgent or self._waiting_bytes + len(data) > WAITING_BYTES * _RESERVE:
                raise Overloaded("too much waits for the log's disk", retry_after_s=1)
        loop = asyncio.get_running_loop()
        job = Append(tuple(records), data, at, loop.create_future(), loop.time())
        self._gathering.add(job)
        self._unanswered.append(job)
        self._last_at = at
        self._waiting_bytes += len(data)
        await job.future

    @property
    def waiting_bytes(self) -> int:
        """What waits for the disk."""
        return self._waiting_bytes

    def behind(self, group: str) -> int:
        """Records that were appended since the group was opened or moved, and that it has not read yet; 0 for a group
        that is not known."""
        reader = self._groups.get(group)
        return 0 if reader is None else max(0, self._end - max(reader.position, reader.inherited))

    async def _give_up_regularly(self) -> None:
        """Tell those who wait for a disk that does not answer. One look a second is cheaper than a timer an append."""
        loop = asyncio.get_running_loop()
        while not self._ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._ended.wait()
            for job in self._unanswered:
                if job.since > loop.time() - ANSWER_LIMIT_S:
                    break
                if not job.future.done():
                    job.future.set_exception(
                        StoreUnavailable(f"the log's disk did not answer within {ANSWER_LIMIT_S:g} s")
                    )

    def _acknowledge(self, written: Written) -> None:
        """A group is on disk (or failed): let it be read, answer its callers, wake the readers whom it concerns."""
        if written.begun is not None:
            self._segments.append(written.begun)
        error, offset, fresh = written.error, written.first, []
        for job in written.group:
            self._unanswered.popleft()
            self._waiting_bytes -= len(job.data)
            if error is None:
                at = moment(job.appended_at)
                for new in job.records:
                    fresh.append(_read_as(new, offset, at))
                    offset += 1
                self._tail_bytes += len(job.data)
            if not job.future.done():
                if error is None:
                    job.future.set_result(None)
                else:
                    job.future.set_exception(_again(error))
        if error is None:
            self._tail += fresh
            self._end = offset
            self._shorten_tail()
            for reader in self._groups.values():
                is_behind = offset - reader.position > PASS_OVER
                if reader.waiting and (is_behind or any(map(reader.is_for, fresh))):
                    reader.wake()
        if self._gathering is not None:
            self._gathering.landed()

    def _shorten_tail(self) -> None:
        while len(self._tail) > TAIL_RECORDS or self._tail_bytes > TAIL_BYTES:
            dropped = max(1, len(self._tail) // 4)
            self._tail_bytes = self._tail_bytes * (len(self._tail) - dropped) // len(self._tail)
            del self._tail[:dropped]

    # --- reading

    async def read(self, group: str, topics: Sequence[str], *, limit: int, wait_s: float) -> list[Record]:
        """As the port says. Raises InvalidInput when a group cannot be called so."""
        reader, wanted = self._group(group), frozenset(topics)
        until = asyncio.get_running_loop().time() + wait_s
        while True:
            if self._closed:
                raise StoreUnavailable("the log is closed")
            async with reader.moving:
                reader.wanted = wanted
                self._pass_over_deleted(group, reader)
                found = await self._next(reader, wanted, max(1, limit))
                if reader.settle():
                    self._note_moved(group)
            if found or not await self._arrival(reader, until):
                return found

    def sift(self, group: str, takes: Callable[[Record], bool] | None) -> None:
        """From now on `group` reads only the records that it takes (None: all), and is not woken for others."""
        self._group(group).takes = takes

    async def _arrival(self, reader: _Group, until: float) -> bool:
        """True when there may be something to read, False when the loop's time is `until` before that."""
        loop = asyncio.get_running_loop()
        if loop.time() >= until:
            return False
        waiter: asyncio.Future[bool] = loop.create_future()
        end = loop.call_at(until, _answer, waiter, False)
        reader.waiting.append(waiter)
        try:
            return await waiter
        finally:
            reader.waiting.remove(waiter)
            end.cancel()

    def _pass_over_deleted(self, group: str, reader: _Group) -> None:
        """Nothing is kept for a group that `trim` does not wait for."""
        first = self._segments[0].first
        if reader.position < first:
            reader.position, reader.place = first, None
        if reader.committed < first:
            reader.committed, reader.delivered = first, max(first, reader.delivered)
            reader.open.clear()
            self._note_moved(group)

    async def _next(self, reader: _Group, wanted: frozenset[str], limit: int) -> list[Record]:
        """The next records of these topics that are there now; moves the reader over what it passes."""
        while reader.position < self._end:
            start = self._end - len(self._tail)
            if reader.position >= start:
                found = self._from_tail(reader, wanted, limit, reader.position - start)
            else:
                found = await asyncio.to_thread(self._from_files, reader, wanted, limit)
            if found:
                reader.delivered = found[-1].offset + 1
                reader.open.extend([record.offset for record in found])
                return found
        return []

    def _from_tail(self, reader: _Group, wanted: frozenset[str], limit: int, index: int) -> list[Record]:
        some = self._tail[index : index + limit]
        reader.position += len(some)
        reader.place = None
        if reader.takes is None:
            return [record for record in some if record.topic in wanted]
        return [record for record in some if record.topic in wanted and reader.takes(record)]

    def _from_files(self, reader: _Group, wanted: frozenset[str], limit: int) -> list[Record]:
        place = self._place(reader)
        chunk = min(READ_CHUNK, max(64 * 1024, limit * 1024))
        found, after = read_from(place, end=self._end, wanted=wanted, limit=limit, chunk=chunk)
        if after == place:
            raise StoreUnavailable(f"the record at byte {place.position} of {place.segment.path} is cut off")
        reader.position, reader.place = after.offset, after
        return found if reader.takes is None else [record for record in found if reader.takes(record)]

    def _place(self, reader: _Group) -> Place:
        """Where the reader's next record lies; found by a walk when it comes anew to the files."""
        segment = next(s for s in reversed(self._segments) if s.first <= reader.position)
        place = reader.place
        if place is None or place.offset != reader.position or place.segment != segment:
            place = locate(segment, reader.position)
        return place

    async def seek(self, group: str, at: datetime | None) -> None:
        reader = self._group(group)
        async with reader.moving:
            found = 0 if at is None else await asyncio.to_thread(self._offset_since, micros(at))
            offset = max(found, self._segments[0].first)
            reader.position = reader.committed = reader.delivered = offset
            reader.inherited = self._end
            reader.open.clear()
            reader.place = None
            self._note_moved(group)

    def _offset_since(self, at: int) -> int:
        """Times grow with offsets: it is in the last file that begins before `at`, or it begins the file behind."""
        for segment in reversed(self._segments):
            begun = starts_at(segment)
            if begun is not None and begun < at:
                found = first_since(segment, at)
                return min(self._end, self._following(segment) if found is None else found)
        return self._segments[0].first

    def _following(self, segment: Segment) -> int:
        return next((s.first for s in self._segments if s.first > segment.first), self._end)

    # --- groups

    async def commit(self, group: str, records: Sequence[Record]) -> None:
        if not records:
            return
        reader = self._group(group)
        done = max([record.offset for record in records]) + 1
        if done > reader.committed:
            reader.committed = done
            if done >= reader.delivered:
                reader.open.clear()
            while reader.open and reader.open[0] < done:
                reader.open.popleft()
            reader.settle()
            self._note_moved(group)

    async def lag(self, group: str) -> int:
        """As the port says. Before its first read a group counts the records of every topic; where it has yet to read
        further back than the memory reaches, those are counted whole too."""
        reader = self._group(group)
        first = max(reader.committed, self._segments[0].first)
        if reader.wanted is None:
            return self._end - first
        first = max(first, reader.position)
        start = self._end - len(self._tail)
        if first < start:
            return len(reader.open) + self._end - first
        return len(reader.open) + sum(map(reader.is_for, islice(self._tail, first - start, None)))

    async def tail(self, topic: str, *, limit: int) -> list[Record]:
        """As the port says. What memory no longer holds is read back through the files."""
        found = [record for record in self._tail if record.topic == topic][-max(1, limit) :]
        start = self._end - len(self._tail)
        for segment in self._segments[::-1]:
            missing = max(1, limit) - len(found)
            if not missing or segment.first >= start:
                continue
            end = min(start, self._following(segment))
            found = await asyncio.to_thread(last_of, segment, topic, end, missing) + found
        return found

    async def trim(self, older_than: datetime) -> int:
        """As the port says; files go whole."""
        limit = micros(older_than)
        count = 0
        while len(self._segments) > 1:
            following = self._segments[1]
            begun = await asyncio.to_thread(starts_at, following)
            done = min((group.committed for name, group in self._groups.items() if name != RETRIES), default=self._end)
            if following.first > done or begun is None or begun > limit:
                break
            # The name goes first from what readers see, then from the folder.
            gone = self._segments.pop(0)
            await asyncio.to_thread(self._delete, gone)
            count += 1
        return count

    def _delete(self, segment: Segment) -> None:
        try:
            segment.path.unlink(missing_ok=True)
            sync_directory(self._directory)
        except OSError as error:
            raise StoreUnavailable(f"{segment.path} cannot be deleted: {error.strerror}") from error

    def _group(self, name: str) -> _Group:
        if (group := self._groups.get(name)) is None:
            check_group(name)
            first = self._segments[0].first
            group = self._groups[name] = _Group(first, first, first, inherited=self._end)
            self._note_moved(name)
        return group

    def _note_moved(self, group: str) -> None:
        self._moved.add(group)
        self._moved_any.set()

    async def _flush_regularly(self) -> None:
        """Positions may be a second old after a crash: consumers are safe to run twice."""
        while not self._ended.is_set():
            await self._moved_any.wait()
            await self._flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_EVERY_S):
                    await self._ended.wait()
        await self._flush()

    async def _flush(self) -> None:
        offsets = {name: self._groups[name].committed for name in self._moved}
        self._moved.clear()
        self._moved_any.clear()
        try:
            if offsets:
                await asyncio.to_thread(save_offsets, self._directory / "groups", offsets)
        except OSError as error:
            self._moved.update(offsets)
            self._moved_any.set()
            _logger.warning("the positions of the log cannot be written: %s", error.strerror)

    # --- opening and closing

    def _open(self, loop: asyncio.AbstractEventLoop, segment_size: int) -> None:
        groups = self._directory / "groups"
        groups.mkdir(parents=True, exist_ok=True)
        offsets = load_offsets(groups)
        recovered = recover_log(self._directory, offsets)
        self._segments, found, offsets = recovered.segments, recovered.last, recovered.offsets
        self.damage = (*self.damage, *recovered.damage)
        last = self._segments[-1]
        self._end = last.first + found.count
        self._last_at = found.last_at
        first = self._segments[0].first
        for name, offset in offsets.items():
            offset = min(max(offset, first), self._end)
            self._groups[name] = _Group(offset, offset, offset, inherited=self._end)

        def tell(written: Written) -> None:
            # A loop that was closed has nobody who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._acknowledge, written)

        self._appender = Appender(self._directory, last, self._end, found.good, tell, segment_size)
        self._gathering = Gathering(loop, self._appender.submit)
        self._appender.start()

    async def _close(self) -> None:
        self._closed = True
        if self._gathering is not None:
            self._gathering.flush()
        if self._appender is not None:
            await asyncio.to_thread(self._appender.close)
        # What the thread told last is run before the readers are sent home.
        await asyncio.sleep(0)
        for reader in self._groups.values():
            reader.wake()
        self._ended.set()
        self._moved_any.set()


def _answer(waiter: "asyncio.Future[bool]", answer: bool) -> None:
    if not waiter.done():
        waiter.set_result(answer)


def _read_as(new: NewRecord, offset: int, at: datetime) -> Record:
    return Record(
        topic=new.topic, partition=0, offset=offset, key=new.key, value=new.value, headers=new.headers, appended_at=at
    )


def _again(error: HomeGuardError) -> HomeGuardError:
    """The same failure for another caller: an exception that is raised twice would mix their tracebacks."""
    copy = type(error)(error.message)
    copy.__cause__ = error.__cause__
    return copy
