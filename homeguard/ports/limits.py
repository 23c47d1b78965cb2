"""How often one key may do one thing, counted for all processes that share the store."""

from typing import Protocol


class RateLimits(Protocol):
    async def take(self, key: str, *, per_minute: float, burst: float) -> float:
        """Take one token: 0.0 when there was one, else the seconds until there is (nothing is taken then).

        `per_minute` (above 0) tokens flow into the key's bucket, which holds `burst` (at least 1) and starts full. A
        key is asked with the same two figures every time; when they change, what is in the bucket stays.

        Raises:
            StoreUnavailable: whether a token was taken is not known.
        """
        ...
