"""The rules of a home."""

from typing import Final, Protocol

from homeguard.model import Automation

#: How many earlier versions of a rule are kept.
VERSIONS_KEPT: Final = 10


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

    async def versions(self, home_id: str, automation_id: str) -> list[Automation]:
        """What it was before, newest first, at most `VERSIONS_KEPT`: a `put` that changes it (beside its times) keeps
        what was there, and so does `delete`."""
        ...
