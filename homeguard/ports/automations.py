"""The rules of a home."""

from typing import Protocol

from homeguard.model import Automation


class AutomationStore(Protocol):
    async def put(self, automation: Automation) -> None:
        """Insert or replace by (home, id).

        Raises:
            InvalidInput: a number in `trigger`, `conditions` or `actions` is not finite.
        """
        ...

    async def get(self, home_id: str, automation_id: str) -> Automation | None: ...

    async def of_home(self, home_id: str) -> list[Automation]:
        """By name, then id, both by code point."""
        ...

    async def delete(self, home_id: str, automation_id: str) -> bool: ...
