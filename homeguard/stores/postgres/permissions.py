"""What was allowed beforehand, in PostgreSQL."""

from datetime import datetime
from typing import Any, Final

from homeguard.permissions import Evidence, Permission
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.postgresql import Pool

_SELECT: Final = (
    "SELECT id, home_id, name, kind, device_ids, commands, valid_from, valid_until, evidence, created_by, created_at,"
    " revoked_by, revoked_at, uses, last_used_at FROM permissions "
)
_PUT: Final = """
INSERT INTO permissions (id, home_id, name, kind, device_ids, commands, valid_from, valid_until, evidence, created_by,
    created_at, revoked_by, revoked_at, uses, last_used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (home_id, id) DO NOTHING
"""
_ONE: Final = _SELECT + "WHERE home_id = $1 AND id = $2"
_OF_HOME: Final = _SELECT + "WHERE home_id = $1 ORDER BY created_at, id"
_REVOKE: Final = """
UPDATE permissions SET revoked_by = $3, revoked_at = $4 WHERE home_id = $1 AND id = $2 AND revoked_at IS NULL
"""
_USE: Final = """
UPDATE permissions SET uses = uses + 1, last_used_at = $3 WHERE home_id = $1 AND id = $2 AND revoked_at IS NULL
"""


class PostgresPermissions:
    """A `Permissions`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, permission: Permission) -> bool:
        p = permission
        row = (
            p.id, p.home_id, p.name, p.kind, json_text(p.device_ids), json_text(p.commands), p.valid_from,
            p.valid_until, json_text(p.evidence), p.created_by, p.created_at, p.revoked_by, p.revoked_at, p.uses,
            p.last_used_at,
        )  # fmt: skip
        return await self._pool.change(_PUT, *row) == 1

    async def get(self, home_id: str, permission_id: str) -> Permission | None:
        row = await self._pool.fetchrow(_ONE, home_id, permission_id)
        return None if row is None else _permission(row)

    async def of_home(self, home_id: str) -> list[Permission]:
        return [_permission(row) for row in await self._pool.fetch(_OF_HOME, home_id)]

    async def revoke(self, home_id: str, permission_id: str, *, by: str, at: datetime) -> Permission | None:
        await self._pool.execute(_REVOKE, home_id, permission_id, by, at)
        return await self.get(home_id, permission_id)

    async def use(self, home_id: str, permission_id: str, at: datetime) -> bool:
        return await self._pool.change(_USE, home_id, permission_id, at) == 1


def _permission(row: Any) -> Permission:
    (
        id_, home_id, name, kind, device_ids, commands, valid_from, valid_until, evidence, created_by, created_at,
        revoked_by, revoked_at, uses, last_used_at,
    ) = row  # fmt: skip
    return Permission(
        id=id_, home_id=home_id, name=name, kind=kind, device_ids=tuple(json_value(device_ids)),
        commands=tuple(json_value(commands)), valid_from=valid_from, valid_until=valid_until,
        evidence=Evidence(**json_value(evidence)), created_by=created_by, created_at=created_at,
        revoked_by=revoked_by, revoked_at=revoked_at, uses=uses, last_used_at=last_used_at,
    )  # fmt: skip
