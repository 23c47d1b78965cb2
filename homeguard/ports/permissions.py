"""What was allowed beforehand, as rows that are listed, used and revoked."""

from datetime import datetime
from typing import Protocol

from homeguard.permissions import Permission

__all__ = ["Permission", "Permissions"]


class Permissions(Protocol):
    async def put(self, permission: Permission) -> bool:
        """Keep it; False, and nothing is changed, when its id is there already."""
        ...

    async def get(self, home_id: str, permission_id: str) -> Permission | None: ...

    async def of_home(self, home_id: str) -> list[Permission]:
        """All, oldest first; revoked ones and those whose time is over too."""
        ...

    async def revoke(self, home_id: str, permission_id: str, *, by: str, at: datetime) -> Permission | None:
        """As it is afterwards; one that was revoked before stays as it is. None when there is none."""
        ...

    async def use(self, home_id: str, permission_id: str, at: datetime) -> bool:
        """Count a use of one that is not revoked; False when it is, or when there is none."""
        ...
