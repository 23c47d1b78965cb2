"""Turns: starts them, streams them, lets them wait for a person, and goes on when the answer comes from any door."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from agent.answering import Answering
from agent.doors import Questions
from agent.graph.caps import Caps
from agent.graph.state import State, calls_of, principal_to_json
from agent.graph.turns import Turns
from agent.intent import intent_of
from agent.keys import ids_of, key_of, line_of
from agent.lines import Lines
from agent.models.protocol import Model
from agent.notebook import Notebook
from agent.running import Running
from agent.sink import Sink
from agent.stream import AgentEvent
from agent.taking_up import TakingUp
from agent.toolbox import Toolbox
from homeguard.clock import Clock, HomeClocks, iso
from homeguard.errors import HomeGuardError, InvalidInput
from homeguard.ids import new_id
from homeguard.model import Home, Principal
from homeguard.named import home_named
from homeguard.ports.live_state import LiveFeed
from homeguard.ports.users import UserStore

log = logging.getLogger("homeguard.agent")

MAX_WORDS: Final = 8_000
#: How long turns under way are given when HomeGuard ends.
ENDING_S: Final = 5.0


class Agent:
    """The agent of this installation. Open it with `open_agent`."""

    def __init__(
        self,
        *,
        turns: Turns,
        answering: Answering,
        taking_up: TakingUp,
        toolbox: Toolbox,
        notebook: Notebook,
        users: UserStore,
        feed: LiveFeed,
        clock: Clock,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._turns = turns
        self._answering = answering
        self._taking_up = taking_up
        self._toolbox = toolbox
        self._notebook = notebook
        self._users = users
        self._feed = feed
        self._clock = clock
        self._tasks = tasks
        self._lines = Lines()
        #: Keys of the turns whose first run is under way, or in line, in this process.
        self._begun: set[str] = set()
        #: Turns that are being looked at -> whether something was answered since that look began.
        self._looked_at: dict[str, bool] = {}

    async def stream(
        self, principal: Principal, message: str, *, thread_id: str = "", new_thread: bool = False,
        area: str = "", device_id: str = "",
    ) -> AsyncIterator[AgentEvent]:  # fmt: skip
        """One turn, as it happens. It goes on to its end, and is written down, also when nobody listens any more.
        Turns of one conversation run one after the other, in the order in which they came.

        Raises:
            InvalidInput: the message is empty, too long or not text.
            NotFound: the thread is somebody else's.
            Overloaded: too many messages of this conversation wait already.
        """
        words = _readable(message)
        home = await home_named(self._users, principal.home_id)
        thread = "" if new_thread else await self._notebook.thread_for(principal, thread_id)
        thread = thread or new_id()
        turn_id = new_id()
        self._lines.check(line_of(principal.home_id, principal.user_id, thread))
        sink = Sink(turn_id)
        state: State = {
            "turn_id": turn_id,
            "thread_id": thread,
            "words": words,
            "principal": principal_to_json(principal),
            "place": {"area": area, "device_id": device_id},
            "steps": 0,
        }
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begun.add(key_of(principal.home_id, turn_id))
        self._tasks.create_task(self._begin(principal, home, state, sink, opened), name=f"turn {turn_id}")
        try:
            await asyncio.shield(opened)
            while True:
                event = await sink.queue.get()
                yield event
                if event.name == "done":
                    return
        finally:
            sink.is_open = False

    async def resume(self, home_id: str, turn_id: str) -> bool:
        """Go on with a turn whose cards are all answered or over; False when there is nothing to go on with."""
        key = key_of(home_id, turn_id)
        look = await self._turns.look(key)
        if look is None:
            await self._turns.forget(key)
            return False
        async with self._lines.turn(line_of(home_id, look.state["principal"]["user_id"], look.state["thread_id"])):
            look = await self._turns.look(key)
            return look is not None and await self._taking_up.take_up(key, look)

    async def forget_person(self, user_id: str) -> int:
        """Let go of this person's turns that wait or were cut off; returns how many."""
        gone = 0
        for key in await self._turns.unfinished():
            look = await self._turns.look(key)
            if look is not None and look.state["principal"]["user_id"] == user_id:
                await self._turns.forget(key)
                gone += 1
        return gone

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
            if key.startswith(prefix) and key not in self._begun:
                self._look_at(key)

    def _look_at(self, key: str) -> None:
        """One task a turn, however many questions end at once."""
        if key in self._looked_at:
            self._looked_at[key] = True
            return
        self._looked_at[key] = True
        self._tasks.create_task(self._resume_safely(key), name=f"turn {ids_of(key)[1]}")

    async def _resume_safely(self, key: str) -> None:
        home_id, turn_id = ids_of(key)
        try:
            while self._looked_at[key]:
                self._looked_at[key] = False
                await self.resume(home_id, turn_id)
        except Exception:
            log.exception("turn %s could not go on", turn_id)
        finally:
            del self._looked_at[key]

    async def _begin(
        self, principal: Principal, home: Home, state: State, sink: Sink, opened: "asyncio.Future[None]"
    ) -> None:
        """The turn is kept before it is heard, and heard before it is run: whatever cuts it off, it ends in words."""
        key, started, status = key_of(principal.home_id, state["turn_id"]), time.monotonic(), "failed"
        try:
            async with self._lines.turn(line_of(principal.home_id, principal.user_id, state["thread_id"])):
                now = iso(self._clock.now())
                state = {**state, "began_at": now, "at": now}
                try:
                    answering = await self._answering.meant(principal, state)
                    if answering is not None:
                        state = {**state, "answering": answering}
                    await self._turns.begin(key, state)
                    await self._notebook.hear(principal, state)
                except Exception as error:
                    await self._turns.forget(key)
                    _tell(opened, error)
                    return
                sink.put("turn", {"thread_id": state["thread_id"]})
                _tell(opened, None)
                status = await self._answering.through(key, principal, home, state, sink)
            look = await self._turns.look(key)
            last = sink.last_state or (look.state if look is not None else state)
            tokens = last.get("tokens", [])
            sink.put(
                "done",
                {
                    "status": status,
                    "model": last.get("model", ""),
                    "intent": intent_of(state["words"], calls_of(last, self._toolbox.server_of)),
                    "tokens": {"input": sum(t[0] for t in tokens), "output": sum(t[1] for t in tokens)},
                    "duration_ms": round((time.monotonic() - started) * 1000),
                },
            )
        finally:
            self._begun.discard(key)
            if status == "waiting":  # a card may have been answered while nobody looked
                self._look_at(key)
            _tell(opened, HomeGuardError("HomeGuard is ending", code="SHUTTING_DOWN"))
            sink.close()


@asynccontextmanager
async def open_agent(
    *,
    turns: Turns,
    toolbox: Toolbox,
    models: Sequence[Model],
    system: str,
    notebook: Notebook,
    users: UserStore,
    feed: LiveFeed,
    questions: Questions,
    clock: Clock,
    clocks: HomeClocks,
    caps: Caps | None = None,
) -> AsyncIterator[Agent]:
    """The agent with its worker running. Turns under way are given five seconds when it closes; what is cut off then
    is taken up at the next start, like after a crash."""
    async with asyncio.TaskGroup() as tasks:
        running = Running(
            turns=turns, toolbox=toolbox, models=models, system=system, notebook=notebook, questions=questions,
            clock=clock, clocks=clocks, caps=caps or Caps(),
        )  # fmt: skip
        answering = Answering(turns=turns, running=running, notebook=notebook, questions=questions)
        taking_up = TakingUp(
            turns=turns, running=running, answering=answering, notebook=notebook, users=users, feed=feed,
            questions=questions, clock=clock,
        )  # fmt: skip
        agent = Agent(
            turns=turns, answering=answering, taking_up=taking_up, toolbox=toolbox, notebook=notebook, users=users,
            feed=feed, clock=clock, tasks=tasks,
        )  # fmt: skip
        worker = tasks.create_task(agent.watch(), name="agent worker")
        try:
            yield agent
        finally:
            worker.cancel()
            left = [t for t in asyncio.all_tasks() if t.get_name().startswith("turn ")]
            if left:
                _, late = await asyncio.wait(left, timeout=ENDING_S)
                for task in late:
                    task.cancel()


def _tell(opened: "asyncio.Future[None]", error: Exception | None) -> None:
    if opened.done():
        return
    if error is None:
        opened.set_result(None)
    else:
        opened.set_exception(error)
        opened.exception()  # nobody may be there to hear it


def _readable(message: str) -> str:
    words = message.strip() if isinstance(message, str) else ""
    if not words:
        raise InvalidInput("say something", field="message")
    if len(words) > MAX_WORDS:
        raise InvalidInput(f"a message has at most {MAX_WORDS} characters", field="message")
    if any(0xD800 <= ord(c) <= 0xDFFF or c == "\x00" for c in words):
        raise InvalidInput("the message is not readable text", field="message")
    return words
