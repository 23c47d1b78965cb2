"""Opens a MongoDB, or what stands in for one, on a database of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pymongo import AsyncMongoClient

from homeguard.clock import Clock
from homeguard.stores.mongo.open import open_mongo

_URLS = {"mongo-atomic": "MONGO_URL", "mongo-durable": "MONGO_DURABLE_URL"}


@asynccontextmanager
async def fresh(services: dict[str, str], clock: Clock, technology: str, name: str) -> AsyncIterator[Any]:
    url = with_database(services[_URLS[technology]], name)
    try:
        yield lambda: open_mongo(url, clock)
    finally:
        async with AsyncMongoClient(url, serverSelectionTimeoutMS=4_000) as client:
            await client.drop_database(name)


def with_database(url: str, name: str) -> str:
    """The URL with another path."""
    server, _, options = url.partition("?")
    scheme, _, rest = server.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{name}" + (f"?{options}" if options else "")
