"""Opens embedded stores behind every guard of `homeguard.stores.guarded`, as if they were servers that answer."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from homeguard.clock import Clock, SystemClock
from homeguard.ports.live_state import Live
from homeguard.ports.stores import Stores
from homeguard.stores.guarded.alerts import ForwardedAlerts
from homeguard.stores.guarded.audit import GuardedAudit
from homeguard.stores.guarded.automations import GuardedAutomations
from homeguard.stores.guarded.confirmations import GuardedConfirmations
from homeguard.stores.guarded.conversations import GuardedConversations
from homeguard.stores.guarded.copies import LocalCopy
from homeguard.stores.guarded.devices import GuardedDevices
from homeguard.stores.guarded.engine import guard
from homeguard.stores.guarded.events import GuardedAnomalies, GuardedEvents
from homeguard.stores.guarded.feed import bridge
from homeguard.stores.guarded.forwarder import forward
from homeguard.stores.guarded.journal import GuardedJournal
from homeguard.stores.guarded.lists import GuardedLists
from homeguard.stores.guarded.live_state import mirror
from homeguard.stores.guarded.memory import GuardedMemory
from homeguard.stores.guarded.outbox import ForwardedOutbox
from homeguard.stores.guarded.permissions import GuardedPermissions
from homeguard.stores.guarded.personal import GuardedPersonalData
from homeguard.stores.guarded.pins import GuardedPins
from homeguard.stores.guarded.readings import GuardedReadings
from homeguard.stores.guarded.schedules import GuardedSchedules
from homeguard.stores.guarded.sessions import GuardedSessions
from homeguard.stores.guarded.takers import TAKERS
from homeguard.stores.guarded.users import GuardedUsers
from homeguard.stores.sqlite.feed import MemoryFeed
from homeguard.stores.sqlite.open import open_embedded
from homeguard.stores.sqlite.spool import open_spool


class _Server:
    name, version = "Embedded", "1"

    async def ping(self) -> None:
        return None


class _Feed:
    """There is no other process."""

    async def publish(self, items: Sequence[Live]) -> None:
        return None

    @asynccontextmanager
    async def subscribe_foreign(self, limit: int) -> AsyncIterator[AsyncIterator[Live]]:
        async with MemoryFeed().subscribe("*", limit=limit) as items:
            yield items


@dataclass(frozen=True)
class _Remote:
    stores: Stores
    engine: _Server
    feed: _Feed

    def __getattr__(self, port: str) -> Any:
        return getattr(self.stores, port)


@asynccontextmanager
async def fresh(
    services: Mapping[str, str], clock: Clock, technology: str, name: str
) -> AsyncIterator[Callable[[], AbstractAsyncContextManager[Any]]]:
    folder = Path(tempfile.mkdtemp(prefix=name))

    @asynccontextmanager
    async def remote() -> AsyncIterator[_Remote]:
        async with open_embedded(folder / "remote", clock) as stores:
            yield _Remote(stores, _Server(), _Feed())

    @asynccontextmanager
    async def opened() -> AsyncIterator[Stores]:
        # The guards keep time by the machine's clock: a clock that a test moves would make them run in circles.
        system = SystemClock()
        async with AsyncExitStack() as stack:
            local = await stack.enter_async_context(open_embedded(folder / "local", clock))
            spool = await stack.enter_async_context(open_spool(folder / "spool.db", system))
            engine = await stack.enter_async_context(guard("The engine", remote, system, deadline_s=30))
            forwarder = await stack.enter_async_context(forward(engine, spool, system, TAKERS))
            copies = {
                name: LocalCopy(name, getattr(local, name)) for name in ("users", "devices", "automations", "memory")
            }
            live = await stack.enter_async_context(mirror(local.live, engine, system, local.users.homes))
            yield replace(
                local,
                users=GuardedUsers(engine, copies["users"]),
                sessions=GuardedSessions(engine, forwarder, system),
                devices=GuardedDevices(engine, copies["devices"]),
                automations=GuardedAutomations(engine, copies["automations"]),
                journal=GuardedJournal(engine, local.journal, forwarder),
                confirmations=GuardedConfirmations(engine, local.journal, forwarder),
                audit=GuardedAudit(engine, forwarder),
                pins=GuardedPins(engine),
                permissions=GuardedPermissions(engine, local.permissions),
                outbox=ForwardedOutbox(local.outbox, engine, forwarder),
                schedules=GuardedSchedules(engine),
                lists=GuardedLists(engine),
                alerts=ForwardedAlerts(local.alerts, engine, forwarder),
                conversations=GuardedConversations(engine, local.conversations, forwarder),
                memory=GuardedMemory(engine, copies["memory"]),
                events=GuardedEvents(engine, system),
                anomalies=GuardedAnomalies(engine, system),
                readings=GuardedReadings(engine, system),
                live=live,
                personal=GuardedPersonalData(
                    {"The engine": engine},
                    {"The engine": forwarder},
                    tuple(copies.values()),
                    spool,
                    system,
                    local=local.personal,
                    devices=local.devices,
                    live=live,
                ),
                feed=await stack.enter_async_context(bridge(local.feed, engine, system)),
            )

    try:
        yield opened
    finally:
        shutil.rmtree(folder)
