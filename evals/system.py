"""What an evaluation needs of the system that it judges; whoever assembles one passes it in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One turn as a person saw it, and what it did.

    `calls`: `{"server", "tool", "arguments", "outcome"}` in order. `commands`: journal rows of the turn, as
    `{"device_id", "command", "parameters", "set", "outcome", "caller"}`. `asked`: the cards. `changed`: device id ->
    attribute -> value, for every attribute that is different after the turn.
    """

    answer: str
    status: str
    calls: Sequence[Mapping[str, Any]] = ()
    commands: Sequence[Mapping[str, Any]] = ()
    asked: Sequence[Mapping[str, Any]] = ()
    changed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    duration_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What a scenario left behind: its events as stored (oldest first), alerts, notices, commands, and what changed.

    `pushed` counts the alerts that an open chat of the home was sent.
    """

    injected: Sequence[str]
    events: Sequence[Mapping[str, Any]]
    alerts: Sequence[Mapping[str, Any]]
    notices: Sequence[Mapping[str, Any]]
    commands: Sequence[Mapping[str, Any]]
    pushed: int
    changed: Mapping[str, Mapping[str, Any]]
    status: str


class System(Protocol):
    """An assembled HomeGuard with the demo homes and no simulator."""

    async def reset(self, home: str) -> None:
        """The demo home `john` or `sarah` as at first start, nothing asked, nothing armed."""
        ...

    async def say(self, home: str, words: str) -> Reply:
        """One sentence of the home's owner in a new conversation; no card is pressed."""
        ...

    async def tell(self, scenario: str, home: str) -> Story:
        """Play a scenario in that home to its end, through the intake, and wait until everything is processed."""
        ...
