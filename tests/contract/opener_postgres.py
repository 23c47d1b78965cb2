"""Opens the PostgreSQL stores in a schema of their own, which is gone afterwards."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from homeguard.stores.postgres.open import open_postgres


@asynccontextmanager
async def fresh(services: Mapping[str, str], clock: Any, technology: str, name: str) -> AsyncIterator[Any]:
    """A schema costs far less than a database, and shares no table with another test either."""
    url = services["POSTGRES_URL"]
    await told(url, f'CREATE SCHEMA "{name}"')
    try:
        yield lambda: open_postgres(f"{url}{'&' if '?' in url else '?'}search_path={name}", clock)
    finally:
        await told(url, f'DROP SCHEMA "{name}" CASCADE')


async def told(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(sql)
    finally:
        await connection.close(timeout=5)
