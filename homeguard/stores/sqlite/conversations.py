"""What each person and the agent said to one another, by thread, in `home.db`."""

from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from homeguard.errors import HomeMismatch
from homeguard.model import Json, Message, Thread
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import Cell, micros, moment
from homeguard.stores.sqlite.database import Database
from homeguard.titles import title_of

_THREAD = "SELECT home_id, user_id, id, title, created_at, updated_at FROM threads "
_PUT_THREAD = (
    "INSERT INTO threads (home_id, user_id, id, title, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (home_id, user_id, id) DO UPDATE SET updated_at = max(updated_at, excluded.updated_at)"
)
_PUT_MESSAGE = (
    "INSERT INTO messages (home_id, user_id, thread_id, id, turn_id, role, text, folded, at, calls, commands,"
    " confirmations) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (home_id, user_id, id) DO UPDATE SET thread_id = excluded.thread_id, turn_id = excluded.turn_id,"
    " role = excluded.role, text = excluded.text, folded = excluded.folded, at = excluded.at, calls = excluded.calls,"
    " commands = excluded.commands, confirmations = excluded.confirmations"
)
_MESSAGES = (
    "SELECT id, home_id, user_id, thread_id, turn_id, role, text, at, calls, commands, confirmations FROM messages"
    " WHERE home_id = ? AND user_id = ? AND thread_id = ? ORDER BY at DESC, number DESC LIMIT ?"
)
_THREADS = (
    _THREAD + "AS t WHERE home_id = :home AND user_id = :user AND NOT EXISTS (SELECT 1 FROM json_each(:words) AS word"  # noqa: S608 - literals
    " WHERE NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.home_id = t.home_id AND m.user_id = t.user_id"
    " AND m.thread_id = t.id AND instr(m.folded, word.value) > 0))"
    " ORDER BY updated_at DESC, id DESC LIMIT :limit"
)


class SqliteConversations:
    """A `ConversationStore`. A thread belongs to one person: the same id under another person is another thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, home_id: str, messages: Sequence[Message]) -> None:
        """Raises HomeMismatch when a message names another home."""
        if any(message.home_id != home_id for message in messages):
            raise HomeMismatch("a message names another home")

        def put(c: apsw.Connection) -> None:
            for m in messages:
                at = micros(m.at)
                c.execute(_PUT_THREAD, (home_id, m.user_id, m.thread_id, title_of(m.text), at, at))
                c.execute(
                    _PUT_MESSAGE,
                    (
                        home_id, m.user_id, m.thread_id, m.id, m.turn_id, m.role, m.text, m.text.casefold(), at,
                        json_text(m.calls), json_text(m.commands), json_text(m.confirmations),
                    ),
                )  # fmt: skip

        await self._database.write(put)

    async def thread(self, home_id: str, user_id: str, thread_id: str) -> Thread | None:
        sql = _THREAD + "WHERE home_id = ? AND user_id = ? AND id = ?"
        row = await self._database.row(sql, (home_id, user_id, thread_id))
        return None if row is None else _thread(row)

    async def threads(self, home_id: str, user_id: str, *, limit: int = 50, search: str = "") -> list[Thread]:
        given: dict[str, Cell] = {
            "home": home_id,
            "user": user_id,
            "words": json_text(search.casefold().split()),
            "limit": max(limit, 0),
        }
        rows = await self._database.rows(_THREADS, given)
        return [_thread(row) for row in rows]

    async def messages(self, home_id: str, user_id: str, thread_id: str, *, limit: int = 200) -> list[Message]:
        given = (home_id, user_id, thread_id, max(limit, 0))
        rows = await self._database.rows(_MESSAGES, given)
        return [_message(row) for row in reversed(rows)]

    async def context(self, home_id: str, user_id: str, thread_id: str) -> Mapping[str, Json]:
        sql = "SELECT context FROM threads WHERE home_id = ? AND user_id = ? AND id = ?"
        row = await self._database.row(sql, (home_id, user_id, thread_id))
        return {} if row is None else dict(json_value(row[0]))

    async def set_context(self, home_id: str, user_id: str, thread_id: str, context: Mapping[str, Json]) -> bool:
        sql = "UPDATE threads SET context = ? WHERE home_id = ? AND user_id = ? AND id = ?"
        return await self._database.change(sql, (json_text(context), home_id, user_id, thread_id)) > 0

    async def rename(self, home_id: str, user_id: str, thread_id: str, title: str) -> bool:
        sql = "UPDATE threads SET title = ? WHERE home_id = ? AND user_id = ? AND id = ?"
        return await self._database.change(sql, (title, home_id, user_id, thread_id)) > 0

    async def clear(self, home_id: str, user_id: str, thread_id: str = "") -> int:
        def clear(c: apsw.Connection) -> int:
            sql = "DELETE FROM threads WHERE home_id = ?1 AND user_id = ?2 AND (?3 = '' OR id = ?3)"
            c.execute(sql, (home_id, user_id, thread_id))
            return c.changes()

        return await self._database.write(clear)


def _thread(row: Any) -> Thread:
    home_id, user_id, id_, title, created_at, updated_at = row
    return Thread(
        home_id=home_id, user_id=user_id, id=id_, title=title, created_at=moment(created_at),
        updated_at=moment(updated_at),
    )  # fmt: skip


def _message(row: Any) -> Message:
    (id_, home_id, user_id, thread_id, turn_id, role, text, at, calls, commands, confirmations) = row
    return Message(
        id=id_, home_id=home_id, user_id=user_id, thread_id=thread_id, turn_id=turn_id, role=role, text=text,
        at=moment(at), calls=tuple(json_value(calls)), commands=tuple(json_value(commands)),
        confirmations=tuple(json_value(confirmations)),
    )  # fmt: skip
