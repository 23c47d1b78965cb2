"""Opens Redis for the contract suite: every test has names of its own before all keys and channels."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from homeguard.clock import Clock
from homeguard.stores.redis.open import open_redis


@asynccontextmanager
async def fresh(services: dict[str, str], clock: Clock, technology: str, name: str) -> AsyncIterator[Any]:
    url = services["REDIS_URL"]
    try:
        yield lambda: open_redis(url, clock, namespace=name)
    finally:
        async with Redis.from_url(url) as server:
            async for key in server.scan_iter(match=f"{name}:*", count=1000):
                await server.delete(key)
