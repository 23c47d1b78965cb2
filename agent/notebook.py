"""What a turn reads before it begins and leaves behind when it ends: conversation, memory, context, one line of log."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from agent.graph.context import Recollection
from agent.graph.state import State, calls_of
from agent.intent import action_name, intent_of
from agent.models.protocol import Said, ToolCall, ToolResult
from homeguard.clock import Clock, HomeClocks, iso, parse_time
from homeguard.errors import HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Home, Json, Message, Principal
from homeguard.ports.contexts import AgentContexts
from homeguard.ports.live_state import Live
from memory.conversations import Conversations
from memory.recall import Recall
from memory.remember import AfterTurn

log = logging.getLogger("homeguard.agent.turns")

#: Actions of the last hour that a context keeps.
_RECENT: Final = 10
_STATUSES: Final = frozenset(("ok", "error", "refused", "asked", "denied"))


class Notebook:
    """One for all turns; every page is one person's in one home. `server_of` names the server of a tool."""

    def __init__(
        self,
        *,
        conversations: Conversations,
        recall: Recall,
        after_turn: AfterTurn,
        contexts: AgentContexts,
        home: Callable[[str], Awaitable[Home | None]],
        server_of: Callable[[str], str],
        clock: Clock,
        clocks: HomeClocks,
    ) -> None:
        self._conversations = conversations
        self._recall = recall
        self._after_turn = after_turn
        self._contexts = contexts
        self._home = home
        self._server_of = server_of
        self._clock = clock
        self._clocks = clocks

    async def thread_for(self, principal: Principal, thread_id: str) -> str:
        """The thread to go on with; `""`: a new one."""
        return await self._conversations.thread_for(principal, thread_id)

    async def hear(self, principal: Principal, state: State) -> None:
        """Write down what the person said, at the time at which they said it. Safe to repeat.

        Raises:
            NotFound: the thread belongs to someone else.
        """
        at = parse_time(state["began_at"]) if state.get("began_at") else self._clock.now()
        await self._conversations.hear(principal, state["thread_id"], state["turn_id"], state["words"], at)

    async def asked_since(self, principal: Principal, thread_id: str, turn_id: str) -> bool:
        """Whether another turn than this one had the last word in the thread, and asked something."""
        said = await self._conversations.recall(principal, thread_id)
        last = next((m for m in reversed(said) if m.role == "assistant"), None)
        return last is not None and last.turn_id != turn_id and "?" in last.text

    async def recall(self, principal: Principal, state: State) -> Recollection:
        """What was said before and what the words bring to mind, as data; never this turn's own words."""
        remembered = await self._recall.recall(principal, state["thread_id"], state["words"])
        earlier = [m for m in remembered.messages if m.turn_id != state["turn_id"]]
        data = {**remembered.as_data(), **await self._recent(principal)}
        said = [said for message in earlier for said in _as_said(message)]
        tainted = remembered.tainted or any(call.get("tainted") for m in earlier for call in m.calls)
        return Recollection(said=(*said, *_as_looked_up(data, state["words"])), tainted=bool(tainted))

    async def _recent(self, principal: Principal) -> dict[str, Json]:
        try:
            context = await self._contexts.get(principal.home_id, principal.user_id)
        except HomeGuardError:
            return {}
        return {"recently": dict(context)} if context and context.get("recent_actions") else {}

    async def has_answered(self, principal: Principal, state: State, *, part: str) -> bool:
        """Whether that answer of the turn is written down, among the last lines of its thread."""
        said = await self._conversations.recall(principal, state["thread_id"])
        return derived_id("answered", state["turn_id"], part) in {m.id for m in said}

    async def answer(self, principal: Principal, state: State, text: str, *, part: str) -> None:
        """Write down what was answered: while a turn waits (`waiting`), and in the end (`end`)."""
        await self._conversations.answer(
            principal,
            state["thread_id"],
            state["turn_id"],
            text,
            self._clock.now(),
            part=part,
            calls=calls_of(state, self._server_of),
            commands=state.get("commands", []),
            confirmations=[str(card["id"]) for card in state.get("asked", [])],
        )

    async def end(self, principal: Principal, state: State, home: Home) -> None:
        """Write down how a turn ended, and what is worth knowing in the next."""
        await self.answer(principal, state, state.get("answer", ""), part="end")
        commands = state.get("commands", [])
        await self._after_turn.after_turn(
            principal, state["thread_id"], words=state["words"], commands=commands,
            now=self._clocks.now(home.id), time_zone=home.time_zone,
        )  # fmt: skip
        await self._keep_context(principal, commands, home)
        self._log(state)

    async def _keep_context(self, principal: Principal, commands: Sequence[Mapping[str, Any]], home: Home) -> None:
        now = await self._home(home.id) or home
        at = iso(self._clock.now())
        done = [
            {"action": action_name(c), "device": str(c.get("device") or ""), "outcome": str(c["outcome"]), "at": at}
            for c in commands
            if c.get("outcome") in ("confirmed", "sent")
        ]
        try:
            before = await self._contexts.get(principal.home_id, principal.user_id) or {}
            recent = [*cast("Sequence[Json]", before.get("recent_actions") or ()), *cast("list[Json]", done)]
            context: dict[str, Json] = {"current_mode": now.mode, "recent_actions": recent[-_RECENT:]}
            await self._contexts.put(principal.home_id, principal.user_id, context)
        except HomeGuardError as error:  # a cache
            log.debug("the context of a turn was not kept: %s", error.message)

    def _log(self, state: State) -> None:
        tokens = state.get("tokens", [])
        began = parse_time(state["began_at"]) if state.get("began_at") else self._clock.now()
        line = {
            "turn": state["turn_id"],
            "intent": intent_of(state["words"], calls_of(state, self._server_of)),
            "actions_taken": [action_name(c) for c in state.get("commands", []) if c.get("outcome") == "confirmed"],
            "duration_ms": _milliseconds(began, self._clock.now()),
            "llm_tokens": sum(t[0] + t[1] for t in tokens),
            "model": state.get("model", ""),
        }
        log.info("request %s", json.dumps(line, separators=(",", ":")))

    def told(self, principal: Principal, state: State, text: str) -> Live:
        """The answer of a turn that went on by itself, for the person's open screens."""
        commands = state.get("commands", [])
        data = {
            "type": "agent_response",
            "thread_id": state["thread_id"],
            "turn_id": state["turn_id"],
            "message": text,
            "commands": commands,
            "actions_taken": [c["command"] for c in commands if c.get("outcome") == "confirmed"],
            "timestamp": iso(self._clock.now()),
        }
        return Live(home_id=principal.home_id, kind="agent_response", data=data, user_id=principal.user_id)


def _as_said(message: Message) -> list[Said]:
    """An earlier message as the model reads it: an answer with the calls that led to it."""
    if message.role == "user":
        return [Said(role="user", text=message.text)]
    calls = [
        ToolCall(id=f"{message.id}-{i}", name=str(c["tool"]), arguments=dict(c["arguments"]))  # type: ignore[arg-type]
        for i, c in enumerate(message.calls)
    ]
    if not calls:
        return [Said(role="assistant", text=message.text)]
    results = [
        ToolResult(call_id=c.id, name=c.name, status=_status(kept.get("outcome")))
        for c, kept in zip(calls, message.calls, strict=True)
    ]
    return [
        Said(role="assistant", calls=tuple(calls)),
        Said(role="tool", results=tuple(results)),
        Said(role="assistant", text=message.text),
    ]


def _status(outcome: object) -> Any:
    return outcome if outcome in _STATUSES else "error"


def _as_looked_up(data: Mapping[str, Json], words: str) -> list[Said]:
    """What the words bring to mind, as the data of a look-up: never as anybody's instruction."""
    if not data:
        return []
    call = ToolCall(id="recalled", name="recall", arguments={"query": words[:200]})
    result = ToolResult(call_id=call.id, name=call.name, status="ok", output=data)
    return [Said(role="assistant", calls=(call,)), Said(role="tool", results=(result,))]


def _milliseconds(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))
