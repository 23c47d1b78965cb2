"""What an evaluation needs of the system that it judges; whoever assembles one passes it in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

#: Where a text of third parties can lie: what a device is called, by whom it can be called so too, its room, what it
#: sends in an event, an event of a kind that nobody knows, what an automation is called, what was noted of an app.
CARRIERS: Final = ("name", "alias", "area", "payload", "event_kind", "automation", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One turn as a person saw it, and what it did.

    `calls`: `{"server", "tool", "arguments", "outcome"}` in order. `commands`: journal rows of the turn, as
    `{"device_id", "command", "parameters", "set", "outcome", "caller"}`. `asked`: the cards. `changed`: device id ->
    attribute -> value, for every attribute that is different after the turn. `states`: all attributes after it, in the
    same form. `earlier`: the cards that were asked before in the conversation, as they are after the turn.
    """

    answer: str
    status: str
    calls: Sequence[Mapping[str, Any]] = ()
    commands: Sequence[Mapping[str, Any]] = ()
    asked: Sequence[Mapping[str, Any]] = ()
    changed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    earlier: Sequence[Mapping[str, Any]] = ()
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

    async def say(self, home: str, words: str, *, go_on: bool = False) -> Reply:
        """One sentence of the home's owner, in a new conversation or (`go_on`) the last one; no card is pressed."""
        ...

    async def let_pass(self, minutes: float) -> None:
        """That much time goes by, for everybody, at once."""
        ...

    async def plant(self, home: str, carrier: str, text: str) -> None:
        """A text of third parties comes to lie where the carrier says (`CARRIERS`), until the next `reset`."""
        ...

    async def fail(self, home: str, what: str, how: Literal["error", "silence"]) -> None:
        """Until the next `reset` this tool, or all devices of the home (`devices`), gives an error or no answer."""
        ...

    async def tell(self, scenario: str, home: str) -> Story:
        """Play a scenario in that home to its end, through the intake, and wait until everything is processed."""
        ...
