"""The lists of each home, on an engine that several processes share."""

from collections.abc import Collection, Sequence

from homeguard.ports.lists import ListItem
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithLists


class GuardedLists:
    """A `Lists`. While the engine is away there is none."""

    def __init__(self, engine: GuardedEngine[WithLists]) -> None:
        self._engine = engine

    async def add(self, items: Sequence[ListItem]) -> list[ListItem]:
        return await self._engine.call(lambda s: s.lists.add(items), idempotent=False)

    async def of(self, home_id: str, list_name: str) -> list[ListItem]:
        return await self._engine.call(lambda s: s.lists.of(home_id, list_name))

    async def names(self, home_id: str) -> list[str]:
        return await self._engine.call(lambda s: s.lists.names(home_id))

    async def set_done(self, home_id: str, ids: Collection[str], done: bool) -> int:
        return await self._engine.call(lambda s: s.lists.set_done(home_id, ids, done), idempotent=False)

    async def remove(self, home_id: str, ids: Collection[str]) -> int:
        return await self._engine.call(lambda s: s.lists.remove(home_id, ids), idempotent=False)
