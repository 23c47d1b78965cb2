"""PINs, on an engine. They have no copy: while it is away none is checked, so nothing that needs one is done."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from homeguard.errors import StoreUnavailable
from homeguard.ports.pins import Pin, Pins
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithPins

R = TypeVar("R")


class GuardedPins:
    """A `Pins`."""

    def __init__(self, engine: GuardedEngine[WithPins]) -> None:
        self._engine = engine

    async def put(self, pin: Pin) -> None:
        await self._call(lambda p: p.put(pin))

    async def get(self, home_id: str) -> Pin | None:
        return await self._call(lambda p: p.get(home_id))

    async def remove(self, home_id: str) -> bool:
        return await self._call(lambda p: p.remove(home_id))

    async def attempt(self, home_id: str, user_id: str, now: datetime) -> datetime | None:
        """A try that the engine counted without being able to say so counts."""
        return await self._call(lambda p: p.attempt(home_id, user_id, now), idempotent=False)

    async def succeeded(self, home_id: str, user_id: str) -> None:
        await self._call(lambda p: p.succeeded(home_id, user_id))

    async def _call(self, ask: Callable[[Pins], Awaitable[R]], *, idempotent: bool = True) -> R:
        try:
            return await self._engine.call(lambda s: ask(s.pins), idempotent=idempotent)
        except StoreUnavailable as error:
            words = f"the PIN cannot be looked up now; nothing was done: {error.message}"
            raise StoreUnavailable(words, **error.details) from error
