"""What HomeGuard was asked to keep in mind: of a person, and of a household. Data, never a permission."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from homeguard.model import Json
from homeguard.recollection import of_all

#: A `fact` is free text, a `preference` a learning with a name; the others make up the household.
MemoryKind: TypeAlias = Literal["fact", "preference", "resident", "pet", "contact", "vehicle", "address", "quiet_hours"]
#: Who said it: the person's own words, one of our pages, a program that acts for the person, what HomeGuard noticed
#: by itself, somebody else.
MemorySource: TypeAlias = Literal["words", "page", "client", "derived", "third_party"]

HOUSEHOLD_KINDS: Final = frozenset(("resident", "pet", "contact", "vehicle", "address", "quiet_hours"))
#: Whose it is when it is the household's.
SHARED: Final = ""
#: Items that one person, or one household, has at most.
MOST_ITEMS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One thing. `user_id` says whose it is (`SHARED`: all members see it), `said_by` who said it, in which turn.

    `text` is a sentence for people; `value` the same for programs (`{"name": "Biscuit", "species": "dog"}`; of a
    preference `{"name": "routines.morning_departure", "value": "07:15"}`). `tainted`: it came from third parties.
    """

    id: str
    home_id: str
    user_id: str
    kind: MemoryKind
    text: str
    source: MemorySource
    at: datetime
    value: Mapping[str, Json] = field(default_factory=dict)
    said_by: str = ""
    turn_id: str = ""
    tainted: bool = False

    @property
    def words(self) -> str:
        """What it is found by, folded: its text, its kind and the texts of its value."""
        return of_all((self.text, self.kind.replace("_", " "), *(v for v in self.value.values() if isinstance(v, str))))


class MemoryStore(Protocol):
    async def change(
        self, home_id: str, user_id: str, *, put: Sequence[Memory] = (), forget: Sequence[str] = ()
    ) -> list[Memory]:
        """Insert or replace by id, then delete those of `forget` that are this person's own or the household's; returns
        the deleted ones, in the order asked. Of another person nothing is replaced or deleted.

        Raises:
            HomeMismatch: an item is another home's, or neither this person's nor the household's; nothing was kept.
        """
        ...

    async def get(self, home_id: str, user_id: str, memory_id: str) -> Memory | None:
        """This person's own or the household's."""
        ...

    async def of(self, home_id: str, user_id: str) -> list[Memory]:
        """All of this person's own (`SHARED`: all of the household's), newest first, those of equal time by id
        backwards."""
        ...

    async def search(self, home_id: str, user_id: str, question: str, *, limit: int = 10) -> list[Memory]:
        """This person's own and the household's in which a word of the question occurs: those with more of them first,
        then newest first, then by id backwards. Words that stand in every sentence do not count."""
        ...

    async def clear(self, home_id: str, user_id: str) -> int:
        """Delete all of this person's own (`SHARED`: the household's); returns how many went."""
        ...
