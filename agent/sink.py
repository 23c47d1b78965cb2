"""Where a turn's events go: a bounded queue while somebody listens, nowhere after they left."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agent.graph.state import State
from agent.looks import only_looks
from agent.stream import AgentEvent

_ROOM: Final = 2_000


@dataclass(slots=True)
class Sink:
    """The events of one turn; who reads `queue` stops at `done`."""

    turn_id: str
    queue: asyncio.Queue[AgentEvent] = field(default_factory=lambda: asyncio.Queue(maxsize=_ROOM))
    is_open: bool = True
    #: What became of the turn's commands so far.
    commands: list[dict[str, Any]] = field(default_factory=list)
    answer: Mapping[str, Any] = field(default_factory=dict)
    #: The turn as it was when it ended or began to wait.
    last_state: State | None = None
    _begun: dict[str, str] = field(default_factory=dict)
    _is_done: bool = False

    def put(self, name: str, data: Mapping[str, Any]) -> None:
        match name:
            case "tool_start":
                self._begun[str(data["id"])] = str(data["tool"])
            case "tool_end":
                self._begun.pop(str(data["id"]), None)
            case "outcome":
                self.commands.append(dict(data["command"]))
            case "answer":
                self.answer = data
            case "done":
                self._is_done = True
        if self.is_open:
            try:
                self.queue.put_nowait(AgentEvent(name=name, data={"turn_id": self.turn_id, **data}))  # type: ignore[arg-type]
            except asyncio.QueueFull:
                self.is_open = False

    @property
    def unfinished_change(self) -> bool:
        """A call that may change something has begun and not ended."""
        return any(not only_looks(tool) for tool in self._begun.values())

    def close(self) -> None:
        """A turn that is cut off before it was done says so to whoever listens."""
        if not self._is_done:
            sentence = "HomeGuard is ending: I go on with this when it is back"
            self.put("error", {"error": {"code": "SHUTTING_DOWN", "message": sentence}})
            self.put("done", {"status": "failed", "model": "", "tokens": {"input": 0, "output": 0}, "duration_ms": 0})
