"""The same tests for every set of stores: each test gets a way to open one, and may open it again."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded

Opener = Callable[[], AbstractAsyncContextManager[Stores]]


class SteppedClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, delay_s: float) -> None:
        self.at += timedelta(seconds=delay_s)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(params=["embedded"])
def opener(request: pytest.FixtureRequest, tmp_path: Path, clock: SteppedClock) -> Opener:
    """Opens the same stores again and again; one at a time."""
    if request.param == "embedded":
        return lambda: open_embedded(tmp_path / "data", clock)
    raise AssertionError(request.param)


@pytest.fixture
async def stores(opener: Opener) -> AsyncIterator[Stores]:
    async with opener() as opened:
        yield opened
