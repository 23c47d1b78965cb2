"""What is kept in mind of people and households, in `home.db`, found by words with FTS5."""

from collections.abc import Sequence
from typing import Any, Final

import apsw

from homeguard.errors import HomeMismatch
from homeguard.ports.memory import SHARED, Memory
from homeguard.recollection import asked_words, hits, is_short
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import micros, moment
from homeguard.stores.sqlite.database import Database

_COLUMNS: Final = "home_id, id, user_id, kind, text, value, source, said_by, turn_id, at, tainted"
_PUT: Final = (
    "INSERT INTO memories (home_id, id, user_id, kind, text, value, folded, source, said_by, turn_id, at, tainted)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (home_id, user_id, id) DO UPDATE SET"
    " kind = excluded.kind, text = excluded.text, value = excluded.value, folded = excluded.folded,"
    " source = excluded.source, said_by = excluded.said_by, turn_id = excluded.turn_id, at = excluded.at,"
    " tainted = excluded.tainted"
)
_ONE: Final = (
    f"SELECT {_COLUMNS} FROM memories WHERE home_id = ?1 AND id = ?3 AND user_id IN (?2, '')"  # noqa: S608 - literals
    " ORDER BY user_id DESC LIMIT 1"
)
_FORGET: Final = (
    "DELETE FROM memories WHERE number = (SELECT number FROM memories WHERE home_id = ?1 AND id = ?3"  # noqa: S608 - literals
    f" AND user_id IN (?2, '') ORDER BY user_id DESC LIMIT 1) RETURNING {_COLUMNS}"
)
_OF: Final = f"SELECT {_COLUMNS} FROM memories WHERE home_id = ? AND user_id = ? ORDER BY at DESC, id DESC"  # noqa: S608 - literals
#: The words first, through the index; a person has few, so those that fit are ranked outside.
_FOUND: Final = (
    "SELECT m.home_id, m.id, m.user_id, m.kind, m.text, m.value, m.source, m.said_by, m.turn_id, m.at, m.tainted,"
    " m.folded FROM memory_words AS w JOIN memories AS m ON m.number = w.rowid"
    " WHERE memory_words MATCH ? AND m.home_id = ? AND m.user_id IN (?, '')"
)


class SqliteMemory:
    """A `MemoryStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(
        self, home_id: str, user_id: str, *, put: Sequence[Memory] = (), forget: Sequence[str] = ()
    ) -> list[Memory]:
        if any(m.home_id != home_id or m.user_id not in (user_id, SHARED) for m in put):
            raise HomeMismatch("this is somebody else's to remember")

        def change(c: apsw.Connection) -> list[Memory]:
            for m in put:
                c.execute(
                    _PUT,
                    (
                        home_id, m.id, m.user_id, m.kind, m.text, json_text(m.value), m.words, m.source, m.said_by,
                        m.turn_id, micros(m.at), m.tainted,
                    ),
                )  # fmt: skip
            return [_memory(row) for id_ in forget for row in c.execute(_FORGET, (home_id, user_id, id_)).fetchall()]

        return await self._database.write(change)

    async def get(self, home_id: str, user_id: str, memory_id: str) -> Memory | None:
        row = await self._database.row(_ONE, (home_id, user_id, memory_id))
        return None if row is None else _memory(row)

    async def of(self, home_id: str, user_id: str) -> list[Memory]:
        return [_memory(row) for row in await self._database.rows(_OF, (home_id, user_id))]

    async def search(self, home_id: str, user_id: str, question: str, *, limit: int = 10) -> list[Memory]:
        words = asked_words(question)
        if not words or limit < 1:
            return []
        asked = " OR ".join(f'"{word}"' if is_short(word) else f'"{word}" *' for word in words)
        rows = await self._database.rows(_FOUND, (asked, home_id, user_id))
        ranked = sorted(rows, key=lambda row: (hits(words, row[11]), row[9], row[1]), reverse=True)
        return [_memory(row[:11]) for row in ranked[:limit]]

    async def clear(self, home_id: str, user_id: str) -> int:
        return await self._database.change("DELETE FROM memories WHERE home_id = ? AND user_id = ?", (home_id, user_id))


def _memory(row: Any) -> Memory:
    home_id, id_, user_id, kind, text, value, source, said_by, turn_id, at, tainted = row
    return Memory(
        home_id=home_id, id=id_, user_id=user_id, kind=kind, text=text, value=json_value(value), source=source,
        said_by=said_by, turn_id=turn_id, at=moment(at), tainted=bool(tainted),
    )  # fmt: skip
