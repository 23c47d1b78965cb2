"""The driver's thread, bridged to asyncio: questions and writes with a deadline, a bounded number of them under way."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

from cassandra import ConsistencyLevel
from cassandra.query import BatchStatement, BatchType, PreparedStatement, SimpleStatement

from homeguard.errors import HomeGuardError, StoreUnavailable
from homeguard.stores.scylla.failures import translated

Values: TypeAlias = tuple[Any, ...]
#: A statement's text and what it is given.
Ask: TypeAlias = tuple[str, Values]
#: A statement's text and rows of one partition for it.
Batch: TypeAlias = tuple[str, Sequence[Values]]

SCHEMA_LIMIT_S: Final = 30.0


class Cql:
    """A connected session. `where` names the servers, without a login.

    Texts are prepared once (`prepare`), before they are asked. Everything that is asked here may be repeated by the
    driver: the same rows have the same keys.
    """

    def __init__(self, session: Any, where: str, *, deadline_s: float, in_flight: int) -> None:
        self.where = where
        self._session = session
        self._deadline_s = deadline_s
        self._slots = asyncio.Semaphore(in_flight)
        self._loop = asyncio.get_running_loop()
        self._prepared: dict[str, PreparedStatement] = {}
        self._lock = threading.Lock()
        self._arrived: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []

    async def prepare(self, texts: Iterable[str]) -> None:
        """Have the server read these statements, so that they can be asked."""

        def prepare() -> None:
            for text in texts:
                if text not in self._prepared:
                    statement = self._session.prepare(text)
                    statement.is_idempotent = True
                    self._prepared[text] = statement

        await self._in_thread(prepare)

    @asynccontextmanager
    async def deadline(self, limit_s: float | None = None) -> AsyncIterator[None]:
        """All that is awaited inside ends within the limit (the store's own without one).

        Raises:
            StoreUnavailable: it did not.
        """
        try:
            async with asyncio.timeout(limit_s or self._deadline_s):
                yield
        except TimeoutError as error:
            raise StoreUnavailable(f"the event store at {self.where} did not answer in time") from error

    async def ask(self, text: str, values: Values = ()) -> list[Any]:
        """The rows of one prepared statement: one page, so the text says how many there can be."""
        (rows,) = await self._all([self._prepared[text].bind(values)])
        return rows

    async def each(self, asks: Iterable[Ask]) -> list[list[Any]]:
        """The rows of each, in the order of the asks."""
        return await self._all([self._prepared[text].bind(values) for text, values in asks])

    async def write(self, batches: Iterable[Batch]) -> None:
        """Write them all; a batch of one partition is stored as a whole or not at all."""
        await self._all([self._statement(text, rows) for text, rows in batches])

    async def run(self, text: str, values: Values = ()) -> list[Any]:
        """One statement that is not worth preparing, such as a change of the schema."""

        def run() -> list[Any]:
            statement = SimpleStatement(text, is_idempotent=True)
            return list(self._session.execute(statement, values or None, timeout=SCHEMA_LIMIT_S))

        rows: list[Any] = await self._in_thread(run)
        return rows

    async def use(self, keyspace: str) -> None:
        await self._in_thread(lambda: self._session.set_keyspace(keyspace))

    def _statement(self, text: str, rows: Sequence[Values]) -> Any:
        prepared = self._prepared[text]
        if len(rows) == 1:
            return prepared.bind(rows[0])
        batch = BatchStatement(BatchType.UNLOGGED, consistency_level=ConsistencyLevel.LOCAL_QUORUM)
        batch.is_idempotent = True
        for row in rows:
            batch.add(prepared, row)
        return batch

    async def _all(self, statements: Sequence[Any]) -> list[list[Any]]:
        under_way = []
        for statement in statements:
            await self._slots.acquire()
            under_way.append(self._send(statement))
        try:
            return list(await asyncio.gather(*under_way))
        except Exception as error:
            raise self._ours(error) from error

    def _send(self, statement: Any) -> "asyncio.Future[Any]":
        answer: asyncio.Future[Any] = self._loop.create_future()
        # An answer that nobody waits for any more has been looked at, so that it is not reported as forgotten.
        answer.add_done_callback(lambda a: a.cancelled() or a.exception())
        try:
            self._session.execute_async(statement).add_callbacks(
                lambda rows: self._arrive(answer, rows or [], None), lambda error: self._arrive(answer, None, error)
            )
        except Exception as error:
            self._slots.release()
            answer.set_exception(error)  # raised where the answer is awaited
        return answer

    def _arrive(self, answer: "asyncio.Future[Any]", rows: Any, error: Exception | None) -> None:
        """In the driver's thread: one wake-up of the loop for all that has arrived since the last."""
        with self._lock:
            first = not self._arrived
            self._arrived.append((answer, rows, error))
        if first and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, []
        for answer, rows, error in arrived:
            self._slots.release()
            if answer.done():
                continue
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(rows)

    async def _in_thread(self, call: Any) -> Any:
        try:
            return await asyncio.to_thread(call)
        except Exception as error:
            raise self._ours(error) from error

    def _ours(self, error: Exception) -> Exception:
        return error if isinstance(error, HomeGuardError) else translated(error, self.where)
