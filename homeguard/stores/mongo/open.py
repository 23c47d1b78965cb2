"""Opens the stores that a MongoDB keeps, and closes them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from homeguard.clock import Clock
from homeguard.ports.automations import AutomationStore
from homeguard.ports.conversations import ConversationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.engine import Engine
from homeguard.ports.memory import MemoryStore
from homeguard.ports.personal import PersonalData
from homeguard.stores.mongo.automations import MongoAutomations
from homeguard.stores.mongo.conversations import MongoConversations
from homeguard.stores.mongo.devices import MongoDevices
from homeguard.stores.mongo.link import open_link
from homeguard.stores.mongo.memory import MongoMemory
from homeguard.stores.mongo.migrate import migrate
from homeguard.stores.mongo.personal import MongoPersonalData


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoStores:
    """Every port that MongoDB can serve, opened."""

    devices: DeviceStore
    automations: AutomationStore
    conversations: ConversationStore
    memory: MemoryStore
    personal: PersonalData
    engine: Engine


@asynccontextmanager
async def open_mongo(url: str, clock: Clock) -> AsyncIterator[MongoStores]:
    """The stores in the database that the URL's path names (`homeguard` without one), with its schema up to date.

    Raises:
        StartRefused: the URL cannot be read, the login is refused, or the schema is newer than this program.
        StoreUnavailable: the server did not answer.
    """
    async with open_link(url) as link:
        await migrate(link, clock)
        yield MongoStores(
            devices=MongoDevices(link, clock),
            automations=MongoAutomations(link),
            conversations=MongoConversations(link),
            memory=MongoMemory(link),
            personal=MongoPersonalData(link),
            engine=link.engine,
        )
