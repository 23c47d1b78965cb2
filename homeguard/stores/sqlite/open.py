"""Opens everything that HomeGuard keeps in one folder, and closes it in good order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from homeguard.clock import Clock
from homeguard.errors import HomeGuardError
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
from homeguard.stores.sqlite.erasures import SqliteErasures
from homeguard.stores.sqlite.events import SqliteEvents
from homeguard.stores.sqlite.feed import MemoryFeed
from homeguard.stores.sqlite.journal import SqliteJournal
from homeguard.stores.sqlite.lists import SqliteLists
from homeguard.stores.sqlite.live_state import SqliteLiveStates
from homeguard.stores.sqlite.lock import Held, hold
from homeguard.stores.sqlite.log import open_log
from homeguard.stores.sqlite.memory import SqliteMemory
from homeguard.stores.sqlite.outbox import SqliteOutbox
from homeguard.stores.sqlite.permissions import SqlitePermissions
from homeguard.stores.sqlite.personal import SqlitePersonalData
from homeguard.stores.sqlite.pins import SqlitePins
from homeguard.stores.sqlite.readings import SqliteReadings
from homeguard.stores.sqlite.recovery import Folder
from homeguard.stores.sqlite.retention import Keep, Retention
from homeguard.stores.sqlite.schedules import SqliteSchedules
from homeguard.stores.sqlite.sessions import SqliteSessions
from homeguard.stores.sqlite.users import SqliteUsers

_logger = logging.getLogger(__name__)

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


@asynccontextmanager
async def open_embedded(
    data_dir: Path,
    clock: Clock,
    *,
    held: Held | None = None,
    folder: Folder | None = None,
    keep: Keep | None = None,
    audit_key: Callable[[], bytes] = bytes,
) -> AsyncIterator[Stores]:
    """Every store, in that folder: `home.db`, `events.db`, `log/`, `lock`. What is damaged is mended first.

    `held` says that the caller has the folder already (`hold`); otherwise it is taken here. `folder`: the caller's,
    for what it tells. `keep`: how long; None: nothing is ever deleted for its age. `audit_key`: asked once the folder
    is there; it seals where the audit begins.

    Raises:
        StartRefused: another process has the folder, or what lies in it is newer than this program, or damaged so that
            nothing can mend it.
    """
    async with AsyncExitStack() as stack:
        if held is None:
            stack.enter_context(hold(data_dir))
        folder = folder or Folder(data_dir, clock, schemas())
        await asyncio.to_thread(folder.mend)
        stack.push(partial(_closed, folder))
        home = await stack.enter_async_context(open_database(data_dir / "home.db", migrations("home")))
        events = await stack.enter_async_context(open_database(data_dir / "events.db", migrations("events")))
        log = await stack.enter_async_context(open_log(data_dir / "log", clock))
        await asyncio.to_thread(folder.opened, log.damage)
        checking = asyncio.create_task(folder.check({"home.db": home, "events.db": events}), name="file checks")
        stack.push_async_callback(_end_checks, folder, checking)
        if keep is not None:
            retaining = asyncio.create_task(Retention(database=events, clock=clock, keep=keep).run(), name="retention")
            stack.push_async_callback(_end_task, retaining)
        contexts = MemoryContexts(clock)
        users, devices, automations = SqliteUsers(home), SqliteDevices(home), SqliteAutomations(home)
        live = SqliteLiveStates(home)
        for held_in_memory in (users, devices, automations, live):
            await held_in_memory.load()
        # At the end what was not written yet is: before the files close.
        stack.push_async_callback(_flush, live)
        yield Stores(
            log=log,
            users=users,
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
            audit=SqliteAudit(home, audit_key()),
            pins=SqlitePins(home),
            permissions=SqlitePermissions(home),
            automations=automations,
            schedules=SqliteSchedules(home),
            lists=SqliteLists(home),
            conversations=SqliteConversations(home),
            memory=SqliteMemory(home),
            personal=SqlitePersonalData(home, events, users, devices, automations, live, contexts),
            erasures=SqliteErasures(home),
            outbox=SqliteOutbox(home),
            limits=MemoryRateLimits(clock),
            contexts=contexts,
        )


async def _flush(live: SqliteLiveStates) -> None:
    try:
        await live.flush()
    except HomeGuardError as error:
        _logger.warning("how devices are was not all written at the end, the log has it: %s", error.message)


def _closed(folder: Folder, failure: type[BaseException] | None, *_: object) -> None:
    """Everything is closed: that is noted, unless something went wrong on the way."""
    folder.end_checks()
    if failure is None:
        try:
            folder.closed()
        except OSError as error:
            _logger.warning("that all ended well could not be noted, the next start checks more: %s", error)


async def _end_task(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


async def _end_checks(folder: Folder, checking: "asyncio.Task[None]") -> None:
    folder.end_checks()
    checking.cancel()
    await asyncio.wait([checking])


def schemas() -> dict[str, int]:
    """Database -> the newest schema that this program knows."""
    return {f"{name}.db": len(migrations(name)) for name in ("home", "events", "spool")}


def migrations(name: str) -> list[str]:
    """The schema of `home` or `events`, step by step, oldest first."""
    return [path.read_text(encoding="utf-8") for path in sorted(_MIGRATIONS.glob(f"{name}_[0-9]*.sql"))]
