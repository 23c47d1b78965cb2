"""One server behind a guard: opened in the background, asked with a deadline, left alone while it does not answer."""

import asyncio
import logging
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from homeguard.breaker import Breaker, State
from homeguard.clock import Clock, iso, pause
from homeguard.errors import HomeGuardError, StartRefused, StorageFull, StoreUnavailable
from homeguard.ports.engine import Engine
from homeguard.stores.guarded.background import beside

log = logging.getLogger("homeguard.engines")


class Opened(Protocol):
    """What an opener gives: ports, and the engine behind them."""

    @property
    def engine(self) -> Engine: ...


T_co = TypeVar("T_co", bound=Opened, covariant=True)
R = TypeVar("R")

#: A call that may be repeated is tried again this often, after these waits (each up to a half longer, by chance).
RETRIES: Final = 3
FIRST_WAIT_S: Final = 0.1
WAIT_FACTOR: Final = 2.0
LONGEST_WAIT_S: Final = 5.0
#: Seconds between two looks at an engine that is well, and at one that is not.
PROBE_S: Final = 5.0
PROBE_TROUBLED_S: Final = 1.0
PING_LIMIT_S: Final = 2.0
#: After a call that got no answer at all, others of the ordinary deadline are given this long, until a look goes well:
#: one request asks several times, and its caller must not wait the whole deadline each time.
SUSPECT_LIMIT_S: Final = 0.3
#: Looks in vain, one after the other, after which nobody else need wait for an answer.
PINGS_IN_VAIN: Final = 2
#: An engine that answers a look but fails its callers again is trusted more slowly each time, up to this.
LONGEST_HOLD_S: Final = 8.0
#: Opening makes tables and waits for elections.
OPEN_LIMIT_S: Final = 60.0
REOPEN_S: Final = 1.0
REOPEN_REFUSED_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How an engine is. `engine` and `version` are as the server names itself, its plain name before it was met."""

    name: str
    ok: bool
    engine: str
    version: str
    state: State
    since: datetime
    reason: str = ""

    def as_json(self) -> dict[str, object]:
        return {
            "ok": self.ok, "engine": self.engine, "version": self.version, "state": self.state,
            "since": iso(self.since), "reason": self.reason,
        }  # fmt: skip


@asynccontextmanager
async def guard(
    name: str,
    opener: Callable[[], AbstractAsyncContextManager[T_co]],
    clock: Clock,
    *,
    deadline_s: float = 2.0,
    start_wait_s: float = 5.0,
) -> AsyncIterator["GuardedEngine[T_co]"]:
    """The engine, for the length of the block. `name` is what people are told, `opener` opens its stores.

    Waits up to `start_wait_s` for it; one that is not there by then is opened in the background, however long that
    takes.

    Raises:
        StartRefused: what is configured is wrong (password, address, a newer schema), and that was seen in time.
    """
    engine = GuardedEngine(name, opener, clock, deadline_s=deadline_s)
    async with beside(engine._run()):
        await engine._first_look(start_wait_s)
        yield engine


class GuardedEngine(Generic[T_co]):
    """Made by `guard`. Only what does not answer counts against an engine; a refusal or a conflict is an answer."""

    def __init__(
        self,
        name: str,
        opener: Callable[[], AbstractAsyncContextManager[T_co]],
        clock: Clock,
        *,
        deadline_s: float,
    ) -> None:
        self.name = name
        self._opener = opener
        self._clock = clock
        self._deadline_s = deadline_s
        self._breaker = Breaker(clock)
        self._opened: T_co | None = None
        self._met: tuple[str, str] | None = None
        self._reason = "it has not been reached yet"
        self._refused: StartRefused | None = None
        self._looked = asyncio.Event()
        #: Whoever starts waits for the first look, and is told what comes of it.
        self._is_awaited = False
        self._troubled = True
        self._is_suspect = False
        self._trouble = asyncio.Event()
        self._away_since = clock.now()
        self._answered_at: datetime | None = None
        self._in_vain = 0
        self._hold_s = PROBE_TROUBLED_S
        self._reset_at = -math.inf
        self._callbacks: list[Callable[[], None]] = []

    @property
    def is_up(self) -> bool:
        """It is open and calls to it pass."""
        return self._opened is not None and self._breaker.state != "open"

    @property
    def stores(self) -> T_co | None:
        """What the opener gave, for work that is no single call (a subscription); None while it is not open."""
        return self._opened if self.is_up else None

    @property
    def away_since(self) -> datetime:
        """When it last answered; before it ever did, when it was first asked for."""
        return self._answered_at or self._away_since

    def on_return(self, callback: Callable[[], None]) -> None:
        """Have this called whenever the engine comes back, also at its first opening: after anything that failed, even
        for a moment, since it may have been started anew meanwhile. It sets a flag or an event, it does no work."""
        self._callbacks.append(callback)

    async def call(
        self, fn: Callable[[T_co], Awaitable[R]], *, idempotent: bool = True, deadline_s: float | None = None
    ) -> R:
        """Ask it. `idempotent`: the call may be repeated, also when nobody knows whether it was done.

        Raises:
            StoreUnavailable: it is away, or did not answer within the deadline; `retry_after_s` says when to come back.
        """
        limit_s = deadline_s
        if limit_s is None:
            limit_s = min(self._deadline_s, SUSPECT_LIMIT_S) if self._is_suspect else self._deadline_s
        ends = self._clock.monotonic() + limit_s
        wait_s = FIRST_WAIT_S
        for tries_left in range(RETRIES if idempotent else 0, -1, -1):
            try:
                return await self._once(fn, max(0.001, ends - self._clock.monotonic()))
            except StorageFull:
                raise
            except StoreUnavailable as error:
                delay_s = wait_s * (1 + random.random() / 2)  # noqa: S311 - spreads retries, keeps no secret
                if not tries_left or not self.is_up or self._clock.monotonic() + delay_s >= ends:
                    raise self._unavailable(error) from error
            await pause(self._clock, delay_s)
            wait_s = min(wait_s * WAIT_FACTOR, LONGEST_WAIT_S)
        raise AssertionError("the last try returns or raises")

    def health(self) -> Health:
        """How it is now, from what calls and looks met; asks nobody."""
        name, version = self._met or (self.name, "")
        ok = self._opened is not None and self._breaker.state == "closed"
        since = self._breaker.since if self._opened is not None else self._away_since
        state: State = self._breaker.state if self._opened is not None else "open"
        reason = "" if ok else self._reason
        return Health(name=self.name, ok=ok, engine=name, version=version, state=state, since=since, reason=reason)

    async def _once(self, fn: Callable[[T_co], Awaitable[R]], limit_s: float) -> R:
        opened = self._opened
        ticket = self._breaker.admit() if opened is not None else None
        if opened is None or ticket is None:
            raise StoreUnavailable(self._reason)
        answered = False
        try:
            async with asyncio.timeout(limit_s):
                result = await fn(opened)
        except StorageFull:
            answered = True
            raise
        except (StoreUnavailable, OSError) as error:
            # TimeoutError is an OSError: the deadline, or a socket's.
            self._is_suspect = self._is_suspect or isinstance(error, TimeoutError)
            self._breaker.failed(ticket)
            reason = _words(error, limit_s)
            self._note_trouble(reason)
            raise StoreUnavailable(reason) from error
        except Exception:
            answered = True
            raise
        else:
            answered = True
            return result
        finally:
            if answered:
                self._breaker.succeeded(ticket)
                self._answered_at = self._clock.now()
            else:
                # After `failed` the ticket may be of an era that is over; then this says nothing.
                self._breaker.left(ticket)

    def _unavailable(self, cause: StoreUnavailable) -> StoreUnavailable:
        wait_s = PROBE_S if not self.is_up else PROBE_TROUBLED_S
        return StoreUnavailable(
            f"{self.name} does not answer ({cause.message}); try again in {wait_s:g} s",
            engine=self.name, retry_after_s=wait_s,
        )  # fmt: skip

    def _note_trouble(self, reason: str) -> None:
        if not self._troubled:
            log.warning("%s: %s", self.name, reason)
        self._reason = reason
        self._troubled = True
        self._trouble.set()

    async def _first_look(self, wait_s: float) -> None:
        slept = asyncio.ensure_future(self._clock.sleep(wait_s))
        looked = asyncio.ensure_future(self._looked.wait())
        self._is_awaited = True
        try:
            await asyncio.wait({slept, looked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_awaited = False
            for wait in (slept, looked):
                wait.cancel()
            await asyncio.gather(slept, looked, return_exceptions=True)
        if self._opened is None and self._refused is not None:
            raise self._refused

    async def _run(self) -> None:
        """Open it, look after it; the task that opens is the one that closes."""
        while True:
            async with AsyncExitStack() as stack:
                delay_s = REOPEN_S
                try:
                    async with asyncio.timeout(OPEN_LIMIT_S):
                        opened = await stack.enter_async_context(self._opener())
                    self._opened = opened
                    self._came_back()
                    self._looked.set()
                    await self._watch(opened)
                except StartRefused as error:
                    self._reason, delay_s = error.message, REOPEN_REFUSED_S
                    if not self._looked.is_set():
                        self._refused = error
                    if not self._is_awaited:
                        log.error("%s: %s", self.name, error.message)  # noqa: TRY400 - our errors carry their sentence
                except (StoreUnavailable, OSError) as error:
                    self._reason = _words(error, OPEN_LIMIT_S)
                except Exception:
                    self._reason = "it could not be opened"
                    log.exception("%s could not be opened", self.name)
                finally:
                    self._opened = None
            if self._refused is not None:
                # At start a server that is only not there yet is waited for, a wrong setting is not.
                self._looked.set()
            await pause(self._clock, delay_s)

    async def _watch(self, opened: Opened) -> None:
        while True:
            if self._troubled:
                await pause(self._clock, PROBE_TROUBLED_S)
            else:
                await pause(self._clock, PROBE_S, until=self._trouble)
            try:
                async with asyncio.timeout(PING_LIMIT_S):
                    await opened.engine.ping()
            except Exception as error:
                self._in_vain += 1
                self._note_trouble(_words(error, PING_LIMIT_S))
                if self._in_vain >= PINGS_IN_VAIN:
                    self._breaker.trip()
            else:
                self._in_vain = 0
                self._answered_at = self._clock.now()
                if self._troubled:
                    self._trust()

    def _trust(self) -> None:
        """It answered a look after something had failed: let everybody ask again, unless that failed just before."""
        now = self._clock.monotonic()
        if self._breaker.state != "closed":
            if self._breaker.state == "open" and self._breaker.age_s < self._hold_s:
                return
            self._hold_s = min(self._hold_s * 2, LONGEST_HOLD_S) if now - self._reset_at < 60 else PROBE_TROUBLED_S
            self._reset_at = now
            self._breaker.reset()
        self._came_back()

    def _came_back(self) -> None:
        self._breaker.reset()
        self._troubled = self._is_suspect = False
        self._trouble.clear()
        self._in_vain = 0
        self._answered_at = self._clock.now()
        if self._opened is not None:
            # It may have been upgraded meanwhile.
            self._met = (self._opened.engine.name, self._opened.engine.version)
        log.info("%s answers", self.name)
        for callback in self._callbacks:
            callback()


def _words(error: BaseException, limit_s: float) -> str:
    if isinstance(error, HomeGuardError):
        return error.message
    if isinstance(error, TimeoutError):
        return f"no answer within {limit_s:.3g} s"
    return str(error) or type(error).__name__
