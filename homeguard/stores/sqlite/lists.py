"""The lists of each home, in `home.db`."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import apsw

from homeguard.ports.lists import ListItem
from homeguard.stores.json_text import json_text
from homeguard.stores.sqlite.columns import micros, moment
from homeguard.stores.sqlite.database import Database

_ADD: Final = (
    "INSERT INTO list_items (home_id, id, list, text, done, added_by, added_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (home_id, id) DO UPDATE SET text = excluded.text, done = excluded.done, added_by = excluded.added_by,"
    " added_at = excluded.added_at WHERE list_items.done"
)
_OF: Final = (
    "SELECT home_id, id, list, text, done, added_by, added_at FROM list_items WHERE home_id = ? AND list = ?"
    " ORDER BY added_at, id"
)
_NAMES: Final = "SELECT DISTINCT list FROM list_items WHERE home_id = ? ORDER BY list"
_SET_DONE: Final = (
    "UPDATE list_items SET done = ? WHERE home_id = ? AND id IN (SELECT value FROM json_each(?)) AND done <> ?"
)
_REMOVE: Final = "DELETE FROM list_items WHERE home_id = ? AND id IN (SELECT value FROM json_each(?))"


class SqliteLists:
    """A `Lists`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, items: Sequence[ListItem]) -> list[ListItem]:
        def add(c: apsw.Connection) -> list[ListItem]:
            new = []
            for i in items:
                c.execute(_ADD, (i.home_id, i.id, i.list_name, i.text, int(i.done), i.added_by, micros(i.added_at)))
                if c.changes():
                    new.append(i)
            return new

        return await self._database.write(add)

    async def of(self, home_id: str, list_name: str) -> list[ListItem]:
        return [_item(row) for row in await self._database.rows(_OF, (home_id, list_name))]

    async def names(self, home_id: str) -> list[str]:
        return [row[0] for row in await self._database.rows(_NAMES, (home_id,))]

    async def set_done(self, home_id: str, ids: Collection[str], done: bool) -> int:
        given = (int(done), home_id, json_text(sorted(ids)), int(done))
        return await self._database.change(_SET_DONE, given)

    async def remove(self, home_id: str, ids: Collection[str]) -> int:
        return await self._database.change(_REMOVE, (home_id, json_text(sorted(ids))))


def _item(row: Any) -> ListItem:
    home_id, id_, list_name, text, done, added_by, added_at = row
    return ListItem(
        home_id=home_id, id=id_, list_name=list_name, text=text, done=bool(done), added_by=added_by,
        added_at=moment(added_at),
    )  # fmt: skip
