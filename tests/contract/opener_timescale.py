"""Opens readings on a real PostgreSQL: in a schema of each test's own; with TimescaleDB, in a database of its own."""

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
    # An extension is one for the whole database, and what it does in the background knows no schema but the usual one.
    async with (_database if extension else _schema)(url, name) as own:
        yield lambda: open_timescale(own, clock, extension=extension)


@asynccontextmanager
async def _schema(url: str, name: str) -> AsyncIterator[str]:
    async with _server(url) as server:
        await server.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{url}{'&' if '?' in url else '?'}search_path={name}"
        finally:
            await server.execute(f"DROP SCHEMA {name} CASCADE")


@asynccontextmanager
async def _database(url: str, name: str) -> AsyncIterator[str]:
    async with _server(url) as server:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            await server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def _server(url: str) -> AsyncIterator[Any]:
    server = await asyncpg.connect(url, timeout=10)
    try:
        yield server
    finally:
        await server.close(timeout=5)
