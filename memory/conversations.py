"""Keeps conversations and gives back what matters of one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from homeguard.errors import NotFound
from homeguard.ids import derived_id
from homeguard.model import Json, Message, Principal
from homeguard.ports.conversations import ConversationStore
from memory.borne_out import Heard

#: How many earlier messages a turn is given.
RECALLED = 12
#: How many are looked at for what a person said themselves.
_HEARD = 60


class Conversations:
    """One person's threads in one home, read and written for a principal."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    async def thread_for(self, principal: Principal, thread_id: str) -> str:
        """The thread to go on with: the one named, or the person's last one when none is.

        `""` when they have none yet. A thread id that is new is theirs to use.
        """
        if thread_id:
            return thread_id
        last = await self._store.threads(principal.home_id, principal.user_id, limit=1)
        return last[0].id if last else ""

    async def recall(self, principal: Principal, thread_id: str) -> list[Message]:
        """The last messages of this person's thread, oldest first; empty for a thread that is not theirs."""
        return await self._store.messages(principal.home_id, principal.user_id, thread_id, limit=RECALLED)

    async def hear(self, principal: Principal, thread_id: str, turn_id: str, words: str, at: datetime) -> None:
        """Write down what the person said.

        Raises:
            NotFound: the thread belongs to someone else.
        """
        message = Message(
            id=derived_id("said", turn_id),
            home_id=principal.home_id,
            user_id=principal.user_id,
            thread_id=thread_id,
            turn_id=turn_id,
            role="user",
            text=words,
            at=at,
        )
        await self._store.append(principal.home_id, [message])
        if await self._store.thread(principal.home_id, principal.user_id, thread_id) is None:
            raise NotFound("there is no such conversation", code="THREAD_NOT_FOUND")

    async def heard(self, principal: Principal, is_yes: Callable[[str], bool]) -> Heard:
        """What the person of a turn said in its conversation, to the turn's own words. Raises StoreUnavailable."""
        turn = principal.turn
        if turn is None:
            return Heard(said=())
        lines = await self._store.messages(principal.home_id, principal.user_id, turn.thread_id, limit=_HEARD)
        earlier = [line for line in lines if line.turn_id != turn.id]
        told = earlier[-1].text if earlier and earlier[-1].role == "assistant" and is_yes(turn.words) else ""
        said = [line.text for line in earlier if line.role == "user"]
        return Heard(said=(*said, turn.words), offered=told, name=principal.name)

    async def answer(
        self,
        principal: Principal,
        thread_id: str,
        turn_id: str,
        text: str,
        at: datetime,
        *,
        part: str,
        calls: Sequence[Mapping[str, Json]],
        commands: Sequence[Mapping[str, Json]],
        confirmations: Sequence[str],
    ) -> None:
        """Write down what was answered; `part` tells a turn's answers apart (while it waits, and in the end)."""
        message = Message(
            id=derived_id("answered", turn_id, part),
            home_id=principal.home_id,
            user_id=principal.user_id,
            thread_id=thread_id,
            turn_id=turn_id,
            role="assistant",
            text=text,
            at=at,
            calls=tuple(calls),
            commands=tuple(commands),
            confirmations=tuple(confirmations),
        )
        await self._store.append(principal.home_id, [message])
