"""Servers over the house of the tool tests: in process, and over HTTP on a free port."""

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
    async with serve(house, free_port()) as base_url:
        yield base_url
