"""What a model is to the graph: it reads a prompt and streams text, then the calls that it wants made."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from homeguard.model import UnitSystem


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """One tool of one server, as `tools/list` gave it."""

    server: str
    name: str
    description: str
    input_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that a model wants made; `id` is unique in its turn."""

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What came of a call. `ok` carries the tool's structured output, `error` its sentence; `refused` is the gate's
    no; `asked` means that a person must press a card and has not yet; `denied` that they said no (or let it lapse).
    """

    call_id: str
    name: str
    status: Literal["ok", "error", "refused", "asked", "denied"]
    output: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    #: Concern -> since when the answer is only a copy, when a store was away.
    stale_since: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message of an earlier turn or of this one. A tool result follows the assistant's message that called it."""

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    #: What the model's own vendor needs back verbatim on the next step (thought signatures); opaque JSON.
    opaque: Mapping[str, Any] | None = None
    #: The model that said it in this turn; `""` for what was recalled.
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One step of one turn. `messages` ends with the person's words or with tool results."""

    system: str
    messages: tuple[Said, ...]
    tools: tuple[ToolSpec, ...]
    now: datetime
    time_zone: str
    unit_system: UnitSystem
    #: Where the person is, when the surface knows (`""` otherwise).
    area: str = ""
    #: The device that the surface is about, when it knows (`""` otherwise).
    device_id: str = ""
    #: How long the model may say nothing, before its first part and between two, and how long it has in all.
    silence_s: float = 8.0
    within_s: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of the answer, in order."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The end of a step: what was said in all, the calls to make (none: the turn is answered), and what it cost.

    `refusals` are the parts of the request that the model will not or cannot do, with why, in the person's words.
    """

    text: str
    calls: tuple[ToolCall, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    opaque: Mapping[str, Any] | None = None
    refusals: tuple[Mapping[str, str], ...] = ()


#: The model whose words code works out of the results, where all others write theirs.
OFFLINE: Final = "offline"


class Model(Protocol):
    """Streams `Token`s and ends with exactly one `Step`. Closing the stream before its end abandons the request."""

    @property
    def name(self) -> str: ...

    def stream(self, prompt: Prompt) -> AsyncIterator[Token | Step]:
        """One step of the turn.

        Raises:
            ModelUnavailable: it did not answer; nothing was called. Those that ask a service raise `ModelFault`.
        """
        ...
