"""Makes `fakes.py` importable as `pipeline_fakes`, and opens what most tests of the data plane start from."""

import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from homeguard.clock import HomeClocks
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded

if "pipeline_fakes" not in sys.modules:
    spec = importlib.util.spec_from_file_location("pipeline_fakes", Path(__file__).with_name("fakes.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["pipeline_fakes"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["pipeline_fakes"])

from pipeline_fakes import ManualClock, MemoryLog


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def clocks(clock: ManualClock) -> HomeClocks:
    return HomeClocks(clock)


@pytest.fixture
def log(clock: ManualClock) -> MemoryLog:
    return MemoryLog(clock)


@pytest_asyncio.fixture
async def stores(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Stores]:
    async with open_embedded(tmp_path / "data", clock) as opened:
        yield opened
