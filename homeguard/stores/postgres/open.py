"""Opens what HomeGuard keeps in PostgreSQL: people, sessions, the journal, questions, the audit, the outbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeguard.clock import Clock
from homeguard.stores.postgres.audit import PostgresAudit
from homeguard.stores.postgres.confirmations import PostgresConfirmations
from homeguard.stores.postgres.journal import PostgresJournal
from homeguard.stores.postgres.lists import PostgresLists
from homeguard.stores.postgres.outbox import PostgresOutbox
from homeguard.stores.postgres.permissions import PostgresPermissions
from homeguard.stores.postgres.personal import PostgresErasures, PostgresPersonalData
from homeguard.stores.postgres.pins import PostgresPins
from homeguard.stores.postgres.schedules import PostgresSchedules
from homeguard.stores.postgres.sessions import PostgresSessions
from homeguard.stores.postgres.users import PostgresUsers
from homeguard.stores.postgresql import Pool, open_pool

#: The table that keeps which migrations were applied.
LEDGER: Final = "homeguard_migrations"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class PostgresEngine:
    """An `Engine`."""

    pool: Pool

    @property
    def name(self) -> str:
        return "PostgreSQL"

    @property
    def version(self) -> str:
        return self.pool.version

    async def ping(self) -> None:
        await self.pool.ping()


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresStores:
    """The ports that PostgreSQL keeps."""

    users: PostgresUsers
    sessions: PostgresSessions
    journal: PostgresJournal
    confirmations: PostgresConfirmations
    audit: PostgresAudit
    pins: PostgresPins
    permissions: PostgresPermissions
    outbox: PostgresOutbox
    schedules: PostgresSchedules
    lists: PostgresLists
    personal: PostgresPersonalData
    erasures: PostgresErasures
    engine: PostgresEngine


@asynccontextmanager
async def open_postgres(
    url: str, clock: Clock, *, size: int = 8, audit_key: bytes = b""
) -> AsyncIterator[PostgresStores]:
    """Reach the server with at most `size` connections and bring the schema up to date. `audit_key` seals where the
    audit begins.

    Raises:
        StartRefused: wrong URL, user, password or database, or a schema that is newer than this program.
        StoreUnavailable: the server did not answer.
    """
    async with open_pool(url, migrations(), ledger=LEDGER, size=size) as pool:
        yield PostgresStores(
            users=PostgresUsers(pool, clock),
            sessions=PostgresSessions(pool),
            journal=PostgresJournal(pool),
            confirmations=PostgresConfirmations(pool),
            audit=PostgresAudit(pool, audit_key),
            pins=PostgresPins(pool),
            permissions=PostgresPermissions(pool),
            outbox=PostgresOutbox(pool),
            schedules=PostgresSchedules(pool),
            lists=PostgresLists(pool),
            personal=PostgresPersonalData(pool),
            erasures=PostgresErasures(pool),
            engine=PostgresEngine(pool),
        )


def migrations() -> list[tuple[str, str]]:
    """(name, script), oldest first."""
    return [(path.stem, path.read_text(encoding="utf-8")) for path in sorted(_MIGRATIONS.glob("[0-9]*.sql"))]
