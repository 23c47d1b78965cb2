"""What a guard needs of the stores behind an engine: the ports of its concern, by the names they have in `Stores`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from homeguard.ports.automations import AutomationStore
from homeguard.ports.conversations import ConversationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.events import AlertStore, AnomalyStore, EventStore
from homeguard.ports.journal import Audit, Confirmations, Journal
from homeguard.ports.lists import Lists
from homeguard.ports.live_state import Live, LiveStateStore
from homeguard.ports.memory import MemoryStore
from homeguard.ports.outbox import Outbox
from homeguard.ports.permissions import Permissions
from homeguard.ports.personal import Erasure, PersonalData
from homeguard.ports.pins import Pins
from homeguard.ports.readings import ReadingStore
from homeguard.ports.schedules import Schedules
from homeguard.ports.users import SessionStore, UserStore
from homeguard.stores.guarded.engine import Opened


class WithUsers(Opened, Protocol):
    @property
    def users(self) -> UserStore: ...


class WithSessions(Opened, Protocol):
    @property
    def sessions(self) -> SessionStore: ...


class WithDevices(Opened, Protocol):
    @property
    def devices(self) -> DeviceStore: ...


class WithAutomations(Opened, Protocol):
    @property
    def automations(self) -> AutomationStore: ...


class WithConversations(Opened, Protocol):
    @property
    def conversations(self) -> ConversationStore: ...


class WithMemory(Opened, Protocol):
    @property
    def memory(self) -> MemoryStore: ...


class WithJournal(Opened, Protocol):
    @property
    def journal(self) -> Journal: ...


class WithConfirmations(Opened, Protocol):
    @property
    def confirmations(self) -> Confirmations: ...


class WithAudit(Opened, Protocol):
    @property
    def audit(self) -> Audit: ...


class WithPins(Opened, Protocol):
    @property
    def pins(self) -> Pins: ...


class WithPermissions(Opened, Protocol):
    @property
    def permissions(self) -> Permissions: ...


class WithSchedules(Opened, Protocol):
    @property
    def schedules(self) -> Schedules: ...


class WithLists(Opened, Protocol):
    @property
    def lists(self) -> Lists: ...


class WithOutbox(Opened, Protocol):
    @property
    def outbox(self) -> Outbox: ...


class WithAlerts(Opened, Protocol):
    @property
    def alerts(self) -> AlertStore: ...


class WithEvents(Opened, Protocol):
    @property
    def events(self) -> EventStore: ...


class WithAnomalies(Opened, Protocol):
    @property
    def anomalies(self) -> AnomalyStore: ...


class WithReadings(Opened, Protocol):
    @property
    def readings(self) -> ReadingStore: ...


class WithLive(Opened, Protocol):
    @property
    def live(self) -> LiveStateStore: ...


class ForeignFeed(Protocol):
    """A feed between processes."""

    async def publish(self, items: Sequence[Live]) -> None: ...

    def subscribe_foreign(self, limit: int) -> AbstractAsyncContextManager[AsyncIterator[Live]]:
        """What other processes publish in all homes from now on, never what this one does."""
        ...


class WithFeed(Opened, Protocol):
    @property
    def feed(self) -> ForeignFeed: ...


class WithPersonal(Opened, Protocol):
    @property
    def personal(self) -> PersonalData: ...


class SharedErasures(Protocol):
    """What all processes of an installation know of erasures."""

    async def begin(self, erasure: Erasure) -> None: ...

    async def all(self) -> list[Erasure]:
        """Oldest first, finished ones too."""
        ...


class WithErasures(Opened, Protocol):
    @property
    def erasures(self) -> SharedErasures: ...
