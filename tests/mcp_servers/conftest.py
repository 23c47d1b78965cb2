"""Servers over the house of the tool tests: in process, and over HTTP on a free port."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "tools"), str(Path(__file__).parent)]

from doors import free_port, make_servers, serve  # noqa: E402 - its folder is put on the path first
from house_for_tools import House, open_house  # noqa: E402

from mcp_servers.server import HomeServer  # noqa: E402


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


@pytest.fixture
def servers(house: House) -> dict[str, HomeServer]:
    return make_servers(house)


@pytest.fixture
async def instance(house: House) -> AsyncIterator[str]:
    """Runs in one task of its own: what it opens must be closed by the task that opened it."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()

    async def run() -> None:
        async with serve(house, free_port()) as base_url:
            url.set_result(base_url)
            await stop.wait()

    task = asyncio.create_task(run())
    yield await url
    stop.set()
    await task
