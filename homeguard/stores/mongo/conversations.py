"""What each person and the agent said to one another: threads in `agent_conversations`, lines in `agent_messages`.

A thread's document holds its `life`, which is new each time the thread is created; a line belongs to a life. So a
thread that was cleared while somebody still wrote to it never shows lines of before.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Final, TypeAlias, cast

from pymongo import ReturnDocument, UpdateOne

from homeguard.errors import Conflict, HomeMismatch
from homeguard.ids import new_id
from homeguard.model import Json, Message, Thread
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.mongo.documents import Document, fitting, key, micros, moment, searchable
from homeguard.stores.mongo.link import TRIES, Link, until_placed
from homeguard.titles import title_of

#: A message and its fields, but for its place in the thread.
_Line: TypeAlias = tuple[Message, Document]

_NEWEST_THREADS: Final = [("updated_us", -1), ("session_id", -1)]
_NEWEST_LINES: Final = [("at_us", -1), ("seq", -1)]
#: How many threads a search looks through at a time.
_CHUNK: Final = 100
#: How many lines are written in one request.
_LINES: Final = 100


class MongoConversations:
    """A `ConversationStore`. A thread belongs to one person: the same id under another person is another thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._threads = link["agent_conversations"]
        self._lines = link["agent_messages"]

    async def append(self, home_id: str, messages: Sequence[Message]) -> None:
        """Raises HomeMismatch when a message names another home."""
        if any(message.home_id != home_id for message in messages):
            raise HomeMismatch("a message names another home")
        by_thread: dict[tuple[str, str], list[_Line]] = {}
        for message in messages:
            line = (message, fitting(_fields(message)))
            by_thread.setdefault((message.user_id, message.thread_id), []).append(line)
        for said in by_thread.values():
            for start in range(0, len(said), _LINES):
                async with self._link.answering():
                    await self._say(said[start : start + _LINES])

    async def _say(self, said: Sequence[_Line]) -> None:
        """Write lines of one thread; again when the thread was cleared in between."""
        for _ in range(TRIES):
            thread = await self._go_on([message for message, _ in said])
            first = thread["said"] - len(said)
            changes = [
                UpdateOne(
                    {"_id": key(message.home_id, message.user_id, message.id)},
                    # `seq` keeps lines of equal time in the order in which they were first said.
                    {"$set": {**fields, "life": thread["life"]}, "$setOnInsert": {"seq": first + number}},
                    upsert=True,
                )
                for number, (message, fields) in enumerate(said)
            ]
            await until_placed(lambda changes=changes: self._lines.bulk_write(changes))  # type: ignore[misc]
            if await self._threads.find_one({"_id": thread["_id"], "life": thread["life"]}) is not None:
                return
        raise Conflict("the thread is being cleared")

    async def _go_on(self, said: Sequence[Message]) -> Document:
        """Create the thread or move it up, and number the lines: one atomic change of one document."""
        first, last = said[0], max(said, key=lambda message: message.at)
        change = {
            "$setOnInsert": {
                "home_id": first.home_id,
                "user_id": first.user_id,
                "session_id": first.thread_id,
                "life": new_id(),
                "title": title_of(first.text),
                "created_at": first.at.astimezone(UTC),
                "created_us": micros(first.at),
            },
            "$max": {"updated_at": last.at.astimezone(UTC), "updated_us": micros(last.at)},
            "$inc": {"said": len(said)},
        }
        name = {"_id": key(first.home_id, first.user_id, first.thread_id)}
        row = await until_placed(
            lambda: self._threads.find_one_and_update(name, change, upsert=True, return_document=ReturnDocument.AFTER)
        )
        return cast("Document", row)

    async def thread(self, home_id: str, user_id: str, thread_id: str) -> Thread | None:
        async with self._link.answering():
            row = await self._threads.find_one({"_id": key(home_id, user_id, thread_id)})
        return None if row is None else _thread(row)

    async def threads(self, home_id: str, user_id: str, *, limit: int = 50, search: str = "") -> list[Thread]:
        if limit < 1:
            return []
        words = list(dict.fromkeys(search.casefold().split()))
        found: list[Thread] = []
        async with self._link.answering():
            mine = self._threads.find({"home_id": home_id, "user_id": user_id}).sort(_NEWEST_THREADS)
            if not words:
                return [_thread(row) for row in await mine.limit(limit).to_list()]
            async with mine.batch_size(_CHUNK):
                while len(found) < limit and (rows := await mine.to_list(_CHUNK)):
                    lives = await self._lives_with(words, [row["life"] for row in rows])
                    found += [_thread(row) for row in rows if row["life"] in lives]
        return found[:limit]

    async def _lives_with(self, words: Sequence[str], lives: list[str]) -> set[str]:
        """Those of these lives in whose lines every word occurs."""
        left = lives
        for word in words:
            if left:
                hit = {"life": {"$in": left}, "folded": {"$regex": _literal(word)}}
                left = await self._lines.distinct("life", hit)
        return set(left)

    async def messages(self, home_id: str, user_id: str, thread_id: str, *, limit: int = 200) -> list[Message]:
        if limit < 1:
            return []
        async with self._link.answering():
            thread = await self._threads.find_one({"_id": key(home_id, user_id, thread_id)})
            if thread is None:
                return []
            rows = await self._lines.find({"life": thread["life"]}).sort(_NEWEST_LINES).limit(limit).to_list()
        return [_message(row) for row in reversed(rows)]

    async def context(self, home_id: str, user_id: str, thread_id: str) -> Mapping[str, Json]:
        async with self._link.answering():
            row = await self._threads.find_one({"_id": key(home_id, user_id, thread_id)})
        return {} if row is None else dict(json_value(row.get("context_json") or "{}"))

    async def set_context(self, home_id: str, user_id: str, thread_id: str, context: Mapping[str, Json]) -> bool:
        fields = fitting({"context": searchable(context), "context_json": json_text(context)})
        async with self._link.answering():
            done = await self._threads.update_one({"_id": key(home_id, user_id, thread_id)}, {"$set": fields})
        return done.matched_count > 0

    async def rename(self, home_id: str, user_id: str, thread_id: str, title: str) -> bool:
        async with self._link.answering():
            done = await self._threads.update_one(
                {"_id": key(home_id, user_id, thread_id)}, {"$set": fitting({"title": title})}
            )
        return done.matched_count > 0

    async def clear(self, home_id: str, user_id: str, thread_id: str = "") -> int:
        which: Document = {"home_id": home_id, "user_id": user_id}
        if thread_id:
            which["_id"] = key(home_id, user_id, thread_id)
        gone = 0
        while True:
            async with self._link.answering():
                rows = await self._threads.find(which).limit(_CHUNK).to_list()
                if not rows:
                    return gone
                lives = [row["life"] for row in rows]
                # Lines first: what stops here is found, and cleared, by the next try. Then those said meanwhile.
                await self._lines.delete_many({"life": {"$in": lives}})
                gone += (await self._threads.delete_many({"life": {"$in": lives}})).deleted_count
                await self._lines.delete_many({"life": {"$in": lives}})
            if len(rows) < _CHUNK:
                return gone


def _fields(message: Message) -> Document:
    """All of a line but its place."""
    return {
        "home_id": message.home_id,
        "user_id": message.user_id,
        "session_id": message.thread_id,
        "message_id": message.id,
        "turn_id": message.turn_id,
        "role": message.role,
        "content": message.text,
        "folded": message.text.casefold(),
        "timestamp": message.at.astimezone(UTC),
        "at_us": micros(message.at),
        "calls_json": json_text(message.calls),
        "commands_json": json_text(message.commands),
        "confirmations": list(message.confirmations),
    }


def _literal(word: str) -> str:
    """A pattern for exactly this text, in the notation that all servers' engines share."""
    return re.sub(r"[^\w]", lambda sign: f"\\x{{{ord(sign.group()):x}}}", word)


def _thread(row: Document) -> Thread:
    return Thread(
        id=row["session_id"],
        home_id=row["home_id"],
        user_id=row["user_id"],
        title=row["title"],
        created_at=moment(row["created_us"]),
        updated_at=moment(row["updated_us"]),
    )


def _message(row: Document) -> Message:
    return Message(
        id=row["message_id"],
        home_id=row["home_id"],
        user_id=row["user_id"],
        thread_id=row["session_id"],
        turn_id=row["turn_id"],
        role=row["role"],
        text=row["content"],
        at=moment(row["at_us"]),
        calls=tuple(json_value(row["calls_json"])),
        commands=tuple(json_value(row["commands_json"])),
        confirmations=tuple(row["confirmations"]),
    )
