"""What agents last knew of the person in front of them, shared by all processes for an hour."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from homeguard.clock import Clock
from homeguard.errors import PayloadTooLarge
from homeguard.model import Json
from homeguard.ports.contexts import CONTEXT_BYTES, CONTEXT_LIVES
from homeguard.stores.json_text import json_bytes
from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.server import Server

_LIVES_S: Final = int(CONTEXT_LIVES.total_seconds())


class _Kept(msgspec.Struct):
    #: Epoch seconds by the system's clock; the key itself goes by the server's.
    until: float
    context: dict[str, Any]


class RedisContexts:
    """An `AgentContexts`."""

    def __init__(self, server: Server, keys: Keys, clock: Clock) -> None:
        self._server = server
        self._keys = keys
        self._clock = clock

    async def put(self, home_id: str, user_id: str, context: Mapping[str, Json]) -> None:
        text = json_bytes(context)
        if len(text) > CONTEXT_BYTES:
            raise PayloadTooLarge("a context is at most 64 KiB", field="context")
        until = (self._clock.now() + CONTEXT_LIVES).timestamp()
        kept = msgspec.json.encode({"until": until, "context": msgspec.Raw(text)})
        await self._server.call("SET", self._keys.context(home_id, user_id), kept, "EX", _LIVES_S)

    async def get(self, home_id: str, user_id: str) -> Mapping[str, Json] | None:
        text = await self._server.call("GET", self._keys.context(home_id, user_id))
        if text is None:
            return None
        kept = msgspec.json.decode(text, type=_Kept)
        return None if self._clock.now().timestamp() >= kept.until else kept.context
