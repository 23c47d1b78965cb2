"""What was said, on an engine; what passes through is kept here too, for when the engine is away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from homeguard.errors import HomeMismatch, StoreUnavailable
from homeguard.model import Json, Message, Thread
from homeguard.ports.conversations import ConversationStore
from homeguard.staleness import note
from homeguard.stores.guarded.codec import decode, encode
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithConversations
from homeguard.stores.guarded.forwarder import Forwarder

CONCERN: Final = "conversations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Lines to append, a person's thread (`""`: all of theirs) to delete with `clear`, what holds for it, or its new
    title: one order for all."""

    home_id: str
    messages: tuple[Message, ...] = ()
    clear: bool = False
    user_id: str = ""
    thread_id: str = ""
    context: Mapping[str, Json] | None = None
    title: str | None = None


async def take_said(stores: WithConversations, values: Sequence[str]) -> None:
    for value in values:
        said = decode(Said, value)
        if said.context is not None:
            await stores.conversations.set_context(said.home_id, said.user_id, said.thread_id, said.context)
        elif said.title is not None:
            await stores.conversations.rename(said.home_id, said.user_id, said.thread_id, said.title)
        elif said.clear:
            await stores.conversations.clear(said.home_id, said.user_id, said.thread_id)
        else:
            await stores.conversations.append(said.home_id, said.messages)


class GuardedConversations:
    """A `ConversationStore`. While the engine is away `local` answers, with what this machine has heard."""

    def __init__(
        self, engine: GuardedEngine[WithConversations], local: ConversationStore, forwarder: Forwarder
    ) -> None:
        self._engine = engine
        self._local = local
        self._forwarder = forwarder

    async def append(self, home_id: str, messages: Sequence[Message]) -> None:
        if any(message.home_id != home_id for message in messages):
            raise HomeMismatch("a message names another home")
        if not self._forwarder.waiting(CONCERN):
            try:
                await self._engine.call(lambda s: s.conversations.append(home_id, messages))
            except StoreUnavailable:
                pass
            else:
                await self._local.append(home_id, messages)
                return
        await self._forwarder.keep(CONCERN, [encode(Said(home_id=home_id, messages=tuple(messages)))])
        await self._local.append(home_id, messages)

    async def thread(self, home_id: str, user_id: str, thread_id: str) -> Thread | None:
        waiting = self._forwarder.waiting(CONCERN)
        try:
            there = await self._engine.call(lambda s: s.conversations.thread(home_id, user_id, thread_id))
        except StoreUnavailable:
            self._note()
            return await self._local.thread(home_id, user_id, thread_id)
        if not waiting:
            return there
        here = await self._local.thread(home_id, user_id, thread_id)
        return there if here is None else here if there is None else _later(there, here)

    async def threads(self, home_id: str, user_id: str, *, limit: int = 50, search: str = "") -> list[Thread]:
        waiting = self._forwarder.waiting(CONCERN)
        try:
            there = await self._engine.call(
                lambda s: s.conversations.threads(home_id, user_id, limit=limit, search=search)
            )
        except StoreUnavailable:
            self._note()
            return await self._local.threads(home_id, user_id, limit=limit, search=search)
        if not waiting:
            return there
        found = {thread.id: thread for thread in there}
        for here in await self._local.threads(home_id, user_id, limit=limit, search=search):
            found[here.id] = _later(found.get(here.id, here), here)
        return sorted(found.values(), key=lambda t: (t.updated_at, t.id), reverse=True)[: max(limit, 0)]

    async def messages(self, home_id: str, user_id: str, thread_id: str, *, limit: int = 200) -> list[Message]:
        waiting = self._forwarder.waiting(CONCERN)
        try:
            there = await self._engine.call(
                lambda s: s.conversations.messages(home_id, user_id, thread_id, limit=limit)
            )
        except StoreUnavailable:
            self._note()
            return await self._local.messages(home_id, user_id, thread_id, limit=limit)
        if not waiting:
            return there
        found = {message.id: message for message in there}
        for here in await self._local.messages(home_id, user_id, thread_id, limit=limit):
            found[here.id] = here
        # Sorting keeps lines of equal time in the order in which they were said.
        lines = sorted(found.values(), key=lambda m: m.at)
        return lines[max(0, len(lines) - max(limit, 0)) :]

    async def context(self, home_id: str, user_id: str, thread_id: str) -> Mapping[str, Json]:
        waiting = self._forwarder.waiting(CONCERN)
        try:
            there = await self._engine.call(lambda s: s.conversations.context(home_id, user_id, thread_id))
        except StoreUnavailable:
            self._note()
            return await self._local.context(home_id, user_id, thread_id)
        return (await self._local.context(home_id, user_id, thread_id) or there) if waiting else there

    async def set_context(self, home_id: str, user_id: str, thread_id: str, context: Mapping[str, Json]) -> bool:
        if not self._forwarder.waiting(CONCERN):
            try:
                done = await self._engine.call(
                    lambda s: s.conversations.set_context(home_id, user_id, thread_id, context)
                )
            except StoreUnavailable:
                pass
            else:
                await self._local.set_context(home_id, user_id, thread_id, context)
                return done
        said = Said(home_id=home_id, user_id=user_id, thread_id=thread_id, context=context)
        await self._forwarder.keep(CONCERN, [encode(said)])
        return await self._local.set_context(home_id, user_id, thread_id, context)

    async def rename(self, home_id: str, user_id: str, thread_id: str, title: str) -> bool:
        if not self._forwarder.waiting(CONCERN):
            try:
                done = await self._engine.call(lambda s: s.conversations.rename(home_id, user_id, thread_id, title))
            except StoreUnavailable:
                pass
            else:
                await self._local.rename(home_id, user_id, thread_id, title)
                return done
        said = Said(home_id=home_id, user_id=user_id, thread_id=thread_id, title=title)
        await self._forwarder.keep(CONCERN, [encode(said)])
        return await self._local.rename(home_id, user_id, thread_id, title)

    async def clear(self, home_id: str, user_id: str, thread_id: str = "") -> int:
        """While the engine is away: how many of those known here; all of them go when it is back."""
        if not self._forwarder.waiting(CONCERN):
            try:
                # Once only: a second try would count none of what the first one took away.
                count = await self._engine.call(
                    lambda s: s.conversations.clear(home_id, user_id, thread_id), idempotent=False
                )
            except StoreUnavailable:
                pass
            else:
                await self._local.clear(home_id, user_id, thread_id)
                return count
        said = Said(home_id=home_id, clear=True, user_id=user_id, thread_id=thread_id)
        await self._forwarder.keep(CONCERN, [encode(said)])
        return await self._local.clear(home_id, user_id, thread_id)

    def _note(self) -> None:
        note(CONCERN, self._engine.away_since)


def _later(there: Thread, here: Thread) -> Thread:
    """The engine's thread, whose title is the older one, with what was said since."""
    if here.updated_at <= there.updated_at:
        return there
    return Thread(
        home_id=there.home_id, user_id=there.user_id, id=there.id, title=there.title, created_at=there.created_at,
        updated_at=here.updated_at,
    )  # fmt: skip
