"""All that is kept about one person, and letting go of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom data is about: a person, the homes they belong to, and those of these that nobody else belongs to."""

    user_id: str
    homes: tuple[str, ...] = ()
    sole_homes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """That this person is to be erased; from `begun_at` on there is no way back."""

    subject: Subject
    begun_at: datetime


class PersonalData(Protocol):
    """What one technology keeps, or all of them together."""

    async def export(self, subject: Subject) -> Mapping[str, list[dict[str, Any]]]:
        """Table -> rows that are about this person, by column; times as ISO 8601, no hashes of secrets. At most 100,000
        rows of each table.

        Raises:
            StoreUnavailable: a store did not answer: a copy with a hole in it is none.
        """
        ...

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        """Delete the person and what is theirs, and `sole_homes` with all that they hold; in what stays of other homes
        nothing names the person but the id, which then is nobody's. Returns table -> rows deleted or cleared; a store
        that does not count what it deletes says how many things went whole.

        When it was cut off or failed, do it again: what is gone already is passed over.

        Raises:
            StoreUnavailable: a store did not answer; the others have done their part.
        """
        ...


class Erasures(Protocol):
    """Who is being erased. In an installation of several processes each finds here what it has to let go of, too."""

    async def begin(self, erasure: Erasure) -> None:
        """On disk when it returns; one that was begun before stays as it was.

        Raises:
            StoreUnavailable: nothing was begun.
        """
        ...

    async def unfinished(self) -> list[Erasure]:
        """What this process has not carried out yet, oldest first."""
        ...

    async def finish(self, user_id: str, *, remembered: bool = False) -> None:
        """This process has nothing of that person any more. It is forgotten; `remembered`: kept, so that `begin` does
        not begin it a second time."""
        ...
