"""A remote engine that can be taken away: embedded stores behind a wire that refuses, hangs or loses answers."""

import asyncio
import heapq
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.stores.guarded.engine import GuardedEngine, guard
from homeguard.stores.guarded.forwarder import Forwarder, forward
from homeguard.stores.guarded.takers import TAKERS
from homeguard.stores.sqlite.open import open_embedded
from homeguard.stores.sqlite.spool import SqliteSpool, open_spool


class ManualClock:
    """Time stands still until `advance`; who sleeps then wakes in order."""

    def __init__(self) -> None:
        self.began = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, delay_s: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.elapsed + delay_s, self._count, future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.elapsed + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self.elapsed = max(self.elapsed, due)
                future.set_result(None)
                await self.settle()
        self.elapsed = end
        await self.settle()

    async def settle(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)


@dataclass
class Wire:
    """`mode`: ok; refused, reset: nothing reaches the stores; lost: it does, the answer does not come back; slow: the
    answer waits for `gate`; hangs: nothing ever comes; wrong: it cannot be opened as it is configured. `calls` counts
    what reached for the stores, `asked` names it."""

    mode: str = "ok"
    ping_mode: str = ""
    calls: int = 0
    pings: int = 0
    #: Errors to raise, one a call, before `mode` counts again.
    errors: list[Exception] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    #: How many answers are lost before `mode` counts again.
    losses: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry(self, call: Callable[[], Any], mode: str | None = None) -> Any:
        mode = mode or self.mode
        if mode == "refused":
            raise StoreUnavailable("connection refused")
        if mode == "reset":
            raise ConnectionResetError("connection reset by peer")
        if mode == "hangs":
            await asyncio.Event().wait()
        answer = await call()
        if mode == "slow":
            self.answered.set()
            await self.gate.wait()
        if self.losses or mode == "lost":
            self.losses = max(0, self.losses - 1)
            raise StoreUnavailable("the connection broke")
        return answer


class WiredPort:
    def __init__(self, port: Any, wire: Wire) -> None:
        self._port, self._wire = port, wire

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._wire.calls += 1
            self._wire.asked.append((name, *args))
            if self._wire.errors:
                raise self._wire.errors.pop(0)
            return await self._wire.carry(lambda: method(*args, **kwargs))

        return call


class WiredEngine:
    name, version = "Embedded", "1.0"

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def ping(self) -> None:
        async def pong() -> None:
            return None

        self._wire.pings += 1
        await self._wire.carry(pong, self._wire.ping_mode or self._wire.mode)


class Wired:
    """Opened stores as seen through a wire."""

    def __init__(self, stores: Any, wire: Wire) -> None:
        self._stores, self._wire = stores, wire
        self.engine = WiredEngine(wire)

    def __getattr__(self, name: str) -> WiredPort:
        return WiredPort(getattr(self._stores, name), self._wire)


def opener_of(stores: Any, wire: Wire) -> Callable[[], Any]:
    @asynccontextmanager
    async def opener() -> AsyncIterator[Wired]:
        if wire.mode == "wrong":
            raise StartRefused("the password for 127.0.0.1:1 is wrong")
        if wire.mode == "hangs":
            await asyncio.Event().wait()
        if wire.mode != "ok":
            raise StoreUnavailable("connection refused")
        yield Wired(stores, wire)

    return opener


@dataclass
class Rig:
    """`remote` are the engine's own stores, `local` this machine's; `engine` guards `remote` behind `wire`."""

    clock: ManualClock
    wire: Wire
    local: Any
    remote: Any
    engine: GuardedEngine[Any]
    spool: SqliteSpool
    forwarder: Forwarder
    #: What the forwarder knows to hand over, by concern.
    takers: dict[str, Any]

    async def until(self, is_true: Callable[[], Any], step_s: float = 0.5) -> None:
        """Let time go on until it holds; with `step_s=0` only the work that is under way."""
        ends = asyncio.get_running_loop().time() + 30
        while asyncio.get_running_loop().time() < ends:
            found = is_true()
            if await found if inspect.isawaitable(found) else found:
                return
            await self.clock.advance(step_s)
            # The embedded stores answer from threads, in real time.
            await asyncio.sleep(0.001)
        raise AssertionError("it never held")

    async def finish(self, call: Any) -> Any:
        """What a call gives that waits between its tries."""
        task = asyncio.ensure_future(call)
        await self.until(task.done, step_s=0.05)
        return task.result()

    async def go_away(self, mode: str = "refused") -> None:
        """Take the engine away, and let that be noticed."""
        self.wire.mode = mode
        await self.until(lambda: not self.engine.is_up)

    async def come_back(self) -> None:
        self.wire.mode = "ok"
        await self.until(lambda: self.engine.health().ok and self.forwarder.waiting() == 0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def wired() -> Callable[[Any, Wire], WiredPort]:
    """One port behind a wire."""
    return WiredPort


@pytest.fixture
def behind(wire: Wire) -> Callable[[Any], Callable[[], Any]]:
    """An opener for stores behind `wire`."""
    return lambda stores: opener_of(stores, wire)


@pytest.fixture
def rigging(tmp_path: Path) -> Callable[..., Any]:
    """Makes rigs, each in a folder of its own."""

    @asynccontextmanager
    async def make(name: str = "rig", deadline_s: float = 30.0) -> AsyncIterator[Rig]:
        clock, wire = ManualClock(), Wire()
        async with AsyncExitStack() as stack:
            local = await stack.enter_async_context(open_embedded(tmp_path / name / "local", clock))
            remote = await stack.enter_async_context(open_embedded(tmp_path / name / "remote", clock))
            spool = await stack.enter_async_context(open_spool(tmp_path / name / "spool.db", clock))
            engine = await stack.enter_async_context(
                guard("The engine", opener_of(remote, wire), clock, deadline_s=deadline_s)
            )
            takers = dict(TAKERS)
            forwarder = await stack.enter_async_context(forward(engine, spool, clock, takers))
            yield Rig(clock, wire, local, remote, engine, spool, forwarder, takers)

    return make


@pytest.fixture
async def rig(rigging: Callable[..., Any]) -> AsyncIterator[Rig]:
    async with rigging() as made:
        yield made
