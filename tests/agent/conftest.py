"""The whole system without HTTP, on a folder that outlives it, with a model that plays what a test wrote."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.models.protocol import Model, Step, ToolCall
from agent.models.scripted import ScriptedModel
from deploy.one_process import Running, open_homeguard
from homeguard.model import Confirmation, Principal
from homeguard.settings import Settings


@dataclass(slots=True)
class Turn:
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def all(self, name: str) -> list[dict[str, Any]]:
        return [data for event, data in self.events if event == name]

    @property
    def answer(self) -> str:
        return str(self.all("answer")[-1]["text"])

    @property
    def status(self) -> str:
        return str(self.all("done")[0]["status"])

    @property
    def cards(self) -> list[dict[str, Any]]:
        return [data["confirmation"] for data in self.all("confirmation")]


@dataclass(frozen=True, slots=True)
class House:
    """john's home of the demo, with the owner at the keyboard."""

    running: Running

    @property
    def home_id(self) -> str:
        assert self.running.demo is not None
        return self.running.demo.homes[0].home.id

    @property
    def owner(self) -> Principal:
        return Principal(home_id=self.home_id, user_id=self.home_id, role="owner", caller="person", name="John")

    async def say(self, words: str, **more: Any) -> Turn:
        turn = Turn()
        async for event in self.running.agent.stream(self.owner, words, **more):
            turn.events.append((event.name, dict(event.data)))
        return turn

    async def press(self, card_id: str, approve: bool = True) -> Confirmation:
        return await self.running.plane.commands.decide(self.owner, card_id, approve=approve)

    async def continued(self, turn_id: str) -> str:
        """The answer that follows a press, as it was written down."""
        async with asyncio.timeout(10):
            while True:
                threads = await self.running.stores.conversations.threads(self.home_id, self.home_id)
                for thread in threads:
                    said = await self.running.stores.conversations.messages(self.home_id, self.home_id, thread.id)
                    answers = [m for m in said if m.turn_id == turn_id and m.role == "assistant"]
                    if len(answers) > 1:
                        return answers[-1].text
                await asyncio.sleep(0.01)

    async def state(self, device_id: str) -> dict[str, Any]:
        state = await self.running.stores.live.get(self.home_id, device_id)
        return dict(state.attributes) if state is not None else {}


Open = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def open_house(tmp_path: Path) -> Open:
    """Opens the same folder again and again; `scripts` as `ScriptedModel` takes them."""

    @asynccontextmanager
    async def opened(
        scripts: dict[str, Sequence[Step]] | None = None, models: Sequence[Model] | None = None
    ) -> AsyncIterator[House]:
        settings = Settings(data_dir=tmp_path / "data", demo=True, simulator=False, demo_history_days=0)
        chosen = models if models is not None else [ScriptedModel(scripts or {})]
        async with open_homeguard(settings, stop=asyncio.Event(), models=chosen, serve=False) as running:
            yield House(running)

    return opened


@pytest.fixture
def calls() -> Callable[..., Step]:
    """A step that makes calls: `calls(("control_device", {...}), ...)`."""

    def step(*wanted: tuple[str, dict[str, Any]], text: str = "") -> Step:
        made = tuple(ToolCall(id=f"call-{i}", name=name, arguments=args) for i, (name, args) in enumerate(wanted))
        return Step(text=text, calls=made)

    return step
