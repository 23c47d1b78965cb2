"""Token buckets in memory: how often one key may do one thing."""

from collections import OrderedDict
from typing import Final

from homeguard.clock import Clock

_KEYS: Final = 10_000


class TokenBuckets:
    """`per_minute` tokens flow into each key's bucket, which holds `burst` and starts full.

    At most `keys` buckets are kept; the one that was used longest ago goes first.
    """

    def __init__(self, clock: Clock, *, per_minute: float, burst: float, keys: int = _KEYS) -> None:
        self._clock = clock
        self._per_second = per_minute / 60
        self._burst = burst
        self._keys = keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one token: 0.0 when there was one, else the seconds until there is (nothing is taken)."""
        tokens = self._tokens(key)
        wait_s = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._put(key, tokens if wait_s else tokens - 1)
        return wait_s

    def give_back(self, key: str) -> None:
        """Return a token that was taken for something that does not count."""
        self._put(key, min(self._burst, self._tokens(key) + 1))

    def _tokens(self, key: str) -> float:
        now = self._clock.monotonic()
        tokens, at = self._buckets.get(key, (self._burst, now))
        return min(self._burst, tokens + max(0.0, now - at) * self._per_second)

    def _put(self, key: str, tokens: float) -> None:
        self._buckets[key] = (tokens, self._clock.monotonic())
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._keys:
            self._buckets.popitem(last=False)
