"""Opens readings on a real PostgreSQL, in a database of each test's own; with and without TimescaleDB."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from homeguard.clock import Clock
from homeguard.stores.timescale.open import open_timescale


@asynccontextmanager
async def fresh(services: Mapping[str, str], clock: Clock, technology: str, name: str) -> AsyncIterator[Any]:
    extension = technology == "timescale-extension"
    url = services["TIMESCALE_EXTENSION_URL" if extension else "TIMESCALE_URL"]
    async with a_database(url, name) as own:
        yield lambda: open_timescale(own, clock, extension=extension)


@asynccontextmanager
async def a_database(url: str, name: str) -> AsyncIterator[str]:
    """The URL of a new database of that name (letters and digits) on the server of `url`; dropped at the end."""
    server = await asyncpg.connect(url, timeout=10)
    try:
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await server.close(timeout=5)
