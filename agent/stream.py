"""What a turn shows while it runs: one event a line of the stream, the same for SSE, terminal and evaluations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

EventName = Literal[
    "turn", "token", "tool_start", "tool_end", "confirmation", "plan", "outcome", "answer", "error", "done"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent:
    """`data` is JSON and always has `turn_id`. The shapes, by name:

    - `turn`: `{"thread_id"}`, always first
    - `token`: `{"text"}`
    - `tool_start`: `{"id", "server", "tool", "arguments"}`
    - `tool_end`: `{"id", "server", "tool", "status": ok|error|refused|asked|denied, "result"}`
    - `confirmation`: `{"confirmation": {...}}`, the question as REST shows it
    - `plan`: `{"steps": [{"id", "device_id", "command", "text", "tier", "state", "reason", "confirmation_id"}]}`, when
      a step changes several things, and again when its questions are answered; `state` is an outcome, or what it waits
      for: `yes` (in words, or the press) or `card`
    - `outcome`: `{"command": {"command_id", "device_id", "device", "command", "set", "outcome", "reason"}}`
    - `answer`: `{"text", "evidence": [ids], "refusals": [{"text", "why"}]}`, the checked text; it replaces the tokens
    - `error`: `{"error": {"code", "message"}}`
    - `done`: `{"status": completed|waiting|failed, "model", "intent", "tokens": {"input", "output"}, "duration_ms"}`,
      always last
    """

    name: EventName
    data: Mapping[str, Any]
