"""What the agent needs of the rooms below it that is no tool: callables that the composition passes in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from homeguard.model import Principal

Shown: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The questions to people and what became of commands; cards as `pipeline.command.show` shows them."""

    #: (home, card): one question, None when there is none.
    show: Callable[[str, str], Awaitable[Shown | None]]
    #: The open questions of this person's home, oldest first.
    open: Callable[[Principal], Awaitable[Sequence[Shown]]]
    #: (person, card, conversation, approve): what the person said in words. Raises NotAllowed, NotFound, Conflict.
    by_words: Callable[[Principal, str, str, bool], Awaitable[Shown]]
    #: (home, card, why): close a question that nobody may answer any more.
    withdraw: Callable[[str, str, str], Awaitable[None]]
    #: (home, turn, step): while it is open, what the step asks is gathered; filled at its end with told id -> id.
    gather: Callable[[str, str, int], AbstractAsyncContextManager[Mapping[str, str]]]
    #: (home, turn, since): what the journal has of this turn's commands, in their order.
    done_by: Callable[[str, str, datetime], Awaitable[Sequence[Shown]]]
