"""How a PostgreSQL server is reached: a pool with deadlines, its errors as ours, migrations under a lock."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

import asyncpg

from homeguard.errors import (
    Conflict,
    HomeGuardError,
    InvalidInput,
    Overloaded,
    StartRefused,
    StorageFull,
    StoreUnavailable,
)

DEADLINE_S: Final = 5.0
PING_DEADLINE_S: Final = 2.0
#: A migration may rewrite tables, and waits while another process migrates.
MIGRATION_DEADLINE_S: Final = 300.0
CLOSE_DEADLINE_S: Final = 2.0
#: So many calls are under way or wait for a connection at a time.
CALLS_LIMIT: Final = 1_000

#: For every session. The server gives up shortly after we did, and does not keep the locks of a process that froze.
_SESSION: Final = {
    "application_name": "homeguard",
    "timezone": "UTC",
    "statement_timeout": "6000",
    "idle_in_transaction_session_timeout": "10000",
}

_FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
#: What the operator must mend before HomeGuard can start, and how the line ends that says so.
_REFUSALS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (asyncpg.InvalidPasswordError, "refused the user or the password"),
    (asyncpg.InvalidAuthorizationSpecificationError, "does not let this user in"),
    (asyncpg.InvalidCatalogNameError, "has no database of that name"),
    (asyncpg.InvalidSchemaNameError, "has no schema of that name"),
    (asyncpg.InsufficientPrivilegeError, "does not let this user make or read the tables"),
    (ssl.SSLCertVerificationError, "shows a certificate that is not trusted here"),
    (asyncpg.ClientConfigurationError, "cannot be reached by the URL as it is written"),
)
#: SQLSTATE classes that pass: no connection, read only, rolled back, no room, busy, stopping, I/O, internal.
_PASSING: Final = frozenset(("08", "25", "40", "53", "55", "57", "58", "XX"))
_URL_SHAPE: Final = "a PostgreSQL URL reads postgresql://user:password@host:port/database"

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(coalesce(current_schema(), '') || '.' || $1, 0))"
_UNHURRIED: Final = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
#: The server quotes the ledger's name: no statement is put together here.
#: Read as rows: `to_regclass` may answer from before the wait for the lock.
_LEDGER_THERE: Final = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1)"
_LEDGER_MAKE: Final = (
    "SELECT format('CREATE TABLE %I (number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " applied_at TIMESTAMPTZ NOT NULL DEFAULT now())', $1::text)"
)
_LEDGER_READ: Final = "SELECT format('SELECT name FROM %I ORDER BY number', $1::text)"
_LEDGER_NOTE: Final = "SELECT format('INSERT INTO %I (number, name) VALUES (%s, %L)', $1::text, $2::integer, $3::text)"


@asynccontextmanager
async def open_pool(
    url: str, migrations: Sequence[tuple[str, str]], *, ledger: str, size: int = 8
) -> AsyncIterator["Pool"]:
    """Reach the server, bring the schema up to date, and close every connection at the end.

    `migrations` are (name, SQL script), oldest first; each runs once, in a transaction of its own, whoever comes first.
    `ledger` names the table that keeps which ones were applied. A `search_path` in the URL's query chooses the schema.

    Raises:
        StartRefused: wrong URL, user, password or database, or a schema that is newer than this program.
        StoreUnavailable: the server did not answer.
    """
    place = _place(url)
    raw = await asyncpg.create_pool(
        url, min_size=0, max_size=size, timeout=DEADLINE_S, reset=_leave_as_it_is, server_settings=_SESSION
    )
    pool = Pool(raw, place)
    try:
        try:
            pool.version = str(await pool.fetchval("SHOW server_version")).split()[0]
            await _migrate(pool, migrations, ledger)
        except HomeGuardError as error:
            raise (_refusal(error, place) or error) from error.__cause__
        yield pool
    finally:
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await raw.close()
        except _FAILURES:
            raw.terminate()


class Connection(Protocol):
    """What is used of the driver's connection. Rows are tuples that know their columns' names too."""

    async def fetch(self, sql: str, *args: object) -> list[Any]: ...

    async def fetchrow(self, sql: str, *args: object) -> Any: ...

    async def fetchval(self, sql: str, *args: object) -> Any: ...

    async def execute(self, sql: str, *args: object) -> str: ...

    async def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None: ...

    async def copy_records_to_table(
        self, table: str, *, records: Iterable[Sequence[object]], columns: Sequence[str]
    ) -> str: ...

    def cursor(self, sql: str, *args: object, prefetch: int) -> AsyncIterator[Any]:
        """Rows as they come, `prefetch` at a time; within a transaction only."""
        ...

    def transaction(self, *, isolation: str | None = None, readonly: bool = False) -> Any: ...

    def terminate(self) -> None: ...


class Pool:
    """Connections to one server; `place` is its host and port. `open_pool` makes one.

    Every method has a deadline and raises:
        StoreUnavailable: the server did not answer in time, is down, or cannot serve now; nothing is known of a write.
        StorageFull: its disk is full.
        Conflict: a constraint of the schema forbids it; nothing was written.
        InvalidInput: a value cannot be kept (a NUL in a text, longer than the column).
        Overloaded: too many calls wait; nothing was sent.
    """

    def __init__(self, raw: Any, place: str) -> None:
        self._raw = raw
        self._calls = 0
        self.place = place
        self.version = ""

    async def fetch(self, sql: str, *args: object) -> list[Any]:
        """All rows."""
        async with self._connection(DEADLINE_S) as connection:
            return list(await connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: object) -> Any:
        """The first row; None when there is none."""
        async with self._connection(DEADLINE_S) as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first value of the first row; None when there is none."""
        async with self._connection(DEADLINE_S) as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """The server's word on it, such as `UPDATE 3`."""
        async with self._connection(DEADLINE_S) as connection:
            return await connection.execute(sql, *args)

    async def change(self, sql: str, *args: object) -> int:
        """How many rows the statement wrote."""
        return int((await self.execute(sql, *args)).rpartition(" ")[2])

    async def unhurried(self, sql: str, *, deadline_s: float) -> None:
        """A statement that takes its time and must not run inside a transaction."""
        async with self._connection(deadline_s) as connection:
            await connection.execute("SET statement_timeout = 0")
            try:
                await connection.execute(sql)
            finally:
                with suppress(*_FAILURES):
                    await connection.execute("RESET statement_timeout")

    async def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """The statement for each of the rows: all or none."""
        async with self._connection(DEADLINE_S) as connection:
            await connection.executemany(sql, rows)

    @asynccontextmanager
    async def transaction(self, *, deadline_s: float = DEADLINE_S, snapshot: bool = False) -> AsyncIterator[Connection]:
        """A connection inside a transaction: committed at the end of the block, undone when the block raises.

        The deadline is the whole block's. `snapshot`: read only, and all of it as of one moment.
        """
        async with self._connection(deadline_s) as connection:
            transaction = connection.transaction(isolation="repeatable_read" if snapshot else None, readonly=snapshot)
            await transaction.start()
            try:
                yield connection
            except Exception:
                try:
                    await transaction.rollback()
                except _FAILURES:
                    _cut(connection)
                raise
            await transaction.commit()

    async def ping(self) -> None:
        """Raises StoreUnavailable when the server does not answer within two seconds, or too many calls wait for it."""
        try:
            async with self._connection(PING_DEADLINE_S) as connection:
                await connection.fetchval("SELECT 1")
        except Overloaded as error:
            raise StoreUnavailable(error.message) from error

    @asynccontextmanager
    async def _connection(self, deadline_s: float) -> AsyncIterator[Connection]:
        if self._calls >= CALLS_LIMIT:
            raise Overloaded(f"too many calls wait for PostgreSQL at {self.place}", retry_after_s=1)
        self._calls += 1
        try:
            async with asyncio.timeout(deadline_s):
                connection = await self._raw.acquire()
                try:
                    yield connection
                except asyncio.CancelledError:
                    # Its answer may still be on the way: nobody else is to read it, and nobody waits for it here.
                    _cut(connection)
                    raise
                finally:
                    with suppress(*_FAILURES):
                        await self._raw.release(connection, timeout=CLOSE_DEADLINE_S)
        except TimeoutError as error:
            raise StoreUnavailable(f"PostgreSQL at {self.place} did not answer within {deadline_s:g} s") from error
        except _FAILURES as error:
            raise _translated(error, self.place) from error
        finally:
            self._calls -= 1


async def _leave_as_it_is(_connection: object) -> None:
    """Calls set nothing in their session that outlives their transaction, so no connection is reset between them."""


def _cut(connection: Connection) -> None:
    # One that broke by itself has left the pool's hand already.
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _migrate(pool: Pool, migrations: Sequence[tuple[str, str]], ledger: str) -> None:
    known = [name for name, _ in migrations]
    while len(await _applied(pool, known, ledger)) < len(known):
        async with pool.transaction(deadline_s=MIGRATION_DEADLINE_S) as connection:
            await connection.execute(_UNHURRIED)
            await connection.execute(_LOCK, ledger)
            if not await connection.fetchval(_LEDGER_THERE, ledger):
                await connection.execute(await connection.fetchval(_LEDGER_MAKE, ledger))
            # Another process may have gone on while this one waited for the lock.
            number = len(await connection.fetch(await connection.fetchval(_LEDGER_READ, ledger)))
            if number < len(migrations):
                name, script = migrations[number]
                await connection.execute(script)
                await connection.execute(await connection.fetchval(_LEDGER_NOTE, ledger, number + 1, name))


async def _applied(pool: Pool, known: Sequence[str], ledger: str) -> list[str]:
    """Raises StartRefused when one of them is not the one that this program has in its place."""
    if not await pool.fetchval(_LEDGER_THERE, ledger):
        return []
    applied = [str(row[0]) for row in await pool.fetch(await pool.fetchval(_LEDGER_READ, ledger))]
    strangers = [name for number, name in enumerate(applied) if [name] != list(known[number : number + 1])]
    if strangers:
        raise StartRefused(
            f"the database at {pool.place} was written by a newer HomeGuard: it holds {strangers[0]} in {ledger},"
            f" this one knows {len(known)} steps"
        )
    return applied


def _place(url: str) -> str:
    """Host and port of the URL, and nothing else of it."""
    try:
        parts = urlsplit(url)
        hosts = [host for host in parts.netloc.rpartition("@")[2].split(",") if host]
        socket = parse_qs(parts.query).get("host", [""])[0]
    except ValueError:
        raise StartRefused(_URL_SHAPE) from None
    # An unescaped "/", "?" or "#" in a password cuts the URL inside of it; what follows would still hold the "@".
    torn = "@" in parts.path + parts.query + parts.fragment
    sound = all(re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?", host) for host in hosts)
    ports = [int(port) for host in hosts if sound and (port := host.rpartition("]")[2].partition(":")[2])]
    if parts.scheme not in ("postgres", "postgresql") or torn or not sound or max(ports, default=1) > 65_535:
        raise StartRefused(_URL_SHAPE)
    named = [host if re.search(r":\d+$", host) else f"{host}:5432" for host in hosts]
    return ",".join(named) or socket or "localhost:5432"


def _refusal(error: HomeGuardError, place: str) -> StartRefused | None:
    """What the operator reads when waiting would not help; None when it might."""
    cause = error.__cause__
    for kind, ending in _REFUSALS:
        if isinstance(cause, kind):
            return StartRefused(f"PostgreSQL at {place} {ending}")
    if isinstance(cause, asyncpg.PostgresError) and str(cause.sqlstate)[:2] not in _PASSING:
        return StartRefused(f"PostgreSQL at {place} refused to be set up: {cause}")
    return None


def _translated(error: Exception, place: str) -> HomeGuardError:
    if isinstance(error, asyncpg.DiskFullError):
        return StorageFull(f"the disk of PostgreSQL at {place} is full")
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return Conflict("the store already holds something that forbids this")
    # The server's `DataError`, or the driver's own of the same name. (An untrusted certificate is a ValueError too.)
    if isinstance(error, asyncpg.DataError | ValueError) and not isinstance(error, OSError):
        return InvalidInput("a value cannot be kept as it is")
    if isinstance(error, asyncpg.PostgresError):
        return StoreUnavailable(f"PostgreSQL at {place} cannot serve this: {error}")
    return StoreUnavailable(f"PostgreSQL at {place} did not answer")
