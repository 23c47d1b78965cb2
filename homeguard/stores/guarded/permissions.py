"""What was allowed beforehand, on an engine, and on this machine too, so that a fire need not wait for the engine."""

from datetime import datetime

from homeguard.errors import StoreUnavailable
from homeguard.permissions import Permission
from homeguard.ports.permissions import Permissions
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithPermissions


class GuardedPermissions:
    """A `Permissions`. Nothing is given or revoked while the engine is away.

    The copy on this machine is read then, unless other processes give and revoke too (`is_shared`): one of them may
    have revoked what stands here, so nothing is allowed by it.
    """

    def __init__(self, engine: GuardedEngine[WithPermissions], local: Permissions, *, is_shared: bool = False) -> None:
        self._engine = engine
        self._local = local
        self._is_shared = is_shared

    async def put(self, permission: Permission) -> bool:
        is_new = await self._engine.call(lambda s: s.permissions.put(permission), idempotent=False)
        await self._local.put(permission)
        return is_new

    async def get(self, home_id: str, permission_id: str) -> Permission | None:
        try:
            found = await self._engine.call(lambda s: s.permissions.get(home_id, permission_id))
        except StoreUnavailable:
            if self._is_shared:
                raise
            return await self._local.get(home_id, permission_id)
        if found is not None:
            await self._follow(found)
        return found

    async def of_home(self, home_id: str) -> list[Permission]:
        try:
            found = await self._engine.call(lambda s: s.permissions.of_home(home_id))
        except StoreUnavailable:
            if self._is_shared:
                raise
            return await self._local.of_home(home_id)
        for permission in found:
            await self._follow(permission)
        return found

    async def revoke(self, home_id: str, permission_id: str, *, by: str, at: datetime) -> Permission | None:
        # here first: what is revoked on either side allows nothing
        await self._local.revoke(home_id, permission_id, by=by, at=at)
        return await self._engine.call(lambda s: s.permissions.revoke(home_id, permission_id, by=by, at=at))

    async def use(self, home_id: str, permission_id: str, at: datetime) -> bool:
        try:
            is_good = await self._engine.call(lambda s: s.permissions.use(home_id, permission_id, at), idempotent=False)
        except StoreUnavailable:
            if self._is_shared:
                raise
            return await self._local.use(home_id, permission_id, at)
        await self._local.use(home_id, permission_id, at)
        return is_good

    async def _follow(self, permission: Permission) -> None:
        here = await self._local.get(permission.home_id, permission.id)
        if here is None:
            await self._local.put(permission)
        elif here.revoked_at is None and permission.revoked_at is not None:
            await self._local.revoke(
                permission.home_id, permission.id, by=permission.revoked_by, at=permission.revoked_at
            )
