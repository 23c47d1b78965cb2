"""A model's service on loopback, and both wires to it."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from model_server import ModelServer, model_server, says
from wires import NOW, HandClock, of_wire

from agent.models.protocol import Prompt, Said


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server(says("Good day to you.")) as running:
        yield running


@pytest.fixture(params=["gemini", "chat"])
async def model(request: pytest.FixtureRequest, server: ModelServer) -> AsyncIterator[Any]:
    opened = of_wire(request.param, server.url)
    yield opened
    await opened.close()


@pytest.fixture
def prompt() -> Callable[..., Prompt]:
    """A prompt that ends with the given messages; plain words are the person's."""

    def made(*said: Said | str, **more: Any) -> Prompt:
        messages = tuple(s if isinstance(s, Said) else Said(role="user", text=s) for s in said)
        facts = {"tools": (), "now": NOW, "time_zone": "America/New_York", "unit_system": "us", **more}
        return Prompt(system="You are HomeGuard AI.", messages=messages, **facts)

    return made
