"""The rules of each home, on an engine with a local copy."""

from homeguard.model import Automation
from homeguard.ports.automations import AutomationStore
from homeguard.stores.guarded.copies import LocalCopy, engine_first
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithAutomations


class GuardedAutomations:
    """An `AutomationStore`. Written to the engine, then to the copy; while the engine is away nothing is written."""

    def __init__(self, engine: GuardedEngine[WithAutomations], copy: LocalCopy[AutomationStore]) -> None:
        self._engine = engine
        self._copy = copy

    async def put(self, automation: Automation) -> None:
        await self._engine.call(lambda s: s.automations.put(automation))
        await self._copy.follow(lambda store: store.put(automation))

    async def get(self, home_id: str, automation_id: str) -> Automation | None:
        return await engine_first(
            self._engine, self._copy, lambda s: s.automations.get(home_id, automation_id),
            lambda store: store.get(home_id, automation_id),
        )  # fmt: skip

    async def of_home(self, home_id: str) -> list[Automation]:
        return await engine_first(
            self._engine, self._copy, lambda s: s.automations.of_home(home_id), lambda store: store.of_home(home_id)
        )

    async def versions(self, home_id: str, automation_id: str) -> list[Automation]:
        return await engine_first(
            self._engine, self._copy, lambda s: s.automations.versions(home_id, automation_id),
            lambda store: store.versions(home_id, automation_id),
        )  # fmt: skip

    async def delete(self, home_id: str, automation_id: str) -> bool:
        # Once only: a second try would say "there was none" of what the first one took away.
        was_there = await self._engine.call(lambda s: s.automations.delete(home_id, automation_id), idempotent=False)
        await self._copy.follow(lambda store: store.delete(home_id, automation_id))
        return was_there
