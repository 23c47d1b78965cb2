"""The devices of a home: what they are, not how they are (that is live state)."""

from collections.abc import Sequence
from typing import Protocol

from homeguard.model import Device


class DeviceStore(Protocol):
    async def put(self, devices: Sequence[Device]) -> None:
        """Insert or replace by (home, id); of the same id twice the last counts.

        Raises:
            InvalidInput: a number in `config` or `binding` is not finite; nothing was put.
        """
        ...

    async def get(self, home_id: str, device_id: str) -> Device | None: ...

    async def of_home(self, home_id: str) -> list[Device]:
        """All of the home, by name then id, both by code point."""
        ...

    async def delete(self, home_id: str, device_id: str) -> bool:
        """False when there was none."""
        ...

    async def by_device_id(self, device_id: str) -> list[Device]:
        """Every home's device of that id (for a token that names only a device); at most 10, by home id."""
        ...
