"""What a person just said: the answer to an open question, which presses it, or a turn of its own."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.doors import Questions
from agent.endings import said_no_text, still_open_text
from agent.evidence.outcomes import say_outcomes
from agent.graph.acting import decided
from agent.graph.assent import assent
from agent.graph.plan import BY_WORDS
from agent.graph.state import State
from agent.graph.turns import Turns
from agent.keys import key_of
from agent.notebook import Notebook
from agent.running import Running
from agent.sink import Sink
from homeguard.errors import Conflict
from homeguard.model import Home, Principal

log = logging.getLogger("homeguard.agent")


class Answering:
    """Carries words through."""

    def __init__(self, *, turns: Turns, running: Running, notebook: Notebook, questions: Questions) -> None:
        self._turns = turns
        self._running = running
        self._notebook = notebook
        self._questions = questions

    async def meant(self, principal: Principal, state: State) -> dict[str, Any] | None:
        """The open questions that these words answer: those of the newest turn that asked in this conversation.

        A yes goes to what words may approve, never further; a no to all. When something else was asked since, it is
        for the model.
        """
        meaning = assent(state["words"])
        if not meaning or principal.caller != "person":
            return None
        cards = [
            card
            for card in await self._questions.open(principal)
            if card["user_id"] == principal.user_id and card["thread_id"] == state["thread_id"] and card["turn_id"]
        ]
        if not cards:
            return None
        turn_id = max(cards, key=lambda c: str(c["created_at"]))["turn_id"]
        asked = [c for c in cards if c["turn_id"] == turn_id and (meaning == "no" or int(c["tier"]) <= BY_WORDS)]
        if not asked or await self._notebook.asked_since(principal, state["thread_id"], str(turn_id)):
            return None
        if meaning == "yes":
            look = await self._turns.look(key_of(principal.home_id, str(turn_id)))
            if look is not None and look.state.get("tainted"):
                return None  # others' text was in that turn, so what it asks may be theirs: it takes the press
        return {"cards": [str(c["id"]) for c in asked], "turn_id": str(turn_id), "approve": meaning == "yes"}

    async def through(self, key: str, principal: Principal, home: Home, state: State, sink: Sink) -> str:
        """Run a turn to its end, or to where it waits, whatever breaks on the way: its status."""
        try:
            if state.get("answering"):
                return await self._press(key, principal, home, state, sink)
            return await self._running.run(key, principal, home, sink, waited=False)
        except Exception as error:
            try:
                await self._running.fail(key, principal, state, sink, error)
            except Exception:  # a store that takes no words must not end the agent, and HomeGuard with it
                log.exception("how turn %s ended could not be written down", state["turn_id"])
            return "failed"

    async def _press(self, key: str, principal: Principal, home: Home, state: State, sink: Sink) -> str:
        """Press the questions as the words mean it; the turn that asked goes on here, when nothing else is open."""
        answering, rows, problems = state["answering"], [], []
        for card_id in answering["cards"]:
            try:
                card: Mapping[str, Any] | None = await self._questions.by_words(
                    principal, card_id, state["thread_id"], answering["approve"]
                )
            except Conflict as error:
                problems.append(error.message)
                card = await self._questions.show(principal.home_id, card_id)
            rows += [dict(o) for o in (card or {}).get("outcome", ())]
        asker = key_of(principal.home_id, answering["turn_id"])
        look = await self._turns.look(asker)
        left = [c for c in await self._running.cards(look.state) if c["state"] == "open"] if look is not None else []
        if look is not None and look.unfinished and not left and answering["approve"]:
            status = await self._running.go_on(asker, replace(principal, caller="agent"), home, look, sink)
            await self._turns.forget(key)
            return status
        if look is not None and not answering["approve"]:
            cards = {str(c["id"]): c for c in await self._running.cards(look.state)}
            rows = [*look.state.get("commands", []), *decided(look.state, cards)[1]]
            await self._turns.forget(asker)
            text = said_no_text(rows)
        else:
            text = " ".join([*(f"{p[:1].upper()}{p[1:]}." for p in problems), say_outcomes(rows) if rows else ""])
            text = f"{text.strip()} {still_open_text(left)}".strip() or "There is nothing open any more."
        for row in rows:
            sink.put("outcome", {"command": row})
        evidence = [str(r["command_id"]) for r in rows if r.get("outcome") == "confirmed" and r.get("command_id")]
        sink.put("answer", {"text": text, "evidence": evidence, "refusals": []})
        await self._notebook.answer(principal, {**state, "commands": rows}, text, part="end")
        await self._turns.forget(key)
        return "completed"
