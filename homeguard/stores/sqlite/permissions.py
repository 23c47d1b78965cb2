"""What was allowed beforehand, in `home.db`."""

from datetime import datetime
from typing import Any, Final

from homeguard.permissions import Evidence, Permission
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import micros, micros_or_none, moment, moment_or_none
from homeguard.stores.sqlite.database import Database

_SELECT: Final = (
    "SELECT id, home_id, name, kind, device_ids, commands, valid_from, valid_until, evidence, created_by, created_at,"
    " revoked_by, revoked_at, uses, last_used_at FROM permissions "
)
_PUT: Final = (
    "INSERT OR IGNORE INTO permissions (id, home_id, name, kind, device_ids, commands, valid_from, valid_until,"
    " evidence, created_by, created_at, revoked_by, revoked_at, uses, last_used_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_REVOKE: Final = (
    "UPDATE permissions SET revoked_by = ?, revoked_at = ? WHERE home_id = ? AND id = ? AND revoked_at IS NULL"
)
_USE: Final = (
    "UPDATE permissions SET uses = uses + 1, last_used_at = ? WHERE home_id = ? AND id = ? AND revoked_at IS NULL"
)


class SqlitePermissions:
    """A `Permissions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, permission: Permission) -> bool:
        p = permission
        row = (
            p.id, p.home_id, p.name, p.kind, json_text(p.device_ids), json_text(p.commands),
            micros_or_none(p.valid_from), micros_or_none(p.valid_until), json_text(p.evidence), p.created_by,
            micros(p.created_at), p.revoked_by, micros_or_none(p.revoked_at), p.uses, micros_or_none(p.last_used_at),
        )  # fmt: skip
        return await self._database.change(_PUT, row) == 1

    async def get(self, home_id: str, permission_id: str) -> Permission | None:
        row = await self._database.row(_SELECT + "WHERE home_id = ? AND id = ?", (home_id, permission_id))
        return None if row is None else _permission(row)

    async def of_home(self, home_id: str) -> list[Permission]:
        rows = await self._database.rows(_SELECT + "WHERE home_id = ? ORDER BY created_at, id", (home_id,))
        return [_permission(row) for row in rows]

    async def revoke(self, home_id: str, permission_id: str, *, by: str, at: datetime) -> Permission | None:
        await self._database.change(_REVOKE, (by, micros(at), home_id, permission_id))
        return await self.get(home_id, permission_id)

    async def use(self, home_id: str, permission_id: str, at: datetime) -> bool:
        return await self._database.change(_USE, (micros(at), home_id, permission_id)) == 1


def _permission(row: Any) -> Permission:
    (
        id_, home_id, name, kind, device_ids, commands, valid_from, valid_until, evidence, created_by, created_at,
        revoked_by, revoked_at, uses, last_used_at,
    ) = row  # fmt: skip
    return Permission(
        id=id_, home_id=home_id, name=name, kind=kind, device_ids=tuple(json_value(device_ids)),
        commands=tuple(json_value(commands)), valid_from=moment_or_none(valid_from),
        valid_until=moment_or_none(valid_until), evidence=Evidence(**json_value(evidence)), created_by=created_by,
        created_at=moment(created_at), revoked_by=revoked_by, revoked_at=moment_or_none(revoked_at), uses=uses,
        last_used_at=moment_or_none(last_used_at),
    )  # fmt: skip
