"""One SQLite file: one writer on its own thread that commits in groups, and readers that never wait for it."""

import asyncio
import os
import queue
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from homeguard.errors import Conflict, HomeGuardError, Overloaded, StartRefused, StorageFull, StoreUnavailable
from homeguard.stores.sqlite.columns import Cell
from homeguard.stores.sqlite.page_sums import PageSums

T = TypeVar("T")

BUSY_TIMEOUT_MS: Final = 5_000
#: A commit takes at most this many writes with it, so that the first does not wait for all of a flood.
GROUP_LIMIT: Final = 512
#: WAL pages (4 KiB) after which the writer moves them into the file, between two commits.
CHECKPOINT_PAGES: Final = 4_000
#: WAL pages (256 MiB) from which on a checkpoint waits a moment for readers, so that the WAL begins anew.
RESTART_PAGES: Final = 65_536
_RESTART_WAIT_MS: Final = 200
ANSWER_LIMIT_S: Final = 60.0


@asynccontextmanager
async def open_database(
    path: Path, migrations: Sequence[str], *, readers: int = 2, queue_limit: int = 10_000
) -> AsyncIterator["Database"]:
    """Open the file, bring its schema up to date, and close it in good order at the end.

    `migrations` are SQL scripts, oldest first; those that the file has already seen are skipped. At most `queue_limit`
    writes and as many reads wait at a time.

    Raises:
        StartRefused: the file is no database, or its schema is newer than this program.
        StoreUnavailable: the disk did not answer.
    """
    database = Database(path, readers=readers, queue_limit=queue_limit)
    try:
        await asyncio.to_thread(database._open, migrations)
        yield database
    finally:
        await asyncio.to_thread(database._close)


class _Job:
    """A read that waits for a connection, or a write that waits for its commit."""

    __slots__ = ("error", "fn", "future", "result", "then")

    def __init__(
        self,
        fn: Callable[[apsw.Connection], Any],
        then: Callable[[Any], None] | None,
        future: "asyncio.Future[Any]",
    ) -> None:
        self.fn = fn
        self.then = then
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None


class Database:
    """An open file. `open_database` makes one."""

    def __init__(self, path: Path, *, readers: int, queue_limit: int) -> None:
        self.path = path
        self._readers = readers
        self._queue_limit = queue_limit
        #: None is the end: what came before it is still done.
        self._writes: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._writer: apsw.Connection | None = None
        self._open_readers: list[apsw.Connection] = []
        self._is_open = False
        self._wal_pages = 0
        #: Of these, how many the file has.
        self._moved_pages = 0
        self._sums: PageSums | None = None
        #: Held while a checkpoint changes the file.
        self._moving = threading.Lock()
        self._stop_verifying = threading.Event()

    async def write(self, fn: Callable[[apsw.Connection], T], *, then: Callable[[T], None] | None = None) -> T:
        """Run `fn` on the writer's thread; answers when the transaction is on disk.

        What `fn` raises undoes `fn` alone and is raised here. `fn` must not begin or end transactions, and changes
        nothing but the file: it runs a second time when a write that shared its transaction failed. `then` gets what
        `fn` returned, on the caller's loop, once that is on disk: also when the caller was cancelled meanwhile, so that
        what is in memory follows the file.

        Raises:
            Overloaded: too many writes wait; nothing was taken.
            StorageFull: the disk is full; nothing was written.
            Conflict: a constraint of the schema forbids it; nothing was written.
            StoreUnavailable: the file did not answer.
        """
        done: T = await self._answer(self._writes, "writes", fn, then)
        return done

    async def read(self, fn: Callable[[apsw.Connection], T]) -> T:
        """Run `fn` on a read-only connection, in one snapshot, in a thread.

        Raises:
            Overloaded: too many reads wait.
            StoreUnavailable: the file did not answer.
        """

        def in_one_snapshot(connection: apsw.Connection) -> T:
            connection.execute("BEGIN")
            try:
                return fn(connection)
            finally:
                connection.execute("ROLLBACK")

        return await self._read(in_one_snapshot)

    async def change(self, sql: str, given: tuple[Cell, ...] | dict[str, Cell] = ()) -> int:
        """Run one statement as a `write`; returns how many rows it changed."""

        def run(connection: apsw.Connection) -> int:
            connection.execute(sql, given)
            return connection.changes()

        return await self.write(run)

    async def rows(self, sql: str, given: tuple[Cell, ...] | dict[str, Cell] = ()) -> list[Any]:
        """All rows of one query, as a `read`."""
        return await self._read(lambda connection: connection.execute(sql, given).fetchall())

    async def row(self, sql: str, given: tuple[Cell, ...] | dict[str, Cell] = ()) -> Any:
        """The first row of one query, as a `read`; None when there is none."""
        return await self._read(lambda connection: connection.execute(sql, given).fetchone())

    async def check(self) -> list[str]:
        """What SQLite finds wrong with the whole file; empty when it is sound. Takes as long as the file is large."""
        return [str(row[0]) for row in await self.rows("PRAGMA integrity_check") if row[0] != "ok"]

    async def verify(self) -> list[int]:
        """Pages of the file whose content is not what was written; empty when it is sound. Beside all other work.

        Raises:
            StoreUnavailable: the file cannot be read.
        """
        if self._sums is None:
            return []
        try:
            return await asyncio.to_thread(self._sums.verify, self._moving, self._stop_verifying)
        except OSError as error:
            raise StoreUnavailable(f"{self.path.name} cannot be read: {error.strerror}") from error

    async def _read(self, fn: Callable[[apsw.Connection], T]) -> T:
        found: T = await self._answer(self._reads, "reads", fn, None)
        return found

    async def _answer(
        self,
        waiting: "queue.SimpleQueue[_Job | None]",
        what: str,
        fn: Callable[[apsw.Connection], T],
        then: Callable[[T], None] | None,
    ) -> Any:
        if not self._is_open:
            raise StoreUnavailable(f"{self.path.name} is closed")
        if waiting.qsize() >= self._queue_limit:
            raise Overloaded(f"too many {what} wait for {self.path.name}", retry_after_s=1)
        job = _Job(fn, then, asyncio.get_running_loop().create_future())
        waiting.put(job)
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await job.future
        except TimeoutError as error:
            raise StoreUnavailable(f"{self.path.name} did not answer within {ANSWER_LIMIT_S:g} s") from error

    def _open(self, migrations: Sequence[str]) -> None:
        try:
            # what is beside it is made with the same rights
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._sums = PageSums(self.path)
            self._sums.open()
        except OSError as error:
            raise StoreUnavailable(f"{self.path.name} cannot be opened: {error.strerror}") from error
        try:
            self._writer = self._connect(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
            self._writer.execute("PRAGMA wal_autocheckpoint = 0")
            self._writer.execute("PRAGMA journal_size_limit = 67108864")
            self._writer.set_wal_hook(self._note_wal)
            self._migrate(self._writer, migrations)
            for _ in range(self._readers):
                self._open_readers.append(self._connect(apsw.SQLITE_OPEN_READONLY))
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise StartRefused(f"{self.path} is not a sound HomeGuard database: {error}") from error
        except apsw.Error as error:
            raise self._translated(error) from error
        self._start("write", self._run_writes, self._writer)
        for reader in self._open_readers:
            self._start("read", self._run_reads, reader)
        self._is_open = True

    def _start(self, what: str, run: Callable[[apsw.Connection], None], connection: apsw.Connection) -> None:
        thread = threading.Thread(target=run, args=(connection,), name=f"{what}-{self.path.stem}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _connect(self, flags: int) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), flags=flags, statementcachesize=128)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -8192")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def _migrate(self, connection: apsw.Connection, migrations: Sequence[str]) -> None:
        version = connection.pragma("user_version")
        if version > len(migrations):
            raise StartRefused(
                f"{self.path} was written by a newer HomeGuard (schema {version}, this one knows {len(migrations)})"
            )
        for number in range(version, len(migrations)):
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute(migrations[number])
                connection.pragma("user_version", number + 1)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _note_wal(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        if pages < self._wal_pages:
            self._moved_pages = 0
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _run_reads(self, connection: apsw.Connection) -> None:
        """A reader's thread."""
        while (job := self._reads.get()) is not None:
            if job.future.cancelled():
                continue
            try:
                job.result = job.fn(connection)
            except BaseException as error:
                job.error = self._caused(error)
            _tell([job])
            # its answer may be large, and the next question far away
            job = None

    def _run_writes(self, connection: apsw.Connection) -> None:
        """The writer's thread: take what waits, commit it together, tell those who wait, tidy up."""
        job = self._writes.get()
        while job is not None:
            group = [job]
            with suppress(queue.Empty):
                while len(group) < GROUP_LIMIT and (job := self._writes.get_nowait()) is not None:
                    group.append(job)
            self._commit(connection, group)
            if self._sums is not None and self._wal_pages:
                self._sums.note(self._wal_pages)
            _tell(group)
            if self._wal_pages - self._moved_pages >= CHECKPOINT_PAGES:
                self._checkpoint(connection)
            if job is not None:
                job = self._writes.get()

    def _commit(self, connection: apsw.Connection, group: Sequence[_Job]) -> None:
        """Together if all goes well: what keeps them apart costs statements, and is seldom needed."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                job.result = job.fn(connection)
        except BaseException as error:
            _undo(connection)
            if len(group) == 1:
                group[0].error = self._caused(error)
                return
        else:
            self._end(connection, group)
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._run_apart(connection, job)
        except apsw.Error as error:
            self._fail(connection, group, error)
        else:
            self._end(connection, group)

    def _end(self, connection: apsw.Connection, group: Sequence[_Job]) -> None:
        try:
            connection.execute("COMMIT")
        except apsw.Error as error:
            self._fail(connection, group, error)

    def _fail(self, connection: apsw.Connection, group: Sequence[_Job], error: apsw.Error) -> None:
        _undo(connection)
        for job in group:
            job.error = job.error or self._caused(error)

    def _run_apart(self, connection: apsw.Connection, job: _Job) -> None:
        """One write in its savepoint. Raises only when the whole transaction is gone."""
        connection.execute("SAVEPOINT one")
        try:
            job.result = job.fn(connection)
        except BaseException as error:
            job.error = self._caused(error)
            if not connection.in_transaction:
                # A full disk or an I/O error makes SQLite undo everything, also what ran before in this group.
                if isinstance(error, apsw.Error):
                    raise
                raise apsw.AbortError("the transaction was undone") from error
            connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")

    def _checkpoint(self, connection: apsw.Connection) -> None:
        """Move the WAL into the file as far as readers allow; what fails now is done after a later commit."""
        mode = apsw.SQLITE_CHECKPOINT_PASSIVE
        if self._wal_pages >= RESTART_PAGES:
            mode = apsw.SQLITE_CHECKPOINT_RESTART
            connection.set_busy_timeout(_RESTART_WAIT_MS)
        with self._moving:
            try:
                frames, self._moved_pages = connection.wal_checkpoint(mode=mode)
            except apsw.Error:
                # part of it may be done, so the sums are noted all the same
                frames, self._moved_pages = self._wal_pages, self._wal_pages - CHECKPOINT_PAGES // 2
            if frames and self._sums is not None:
                self._sums.moved(frames)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)

    def _move_all(self, connection: apsw.Connection) -> bool:
        """The WAL into the file, nobody else being there; whether the WAL may go."""
        with self._moving:
            try:
                frames, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error:
                return False
            if frames and self._sums is not None:
                self._sums.moved(frames)
            return bool(frames == moved)

    def _caused(self, error: BaseException) -> BaseException:
        """What a caller is told."""
        if not isinstance(error, apsw.Error):
            return error
        translated = self._translated(error)
        translated.__cause__ = error
        return translated

    def _translated(self, error: apsw.Error) -> HomeGuardError:
        if isinstance(error, apsw.FullError):
            return StorageFull(f"the disk under {self.path.name} is full; nothing was written")
        if isinstance(error, apsw.ConstraintError):
            return Conflict(f"{self.path.name} already holds something that forbids this")
        return StoreUnavailable(f"{self.path.name} did not answer: {error}")

    def _refuse_the_rest(self) -> None:
        """What came while the threads ended has nobody who does it."""
        for waiting in (self._writes, self._reads):
            with suppress(queue.Empty):
                while True:
                    job = waiting.get_nowait()
                    if job is not None:
                        job.error = StoreUnavailable(f"{self.path.name} is closed")
                        _tell([job])

    def _close(self) -> None:
        self._is_open = False
        self._stop_verifying.set()
        self._writes.put(None)
        for _ in self._open_readers:
            self._reads.put(None)
        for thread in self._threads:
            thread.join()
        self._refuse_the_rest()
        for connection in self._open_readers:
            connection.close()
        if self._writer is not None:
            # The last connection to close moves the WAL into the file and removes it.
            self._writer.set_wal_hook(None)
            is_moved = self._move_all(self._writer)
            if not is_moved:
                # what is left is noted as being in the WAL, and stays there for the next start
                self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            if self._sums is not None:
                with self._moving:
                    self._sums.close(is_moved=is_moved)
            self._writer.close()
            self._writer = None
        elif self._sums is not None:
            self._sums.close(is_moved=False)
        self._sums = None


def _undo(connection: apsw.Connection) -> None:
    with suppress(apsw.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _tell(group: Sequence[_Job]) -> None:
    """Answer the callers, each on the loop that it waits on; one wake-up of a loop for all of its callers."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in group:
        by_loop.setdefault(job.future.get_loop(), []).append(job)
    for loop, jobs in by_loop.items():
        # A loop that was closed has nobody who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, jobs)


def _resolve(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        if job.error is None and job.then is not None:
            job.then(job.result)
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
