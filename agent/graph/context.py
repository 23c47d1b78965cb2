"""What a turn is run with, and never part of its state: tools, models, caps, and the doors to the rest."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from agent.graph.caps import Caps
from agent.graph.state import State
from agent.models.protocol import Model, Said
from agent.toolbox import Toolbox
from homeguard.model import Home

#: (turn id, step) -> while it is open, what the step asks a person is gathered; filled at its end with told id -> id.
Gather: TypeAlias = Callable[[str, int], AbstractAsyncContextManager[Mapping[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """What a turn begins with, oldest first. `tainted`: text of third parties is in it."""

    said: tuple[Said, ...] = ()
    tainted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`models` in the order in which they are tried; `now` is the home's clock, `system_now` the system's."""

    toolbox: Toolbox
    models: Sequence[Model]
    home: Home
    system: str
    caps: Caps
    now: Callable[[], datetime]
    system_now: Callable[[], datetime]
    #: One card as `pipeline.command.show` shows it, None when there is none.
    confirmation: Callable[[str], Awaitable[Mapping[str, Any] | None]]
    gather: Gather
    recall: Callable[[State], Awaitable[Recollection]]
    #: What to say of a model that does not answer, `""` when this conversation knows it already.
    limited: Callable[[State], str]
    #: Writes down how the turn ended.
    remember: Callable[[State], Awaitable[None]]
