"""The words that the one way to act is spoken in: what is asked, what comes back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

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


#: Carries out one home-level effect (`set_mode`, `create_automation`, ...) exactly as stored; returns what to tell.
#: Arguments: the principal for whom it happens, the effect, and the id that makes it happen once.
Act: TypeAlias = Callable[[Principal, Effect, str], Awaitable[Mapping[str, Json]]]
