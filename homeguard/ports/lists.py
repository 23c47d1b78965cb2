"""The lists that people of a home keep: what to buy, what to pack."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ListItem:
    """One line of a list. `id` is unique in its home; `added_by` says who wrote it last."""

    home_id: str
    id: str
    list_name: str
    text: str
    added_by: str
    added_at: datetime
    done: bool = False


class Lists(Protocol):
    async def add(self, items: Sequence[ListItem]) -> list[ListItem]:
        """Insert them; one that is there already under its (home, id) and done is open again, one that is open stays as
        it is. Returns those that were not open before, in the order given."""
        ...

    async def of(self, home_id: str, list_name: str) -> list[ListItem]:
        """Oldest first, those of equal time by id."""
        ...

    async def names(self, home_id: str) -> list[str]:
        """Of the lists that have an item, by code point."""
        ...

    async def set_done(self, home_id: str, ids: Collection[str], done: bool) -> int:
        """Returns how many changed."""
        ...

    async def remove(self, home_id: str, ids: Collection[str]) -> int:
        """Returns how many went."""
        ...
