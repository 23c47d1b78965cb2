"""A turn as it adds up from its events: what the one-piece answer and the person's other screens show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agent.stream import AgentEvent
from homeguard.clock import iso
from homeguard.model import Principal
from homeguard.ports.live_state import Live


@dataclass(slots=True)
class TurnSoFar:
    """Add each event in its order; the answer is whole after `done`."""

    thread_id: str = ""
    turn_id: str = ""
    text: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    done: Mapping[str, Any] = field(default_factory=dict)

    def add(self, event: AgentEvent) -> None:
        data = event.data
        match event.name:
            case "turn":
                self.thread_id, self.turn_id = str(data["thread_id"]), str(data["turn_id"])
            case "tool_start":
                call = {k: data[k] for k in ("id", "server", "tool", "arguments")}
                self.calls.append({**call, "outcome": "started"})
            case "tool_end":
                for call in self.calls:
                    if call["id"] == data["id"]:
                        call["outcome"] = data["status"]
            case "outcome":
                command = dict(data["command"])
                self.commands.append({"id": command.get("command_id", ""), **command})
            case "confirmation":
                self.asked.append(dict(data["confirmation"]))
            case "answer":
                self.text = str(data["text"])
            case "error":
                self.text = self.text or str(data["error"]["message"])
            case "done":
                self.done = data
            case _:
                pass

    @property
    def duration_s(self) -> float:
        return float(self.done.get("duration_ms", 0)) / 1000

    @property
    def actions(self) -> list[dict[str, Any]]:
        """What was really done: the commands that a device has or was sent."""
        return [
            {"action": c.get("command", ""), "device_id": c.get("device_id", ""), "outcome": c["outcome"]}
            for c in self.commands
            if c.get("outcome") in ("confirmed", "sent")
        ]

    def answer(self) -> dict[str, Any]:
        """As `api.wire.ChatAnswer`."""
        return {
            "message": self.text,
            "answer": self.text,
            "thread_id": self.thread_id,
            "turn_id": self.turn_id,
            "status": self.done.get("status", "failed"),
            "calls": [{k: v for k, v in call.items() if k != "id"} for call in self.calls],
            "commands": self.commands,
            "asked": self.asked,
            "actions_taken": self.actions,
            "model": self.done.get("model", ""),
            "tokens": dict(self.done.get("tokens", {})),
            "duration_ms": int(self.done.get("duration_ms", 0)),
        }

    def told(self, principal: Principal, at: datetime) -> Live:
        """`{"type": "agent_response", "message", "actions_taken", "timestamp", ...}`, for this person only."""
        data = {
            "type": "agent_response",
            "message": self.text,
            "actions_taken": self.actions,
            "commands": self.commands,
            "thread_id": self.thread_id,
            "turn_id": self.turn_id,
            "timestamp": iso(at),
        }
        return Live(home_id=principal.home_id, kind="agent_response", data=data, user_id=principal.user_id)
