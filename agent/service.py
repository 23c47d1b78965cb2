"""Turns: starts them, streams them, lets them wait for a person, and goes on when the answer comes from any door."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from agent.evidence import say_outcomes
from agent.graph.nodes import Context
from agent.graph.state import State, principal_to_json, said_to_json
from agent.graph.turns import Turns
from agent.models.protocol import Model, Said, ToolCall, ToolResult
from agent.stream import AgentEvent
from agent.toolbox import Toolbox
from homeguard.clock import Clock, HomeClocks, iso
from homeguard.errors import HomeGuardError, InvalidInput, ModelUnavailable, NotFound
from homeguard.ids import new_id
from homeguard.model import Home, Message, Principal
from homeguard.ports.live_state import Live, LiveFeed
from homeguard.ports.users import UserStore
from memory.conversations import Conversations

log = logging.getLogger("homeguard.agent")

MAX_WORDS: Final = 8_000
TURN_TIMEOUT_S: Final = 120.0
#: Turns at the same time over all homes; one more waits in line.
MAX_TURNS: Final = 32

#: Shows one confirmation of a home, or None: a port of `pipeline.command`, passed in by the composition.
ShowConfirmation = Callable[[str, str], Awaitable[Mapping[str, Any] | None]]


@dataclass(slots=True)
class _Sink:
    """Where a turn's events go: a bounded queue while somebody listens, nowhere after they left."""

    turn_id: str
    queue: asyncio.Queue[AgentEvent] = field(default_factory=lambda: asyncio.Queue(maxsize=2_000))
    is_open: bool = True
    calls: list[dict[str, Any]] = field(default_factory=list)
    answer: Mapping[str, Any] = field(default_factory=dict)

    def put(self, name: str, data: Mapping[str, Any]) -> None:
        if name == "tool_start":
            self.calls.append({"id": data["id"], "server": data["server"], "tool": data["tool"],
                               "arguments": data["arguments"], "outcome": "started"})  # fmt: skip
        elif name == "tool_end":
            for call in self.calls:
                if call["id"] == data["id"]:
                    call["outcome"] = data["status"]
        elif name == "answer":
            self.answer = data
        if self.is_open:
            try:
                self.queue.put_nowait(AgentEvent(name=name, data={"turn_id": self.turn_id, **data}))  # type: ignore[arg-type]
            except asyncio.QueueFull:
                self.is_open = False


class Agent:
    """The agent of this installation. Open it with `open_agent`."""

    def __init__(
        self,
        *,
        turns: Turns,
        toolbox: Toolbox,
        models: Sequence[Model],
        system: str,
        conversations: Conversations,
        users: UserStore,
        feed: LiveFeed,
        show_confirmation: ShowConfirmation,
        clock: Clock,
        clocks: HomeClocks,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._turns = turns
        self._toolbox = toolbox
        self._models = models
        self._system = system
        self._conversations = conversations
        self._users = users
        self._feed = feed
        self._show_confirmation = show_confirmation
        self._clock = clock
        self._clocks = clocks
        self._tasks = tasks
        self._room = asyncio.Semaphore(MAX_TURNS)
        self._resuming: dict[str, asyncio.Lock] = {}
        #: Keys of the turns whose first run is under way in this process.
        self._running: set[str] = set()

    async def stream(
        self, principal: Principal, message: str, *, thread_id: str = "", new_thread: bool = False,
        area: str = "", device_id: str = "",
    ) -> AsyncIterator[AgentEvent]:  # fmt: skip
        """One turn, as it happens. It goes on to its end, and is written down, also when nobody listens any more.

        Raises:
            InvalidInput: the message is empty, too long or not text.
            NotFound: the thread is somebody else's.
        """
        words = _readable(message)
        home = await self._home(principal.home_id)
        thread = "" if new_thread else await self._conversations.thread_for(principal, thread_id)
        thread = thread or new_id()
        turn_id = new_id()
        recalled = [said for m in await self._conversations.recall(principal, thread) for said in _as_said(m)]
        await self._conversations.hear(principal, thread, turn_id, words, self._clock.now())
        sink = _Sink(turn_id)
        sink.put("turn", {"thread_id": thread})
        state: State = {
            "turn_id": turn_id,
            "thread_id": thread,
            "words": words,
            "principal": principal_to_json(principal),
            "place": {"area": area, "device_id": device_id},
            "messages": [*map(said_to_json, recalled), said_to_json(Said(role="user", text=words))],
            "recalled": len(recalled),
            "steps": 0,
            "commands": [],
            "refusals": [],
            "asked": [],
            "waiting": {},
        }
        self._tasks.create_task(self._begin(principal, home, state, sink), name=f"turn {turn_id}")
        try:
            while True:
                event = await sink.queue.get()
                yield event
                if event.name == "done":
                    return
        finally:
            sink.is_open = False

    async def resume(self, home_id: str, turn_id: str) -> bool:
        """Go on with a turn whose cards are all answered or over; False when there is nothing to go on with."""
        key = f"{home_id}/{turn_id}"
        lock = self._resuming.setdefault(key, asyncio.Lock())
        async with lock:
            look = await self._turns.look(key)
            if look is None or not look.unfinished:
                return False
            for card_id in look.state.get("waiting", {}).values():
                card = await self._show_confirmation(home_id, card_id)
                if card is not None and card["state"] == "open":
                    return False
            principal = await self._still_here(look.state)
            if principal is None:
                await self._turns.forget(key)
                return False
            sink = _Sink(turn_id, is_open=False)
            context = self._context(principal, await self._home(home_id))
            async for data in self._turns.go_on(key, waited=look.waits, context=context):
                sink.put(data.pop("name"), data)
            done = await self._turns.look(key)
            if done is not None and sink.answer:
                await self._finish(principal, done.state, sink, part="end")
                await self._tell(principal, done.state, sink)
                await self._turns.forget(key)
        self._resuming.pop(key, None)
        return True

    async def watch(self) -> None:
        """Resume turns as their cards are answered, from now on, and those that an earlier process left behind."""
        async with self._feed.subscribe("*", limit=1_000) as items:
            await self._resume_all("")
            async for item in items:
                card: Any = item.data.get("confirmation") if item.kind == "confirmation" else None
                if card and card["state"] != "open":
                    await self._resume_all(f"{item.home_id}/")

    async def _resume_all(self, prefix: str) -> None:
        """Several turns may wait for one card (it is asked once), so every waiting turn of the home has a look."""
        for key in await self._turns.unfinished():
            if key.startswith(prefix) and key not in self._running:
                home_id, _, turn_id = key.partition("/")
                self._tasks.create_task(self._resume_safely(home_id, turn_id), name=f"turn {turn_id}")

    async def _resume_safely(self, home_id: str, turn_id: str) -> None:
        try:
            await self.resume(home_id, turn_id)
        except Exception:
            log.exception("turn %s could not go on", turn_id)

    async def _begin(self, principal: Principal, home: Home, state: State, sink: _Sink) -> None:
        started = time.monotonic()
        status = "failed"
        key = f"{principal.home_id}/{state['turn_id']}"
        values: State = state
        self._running.add(key)
        try:
            async with asyncio.timeout(TURN_TIMEOUT_S), self._room:
                async for data in self._turns.start(key, state, self._context(principal, home)):
                    sink.put(data.pop("name"), data)
            look = await self._turns.look(key)
            values = look.state if look is not None else state
            if look is not None and look.waits:
                status = "waiting"
                text = _waiting_text(values)
                sink.put("answer", {"text": text, "evidence": [], "refusals": values.get("refusals", [])})
                await self._finish(principal, values, sink, part="waiting")
            else:
                status = "completed"
                await self._finish(principal, values, sink, part="end")
                await self._turns.forget(key)
        except Exception as error:
            status = "failed"
            try:
                await self._fail(principal, values, sink, error, key)
            except Exception:  # a store that takes no words must not end the agent, and HomeGuard with it
                log.exception("how turn %s ended could not be written down", state["turn_id"])
        finally:
            self._running.discard(key)
            tokens = values.get("tokens", [])
            sink.put(
                "done",
                {
                    "status": status,
                    "model": values.get("model", ""),
                    "tokens": {"input": sum(t[0] for t in tokens), "output": sum(t[1] for t in tokens)},
                    "duration_ms": round((time.monotonic() - started) * 1000),
                },
            )

    async def _fail(self, principal: Principal, state: State, sink: _Sink, error: Exception, key: str) -> None:
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
        done = kept.get("commands", [])
        text = f"Sorry, {sentence}. {say_outcomes(done) if done else 'Nothing was changed.'}"
        sink.put("answer", {"text": text, "evidence": [], "refusals": []})
        # First: what was told as over is not taken up again, also when the words find no room.
        await self._turns.forget(key)
        await self._finish(principal, kept, sink, part="end")

    def _context(self, principal: Principal, home: Home) -> Context:
        async def confirmation(confirmation_id: str) -> Mapping[str, Any] | None:
            return await self._show_confirmation(principal.home_id, confirmation_id)

        return Context(
            toolbox=self._toolbox,
            models=self._models,
            home=home,
            system=self._system,
            now=lambda: self._clocks.now(home.id),
            confirmation=confirmation,
        )

    async def _finish(self, principal: Principal, state: State, sink: _Sink, *, part: str) -> None:
        calls = [{k: v for k, v in call.items() if k != "id"} for call in sink.calls]
        await self._conversations.answer(
            principal,
            state["thread_id"],
            state["turn_id"],
            str(sink.answer.get("text", "")),
            self._clock.now(),
            part=part,
            calls=calls,
            commands=state.get("commands", []),
            confirmations=[str(card["id"]) for card in state.get("asked", [])],
        )

    async def _tell(self, principal: Principal, state: State, sink: _Sink) -> None:
        commands = state.get("commands", [])
        data = {
            "type": "agent_response",
            "thread_id": state["thread_id"],
            "turn_id": state["turn_id"],
            "message": sink.answer.get("text", ""),
            "commands": commands,
            "actions_taken": [c["command"] for c in commands if c.get("outcome") == "confirmed"],
            "timestamp": iso(self._clock.now()),
        }
        await self._feed.publish(
            [Live(home_id=principal.home_id, kind="agent_response", data=data, user_id=principal.user_id)]
        )

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

    async def _home(self, home_id: str) -> Home:
        home = await self._users.home(home_id)
        if home is None:
            raise NotFound("there is no such home", code="HOME_NOT_FOUND")
        return home


@asynccontextmanager
async def open_agent(
    *,
    turns: Turns,
    toolbox: Toolbox,
    models: Sequence[Model],
    system: str,
    conversations: Conversations,
    users: UserStore,
    feed: LiveFeed,
    show_confirmation: ShowConfirmation,
    clock: Clock,
    clocks: HomeClocks,
) -> AsyncIterator[Agent]:
    """The agent with its worker running; turns under way are given five seconds when it closes."""
    async with asyncio.TaskGroup() as tasks:
        agent = Agent(
            turns=turns, toolbox=toolbox, models=models, system=system, conversations=conversations, users=users,
            feed=feed, show_confirmation=show_confirmation, clock=clock, clocks=clocks, tasks=tasks,
        )  # fmt: skip
        worker = tasks.create_task(agent.watch(), name="agent worker")
        try:
            yield agent
        finally:
            worker.cancel()
            left = [t for t in asyncio.all_tasks() if t.get_name().startswith("turn ")]
            if left:
                _, late = await asyncio.wait(left, timeout=5)
                for task in late:
                    task.cancel()


def _readable(message: str) -> str:
    words = message.strip() if isinstance(message, str) else ""
    if not words:
        raise InvalidInput("say something", field="message")
    if len(words) > MAX_WORDS:
        raise InvalidInput(f"a message has at most {MAX_WORDS} characters", field="message")
    if any(0xD800 <= ord(c) <= 0xDFFF or c == "\x00" for c in words):
        raise InvalidInput("the message is not readable text", field="message")
    return words


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
    results = [ToolResult(call_id=c.id, name=c.name, status="ok") for c in calls]
    return [
        Said(role="assistant", calls=tuple(calls)),
        Said(role="tool", results=tuple(results)),
        Said(role="assistant", text=message.text),
    ]


def _waiting_text(state: State) -> str:
    open_cards = [card for card in state.get("asked", []) if card["id"] in state["waiting"].values()]
    done = say_outcomes(state["commands"]) + " " if state.get("commands") else ""
    texts = " ".join(str(card["text"]) for card in open_cards)
    return f"{done}I need your confirmation first: {texts} Nothing happens until you press the card."
