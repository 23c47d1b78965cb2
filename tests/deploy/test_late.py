"""The agent and the MCP servers come in behind the start: who needs them waits, and what goes wrong is not hidden."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deploy.late import Late, LateMcp, StillStarting

SCOPE = {"type": "http", "method": "GET", "path": "/mcp"}


class Talking:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def mcp(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])


async def test_who_asks_early_waits_and_is_answered_and_it_is_closed_at_the_end() -> None:
    talking, may_come, closed = Talking(), asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def bring() -> AsyncIterator[Any]:
        await may_come.wait()
        yield talking
        closed.set()

    late = Late(bring)
    async with asyncio.TaskGroup() as tasks:
        late.begin(tasks)
        asking = asyncio.create_task(LateMcp(late, None)(SCOPE, None, None))
        await asyncio.sleep(0)
        assert not asking.done()
        may_come.set()
        await asyncio.wait_for(asking, 60)
        await late.leave()
    assert (talking.asked, closed.is_set()) == (["/mcp"], True)


async def test_who_waits_in_vain_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.late._WAIT_S", 0.01)
    late, said = Late(lambda: None), []  # type: ignore[arg-type, return-value, var-annotated]

    async def send(message: Any) -> None:
        said.append(message)

    with pytest.raises(StillStarting):
        await late.here()
    await LateMcp(late, None)(SCOPE, None, send)
    assert said[0]["status"] == 503
    await late.leave()


async def test_what_cannot_be_opened_ends_the_whole() -> None:
    @asynccontextmanager
    async def bring() -> AsyncIterator[Any]:
        raise OSError("no such file")
        yield

    async def whole() -> None:
        async with asyncio.TaskGroup() as tasks:
            Late(bring).begin(tasks)
            await asyncio.sleep(60)

    with pytest.raises(ExceptionGroup) as caught:
        await whole()
    assert isinstance(caught.value.exceptions[0], OSError)
