"""Which of two grounds a database stands on: TimescaleDB's hypertables, or plain partitions. Once chosen it stays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeguard.errors import StartRefused
from homeguard.stores.postgresql import Pool, open_pool

#: The table that keeps which migrations were applied, and by their names the ground.
LEDGER: Final = "timescale_migrations"

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LEDGER_THERE: Final = "SELECT to_regclass('timescale_migrations') IS NOT NULL"
_CHOSEN: Final = "SELECT name FROM timescale_migrations WHERE number = 1"
# Installed; or on the server's disk, loaded at its start (seen by its settings), and ours to create.
_USABLE: Final = """
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
    OR EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%')
    AND EXISTS (
        SELECT FROM pg_available_extension_versions AS v JOIN pg_roles AS r ON r.rolname = current_user
        WHERE v.name = 'timescaledb'
        AND (r.rolsuper OR v.trusted AND has_database_privilege(current_database(), 'CREATE'))
    )
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """`name` begins the names of its migrations."""

    name: str
    is_extension: bool

    def migrations(self) -> list[tuple[str, str]]:
        """(name, SQL script), oldest first."""
        paths = sorted(_MIGRATIONS.glob(f"{self.name}_[0-9]*.sql"))
        return [(path.stem, path.read_text(encoding="utf-8")) for path in paths]


EXTENSION: Final = Ground(name="extension", is_extension=True)
PLAIN: Final = Ground(name="plain", is_extension=False)


async def find_ground(url: str, extension: bool | None) -> Ground:
    """The ground that the database has; for a new one what was asked for, or the extension where it can be used.

    Raises:
        StartRefused: it has the other one, or TimescaleDB was asked for and is not to be had.
        StoreUnavailable: the server did not answer.
    """
    # No migrations, so this ledger is neither read nor made.
    async with open_pool(url, (), ledger="timescale_none", size=1) as pool:
        asked = None if extension is None else EXTENSION if extension else PLAIN
        chosen = await _chosen(pool)
        if chosen is not None and asked is not None and chosen is not asked:
            raise StartRefused(
                f"the readings at {pool.place} were set up {_words(chosen)}: they cannot be opened {_words(asked)}"
            )
        usable = bool(await pool.fetchval(_USABLE))
        ground = chosen or asked or (EXTENSION if usable else PLAIN)
        if ground is EXTENSION and not usable:
            raise StartRefused(f"PostgreSQL at {pool.place} has no TimescaleDB that this user can create")
        return ground


async def _chosen(pool: Pool) -> Ground | None:
    if not await pool.fetchval(_LEDGER_THERE):
        return None
    name = str(await pool.fetchval(_CHOSEN))
    return EXTENSION if name.startswith(f"{EXTENSION.name}_") else PLAIN


def _words(ground: Ground) -> str:
    return "with TimescaleDB" if ground.is_extension else "without TimescaleDB"
