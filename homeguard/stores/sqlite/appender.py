"""The thread that puts appends on disk: many together, one fdatasync, then everyone is told."""

import asyncio
import errno
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from homeguard.errors import HomeGuardError, StorageFull, StoreUnavailable
from homeguard.ports.log import NewRecord
from homeguard.stores.sqlite.segments import Segment, segment_path

SEGMENT_SIZE: Final = 64 * 1024 * 1024
#: One group commit takes at most so many bytes or records (one append may be larger).
GROUP_BYTES: Final = 1024 * 1024
GROUP_RECORDS: Final = 1_000

#: What the system says when there is no room: disk, quota, the process's file size limit.
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@dataclass(slots=True, eq=False)
class Append:
    """Records on their way to the disk: `data` is their bytes."""

    records: Sequence[NewRecord]
    data: bytes
    appended_at: int
    future: "asyncio.Future[None]"


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
    _waiting: deque[Append] = field(default_factory=deque)
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _closing: bool = False
    _broken: HomeGuardError | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._fd = os.open(self.segment.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._thread = threading.Thread(target=self._run, name="log-append", daemon=True)
        self._thread.start()

    def submit(self, job: Append) -> None:
        """Hand over one append.

        Raises:
            StoreUnavailable: the log is closed, or a failed fsync left it in doubt.
        """
        with self._wake:
            if self._closing:
                raise StoreUnavailable("the log is closed")
            if self._broken is not None:
                raise StoreUnavailable(self._broken.message) from self._broken
            self._waiting.append(job)
            self._wake.notify()

    def close(self) -> None:
        """Write what waits, end the thread, close the file."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closing:
                    self._wake.wait()
                if not self._waiting:
                    return
                group = self._take()
            self.tell(self._commit(group))

    def _take(self) -> list[Append]:
        """What is written next, together. What arrives during an fdatasync waits here, so that load makes groups."""
        group = [self._waiting.popleft()]
        size, count = len(group[0].data), len(group[0].records)
        while self._waiting:
            following = self._waiting[0]
            size += len(following.data)
            count += len(following.records)
            if size > GROUP_BYTES or count > GROUP_RECORDS:
                break
            group.append(self._waiting.popleft())
        return group

    def _commit(self, group: Sequence[Append]) -> Written:
        if self._broken is not None:
            return Written(group, self.next, error=self._broken)
        begun = None
        try:
            if self.size >= self.segment_size:
                begun = self._begin_segment()
            data = b"".join([job.data for job in group])
            _write_all(self._fd, data)
        except OSError as error:
            return Written(group, self.next, error=self._undo(error), begun=begun)
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            # After a failed fsync the kernel may have dropped pages: only a new reading of the file knows.
            self._broken = StoreUnavailable(f"the log could not be synced ({error.strerror}); restart HomeGuard")
            self._broken.__cause__ = error
            return Written(group, self.next, error=self._broken, begun=begun)
        first = self.next
        self.next += sum(len(job.records) for job in group)
        self.size += len(data)
        return Written(group, first, begun=begun)

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
            self._broken = StoreUnavailable(f"the log could not be cut back ({worse.strerror}); restart HomeGuard")
            self._broken.__cause__ = worse
            return self._broken
        failure: HomeGuardError = (
            StorageFull("the disk under the log is full; nothing was taken")
            if error.errno in _FULL
            else StoreUnavailable(f"the log could not be written: {error.strerror}")
        )
        failure.__cause__ = error
        return failure


def _write_all(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def sync_directory(directory: Path) -> None:
    """Make new, renamed and deleted names in a folder durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
