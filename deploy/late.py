"""The agent and the MCP servers come in behind the start: their libraries take longer than all the rest together."""

import asyncio
import importlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.responses import JSONResponse

from agent.stream import AgentEvent
from api.errors import error_body
from homeguard.errors import HomeGuardError
from homeguard.ids import new_id
from homeguard.model import Principal
from mcp_servers.paths import owns

if TYPE_CHECKING:
    from deploy.talking import Talking

#: How long somebody who needs it waits for it.
_WAIT_S: Final = 60.0


class StillStarting(HomeGuardError):
    """Something that is brought in behind the start is not here yet."""

    code = "STILL_STARTING"
    status = 503


class Late:
    """What `bring` opens, for who needs it. `begin` it once, `leave` it at the end; one task opens and closes it."""

    def __init__(self, bring: Callable[[], "AbstractAsyncContextManager[Talking]"]) -> None:
        self._bring = bring
        self._task: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._talking: Talking | None = None
        #: Set once it is here.
        self.arrived = asyncio.Event()

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """What goes wrong with it ends the group."""
        self._task = tasks.create_task(self._run(), name="agent and MCP")

    async def here(self) -> "Talking":
        """Raises StillStarting: it did not come in time."""
        try:
            async with asyncio.timeout(_WAIT_S):
                await self.arrived.wait()
        except TimeoutError:
            pass
        if self._talking is None:
            raise StillStarting("the assistant is not ready yet: try again in a moment", retry_after_s=2)
        return self._talking

    async def leave(self) -> None:
        """Close it, when it was begun."""
        self._leave.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        # In a thread: the doors answer meanwhile.
        await asyncio.to_thread(importlib.import_module, "deploy.talking")
        if self._leave.is_set():
            return
        async with self._bring() as talking:
            self._talking = talking
            self.arrived.set()
            try:
                await self._leave.wait()
            finally:
                self._talking = None


class LateAgent:
    """The agent for those who may ask before it is here."""

    def __init__(self, late: Late) -> None:
        self._late = late

    async def stream(
        self, principal: Principal, message: str, *, thread_id: str = "", new_thread: bool = False,
        area: str = "", device_id: str = "",
    ) -> AsyncIterator[AgentEvent]:  # fmt: skip
        """As `agent.service.Agent.stream`. Raises StillStarting, too."""
        agent = (await self._late.here()).agent
        turn = agent.stream(
            principal, message, thread_id=thread_id, new_thread=new_thread, area=area, device_id=device_id
        )
        async with aclosing(cast(AsyncGenerator[AgentEvent, None], turn)) as events:
            async for event in events:
                yield event

    async def forget_person(self, user_id: str) -> int:
        """As `agent.service.Agent.forget_person`. Raises StillStarting, too."""
        return await (await self._late.here()).agent.forget_person(user_id)


class LateMcp:
    """ASGI: what belongs to the MCP servers goes to them once they are here, all others (and lifespan) to `app`."""

    def __init__(self, late: Late, app: Any) -> None:
        self._late = late
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not owns(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            mcp = (await self._late.here()).mcp
        except StillStarting as error:
            body = error_body(error.code, error.message, error.details, new_id())
            await JSONResponse(body, error.status, {"Retry-After": "2"})(scope, receive, send)
            return
        await mcp(scope, receive, send)
