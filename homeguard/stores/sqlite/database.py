"""One SQLite file: one writer on its own thread that commits in groups, and readers that never wait for it."""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from homeguard.errors import Conflict, HomeGuardError, Overloaded, StartRefused, StorageFull, StoreUnavailable
from homeguard.stores.sqlite.columns import Cell

T = TypeVar("T")

BUSY_TIMEOUT_MS: Final = 5_000
#: A commit takes at most this many writes with it, so that the first does not wait for all of a flood.
GROUP_LIMIT: Final = 512
#: WAL pages (4 KiB) after which the writer moves them into the file, between two commits.
CHECKPOINT_PAGES: Final = 4_000
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


class _Write:
    """A write that waits for its commit."""

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
        self._waiting: deque[_Write] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._writer: apsw.Connection | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._idle: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        self._open_readers: list[apsw.Connection] = []
        self._reading = 0
        self._wal_pages = 0

    async def write(self, fn: Callable[[apsw.Connection], T], *, then: Callable[[T], None] | None = None) -> T:
        """Run `fn` in a savepoint on the writer's thread; answers when the transaction is on disk.

        What `fn` raises undoes `fn` alone and is raised here. `fn` must not begin or end transactions. `then` gets what
        `fn` returned, on the caller's loop, once that is on disk: also when the caller was cancelled meanwhile, so that
        what is in memory follows the file.

        Raises:
            Overloaded: too many writes wait; nothing was taken.
            StorageFull: the disk is full; nothing was written.
            Conflict: a constraint of the schema forbids it; nothing was written.
            StoreUnavailable: the file did not answer.
        """
        job = _Write(fn, then, asyncio.get_running_loop().create_future())
        with self._wake:
            if self._closing or self._thread is None:
                raise StoreUnavailable(f"{self.path.name} is closed")
            if len(self._waiting) >= self._queue_limit:
                raise Overloaded(f"too many writes wait for {self.path.name}", retry_after_s=1)
            self._waiting.append(job)
            self._wake.notify()
        return await self._answer(job.future)

    async def read(self, fn: Callable[[apsw.Connection], T]) -> T:
        """Run `fn` on a read-only connection, in one snapshot, in a thread.

        Raises:
            Overloaded: too many reads wait.
            StoreUnavailable: the file did not answer.
        """
        if self._pool is None:
            raise StoreUnavailable(f"{self.path.name} is closed")
        if self._reading >= self._queue_limit:
            raise Overloaded(f"too many reads wait for {self.path.name}", retry_after_s=1)
        self._reading += 1
        try:
            return await self._answer(asyncio.get_running_loop().run_in_executor(self._pool, self._read, fn))
        finally:
            self._reading -= 1

    async def change(self, sql: str, given: tuple[Cell, ...] | dict[str, Cell] = ()) -> int:
        """Run one statement as a `write`; returns how many rows it changed."""

        def run(connection: apsw.Connection) -> int:
            connection.execute(sql, given)
            return connection.changes()

        return await self.write(run)

    async def rows(self, sql: str, given: tuple[Cell, ...] | dict[str, Cell] = ()) -> list[Any]:
        """All rows of one query, as a `read`."""
        return await self.read(lambda connection: connection.execute(sql, given).fetchall())

    async def row(self, sql: str, given: tuple[Cell, ...] | dict[str, Cell] = ()) -> Any:
        """The first row of one query, as a `read`; None when there is none."""
        return await self.read(lambda connection: connection.execute(sql, given).fetchone())

    async def check(self) -> list[str]:
        """What SQLite finds wrong with the whole file; empty when it is sound. Takes as long as the file is large."""
        return [str(row[0]) for row in await self.rows("PRAGMA integrity_check") if row[0] != "ok"]

    async def _answer(self, future: "asyncio.Future[T]") -> T:
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await future
        except TimeoutError as error:
            raise StoreUnavailable(f"{self.path.name} did not answer within {ANSWER_LIMIT_S:g} s") from error

    def _open(self, migrations: Sequence[str]) -> None:
        try:
            self._writer = self._connect(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
            self._writer.execute("PRAGMA wal_autocheckpoint = 0")
            self._writer.execute("PRAGMA journal_size_limit = 67108864")
            self._writer.set_wal_hook(self._note_wal)
            self._migrate(self._writer, migrations)
            for _ in range(self._readers):
                reader = self._connect(apsw.SQLITE_OPEN_READONLY)
                self._open_readers.append(reader)
                self._idle.put(reader)
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise StartRefused(f"{self.path} is not a sound HomeGuard database: {error}") from error
        except apsw.Error as error:
            raise self._translated(error) from error
        self._pool = ThreadPoolExecutor(self._readers, thread_name_prefix=f"read-{self.path.stem}")
        self._thread = threading.Thread(target=self._run, name=f"write-{self.path.stem}", daemon=True)
        self._thread.start()

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
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _read(self, fn: Callable[[apsw.Connection], T]) -> T:
        connection = self._idle.get(timeout=ANSWER_LIMIT_S)
        try:
            connection.execute("BEGIN")
            try:
                return fn(connection)
            finally:
                connection.execute("ROLLBACK")
        except apsw.Error as error:
            raise self._translated(error) from error
        finally:
            self._idle.put(connection)

    def _run(self) -> None:
        """The writer's thread: take what waits, commit it together, tell those who wait, tidy up."""
        connection = self._writer
        if connection is None:
            return
        while True:
            with self._wake:
                while not self._waiting and not self._closing:
                    self._wake.wait()
                if not self._waiting:
                    return
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_LIMIT))]
            self._commit(connection, group)
            _tell(group)
            if self._wal_pages >= CHECKPOINT_PAGES:
                self._checkpoint(connection)

    def _commit(self, connection: apsw.Connection, group: Sequence[_Write]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._run_one(connection, job)
            connection.execute("COMMIT")
        except apsw.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for job in group:
                job.error = job.error or self._caused(error)

    def _run_one(self, connection: apsw.Connection, job: _Write) -> None:
        """One write in its savepoint. Raises only when the whole transaction is gone."""
        connection.execute("SAVEPOINT one")
        try:
            job.result = job.fn(connection)
        except BaseException as error:
            job.error = self._caused(error) if isinstance(error, apsw.Error) else error
            if not connection.in_transaction:
                # A full disk or an I/O error makes SQLite undo everything, also what ran before in this group.
                if isinstance(error, apsw.Error):
                    raise
                raise apsw.AbortError("the transaction was undone") from error
            connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")

    def _checkpoint(self, connection: apsw.Connection) -> None:
        """Move the WAL into the file as far as readers allow; what fails now is done after a later commit."""
        try:
            _, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._wal_pages = max(0, self._wal_pages - moved)
        except apsw.Error:
            self._wal_pages = CHECKPOINT_PAGES // 2

    def _caused(self, error: apsw.Error) -> HomeGuardError:
        translated = self._translated(error)
        translated.__cause__ = error
        return translated

    def _translated(self, error: apsw.Error) -> HomeGuardError:
        if isinstance(error, apsw.FullError):
            return StorageFull(f"the disk under {self.path.name} is full; nothing was written")
        if isinstance(error, apsw.ConstraintError):
            return Conflict(f"{self.path.name} already holds something that forbids this")
        return StoreUnavailable(f"{self.path.name} did not answer: {error}")

    def _close(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        for connection in self._open_readers:
            connection.close()
        if self._writer is not None:
            # The last connection to close moves the WAL into the file and removes it.
            self._writer.set_wal_hook(None)
            self._writer.close()
            self._writer = None


def _tell(group: Sequence[_Write]) -> None:
    """Answer the callers, each on the loop that it waits on; one wake-up of a loop for all of its callers."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
    for job in group:
        by_loop.setdefault(job.future.get_loop(), []).append(job)
    for loop, jobs in by_loop.items():
        # A loop that was closed has nobody who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, jobs)


def _resolve(jobs: Sequence[_Write]) -> None:
    for job in jobs:
        if job.error is None and job.then is not None:
            job.then(job.result)
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
