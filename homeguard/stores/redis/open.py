"""Opens what HomeGuard keeps in one Redis, and closes it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    ReadOnlyError,
    ResponseError,
)

from homeguard.clock import Clock
from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.ports.contexts import AgentContexts
from homeguard.ports.engine import Engine
from homeguard.ports.limits import RateLimits
from homeguard.ports.live_state import LiveStateStore
from homeguard.ports.personal import PersonalData
from homeguard.stores.redis.contexts import RedisContexts
from homeguard.stores.redis.feed import RedisFeed
from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.limits import RedisRateLimits
from homeguard.stores.redis.live_state import RedisLiveStates
from homeguard.stores.redis.personal import RedisPersonalData
from homeguard.stores.redis.schema import migrate
from homeguard.stores.redis.server import DEADLINE_S, PING_DEADLINE_S, POOL_SIZE, Server

#: What the operator must mend before HomeGuard can start, and how the line ends that says so. The first that fits.
_REFUSALS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (AuthenticationError, "refused the user or the password"),
    (AuthenticationWrongNumberOfArgsError, "refused the user or the password"),
    (NoPermissionError, "does not let this user do what HomeGuard needs"),
    (ReadOnlyError, "is a replica that nobody may write to"),
    (InvalidResponse, "does not answer like a Redis"),
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisStores:
    """The ports that Redis keeps. `feed` is more than its port: a bridge uses `subscribe_foreign`."""

    live: LiveStateStore
    feed: RedisFeed
    limits: RateLimits
    contexts: AgentContexts
    personal: PersonalData
    engine: Engine


class RedisEngine:
    """An `Engine`: Redis, or a server that says it is another (Valkey)."""

    def __init__(self, server: Server, name: str, version: str) -> None:
        self._server = server
        self.name = name
        self.version = version

    async def ping(self) -> None:
        await self._server.call("PING", limit_s=PING_DEADLINE_S)


@asynccontextmanager
async def open_redis(
    url: str, clock: Clock, *, namespace: str = "", pool_size: int = POOL_SIZE, deadline_s: float = DEADLINE_S
) -> AsyncIterator[RedisStores]:
    """Connect and bring what lies there up to date. `namespace` goes before all keys and channels.

    Raises:
        StartRefused: the URL cannot be read, the server refuses us, or what lies there is newer than this program.
        StoreUnavailable: the server does not answer.
    """
    server = Server(url, pool_size=pool_size, deadline_s=deadline_s)
    keys = Keys(namespace, database=server.database)
    try:
        engine = await _entered(server, keys)
        feed = RedisFeed(server, keys)
        listening = asyncio.create_task(feed.listen())
        try:
            live, contexts = RedisLiveStates(server, keys, clock), RedisContexts(server, keys, clock)
            yield RedisStores(
                live=live,
                feed=feed,
                limits=RedisRateLimits(server, keys),
                contexts=contexts,
                personal=RedisPersonalData(server, keys, live, contexts),
                engine=engine,
            )
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
    finally:
        await server.close()


async def _entered(server: Server, keys: Keys) -> RedisEngine:
    try:
        about = await server.call("INFO")
        await migrate(server, keys)
    except StoreUnavailable as unavailable:
        cause = unavailable.__cause__
        said = next((words for kind, words in _REFUSALS if isinstance(cause, kind)), "")
        if not said and isinstance(cause, ResponseError) and "DB index" in str(cause):
            said = "has no database of that number"
        if said and not isinstance(cause, BusyLoadingError):
            raise StartRefused(f"Redis at {server.where} {said}") from cause
        raise
    policy = str(about.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        _log.warning(
            "Redis at %s drops keys when its memory is full (%s): set maxmemory-policy noeviction", server.where, policy
        )
    name = "Valkey" if about.get("server_name") == "valkey" else "Redis"
    return RedisEngine(server, name, str(about.get("valkey_version") or about.get("redis_version", "")))
