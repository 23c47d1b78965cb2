"""The rules of each home: in `home.db`, and whole in memory, since every event is held against them."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

import apsw

from homeguard.finite import refuse_unfinite
from homeguard.model import Automation
from homeguard.ports.automations import VERSIONS_KEPT
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import Cell, micros_or_none, moment_or_none
from homeguard.stores.sqlite.database import Database

_SELECT = (
    "SELECT home_id, id, name, conditions, trigger_, actions, enabled, version, approved, created_by, created_at,"
    " updated_at FROM automations "
)
_PUT = (
    "INSERT OR REPLACE INTO automations (home_id, id, name, conditions, trigger_, actions, enabled, version,"
    " approved, created_by, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_KEEP: Final = (
    "INSERT INTO automation_versions (home_id, id, number, name, conditions, trigger_, actions, enabled, version,"
    " approved, created_by, created_at, updated_at) SELECT home_id, id, (SELECT coalesce(max(number), 0) + 1 FROM"
    " automation_versions WHERE home_id = :home AND id = :id), name, conditions, trigger_, actions, enabled, version,"
    " approved, created_by, created_at, updated_at FROM automations WHERE home_id = :home AND id = :id"
)
_FORGET_OLD: Final = (
    "DELETE FROM automation_versions WHERE home_id = :home AND id = :id AND number <= (SELECT max(number) FROM"
    " automation_versions WHERE home_id = :home AND id = :id) - :kept"
)
_VERSIONS: Final = (
    "SELECT home_id, id, name, conditions, trigger_, actions, enabled, version, approved, created_by, created_at,"
    " updated_at FROM automation_versions WHERE home_id = ? AND id = ? ORDER BY number DESC"
)


class SqliteAutomations:
    """An `AutomationStore`. Memory follows the file: it changes when the write is on disk. This process is the only
    writer. `load` comes first.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._homes: dict[str, dict[str, Automation]] = {}
        self._sorted: dict[str, tuple[Automation, ...]] = {}
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read all rules into memory."""
        for row in await self._database.rows(_SELECT):
            self._keep(_automation(row))

    async def put(self, automation: Automation) -> None:
        refuse_unfinite(automation.trigger, "trigger")
        refuse_unfinite(automation.conditions, "conditions")
        refuse_unfinite(automation.actions, "actions")
        row = _row(automation)
        # Memory holds what a restart would read: what the caller keeps of it changes nothing here.
        kept = _automation(row)
        async with self._writing:
            was = self._homes.get(kept.home_id, {}).get(kept.id)

            def put(c: apsw.Connection) -> None:
                if was is not None and differs(was, kept):
                    _keep_version(c, kept.home_id, kept.id)
                c.execute(_PUT, row)

            await self._database.write(put, then=lambda _: self._keep(kept))

    def _keep(self, automation: Automation) -> None:
        self._homes.setdefault(automation.home_id, {})[automation.id] = automation
        self._sorted.pop(automation.home_id, None)

    async def get(self, home_id: str, automation_id: str) -> Automation | None:
        return self._homes.get(home_id, {}).get(automation_id)

    async def of_home(self, home_id: str) -> list[Automation]:
        if home_id not in self._homes:
            return []
        if home_id not in self._sorted:
            self._sorted[home_id] = tuple(sorted(self._homes[home_id].values(), key=lambda a: (a.name, a.id)))
        return list(self._sorted[home_id])

    async def delete(self, home_id: str, automation_id: str) -> bool:
        async with self._writing:
            if automation_id not in self._homes.get(home_id, {}):
                return False

            def delete(c: apsw.Connection) -> None:
                _keep_version(c, home_id, automation_id)
                c.execute("DELETE FROM automations WHERE home_id = ? AND id = ?", (home_id, automation_id))

            await self._database.write(delete, then=lambda _: self._drop(home_id, automation_id))
            return True

    async def versions(self, home_id: str, automation_id: str) -> list[Automation]:
        return [_automation(row) for row in await self._database.rows(_VERSIONS, (home_id, automation_id))]

    def let_go(self, homes: Collection[str]) -> None:
        """The rules of these homes are gone from the file: memory follows."""
        for home_id in homes:
            self._homes.pop(home_id, None)
            self._sorted.pop(home_id, None)

    def _drop(self, home_id: str, automation_id: str) -> None:
        self._homes[home_id].pop(automation_id, None)
        self._sorted.pop(home_id, None)


def differs(one: Automation, other: Automation) -> bool:
    """In anything but its times."""
    return replace(one, created_at=None, updated_at=None) != replace(other, created_at=None, updated_at=None)


def _keep_version(c: apsw.Connection, home_id: str, automation_id: str) -> None:
    given = {"home": home_id, "id": automation_id}
    c.execute(_KEEP, given)
    c.execute(_FORGET_OLD, {**given, "kept": VERSIONS_KEPT})


def _row(automation: Automation) -> tuple[Cell, ...]:
    return (
        automation.home_id, automation.id, automation.name, json_text(automation.conditions),
        json_text(automation.trigger), json_text(automation.actions), int(automation.enabled), automation.version,
        json_text(automation.approved), automation.created_by, micros_or_none(automation.created_at),
        micros_or_none(automation.updated_at),
    )  # fmt: skip


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
