"""The thread that puts appends on disk: a group at a time, one fdatasync, then everyone is told."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from homeguard.errors import HomeGuardError, StorageFull, StoreUnavailable
from homeguard.files import sync_directory
from homeguard.ports.log import NewRecord
from homeguard.stores.sqlite.seen import Seen
from homeguard.stores.sqlite.segments import Segment, segment_path, starts_at

SEGMENT_SIZE: Final = 64 * 1024 * 1024
#: A file holds the records of one day (UTC) at most, so that what is old can go though little comes.
_DAY_US: Final = 86_400_000_000
#: After a failure that left the file in doubt, so often it is tried to go on behind what is surely on disk.
_HEAL_EVERY_S: Final = 0.5

#: What the system says when there is no room: disk, quota, the process's file size limit.
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@dataclass(slots=True, eq=False)
class Append:
    """Records on their way to the disk: `data` is their bytes, `since` the loop's time when they came."""

    records: Sequence[NewRecord]
    data: bytes
    appended_at: int
    future: "asyncio.Future[None]"
    since: float


@dataclass(frozen=True, slots=True)
class Written:
    """A group that was committed (or not: `error`); its first record has the offset `first`."""

    group: Sequence[Append]
    first: int
    error: HomeGuardError | None = None
    #: The file that was begun for this group.
    begun: Segment | None = None


@dataclass(slots=True, eq=False)
class Appender:
    """Writes to the last segment, whose good end is at `size` bytes and whose next offset is `next`.

    `tell` is called on the writing thread, once a group, in the order of offsets.
    """

    directory: Path
    segment: Segment
    next: int
    size: int
    tell: Callable[[Written], None]
    segment_size: int = SEGMENT_SIZE
    _fd: int = -1
    #: None at its end: nothing comes any more.
    _waiting: "SimpleQueue[Sequence[Append] | None]" = field(default_factory=SimpleQueue)
    _closing: bool = False
    _broken: HomeGuardError | None = None
    _heal_at: float = 0.0
    #: Of the file's first record.
    _day: int = 0
    _seen: Seen | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._fd = os.open(self.segment.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if self.size:
            self._day = (starts_at(self.segment) or 0) // _DAY_US
        self._seen = Seen(self.directory)
        self._seen.note(self.segment.first, self.size, self.next)
        self._thread = threading.Thread(target=self._run, name="log-append", daemon=True)
        self._thread.start()

    def submit(self, group: Sequence[Append]) -> None:
        """Hand over what is written together; never waits.

        Raises:
            StoreUnavailable: the log is closed.
        """
        if self._closing:
            raise StoreUnavailable("the log is closed")
        self._waiting.put(group)

    def close(self) -> None:
        """Write what waits, end the thread, close the file. Nothing is submitted any more."""
        self._closing = True
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._seen is not None:
            self._seen.close()
            self._seen = None

    def _run(self) -> None:
        while (group := self._waiting.get()) is not None:
            self.tell(self._commit(group))

    def _commit(self, group: Sequence[Append]) -> Written:
        begun = None
        try:
            if self._broken is not None:
                begun = self._heal()
        except OSError:
            return Written(group, self.next, error=self._broken)
        try:
            day = group[0].appended_at // _DAY_US
            if self.size >= self.segment_size or (self.size and day > self._day):
                begun = self._begin_segment()
            if not self.size:
                self._day = day
            data = b"".join([job.data for job in group])
            _write_all(self._fd, data)
        except OSError as error:
            return Written(group, self.next, error=self._undo(error), begun=begun)
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            # After a failed fsync the kernel may have dropped pages: nothing behind the last good one can be relied on.
            self._broken = _failure("the log could not be synced", error)
            return Written(group, self.next, error=self._broken, begun=begun)
        first = self.next
        self.next += sum(len(job.records) for job in group)
        self.size += len(data)
        if self._seen is not None:
            self._seen.note(self.segment.first, self.size, self.next)
        return Written(group, first, begun=begun)

    def _heal(self) -> Segment | None:
        """Cut the file back to what was synced, and go on in a new one: no page of it was ever dropped. Raises OSError
        when that fails too, or was tried just now."""
        now = time.monotonic()
        if now < self._heal_at:
            raise BlockingIOError
        self._heal_at = now + _HEAL_EVERY_S
        os.ftruncate(self._fd, self.size)
        os.fdatasync(self._fd)
        begun = self._begin_segment() if self.size else None
        self._broken = None
        return begun

    def _begin_segment(self) -> Segment:
        segment = Segment(self.next, segment_path(self.directory, self.next))
        fd = os.open(segment.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            sync_directory(self.directory)
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd, self.segment, self.size = fd, segment, 0
        return segment

    def _undo(self, error: OSError) -> HomeGuardError:
        """Cut the file back to its good end, so that nothing of the group was taken."""
        try:
            os.ftruncate(self._fd, self.size)
        except OSError as worse:
            self._broken = _failure("the log could not be cut back", worse)
            return self._broken
        return _failure("the log could not be written", error)


def _failure(what: str, error: OSError) -> HomeGuardError:
    failure: HomeGuardError = (
        StorageFull("the disk under the log is full; nothing was taken")
        if error.errno in _FULL
        else StoreUnavailable(f"{what}: {error.strerror}; it is tried again")
    )
    failure.__cause__ = error
    return failure


def _write_all(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])
