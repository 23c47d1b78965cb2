"""The lists of each home, in PostgreSQL."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from homeguard.ports.lists import ListItem
from homeguard.stores.postgresql import Pool

_ADD: Final = """
INSERT INTO list_items (home_id, id, list, text, done, added_by, added_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (home_id, id) DO UPDATE SET text = excluded.text, done = excluded.done, added_by = excluded.added_by,
    added_at = excluded.added_at WHERE list_items.done
"""
_OF: Final = """
SELECT home_id, id, list, text, done, added_by, added_at FROM list_items WHERE home_id = $1 AND list = $2
ORDER BY added_at, id
"""
_NAMES: Final = "SELECT DISTINCT list FROM list_items WHERE home_id = $1 ORDER BY list"
_SET_DONE: Final = "UPDATE list_items SET done = $3 WHERE home_id = $1 AND id = ANY($2::text[]) AND done <> $3"
_REMOVE: Final = "DELETE FROM list_items WHERE home_id = $1 AND id = ANY($2::text[])"


class PostgresLists:
    """A `Lists`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, items: Sequence[ListItem]) -> list[ListItem]:
        new = []
        async with self._pool.transaction() as connection:
            for i in items:
                row = (i.home_id, i.id, i.list_name, i.text, i.done, i.added_by, i.added_at)
                if (await connection.execute(_ADD, *row)).endswith(" 1"):
                    new.append(i)
        return new

    async def of(self, home_id: str, list_name: str) -> list[ListItem]:
        return [_item(row) for row in await self._pool.fetch(_OF, home_id, list_name)]

    async def names(self, home_id: str) -> list[str]:
        return [row[0] for row in await self._pool.fetch(_NAMES, home_id)]

    async def set_done(self, home_id: str, ids: Collection[str], done: bool) -> int:
        return await self._pool.change(_SET_DONE, home_id, sorted(ids), done)

    async def remove(self, home_id: str, ids: Collection[str]) -> int:
        return await self._pool.change(_REMOVE, home_id, sorted(ids))


def _item(row: Any) -> ListItem:
    home_id, id_, list_name, text, done, added_by, added_at = row
    return ListItem(
        home_id=home_id, id=id_, list_name=list_name, text=text, done=done, added_by=added_by, added_at=added_at
    )
