"""What is kept in mind of people and households: one document each in `agent_learnings`.

A preference is also kept under `learnings`, by its name: `{"learnings": {"routines": {"morning_departure": "07:15"}}}`.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from homeguard.errors import HomeMismatch
from homeguard.ports.memory import SHARED, Memory
from homeguard.recollection import asked_words, hits
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.mongo.documents import Document, fitting, key, micros, moment, searchable
from homeguard.stores.mongo.link import Link, until_placed


class MongoMemory:
    """A `MemoryStore`. A person has few items, so they are read and ranked here."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._items = link["agent_learnings"]

    async def change(
        self, home_id: str, user_id: str, *, put: Sequence[Memory] = (), forget: Sequence[str] = ()
    ) -> list[Memory]:
        if any(m.home_id != home_id or m.user_id not in (user_id, SHARED) for m in put):
            raise HomeMismatch("this is somebody else's to remember")
        rows = [fitting(_document(m)) for m in put]
        gone: list[Memory] = []
        async with self._link.answering():
            for row in rows:
                await until_placed(
                    lambda row=row: self._items.replace_one({"_id": row["_id"]}, row, upsert=True)  # type: ignore[misc]
                )
            for id_ in forget:
                found = await self._items.find_one_and_delete({"_id": key(home_id, user_id, id_)})
                if found is None:
                    found = await self._items.find_one_and_delete({"_id": key(home_id, SHARED, id_)})
                if found is not None:
                    gone.append(_memory(found))
        return gone

    async def get(self, home_id: str, user_id: str, memory_id: str) -> Memory | None:
        async with self._link.answering():
            row = await self._items.find_one({"_id": key(home_id, user_id, memory_id)})
            if row is None:
                row = await self._items.find_one({"_id": key(home_id, SHARED, memory_id)})
        return None if row is None else _memory(row)

    async def of(self, home_id: str, user_id: str) -> list[Memory]:
        async with self._link.answering():
            rows = await self._items.find({"home_id": home_id, "user_id": user_id}).to_list()
        return [_memory(row) for row in sorted(rows, key=lambda r: (r["at_us"], r["memory_id"]), reverse=True)]

    async def search(self, home_id: str, user_id: str, question: str, *, limit: int = 10) -> list[Memory]:
        words = asked_words(question)
        if not words or limit < 1:
            return []
        whose = {"home_id": home_id, "user_id": {"$in": [user_id, SHARED]}}
        async with self._link.answering():
            rows = await self._items.find(whose).to_list()
        found = [(hits(words, row["folded"]), row["at_us"], row["memory_id"], row) for row in rows]
        ranked = sorted((f for f in found if f[0]), key=lambda f: f[:3], reverse=True)
        return [_memory(row) for *_, row in ranked[:limit]]

    async def clear(self, home_id: str, user_id: str) -> int:
        async with self._link.answering():
            return (await self._items.delete_many({"home_id": home_id, "user_id": user_id})).deleted_count


def _document(memory: Memory) -> Document:
    return {
        "_id": key(memory.home_id, memory.user_id, memory.id),
        "home_id": memory.home_id,
        "user_id": memory.user_id,
        "memory_id": memory.id,
        "kind": memory.kind,
        "text": memory.text,
        "folded": memory.words,
        "value": searchable(memory.value),
        "value_json": json_text(memory.value),
        "learnings": _learnings(memory),
        "source": memory.source,
        "said_by": memory.said_by,
        "turn_id": memory.turn_id,
        "updated_at": memory.at.astimezone(UTC),
        "at_us": micros(memory.at),
        "tainted": memory.tainted,
    }


def _learnings(memory: Memory) -> Document:
    if memory.kind != "preference":
        return {}
    nested: Any = searchable(memory.value.get("value"))
    for part in reversed(str(memory.value.get("name") or "").split(".")):
        nested = {part: nested}
    return searchable(nested) or {}


def _memory(row: Document) -> Memory:
    return Memory(
        home_id=row["home_id"],
        user_id=row["user_id"],
        id=row["memory_id"],
        kind=row["kind"],
        text=row["text"],
        value=json_value(row["value_json"]),
        source=row["source"],
        said_by=row["said_by"],
        turn_id=row["turn_id"],
        at=moment(row["at_us"]),
        tainted=row["tainted"],
    )
