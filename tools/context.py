"""What a tool works with: who asks, the stores that it reads, and the one way to act."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from homeguard.clock import Clock, HomeClocks
from homeguard.errors import DeviceNotFound, HomeMismatch, NotFound, StoreUnavailable
from homeguard.model import Confirmation, Device, Effect, Home, Principal
from homeguard.ports.automations import AutomationStore
from homeguard.ports.conversations import ConversationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.events import AlertStore, AnomalyStore, EventStore
from homeguard.ports.journal import Journal
from homeguard.ports.lists import Lists
from homeguard.ports.live_state import LiveStateStore
from homeguard.ports.memory import MemoryStore
from homeguard.ports.readings import ReadingStore
from homeguard.ports.schedules import Schedules
from homeguard.ports.users import UserStore
from pipeline.command.words import CommandResult, DeviceRequest
from tools.text import clean

#: How long a question about the past waits for history that is still being written at first start.
HISTORY_WAIT_S: Final = 20.0


class Commands(Protocol):
    """The one way to act, as `pipeline.command` offers it."""

    async def perform(self, principal: Principal, requests: Sequence[DeviceRequest]) -> list[CommandResult]:
        """One result per request, in order. Raises InvalidInput or DeviceNotFound before anything is written."""
        ...

    async def act(self, principal: Principal, effect: Effect) -> CommandResult:
        """One home-level effect."""
        ...

    async def confirmation(self, principal: Principal, confirmation_id: str) -> Confirmation:
        """Raises NotFound: there is none in this home."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """One caller in one home. `principal` comes from the transport; `base_url` is where people reach HomeGuard."""

    principal: Principal
    users: UserStore
    devices: DeviceStore
    live: LiveStateStore
    events: EventStore
    readings: ReadingStore
    anomalies: AnomalyStore
    alerts: AlertStore
    automations: AutomationStore
    schedules: Schedules
    lists: Lists
    memory: MemoryStore
    journal: Journal
    commands: Commands
    clock: Clock
    clocks: HomeClocks
    base_url: str
    #: Set once the history of a new home is written; until then what is asked about the past is incomplete.
    history_ready: asyncio.Event
    #: What people said, for the words behind a change; None: they are not told.
    conversations: ConversationStore | None = None

    @property
    def home_id(self) -> str:
        return self.principal.home_id


def check_identity(context: ToolContext, user_id: str) -> None:
    """A `user_id` that a caller names may only be the caller's own (the person's id, or the home's).

    Raises:
        HomeMismatch: it is another's.
    """
    if user_id and user_id not in (context.principal.user_id, context.principal.home_id):
        raise HomeMismatch("user_id is not yours; leave it out: who you are comes from how you signed in")


async def the_home(context: ToolContext) -> Home:
    """The caller's home. Raises NotFound: it is gone."""
    home = await context.users.home(context.home_id)
    if home is None:
        raise NotFound("this home does not exist any more", code="HOME_NOT_FOUND")
    return home


async def the_device(context: ToolContext, device_id: str) -> Device:
    """One device of the caller's home. Raises DeviceNotFound: absent, or someone else's (the two look the same)."""
    device = await context.devices.get(context.home_id, device_id) if 0 < len(device_id) <= 200 else None
    if device is None:
        raise DeviceNotFound(f"there is no device '{clean(device_id, 80)}' in this home", field="device_id")
    return device


async def the_past(context: ToolContext) -> None:
    """Wait until the home's history is written. Raises StoreUnavailable: it still is not."""
    if context.history_ready.is_set():
        return
    try:
        async with asyncio.timeout(HISTORY_WAIT_S):
            await context.history_ready.wait()
    except TimeoutError as error:
        raise StoreUnavailable("the home's history is still being written; ask again in a minute") from error
