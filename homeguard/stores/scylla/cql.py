"""The driver's thread, bridged to asyncio: questions and writes with a deadline, a bounded number of them under way."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
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


@dataclass(slots=True, eq=False)
class _Asked:
    """What one caller waits for: `sent` of its statements went out, `left` have no answer, `error` is the first."""

    statements: Sequence[Any]
    answers: list[Any]
    done: "asyncio.Future[None]"
    left: int
    sent: int = 0
    error: Exception | None = None


class Cql:
    """A connected session. `where` names the servers, without a login.

    Texts are prepared once (`prepare`), before they are asked. Everything that is asked here may be repeated by the
    driver: the same rows have the same keys.
    """

    def __init__(self, session: Any, where: str, *, deadline_s: float, in_flight: int) -> None:
        self.where = where
        self._session = session
        self._deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._prepared: dict[str, PreparedStatement] = {}
        #: Guards what follows: the driver answers in a thread of its own, and there the next statement goes out.
        self._lock = threading.Lock()
        self._free = in_flight
        self._waiting: deque[_Asked] = deque()
        self._is_sending = False

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
        await self._all([self._batch(text, rows) for text, rows in batches])

    async def run(self, text: str, values: Values = ()) -> list[Any]:
        """One statement that is not worth preparing, such as a change of the schema."""

        def run() -> list[Any]:
            statement = SimpleStatement(text, is_idempotent=True)
            return list(self._session.execute(statement, values or None, timeout=SCHEMA_LIMIT_S))

        rows: list[Any] = await self._in_thread(run)
        return rows

    async def use(self, keyspace: str) -> None:
        await self._in_thread(lambda: self._session.set_keyspace(keyspace))

    def _batch(self, text: str, rows: Sequence[Values]) -> Any:
        prepared = self._prepared[text]
        if len(rows) == 1:
            return prepared.bind(rows[0])
        made = BatchStatement(BatchType.UNLOGGED, consistency_level=ConsistencyLevel.LOCAL_QUORUM)
        made.is_idempotent = True
        for row in rows:
            made.add(prepared, row)
        return made

    async def _all(self, statements: Sequence[Any]) -> list[list[Any]]:
        """The answers to all. The loop is woken once, by the last of them or the first error: to wake it for each would
        cost more than to ask. Statements come here made, so that they go out in one stretch, many in a packet."""
        if not statements:
            return []
        n = len(statements)
        asked = _Asked(statements, [None] * n, self._loop.create_future(), left=n)
        with self._lock:
            self._waiting.append(asked)
        self._send()
        await asked.done
        if asked.error is not None:
            raise self._ours(asked.error) from asked.error
        return asked.answers

    def _send(self) -> None:
        """Send what waits as far as there is room, in turn for all who wait. One thread does, for the others too."""
        while True:
            with self._lock:
                if self._is_sending or not self._free or not self._waiting:
                    return
                asked = self._waiting.popleft()
                # Nobody waits for the rest: the deadline is over, or one of them has failed.
                if asked.done.done() or asked.error is not None:
                    continue
                number = asked.sent
                asked.sent += 1
                if asked.sent < len(asked.statements):
                    self._waiting.append(asked)
                self._free -= 1
                self._is_sending = True
            try:
                self._session.execute_async(asked.statements[number]).add_callbacks(
                    self._answered, self._failed, callback_args=(asked, number), errback_args=(asked,)
                )
            except Exception as error:
                self._failed(error, asked)  # raised where the answers are awaited
            with self._lock:
                self._is_sending = False

    def _answered(self, rows: Any, asked: _Asked, number: int) -> None:
        asked.answers[number] = rows or []
        self._arrive(asked, None)

    def _failed(self, error: Exception, asked: _Asked) -> None:
        self._arrive(asked, error)

    def _arrive(self, asked: _Asked, error: Exception | None) -> None:
        with self._lock:
            self._free += 1
            asked.left -= 1
            is_over = asked.error is None and (error is not None or not asked.left)
            asked.error = asked.error or error
        if is_over:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(_wake, asked.done)
        self._send()

    async def _in_thread(self, call: Any) -> Any:
        try:
            return await asyncio.to_thread(call)
        except Exception as error:
            raise self._ours(error) from error

    def _ours(self, error: Exception) -> Exception:
        return error if isinstance(error, HomeGuardError) else translated(error, self.where)


def _wake(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)
