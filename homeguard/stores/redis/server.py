"""One Redis as the files of this folder talk to it: bounded calls, errors as ours, scripts by their hash."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError

from homeguard.errors import HomeGuardError, StartRefused, StorageFull, StoreUnavailable

DEADLINE_S: Final = 5.0
PING_DEADLINE_S: Final = 2.0
CONNECT_DEADLINE_S: Final = 2.0
POOL_SIZE: Final = 16
#: What the driver raises, and `asyncio` for a call that took too long.
FAILURES: Final = (RedisError, OSError, TimeoutError)

_SCRIPTS: Final = Path(__file__).parent / "scripts"
_URL_SHAPE: Final = "a Redis URL reads redis://:password@host:6379/0"

#: (keys, arguments) of one run of a script.
Run = tuple[Sequence[str], Sequence[str | bytes | int | float]]


@dataclass(frozen=True, slots=True)
class Script:
    """Lua that Redis runs as one step."""

    text: str
    sha: str


def script(*names: str) -> Script:
    """The files of `scripts/` with these names, one after the other."""
    text = "\n".join((_SCRIPTS / f"{name}.lua").read_text(encoding="utf-8") for name in names)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Server:
    """`where` is host:port, `database` the number in the URL.

    Nothing is tried twice: not every call is safe to repeat, and the pool opens a dead connection anew before it hands
    it out, so the first call after the server's return works.

    Raises:
        StartRefused: the URL cannot be read.
    """

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        try:
            # RESP2: every server since 2018 speaks it, and pub/sub then is plain replies.
            self._pool: Any = BlockingConnectionPool.from_url(
                url, protocol=2, max_connections=pool_size, timeout=deadline_s, socket_timeout=deadline_s,
                socket_connect_timeout=CONNECT_DEADLINE_S, retry=Retry(NoBackoff(), 0), client_name="homeguard",
            )  # fmt: skip
        except ValueError as error:
            raise StartRefused(f"{_URL_SHAPE}: {_without_values(error)}") from error
        self._redis: Any = Redis(connection_pool=self._pool)
        given = self._pool.connection_kwargs
        self.database = int(given.get("db") or 0)
        self.where = given["path"] if "path" in given else f"{given.get('host', 'localhost')}:{given.get('port', 6379)}"

    async def close(self) -> None:
        await self._pool.aclose()

    @asynccontextmanager
    async def bounded(self, limit_s: float | None = None) -> AsyncIterator[None]:
        """Ends after `limit_s` (the deadline of a call without it), and turns what the driver raises into ours.

        Raises:
            StorageFull: the server's memory is full.
            StoreUnavailable: it did not answer, or could not do it.
        """
        try:
            async with asyncio.timeout(self._deadline_s if limit_s is None else limit_s):
                yield
        except FAILURES as error:
            raise self.ours(error) from error
        except RuntimeError as error:
            # how uvloop says that it noticed the end of the connection before the driver did
            if "closed" not in str(error):
                raise
            raise self.ours(error) from error

    def ours(self, error: Exception) -> HomeGuardError:
        """The driver's text may hold what we sent, so only its kind is told on."""
        if isinstance(error, OutOfMemoryError) or (isinstance(error, RedisError) and "OOM command" in str(error)):
            return StorageFull(f"Redis at {self.where} has no memory left")
        return StoreUnavailable(f"Redis at {self.where} does not answer ({type(error).__name__})")

    async def call(self, *command: str | bytes | int | float, limit_s: float | None = None) -> Any:
        """One command and its answer."""
        async with self.bounded(limit_s):
            return await self._redis.execute_command(*command)

    async def call_all(
        self, commands: Sequence[Sequence[str | bytes | int | float]], *, at_once: bool = False
    ) -> list[Any]:
        """All commands in one go and their answers; `at_once`: as one step, all or none."""
        async with self.bounded():
            pipeline = self._redis.pipeline(transaction=at_once)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = await pipeline.execute()
            return answers

    async def run(self, wanted: Script, runs: Sequence[Run], *, limit_s: float | None = None) -> list[Any]:
        """One script, many times in one go; the server is taught it when it does not know it (it was restarted)."""
        async with self.bounded(limit_s):
            answers = await self._run(wanted, runs)
            unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            if unknown:
                await self._redis.execute_command("SCRIPT LOAD", wanted.text)
                for n, answer in zip(unknown, await self._run(wanted, [runs[n] for n in unknown]), strict=True):
                    answers[n] = answer
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
            return answers

    async def _run(self, wanted: Script, runs: Sequence[Run]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for keys, arguments in runs:
            pipeline.execute_command("EVALSHA", wanted.sha, len(keys), *keys, *arguments)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    def connection(self) -> Any:
        """A `Connection` outside of the pool, not open yet, for one who listens. Its owner disconnects it."""
        return self._pool.make_connection()


def _without_values(error: ValueError) -> str:
    """The driver's complaints about a URL quote parts of it, so only those that quote nothing are shown."""
    text = str(error)
    return "it must begin with redis://, rediss:// or unix://" if "schemes" in text else "this one cannot be read"
