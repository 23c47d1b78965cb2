"""What MongoDB keeps about one person, told as it is and let go of."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from bson.int64 import Int64

from homeguard.clock import iso
from homeguard.ports.personal import Subject
from homeguard.stores.mongo.documents import Document
from homeguard.stores.mongo.link import Link

_MOST: Final = 100_000
#: What is found by a search only, and is in the other fields already.
_HIDDEN: Final = frozenset(("_id", "folded", "life"))

#: Every collection, and how a person's documents in it are found; `schema` is the program's own.
COLLECTIONS: Final = (
    "devices", "automations", "automation_versions", "agent_conversations", "agent_messages", "agent_learnings",
)  # fmt: skip


class MongoPersonalData:
    """A `PersonalData`. There is no transaction over several documents: what was cut off is done again."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def export(self, subject: Subject) -> Mapping[str, list[dict[str, Any]]]:
        user = subject.user_id
        found: dict[str, list[dict[str, Any]]] = {}
        if not user:
            return found
        mine = {
            "automations": {"created_by": user},
            "automation_versions": {"kept.created_by": user},
            "agent_conversations": {"user_id": user},
            "agent_messages": {"user_id": user},
            "agent_learnings": {"$or": [{"user_id": user}, {"said_by": user}]},
        }
        for name, which in mine.items():
            async with self._link.answering():
                rows = await self._link[name].find(which).limit(_MOST).to_list()
            found[name] = [_shown(row) for row in rows]
        return found

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        user, homes = subject.user_id, list(subject.sole_homes)
        if not user:
            return {}  # what has no person is the household's
        in_homes, of_homes = {"user_id": {"$in": homes}}, {"home_id": {"$in": homes}}
        own_words = {"said_by": user, "kind": {"$in": ["fact", "preference"]}}
        gone: dict[str, int] = {}
        # lines before their threads: so a try that was cut off finds them again
        for name, which in (
            ("agent_messages", {"$or": [{"user_id": user}, of_homes]}),
            ("agent_conversations", {"$or": [{"user_id": user}, of_homes]}),
            ("agent_learnings", {"$or": [{"user_id": user}, own_words, of_homes]}),
            ("automation_versions", in_homes),
            ("automations", in_homes),
            ("devices", in_homes),
        ):
            async with self._link.answering():
                gone[name] = (await self._link[name].delete_many(which)).deleted_count
        # pets, contacts and the rest of a household stay with its other members
        nameless: Document = {"$set": {"said_by": "", "turn_id": ""}}
        async with self._link.answering():
            cleared = await self._link["agent_learnings"].update_many({"said_by": user}, nameless)
        gone["agent_learnings"] += cleared.modified_count
        return {name: count for name, count in gone.items() if count}


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shown(part) for name, part in value.items() if name not in _HIDDEN}
    if isinstance(value, list):
        return [_shown(part) for part in value]
    if isinstance(value, Int64):
        return int(value)
    # the driver gives times in UTC without saying so
    return iso(value.replace(tzinfo=UTC)) if isinstance(value, datetime) else value
