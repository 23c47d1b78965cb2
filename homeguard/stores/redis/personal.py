"""What Redis keeps about one person: contexts for an hour, and how the devices are of the homes that go with them."""

from collections.abc import Mapping
from typing import Any

from homeguard.ports.contexts import AgentContexts
from homeguard.ports.live_state import LiveStateStore
from homeguard.ports.personal import Subject
from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.server import Server


class RedisPersonalData:
    """A `PersonalData`. Counters of requests go by themselves within minutes."""

    def __init__(self, server: Server, keys: Keys, live: LiveStateStore, contexts: AgentContexts) -> None:
        self._server = server
        self._keys = keys
        self._live = live
        self._contexts = contexts

    async def export(self, subject: Subject) -> Mapping[str, list[dict[str, Any]]]:
        if not subject.user_id:
            return {}
        found = [(home_id, await self._contexts.get(home_id, subject.user_id)) for home_id in subject.homes]
        return {"contexts": [{"home_id": home_id, **context} for home_id, context in found if context]}

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        if not subject.user_id:
            return {}
        gone = {"contexts": 0, "states": 0}
        for home_id in subject.homes:
            gone["contexts"] += int(await self._server.call("DEL", self._keys.context(home_id, subject.user_id)))
        for home_id in subject.sole_homes:
            for device_id in await self._live.all(home_id):
                await self._live.forget(home_id, device_id)
                gone["states"] += 1
            await self._server.call("DEL", self._keys.devices(home_id))
        return {name: count for name, count in gone.items() if count}
