"""Keeping and forgetting: the acts behind the gate, and what is noted when a turn is over."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from homeguard.clock import Clock
from homeguard.errors import InvalidInput, NotAllowed, StoreUnavailable
from homeguard.model import Effect, Json, Principal
from homeguard.ports.conversations import ConversationStore
from homeguard.ports.memory import MOST_ITEMS, SHARED, Memory, MemorySource, MemoryStore
from memory.borne_out import is_borne_out
from memory.conversations import RECALLED, Conversations
from memory.items import Item, id_of, item_from
from memory.summary import grown
from memory.vacation import vacation_context

log = logging.getLogger("homeguard.memory")

#: How many lines are looked at when a turn is over: so many that none is missed between two turns.
_LOOKED_AT: Final = RECALLED + 40


class NotSaid(NotAllowed):
    """An agent would keep of a person what that person did not say."""

    code = "NOT_SAID"


_Act = Callable[[Principal, Effect, str], Awaitable[Mapping[str, Json]]]


class Memories:
    """What is kept of people and households, written for a principal that the gate let pass.

    An agent keeps only what the person said, in its turn or earlier in its conversation, or said a plain yes to.
    """

    def __init__(
        self, store: MemoryStore, clock: Clock, conversations: ConversationStore, is_yes: Callable[[str], bool]
    ) -> None:
        self._store = store
        self._clock = clock
        self._conversations = Conversations(conversations)
        self._is_yes = is_yes

    def registry(self) -> Mapping[str, _Act]:
        """The acts by the kind of their effect."""
        return {"remember": self.remember, "forget": self.forget}

    async def remember(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Keep the effect's `items` and let go of those whose ids are in `remove`; tells both as `shown`.

        Raises:
            InvalidInput: an item is none, or there are too many already.
            NotSaid: an agent would keep what the person neither said nor agreed to; nothing was kept.
        """
        given: Mapping[str, Any] = effect.parameters
        items = [item_from(raw) for raw in given.get("items", ())]
        await self._said(principal, items)
        kept = [self._memory(item, principal) for item in items]
        await self._has_room(principal, kept)
        gone = await self._store.change(
            principal.home_id, principal.user_id, put=kept, forget=[str(id_) for id_ in given.get("remove", ())]
        )
        return {"remembered": [shown(m) for m in kept], "forgotten": [shown(m) for m in gone]}

    async def forget(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Let go of the effect's `ids`, as far as they are the person's own or the household's; tells what went."""
        ids = [str(id_) for id_ in effect.parameters.get("ids", ())]  # type: ignore[union-attr]
        gone = await self._store.change(principal.home_id, principal.user_id, forget=ids)
        return {"remembered": [], "forgotten": [shown(m) for m in gone]}

    async def _said(self, principal: Principal, items: Sequence[Item]) -> None:
        if principal.caller != "agent" or not items or (principal.turn is not None and principal.turn.tainted):
            return  # what comes by others' text is the gate's, and marked as theirs
        heard = await self._conversations.heard(principal, self._is_yes)
        unsaid = next((item for item in items if not is_borne_out(item, heard)), None)
        if unsaid is not None:
            raise NotSaid(
                f"the person did not say this. Ask them: \u201cShall I remember: {unsaid.text}?\u201d "
                "and keep it in just these words once they said yes"
            )

    def _memory(self, item: Item, principal: Principal) -> Memory:
        if not principal.user_id or principal.role == "guest":
            raise NotAllowed("only a person who lives here can have something remembered")
        source = source_of(principal)
        return Memory(
            id=id_of(item, principal.home_id, principal.user_id),
            home_id=principal.home_id,
            user_id=SHARED if item.shared else principal.user_id,
            kind=item.kind,
            text=item.text,
            value=item.value,
            source=source,
            said_by=principal.user_id,
            turn_id=principal.turn.id if principal.turn is not None else "",
            at=self._clock.now(),
            tainted=source in ("client", "third_party"),
        )

    async def _has_room(self, principal: Principal, kept: Sequence[Memory]) -> None:
        for owner in {m.user_id for m in kept}:
            there = {m.id for m in await self._store.of(principal.home_id, owner)}
            if len(there | {m.id for m in kept if m.user_id == owner}) > MOST_ITEMS:
                raise InvalidInput(f"I keep at most {MOST_ITEMS} things; forget something first", field="text")


def source_of(principal: Principal) -> MemorySource:
    """Where something that is kept comes from."""
    if principal.caller == "person":
        return "page"
    if principal.caller == "client":
        return "client"
    if principal.turn is None:
        return "derived"
    return "third_party" if principal.turn.tainted else "words"


def shown(memory: Memory) -> dict[str, Json]:
    """An item as results tell it."""
    return {"id": memory.id, "kind": memory.kind, "text": memory.text, "shared": memory.user_id == SHARED}


class AfterTurn:
    """What is noted of a conversation when one of its turns is over."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    async def after_turn(
        self,
        principal: Principal,
        thread_id: str,
        *,
        words: str,
        commands: Sequence[Mapping[str, Any]],
        now: datetime,
        time_zone: str,
    ) -> None:
        """Bring the thread's summary and its vacation up to date. `now` is by the home's clock, `commands` the turn's
        outcomes as `pipeline.command.show` has them. A store that does not answer loses no more than this."""
        home, person = principal.home_id, principal.user_id
        try:
            before = await self._store.context(home, person, thread_id)
            lines = await self._store.messages(home, person, thread_id, limit=_LOOKED_AT)
            here = now.astimezone(_zone(time_zone))
            after = {**before, **vacation_context(words, commands, here), **grown(before, lines[:-RECALLED])}
            if after != before:
                await self._store.set_context(home, person, thread_id, after)
        except StoreUnavailable as error:
            log.warning("what a conversation was about could not be noted: %s", error.message)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
