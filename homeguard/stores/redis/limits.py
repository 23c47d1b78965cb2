"""How often one key may do one thing, counted in Redis for all processes."""

from typing import Final

from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.server import Server, script

#: Whoever asks stands in front of a request: a counter is not worth more waiting.
_DEADLINE_S: Final = 0.5


class RedisRateLimits:
    """A `RateLimits`. A token that was taken without our hearing of it is lost, and comes back with the minute."""

    def __init__(self, server: Server, keys: Keys) -> None:
        self._server = server
        self._keys = keys
        self._take = script("take")

    async def take(self, key: str, *, per_minute: float, burst: float) -> float:
        """As the port says; by the server's own clock, within half a second."""
        run = ((self._keys.limit(key),), (per_minute, burst))
        (answer,) = await self._server.run(self._take, [run], limit_s=_DEADLINE_S)
        return float(answer)
