"""The words that the one way to act is spoken in: what is asked, what comes back."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from homeguard.model import Attributes, Confirmation, Effect, Json, Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """One command to one device, as it was asked for. `command_id` makes it happen once (`""`: a new one)."""

    device_id: str
    command: str
    parameters: Mapping[str, Json] = field(default_factory=dict)
    command_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What came of one request, from the journal. `asked` carries the question that a person must answer.

    `refused` is the gate's no; bad input is an `InvalidInput` instead, raised before anything is written.
    """

    command_id: str
    outcome: Literal["confirmed", "sent", "failed", "refused", "asked"]
    device_id: str = ""
    device_name: str = ""
    command: str = ""
    set: Attributes = field(default_factory=dict)
    before: Attributes = field(default_factory=dict)
    reason: str = ""
    rule: str = ""
    tier: int = 0
    confirmation: Confirmation | None = None
    #: What a home-level act has to tell (the automation it made, the mode it set).
    data: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What an undo did to a device, or to a thing of the home. `left_alone`: nothing was done, `reason` says why."""

    name: str
    outcome: Literal["confirmed", "sent", "failed", "refused", "asked", "left_alone"]
    reason: str = ""
    device_id: str = ""
    command: str = ""
    command_id: str = ""
    set: Attributes = field(default_factory=dict)
    confirmation: Confirmation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """`batch` is what was put back, done at `at` (`""` and None: there was nothing, `note` says so)."""

    batch: str = ""
    at: datetime | None = None
    items: tuple[Restored, ...] = ()
    note: str = ""


class Commands(Protocol):
    """What an undo needs of the one way to act (`CommandService`)."""

    async def perform(self, principal: Principal, requests: Sequence[DeviceRequest]) -> list[CommandResult]: ...

    async def act(self, principal: Principal, effect: Effect) -> CommandResult: ...

    async def confirmation(self, principal: Principal, confirmation_id: str) -> Confirmation: ...


#: Carries out one home-level effect (`set_mode`, `create_automation`, ...) exactly as stored; returns what to tell.
#: Arguments: the principal for whom it happens, the effect, and the id that makes it happen once.
Act: TypeAlias = Callable[[Principal, Effect, str], Awaitable[Mapping[str, Json]]]
