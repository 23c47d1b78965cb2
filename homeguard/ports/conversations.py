"""What was said, by thread."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from homeguard.model import Json, Message, Thread


class ConversationStore(Protocol):
    async def append(self, home_id: str, messages: Sequence[Message]) -> None:
        """Insert or replace by message id; creates the thread, titled by its first words, when there is none.

        Lines of equal time stay in the order in which they were first said. A line of another thread moves to the one
        that it names now. When a store could not be reached in the middle, append the same again.

        Raises:
            HomeMismatch: a message names another home; nothing was kept.
        """
        ...

    async def thread(self, home_id: str, user_id: str, thread_id: str) -> Thread | None: ...

    async def threads(self, home_id: str, user_id: str, *, limit: int = 50, search: str = "") -> list[Thread]:
        """This person's, newest first, those of equal time by id backwards; a `limit` below 1 asks for nothing.

        `search` keeps those in whose lines every word occurs, as part of a word too, in upper or lower case.
        """
        ...

    async def messages(self, home_id: str, user_id: str, thread_id: str, *, limit: int = 200) -> list[Message]:
        """The last `limit` (below 1: none), oldest first; empty when the thread is not this person's."""
        ...

    async def context(self, home_id: str, user_id: str, thread_id: str) -> Mapping[str, Json]:
        """What holds for this person's thread (`vacation_mode`, `return_date`, its `summary`); `{}` where nothing does,
        or the thread is not this person's."""
        ...

    async def set_context(self, home_id: str, user_id: str, thread_id: str, context: Mapping[str, Json]) -> bool:
        """Replace it; it goes with its thread. False, and nothing is kept, when this person has no such thread."""
        ...

    async def rename(self, home_id: str, user_id: str, thread_id: str, title: str) -> bool:
        """Call this person's thread by another title, which lines that are said later leave as it is. False, and
        nothing is kept, when this person has no such thread."""
        ...

    async def clear(self, home_id: str, user_id: str, thread_id: str = "") -> int:
        """Delete this person's thread, or all of theirs; returns how many threads went."""
        ...
