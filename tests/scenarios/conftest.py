"""A clock that a test moves, a log that a test reads, and the real stores of a home around them."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from homeguard.clock import HomeClocks
from homeguard.ports.log import NewRecord
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from pipeline.intake.intake import Intake
from scenarios.homes import DemoHome, load_home


class ManualClock:
    """Stands still until `advance`, which wakes sleepers in the order of their times."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._passed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._orders = itertools.count()

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, delay_s: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + delay_s, next(self._orders), woken))
        await woken

    async def advance(self, span_s: float) -> None:
        end = self._passed + span_s
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._passed, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await self._settle()
        self._passed = end

    async def _settle(self) -> None:
        for _ in range(40):
            await asyncio.sleep(0)


@dataclass
class RecordedLog:
    """Keeps what is appended, in order; only appending is needed here."""

    records: list[NewRecord] = field(default_factory=list)

    async def append(self, records: Sequence[NewRecord]) -> None:
        self.records.extend(records)

    def events(self, source: str = "") -> list[dict[str, Any]]:
        return [
            msgspec.json.decode(record.value) | {"headers": dict(record.headers)}
            for record in self.records
            if not source or record.headers.get("source") == source
        ]


@dataclass
class World:
    stores: Stores
    log: RecordedLog
    intake: Intake
    clock: ManualClock
    clocks: HomeClocks
    john: DemoHome


@asynccontextmanager
async def _world(folder: Path) -> AsyncIterator[World]:
    clock = ManualClock(datetime(2026, 5, 6, 18, 0, tzinfo=UTC))
    clocks = HomeClocks(clock)
    log = RecordedLog()
    async with open_embedded(folder, clock) as stores:
        john = load_home("john", clock.now())
        await stores.users.put_user(john.owner, "hash")
        await stores.users.put_home(john.home)
        await stores.devices.put(john.devices)
        intake = Intake(log=log, devices=stores.devices, clock=clock, clocks=clocks)  # type: ignore[arg-type]
        yield World(stores, log, intake, clock, clocks, john)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with _world(tmp_path / "data") as made:
        yield made
