"""The turns that are under way: begin, run, look at, forget."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START
from langgraph.types import Command as Resume

from agent.graph.build import build
from agent.graph.checkpoints import open_checkpoints, unfinished
from agent.graph.context import Context
from agent.graph.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A turn as its last checkpoint has it. `waits` for cards; `unfinished` has steps left (waiting or cut off)."""

    state: State
    waits: bool
    unfinished: bool


class Turns:
    """Turns by their key `home_id/turn_id`, over the checkpoints of this installation."""

    def __init__(self, saver: AsyncSqliteSaver) -> None:
        self._saver = saver
        self._graph = build(saver)

    async def begin(self, key: str, state: State) -> None:
        """Keep a new turn, whole, before anything of it is done; `go_on` runs it."""
        await self._graph.aupdate_state(_config(key), state, as_node=START)

    async def go_on(self, key: str, *, waited: bool, context: Context) -> AsyncIterator[dict[str, Any]]:
        """Run a turn from its last checkpoint to its end, or to where it waits; yields what the nodes show. `waited`:
        it stood at its cards."""
        parts = self._graph.astream(
            Resume(resume=True) if waited else None, _config(key), context=context, stream_mode=["custom"],
            version="v2", durability="sync",
        )  # fmt: skip
        async for part in parts:
            if part["type"] == "custom":
                yield dict(part["data"])

    async def look(self, key: str) -> Look | None:
        """None when there is no such turn, or when it is over and forgotten."""
        snapshot = await self._graph.aget_state(_config(key))
        if not snapshot.values.get("principal"):
            return None
        state: State = snapshot.values  # type: ignore[assignment]
        # `next` leaves out a step whose result is kept already and whose checkpoint is not written yet
        return Look(state=state, waits=bool(snapshot.interrupts), unfinished=bool(snapshot.tasks))

    async def forget(self, key: str) -> None:
        await self._saver.adelete_thread(key)

    async def unfinished(self) -> list[str]:
        """Keys of all turns that have checkpoints left."""
        return await unfinished(self._saver)


@asynccontextmanager
async def open_turns(path: Path) -> AsyncIterator[Turns]:
    """The turns whose checkpoints lie in this file."""
    async with open_checkpoints(path) as saver:
        yield Turns(saver)


def _config(key: str) -> Any:
    return {"configurable": {"thread_id": key}}
