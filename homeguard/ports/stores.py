"""All ports together, as an opened set of stores gives them."""

from dataclasses import dataclass

from homeguard.ports.automations import AutomationStore
from homeguard.ports.contexts import AgentContexts
from homeguard.ports.conversations import ConversationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.events import AlertStore, AnomalyStore, EventStore
from homeguard.ports.journal import Audit, Confirmations, Journal
from homeguard.ports.limits import RateLimits
from homeguard.ports.lists import Lists
from homeguard.ports.live_state import LiveFeed, LiveStateStore
from homeguard.ports.log import Log
from homeguard.ports.memory import MemoryStore
from homeguard.ports.outbox import Outbox
from homeguard.ports.permissions import Permissions
from homeguard.ports.personal import Erasures, PersonalData
from homeguard.ports.pins import Pins
from homeguard.ports.readings import ReadingStore
from homeguard.ports.schedules import Schedules
from homeguard.ports.users import SessionStore, UserStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Every port, opened. Rooms take the ones that they need, not the lot."""

    log: Log
    users: UserStore
    sessions: SessionStore
    devices: DeviceStore
    live: LiveStateStore
    feed: LiveFeed
    events: EventStore
    anomalies: AnomalyStore
    alerts: AlertStore
    readings: ReadingStore
    journal: Journal
    confirmations: Confirmations
    audit: Audit
    pins: Pins
    permissions: Permissions
    automations: AutomationStore
    schedules: Schedules
    lists: Lists
    conversations: ConversationStore
    memory: MemoryStore
    personal: PersonalData
    erasures: Erasures
    outbox: Outbox
    limits: RateLimits
    contexts: AgentContexts
