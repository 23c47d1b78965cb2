"""Goes on with a turn of before, one that waited for a person or was cut off, or ends it in words."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from agent.answering import Answering
from agent.doors import Questions
from agent.endings import interrupted_text, with_reasons
from agent.graph.acting import decided
from agent.graph.state import State
from agent.graph.turns import Look, Turns
from agent.notebook import Notebook
from agent.running import Running, asked_text
from agent.sink import Sink
from homeguard.clock import Clock, parse_time
from homeguard.model import Principal
from homeguard.named import home_named
from homeguard.ports.live_state import LiveFeed
from homeguard.ports.users import UserStore

#: A turn that was cut off acts on only so long after its last step; one that waited for a person, after that.
GOES_ON_WITHIN: Final = timedelta(seconds=60)
WAITED_WITHIN: Final = timedelta(minutes=10)


class TakingUp:
    """Nobody listens any more: what is said goes to the notebook and to the home's live feed."""

    def __init__(
        self,
        *,
        turns: Turns,
        running: Running,
        answering: Answering,
        notebook: Notebook,
        users: UserStore,
        feed: LiveFeed,
        questions: Questions,
        clock: Clock,
    ) -> None:
        self._turns = turns
        self._running = running
        self._answering = answering
        self._notebook = notebook
        self._users = users
        self._feed = feed
        self._questions = questions
        self._clock = clock

    async def take_up(self, key: str, look: Look) -> bool:
        """Go on with a turn from its last checkpoint, or end it in words; its line is ours."""
        state = look.state
        cards = await self._running.cards(state)
        left = [card for card in cards if card["state"] == "open"]
        person = await self._still_here(state)
        if person is None:
            for card in left:
                await self._questions.withdraw(str(card["home_id"] or ""), str(card["id"]), "no-member")
            await self._turns.forget(key)
            return False
        if not look.unfinished:  # it was written down, and then cut off before it was forgotten
            await self._turns.forget(key)
            return True
        if left:
            if not await self._notebook.has_answered(person, state, part="waiting"):
                await self._notebook.answer(person, state, asked_text(state), part="waiting")
            return False
        sink = Sink(state["turn_id"], is_open=False)
        idle = self._clock.now() - parse_time(state.get("at", "1970-01-01T00:00:00Z"))
        if idle > (WAITED_WITHIN if look.waits else GOES_ON_WITHIN):
            await self._end_in_words(key, person, state, {str(c["id"]): c for c in cards})
            return True
        if not look.waits:
            await self._notebook.hear(person, state)
        home = await home_named(self._users, person.home_id)
        if state.get("answering"):
            status = await self._answering.through(key, replace(person, caller="person"), home, state, sink)
        else:
            status = await self._running.go_on(key, person, home, look, sink)
        if status != "waiting" and sink.answer:
            await self._publish(person, sink.last_state or state, sink)
        return True

    async def _end_in_words(
        self, key: str, person: Principal, state: State, cards: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """A turn that was cut off too long ago does nothing any more: it tells what it had done."""
        answered = decided(state, cards)[1] if state.get("began_at") else []
        done = with_reasons(state.get("commands", []), await self._running.done_by(state), answered)
        text = interrupted_text(done, begun=state.get("steps", 0) > 0)
        await self._notebook.hear(person, state)
        await self._notebook.answer(person, {**state, "commands": done}, text, part="end")
        await self._turns.forget(key)
        sink = Sink(state["turn_id"], is_open=False)
        sink.put("answer", {"text": text})
        await self._publish(person, {**state, "commands": done}, sink)

    async def _publish(self, principal: Principal, state: State, sink: Sink) -> None:
        await self._feed.publish([self._notebook.told(principal, state, str(sink.answer.get("text", "")))])

    async def _still_here(self, state: State) -> Principal | None:
        """The person of a stored turn with the rights that they have today, or None when they left the home."""
        kept = state["principal"]
        members = await self._users.members(kept["home_id"])
        member = next((m for m in members if m.user_id == kept["user_id"]), None)
        if member is None:
            return None
        return Principal(
            home_id=kept["home_id"], user_id=kept["user_id"], role=member.role, caller="agent",
            scopes=frozenset(kept["scopes"]), name=kept["name"],
        )  # fmt: skip
