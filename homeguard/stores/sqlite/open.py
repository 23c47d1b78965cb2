"""Opens everything that HomeGuard keeps in one folder, and closes it in good order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from homeguard.clock import Clock
from homeguard.identity.limits import MemoryRateLimits
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.alerts import SqliteAlerts
from homeguard.stores.sqlite.anomalies import SqliteAnomalies
from homeguard.stores.sqlite.audit import SqliteAudit
from homeguard.stores.sqlite.automations import SqliteAutomations
from homeguard.stores.sqlite.confirmations import SqliteConfirmations
from homeguard.stores.sqlite.contexts import MemoryContexts
from homeguard.stores.sqlite.conversations import SqliteConversations
from homeguard.stores.sqlite.database import open_database
from homeguard.stores.sqlite.devices import SqliteDevices
from homeguard.stores.sqlite.events import SqliteEvents
from homeguard.stores.sqlite.feed import MemoryFeed
from homeguard.stores.sqlite.journal import SqliteJournal
from homeguard.stores.sqlite.live_state import SqliteLiveStates
from homeguard.stores.sqlite.lock import Held, hold
from homeguard.stores.sqlite.log import open_log
from homeguard.stores.sqlite.outbox import SqliteOutbox
from homeguard.stores.sqlite.readings import SqliteReadings
from homeguard.stores.sqlite.sessions import SqliteSessions
from homeguard.stores.sqlite.users import SqliteUsers

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


@asynccontextmanager
async def open_embedded(data_dir: Path, clock: Clock, *, held: Held | None = None) -> AsyncIterator[Stores]:
    """Every store, in that folder: `home.db`, `events.db`, `log/`, `lock`.

    `held` says that the caller has the folder already (`hold`); otherwise it is taken here.

    Raises:
        StartRefused: another process has the folder, or what lies in it is damaged or newer than this program.
    """
    async with AsyncExitStack() as stack:
        if held is None:
            stack.enter_context(hold(data_dir))
        home = await stack.enter_async_context(open_database(data_dir / "home.db", migrations("home")))
        events = await stack.enter_async_context(open_database(data_dir / "events.db", migrations("events")))
        log = await stack.enter_async_context(open_log(data_dir / "log", clock))
        devices, live = SqliteDevices(home), SqliteLiveStates(home)
        await devices.load()
        await live.load()
        yield Stores(
            log=log,
            users=SqliteUsers(home),
            sessions=SqliteSessions(home),
            devices=devices,
            live=live,
            feed=MemoryFeed(),
            events=SqliteEvents(events),
            anomalies=SqliteAnomalies(events),
            alerts=SqliteAlerts(home),
            readings=SqliteReadings(events),
            journal=SqliteJournal(home),
            confirmations=SqliteConfirmations(home),
            audit=SqliteAudit(home),
            automations=SqliteAutomations(home),
            conversations=SqliteConversations(home),
            outbox=SqliteOutbox(home),
            limits=MemoryRateLimits(clock),
            contexts=MemoryContexts(clock),
        )


def migrations(name: str) -> list[str]:
    """The schema of `home` or `events`, step by step, oldest first."""
    return [path.read_text(encoding="utf-8") for path in sorted(_MIGRATIONS.glob(f"{name}_[0-9]*.sql"))]
