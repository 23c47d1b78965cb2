"""What may be lost without harm: rate limits fall back to this process's own, contexts to none."""

from collections.abc import Mapping
from typing import Protocol

from homeguard.errors import StoreUnavailable
from homeguard.model import Json
from homeguard.ports.contexts import AgentContexts
from homeguard.ports.limits import RateLimits
from homeguard.stores.guarded.engine import GuardedEngine, Opened


class WithCounters(Opened, Protocol):
    @property
    def limits(self) -> RateLimits: ...

    @property
    def contexts(self) -> AgentContexts: ...


class GuardedLimits:
    """A `RateLimits`. An outage neither frees everyone nor refuses them: this process counts by itself meanwhile."""

    def __init__(self, engine: GuardedEngine[WithCounters], local: RateLimits) -> None:
        self._engine = engine
        self._local = local

    async def take(self, key: str, *, per_minute: float, burst: float) -> float:
        try:
            return await self._engine.call(
                lambda s: s.limits.take(key, per_minute=per_minute, burst=burst), idempotent=False
            )
        except StoreUnavailable:
            return await self._local.take(key, per_minute=per_minute, burst=burst)


class GuardedContexts:
    """An `AgentContexts`: a cache, empty while the engine is away."""

    def __init__(self, engine: GuardedEngine[WithCounters]) -> None:
        self._engine = engine

    async def put(self, home_id: str, user_id: str, context: Mapping[str, Json]) -> None:
        try:
            await self._engine.call(lambda s: s.contexts.put(home_id, user_id, context))
        except StoreUnavailable:
            return

    async def get(self, home_id: str, user_id: str) -> Mapping[str, Json] | None:
        try:
            return await self._engine.call(lambda s: s.contexts.get(home_id, user_id))
        except StoreUnavailable:
            return None
