"""The rules of each home, in `home.db`."""

from typing import Any

import apsw

from homeguard.finite import refuse_unfinite
from homeguard.model import Automation
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import micros_or_none, moment_or_none
from homeguard.stores.sqlite.database import Database

_SELECT = (
    "SELECT home_id, id, name, conditions, trigger_, actions, enabled, version, approved, created_by, created_at,"
    " updated_at FROM automations "
)
_PUT = (
    "INSERT OR REPLACE INTO automations (home_id, id, name, conditions, trigger_, actions, enabled, version,"
    " approved, created_by, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class SqliteAutomations:
    """An `AutomationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, automation: Automation) -> None:
        refuse_unfinite(automation.trigger, "trigger")
        refuse_unfinite(automation.conditions, "conditions")
        refuse_unfinite(automation.actions, "actions")
        row = (
            automation.home_id,
            automation.id,
            automation.name,
            json_text(automation.conditions),
            json_text(automation.trigger),
            json_text(automation.actions),
            int(automation.enabled),
            automation.version,
            json_text(automation.approved),
            automation.created_by,
            micros_or_none(automation.created_at),
            micros_or_none(automation.updated_at),
        )
        await self._database.change(_PUT, row)

    async def get(self, home_id: str, automation_id: str) -> Automation | None:
        sql = _SELECT + "WHERE home_id = ? AND id = ?"
        row = await self._database.row(sql, (home_id, automation_id))
        return None if row is None else _automation(row)

    async def of_home(self, home_id: str) -> list[Automation]:
        sql = _SELECT + "WHERE home_id = ? ORDER BY name, id"
        rows = await self._database.rows(sql, (home_id,))
        return [_automation(row) for row in rows]

    async def delete(self, home_id: str, automation_id: str) -> bool:
        def delete(c: apsw.Connection) -> bool:
            c.execute("DELETE FROM automations WHERE home_id = ? AND id = ?", (home_id, automation_id))
            return c.changes() > 0

        return await self._database.write(delete)


def _automation(row: Any) -> Automation:
    home_id, id_, name, conditions, trigger, actions, enabled, version, approved, by, created_at, updated_at = row
    return Automation(
        home_id=home_id,
        id=id_,
        name=name,
        conditions=tuple(json_value(conditions)),
        trigger=json_value(trigger),
        actions=tuple(json_value(actions)),
        enabled=bool(enabled),
        version=version,
        approved=tuple(json_value(approved)),
        created_by=by,
        created_at=moment_or_none(created_at),
        updated_at=moment_or_none(updated_at),
    )
