"""What is kept in mind, on an engine with a local copy of what passed through here."""

from collections.abc import Sequence

from homeguard.ports.memory import Memory, MemoryStore
from homeguard.stores.guarded.copies import LocalCopy, engine_first
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithMemory


class GuardedMemory:
    """A `MemoryStore`. Written to the engine, then to the copy; while the engine is away nothing is written, so nobody
    is told that something is remembered, or forgotten, that is not."""

    def __init__(self, engine: GuardedEngine[WithMemory], copy: LocalCopy[MemoryStore]) -> None:
        self._engine = engine
        self._copy = copy

    async def change(
        self, home_id: str, user_id: str, *, put: Sequence[Memory] = (), forget: Sequence[str] = ()
    ) -> list[Memory]:
        # Once only when something goes: a second try would tell none of what the first one took away.
        gone = await self._engine.call(
            lambda s: s.memory.change(home_id, user_id, put=put, forget=forget), idempotent=not forget
        )
        await self._copy.follow(lambda store: store.change(home_id, user_id, put=put, forget=forget))
        return gone

    async def get(self, home_id: str, user_id: str, memory_id: str) -> Memory | None:
        return await engine_first(
            self._engine, self._copy, lambda s: s.memory.get(home_id, user_id, memory_id),
            lambda store: store.get(home_id, user_id, memory_id),
        )  # fmt: skip

    async def of(self, home_id: str, user_id: str) -> list[Memory]:
        return await engine_first(
            self._engine, self._copy, lambda s: s.memory.of(home_id, user_id), lambda store: store.of(home_id, user_id)
        )

    async def search(self, home_id: str, user_id: str, question: str, *, limit: int = 10) -> list[Memory]:
        return await engine_first(
            self._engine, self._copy, lambda s: s.memory.search(home_id, user_id, question, limit=limit),
            lambda store: store.search(home_id, user_id, question, limit=limit),
        )  # fmt: skip

    async def clear(self, home_id: str, user_id: str) -> int:
        gone = await self._engine.call(lambda s: s.memory.clear(home_id, user_id), idempotent=False)
        await self._copy.follow(lambda store: store.clear(home_id, user_id))
        return gone
