"""Runs a turn from its last checkpoint to its end or to where it waits, or ends it in the words for what broke."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from agent.doors import Questions
from agent.endings import with_reasons
from agent.evidence.outcomes import say_outcomes
from agent.graph.acting import card_ids
from agent.graph.caps import Caps
from agent.graph.context import Context
from agent.graph.plan import BY_WORDS, waiting_text
from agent.graph.state import State
from agent.graph.turns import Look, Turns
from agent.limited import Limited
from agent.models.protocol import Model
from agent.notebook import Notebook
from agent.sink import Sink
from agent.toolbox import Toolbox
from homeguard.clock import Clock, HomeClocks, parse_time
from homeguard.errors import HomeGuardError, ModelUnavailable
from homeguard.model import Home, Principal

log = logging.getLogger("homeguard.agent")

#: Turns at the same time over all homes; one more waits in line.
MAX_TURNS: Final = 32


class Running:
    """Every way to run a turn tells its status: `completed`, `waiting` or `failed`."""

    def __init__(
        self,
        *,
        turns: Turns,
        toolbox: Toolbox,
        models: Sequence[Model],
        system: str,
        notebook: Notebook,
        questions: Questions,
        clock: Clock,
        clocks: HomeClocks,
        caps: Caps,
    ) -> None:
        self._turns = turns
        self._toolbox = toolbox
        self._models = models
        self._system = system
        self._notebook = notebook
        self._questions = questions
        self._clock = clock
        self._clocks = clocks
        self._caps = caps
        self._limited = Limited()
        self._room = asyncio.Semaphore(MAX_TURNS)

    async def run(self, key: str, principal: Principal, home: Home, sink: Sink, *, waited: bool) -> str:
        """From the last checkpoint to the end (then it is written down and forgotten), or to a card."""
        context = self._context(principal, home)
        while True:
            async with self._room, asyncio.timeout(self._caps.turn_s):
                async for data in self._turns.go_on(key, waited=waited, context=context):
                    sink.put(data.pop("name"), data)
            look = await self._turns.look(key)
            if look is None:
                return "failed"
            sink.last_state = look.state
            if not look.waits or any(card["state"] == "open" for card in await self.cards(look.state)):
                break
            waited = True  # the cards were answered before the turn stood still
        if look.waits:
            text = " ".join(part for part in (self._limited.notice(look.state), asked_text(look.state)) if part)
            sink.put("answer", {"text": text, "evidence": [], "refusals": look.state.get("refusals", [])})
            await self._notebook.answer(principal, look.state, text, part="waiting")
            return "waiting"
        await self._turns.forget(key)
        return "completed"

    async def fail(self, key: str, principal: Principal, state: State, sink: Sink, error: Exception) -> None:
        """The turn ends in words, with what was done so far, whatever broke."""
        if isinstance(error, HomeGuardError):
            code, sentence = error.code, error.message
        elif isinstance(error, TimeoutError):
            code, sentence = "TURN_TIMEOUT", "this took too long, so I stopped"
        else:
            log.error("turn %s failed", sink.turn_id, exc_info=error)
            code, sentence = "INTERNAL", "something went wrong on my side"
        if isinstance(error, ModelUnavailable):
            sentence = "the language model does not answer"
        sink.put("error", {"error": {"code": code, "message": sentence}})
        look = await self._turns.look(key)
        kept = look.state if look is not None else state
        done = with_reasons(kept.get("commands", []), await self.done_by(kept), sink.commands)
        text = f"Sorry, {sentence}. {say_outcomes(done) if done else 'Nothing was changed.'}"
        if sink.unfinished_change:
            text += " Something that I had begun may still happen."
        sink.put("answer", {"text": text, "evidence": [], "refusals": []})
        sink.last_state = kept
        # First: what was told as over is not taken up again, also when the words find no room.
        await self._turns.forget(key)
        await self._notebook.answer(principal, {**kept, "commands": done}, text, part="end")

    async def go_on(self, key: str, person: Principal, home: Home, look: Look, sink: Sink) -> str:
        """Run a turn of before from where it stands; what breaks ends it in words."""
        try:
            return await self.run(key, person, home, sink, waited=look.waits)
        except Exception as error:
            await self.fail(key, person, look.state, sink, error)
            return "failed"

    async def cards(self, state: State) -> list[Mapping[str, Any]]:
        """What this turn has asked people, as it is now."""
        found = [await self._questions.show(state["principal"]["home_id"], i) for i in card_ids(state)]
        return [{"home_id": state["principal"]["home_id"], **card} for card in found if card is not None]

    async def done_by(self, state: State) -> Sequence[Mapping[str, Any]]:
        """What the journal has of this turn's commands."""
        if not state.get("began_at"):
            return []
        since = parse_time(state["began_at"]) - timedelta(seconds=1)
        return await self._questions.done_by(state["principal"]["home_id"], state["turn_id"], since)

    def _context(self, principal: Principal, home: Home) -> Context:
        async def confirmation(confirmation_id: str) -> Mapping[str, Any] | None:
            return await self._questions.show(principal.home_id, confirmation_id)

        return Context(
            toolbox=self._toolbox,
            models=self._models,
            home=home,
            system=self._system,
            caps=self._caps,
            now=lambda: self._clocks.now(home.id),
            system_now=self._clock.now,
            confirmation=confirmation,
            gather=lambda turn_id, step: self._questions.gather(home.id, turn_id, step),
            limited=self._limited.notice,
            recall=lambda state: self._notebook.recall(principal, state),
            remember=lambda state: self._notebook.end(principal, state, home),
        )


def asked_text(state: State) -> str:
    """What a turn says that waits for a person: what was done so far, and what is asked."""
    waits = card_ids(state)
    asked = {str(card["id"]): card for card in state.get("asked", [])}
    done = say_outcomes(state["commands"]) if state.get("commands") else ""
    cards = [asked[i] for i in waits if i in asked]
    if state.get("tainted"):  # no words are enough there, so none are asked for
        cards = [{**card, "tier": BY_WORDS + 1} for card in cards]
    return waiting_text(done, cards)
