"""What was said, by thread."""

from collections.abc import Sequence
from typing import Protocol

from homeguard.model import Message, Thread


class ConversationStore(Protocol):
    async def append(self, home_id: str, messages: Sequence[Message]) -> None:
        """Insert or replace by message id; creates the thread, titled by its first words, when there is none."""
        ...

    async def thread(self, home_id: str, user_id: str, thread_id: str) -> Thread | None: ...

    async def threads(self, home_id: str, user_id: str, *, limit: int = 50, search: str = "") -> list[Thread]:
        """This person's, newest first; `search` keeps those in which every word occurs."""
        ...

    async def messages(self, home_id: str, user_id: str, thread_id: str, *, limit: int = 200) -> list[Message]:
        """The last `limit`, oldest first; empty when the thread is not this person's."""
        ...

    async def clear(self, home_id: str, user_id: str, thread_id: str = "") -> int:
        """Delete this person's thread, or all of theirs; returns how many threads went."""
        ...
