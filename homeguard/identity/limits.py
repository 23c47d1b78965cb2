"""Token buckets in memory: how often one key may do one thing."""

from collections import OrderedDict
from typing import Final

from homeguard.clock import Clock

_KEYS: Final = 10_000


class _Buckets:
    """A bucket a key. At most `keys` are kept; the one that was used longest ago goes first."""

    def __init__(self, clock: Clock, keys: int) -> None:
        self._clock = clock
        self._keys = keys
        #: Key -> (tokens, the clock's `monotonic` when there were so many).
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, per_minute: float, burst: float) -> float:
        per_second = per_minute / 60
        tokens = self._tokens(key, per_second, burst)
        wait_s = 0.0 if tokens >= 1 else (1 - tokens) / per_second
        self._put(key, tokens if wait_s else tokens - 1)
        return wait_s

    def give_back(self, key: str, per_minute: float, burst: float) -> None:
        self._put(key, min(burst, self._tokens(key, per_minute / 60, burst) + 1))

    def _tokens(self, key: str, per_second: float, burst: float) -> float:
        now = self._clock.monotonic()
        tokens, at = self._buckets.get(key, (burst, now))
        return min(burst, tokens + max(0.0, now - at) * per_second)

    def _put(self, key: str, tokens: float) -> None:
        self._buckets[key] = (tokens, self._clock.monotonic())
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._keys:
            self._buckets.popitem(last=False)


class TokenBuckets:
    """`per_minute` tokens flow into each key's bucket, which holds `burst` and starts full.

    At most `keys` buckets are kept; the one that was used longest ago goes first.
    """

    def __init__(self, clock: Clock, *, per_minute: float, burst: float, keys: int = _KEYS) -> None:
        self._per_minute = per_minute
        self._burst = burst
        self._buckets = _Buckets(clock, keys)

    def take(self, key: str) -> float:
        """Take one token: 0.0 when there was one, else the seconds until there is (nothing is taken)."""
        return self._buckets.take(key, self._per_minute, self._burst)

    def give_back(self, key: str) -> None:
        """Return a token that was taken for something that does not count."""
        self._buckets.give_back(key, self._per_minute, self._burst)


class MemoryRateLimits:
    """A `RateLimits` of this process alone; at most `keys` buckets, as in `TokenBuckets`."""

    def __init__(self, clock: Clock, *, keys: int = _KEYS) -> None:
        self._buckets = _Buckets(clock, keys)

    async def take(self, key: str, *, per_minute: float, burst: float) -> float:
        """As the port says; never waits."""
        return self._buckets.take(key, per_minute, burst)
