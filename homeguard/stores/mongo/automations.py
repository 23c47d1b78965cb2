"""The rules of each home, one document each in `automations`; what they were before in `automation_versions`."""

from dataclasses import replace

from homeguard.finite import refuse_unfinite
from homeguard.model import Automation
from homeguard.ports.automations import VERSIONS_KEPT
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.mongo.documents import Document, fitting, key, moment_or_none, searchable, times
from homeguard.stores.mongo.link import Link, until_placed


class MongoAutomations:
    """An `AutomationStore`. `user_id` holds the home's id."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._automations = link["automations"]
        self._versions = link["automation_versions"]

    async def put(self, automation: Automation) -> None:
        refuse_unfinite(automation.trigger, "trigger")
        refuse_unfinite(automation.conditions, "conditions")
        refuse_unfinite(automation.actions, "actions")
        row = fitting(_document(automation))
        async with self._link.answering():
            await self._keep(automation.home_id, automation.id, automation)
            await until_placed(lambda: self._automations.replace_one({"_id": row["_id"]}, row, upsert=True))

    async def get(self, home_id: str, automation_id: str) -> Automation | None:
        async with self._link.answering():
            row = await self._automations.find_one({"_id": key(home_id, automation_id)})
        return None if row is None else _automation(row)

    async def of_home(self, home_id: str) -> list[Automation]:
        async with self._link.answering():
            rows = await self._automations.find({"user_id": home_id}).to_list()
        return sorted((_automation(row) for row in rows), key=lambda automation: (automation.name, automation.id))

    async def delete(self, home_id: str, automation_id: str) -> bool:
        async with self._link.answering():
            await self._keep(home_id, automation_id, None)
            result = await self._automations.delete_one({"_id": key(home_id, automation_id)})
        return result.deleted_count > 0

    async def versions(self, home_id: str, automation_id: str) -> list[Automation]:
        async with self._link.answering():
            row = await self._versions.find_one({"_id": key(home_id, automation_id)})
        return [] if row is None else [_automation(kept) for kept in row["kept"]]

    async def _keep(self, home_id: str, automation_id: str, instead: Automation | None) -> None:
        """Before it is changed or goes: when that then fails, one version more is kept than there was."""
        id_ = key(home_id, automation_id)
        row = await self._automations.find_one({"_id": id_})
        if row is None or (instead is not None and _sake(_automation(row)) == _sake(instead)):
            return
        # set as a whole: not every server of this protocol puts a pushed value where it is told to
        before = await self._versions.find_one({"_id": id_})
        kept = [row, *(before["kept"] if before is not None else ())][:VERSIONS_KEPT]
        changes = {"$set": {"kept": kept, "user_id": home_id}}
        await until_placed(lambda: self._versions.update_one({"_id": id_}, changes, upsert=True))


def _sake(automation: Automation) -> Automation:
    """All of it but its times."""
    return replace(automation, created_at=None, updated_at=None)


def _document(automation: Automation) -> Document:
    return {
        "_id": key(automation.home_id, automation.id),
        "user_id": automation.home_id,
        "automation_id": automation.id,
        "name": automation.name,
        "enabled": automation.enabled,
        "trigger": searchable(automation.trigger),
        "trigger_json": json_text(automation.trigger),
        "conditions": searchable(automation.conditions),
        "conditions_json": json_text(automation.conditions),
        "actions": searchable(automation.actions),
        "actions_json": json_text(automation.actions),
        "version": automation.version,
        "approved": list(automation.approved),
        "created_by": automation.created_by,
        **times(created=automation.created_at, updated=automation.updated_at),
    }


def _automation(row: Document) -> Automation:
    return Automation(
        home_id=row["user_id"],
        id=row["automation_id"],
        name=row["name"],
        enabled=row["enabled"],
        trigger=json_value(row["trigger_json"]),
        conditions=tuple(json_value(row["conditions_json"])),
        actions=tuple(json_value(row["actions_json"])),
        version=row["version"],
        approved=tuple(row["approved"]),
        created_by=row["created_by"],
        created_at=moment_or_none(row["created_us"]),
        updated_at=moment_or_none(row["updated_us"]),
    )
