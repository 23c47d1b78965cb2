"""One open chat: its conversation, the cards it shows, and the live stream of the home that it follows."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import chainlit as cl
from chainlit.context import context, local_steps

from chat_ui import cards, plans, words
from chat_ui.live import HomeStreams
from chat_ui.rest import Rest, RestProblem, SignedOut, display_name, user_id
from chat_ui.sockets import leave
from chat_ui.threads import NAME
from chat_ui.turn import TurnView

Json = dict[str, Any]
log = logging.getLogger("homeguard.chat")

#: At most so often does the first screen look at the home again.
_STATUS_EVERY_S: Final = 5.0
_STATUS_KINDS: Final = frozenset(("device_online", "device_offline", "battery_low"))
#: A continuation that the live stream did not bring by then is read from the history.
_CONTINUATION_S: Final = 8.0
#: More than one conversation holds on a page.
_REMEMBERED: Final = 2_000


class Talk:
    """What one browser tab sees. `token` is the session cookie of the person in front of it."""

    def __init__(self, rest: Rest, streams: HomeStreams, session: Any) -> None:
        self._rest = rest
        self._streams = streams
        self._session = session
        self._token = str(session.token or "")
        self._me = user_id(self._token)
        scope = (session.environ or {}).get("asgi.scope") or {}
        self._session_id = str(scope.get("homeguard.session_id") or "")
        self.thread_id: str | None = None
        self._placed: dict[str, str] = {}  # card id -> id of the message that carries it
        self._cards: dict[str, Json] = {}
        self._drawn: dict[str, Json] = {}  # card id -> what the page was sent of it last
        self._drawing = asyncio.Lock()
        self._plans: dict[str, tuple[str, plans.Steps]] = {}  # turn -> (message that carries it, its steps)
        self._turns: set[str] = set()  # turns whose continuation belongs on this page
        self._said: dict[tuple[str, str], None] = {}  # (turn, text) already on the page
        self._alerts: dict[str, None] = {}
        self._running: str | None = None
        self._held: list[Json] = []  # continuations that arrived while a turn was being shown
        self._raised: list[Json] = []  # cards of the turn being shown: they come below its words
        self._tasks: set[asyncio.Task[None]] = set()
        self._status_is_due = False
        self._status_shown = False
        self._name = display_name(self._token).split(" ")[0]

    # -- beginning and end ---------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Starts following the home. Call inside the chat's context; it ends with `stop`."""
        self._spawn(self._follow())

    def begin(self) -> None:
        """A new chat: follows the home and greets. Call inside the chat's context."""
        self.follow()
        self._spawn(self._greet())

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _greet(self) -> None:
        """The first screen: how the home is, and every question that is still open."""
        await self._show_status()
        await self.show_open_cards()

    def resume(self, thread: Mapping[str, Any]) -> None:
        """A past conversation is about to be sent to the page: its cards are known, its continuations belong here."""
        self.thread_id = str(thread["id"])
        for element in thread.get("elements") or []:
            props, message_id = element.get("props") or {}, str(element.get("forId"))
            if element.get("name") == "PlanList":
                self._plans[str(props.get("turn_id"))] = message_id, list(props.get("steps") or [])
                continue
            card_id = str(props.get("id") or "")
            self._placed[card_id] = message_id
            self._cards[card_id] = {"id": card_id, "state": props.get("state")}
        for step in thread.get("steps") or []:
            turn_id = str((step.get("metadata") or {}).get("turn_id") or "")
            if turn_id:
                self._turns.add(turn_id)
            if step.get("type") == "assistant_message":
                self._remember(turn_id, str(step.get("output") or ""))

    def resumed(self) -> None:
        """The conversation has been sent, as it was when it was read: what has changed since is sent behind it. Call
        inside the chat's context."""
        self.follow()
        self._spawn(self._after_resume())

    async def _after_resume(self) -> None:
        """The rest is looked up when the live stream is there, which says so with a gap."""
        await self._tell_page({"thread": self.thread_id})
        await self.show_open_cards()

    def returned(self) -> None:
        """The socket is back. Call inside the chat's context."""
        self._spawn(self._after_return())

    async def _after_return(self) -> None:
        """Cards may have changed meanwhile, and what was sent of them may not have arrived."""
        self._drawn.clear()
        shown = await self.show_open_cards()
        for card_id in [card_id for card_id in self._placed if card_id not in shown]:
            await self._refresh(card_id)

    # -- a turn --------------------------------------------------------------------------------------------------

    async def say(self, text: str) -> None:
        """Sends what the person wrote and shows the turn as it happens."""
        view, turn_id = TurnView(), ""
        problem, steps = "", plans.merged([], [])
        try:
            async for name, data in self._rest.turn(self._token, text, self.thread_id):
                if name == "turn":
                    turn_id = str(data.get("turn_id") or "")
                    self._running = turn_id
                    self._turns.add(turn_id)
                    await self._adopt(str(data.get("thread_id") or ""), text)
                elif name == "confirmation":
                    self._raised.append(data.get("confirmation") or data)
                elif name == "plan":
                    steps = plans.merged(steps, data.get("steps") or [])
                elif name == "error":
                    problem = str((data.get("error") or {}).get("message") or "That did not work.")
                else:
                    await _show_event(view, name, data)
        except SignedOut:
            await self._signed_out()
            return
        except RestProblem as error:
            problem = error.sentence
        finally:
            self._running = None
            await view.end()
        self._remember(turn_id, view.text)
        if problem:
            self._remember(turn_id, problem)
            await cl.ErrorMessage(content=problem, author=NAME).send()
        if len(steps) > 1 and view.message_id is not None:
            await self._show_plan(turn_id, view.message_id, steps)
        raised, self._raised = self._raised, []
        for card in raised:
            await self._show(card, under=view.message_id)
        held, self._held = self._held, []
        for data in held:
            await self._continue(data)

    async def _adopt(self, thread_id: str, text: str) -> None:
        """The conversation has an id: the page's address carries it from now on, so a reload comes back to it."""
        if not thread_id or thread_id == self.thread_id:
            return
        self.thread_id = thread_id
        self._session.thread_id = thread_id
        await context.emitter.emit("first_interaction", {"interaction": text, "thread_id": thread_id})
        await self._tell_page({"thread": thread_id})

    # -- cards ---------------------------------------------------------------------------------------------------

    async def show_open_cards(self) -> set[str]:
        """The ids of those that were shown, or will be behind the turn that is under way."""
        shown = set()
        try:
            for card in await self._rest.cards(self._token):
                await self._take(card)
                shown.add(str(card.get("id") or ""))
        except SignedOut:
            await self._signed_out()
        except RestProblem as problem:
            log.warning("open questions could not be read: %s", problem)
        return shown

    async def decide(self, card_id: str, *, approve: bool, pin: str | None) -> None:
        """Sends the press. The card then says what came of it; a wrong PIN leaves it open."""
        self._drawn.pop(card_id, None)
        try:
            card = await self._rest.answer(self._token, card_id, approve=approve, pin=pin)
        except SignedOut:
            await self._signed_out()
            return
        except RestProblem as problem:
            await self._refresh(card_id, problem="" if problem.status == 409 else problem.sentence)
            return
        card = card.get("confirmation") or card
        await self._show(card)
        turn_id = str(card.get("turn_id") or self._cards.get(card_id, {}).get("turn_id") or "")
        if turn_id:
            self._turns.add(turn_id)
            self._spawn(self._catch_up(after_s=_CONTINUATION_S, turn_id=turn_id))

    async def _take(self, card: Json) -> None:
        """Shows a card; a new one below the words of the turn that is being shown, when they are there."""
        if self._running is not None and str(card.get("id")) not in self._placed:
            self._raised = [*self._raised, card][-20:]
        else:
            await self._show(card)

    async def _refresh(self, card_id: str, *, problem: str = "") -> None:
        try:
            card = await self._rest.card(self._token, card_id)
        except RestProblem as error:
            card = self._cards.get(card_id, {})
            if "expires_at" not in card:
                # how it is cannot be said; the page goes on showing how it was
                log.warning("a question could not be read: %s", error)
                if problem:
                    await cl.ErrorMessage(content=problem, author=NAME).send()
                return
            problem = problem or error.sentence
        await self._show(card.get("confirmation") or card, problem=problem)

    async def _show(self, card: Json, *, problem: str = "", under: str | None = None) -> None:
        """Puts a card on the page, below the message `under`, or changes the one that is there already."""
        card_id = str(card.get("id") or "")
        if not card_id:
            return
        async with self._drawing:
            await self._draw(card_id, card, problem, under)
        for turn_id, (carrier, steps) in list(self._plans.items()):
            after = plans.advanced(steps, card)
            if after != steps:
                await self._show_plan(turn_id, carrier, after)

    async def _draw(self, card_id: str, card: Json, problem: str, under: str | None) -> None:
        known, state = self._placed.get(card_id), card.get("state", "open")
        if known is None and state != "open":
            return
        if state == "open" and self._cards.get(card_id, card).get("state", "open") != "open":
            return  # it was read before it was answered
        self._cards[card_id] = card
        if card.get("turn_id"):
            self._turns.add(str(card["turn_id"]))
        message_id = self._placed.setdefault(card_id, under or cards.message_id(card_id))
        props = cards.card_props(card, datetime.now(UTC), me=self._me, problem=problem)
        drawn = {name: value for name, value in props.items() if name != "left_s"}
        if self._drawn.get(card_id) == drawn:
            return
        self._drawn[card_id] = drawn
        _bound(self._drawn)
        element = cl.CustomElement(
            id=cards.element_id(card_id), name="ConfirmCard", display="inline", for_id=message_id, props=props
        )
        if known is None and under is None:
            await cl.Message(id=message_id, content="", author=NAME, elements=[element]).send()
        else:
            await element.update()

    async def _show_plan(self, turn_id: str, message_id: str, steps: plans.Steps) -> None:
        """Puts a turn's plan below its words, or changes the one that is there already."""
        self._plans[turn_id] = message_id, steps
        _bound(self._plans)
        element = cl.CustomElement(
            id=plans.element_id(turn_id), name="PlanList", display="inline", for_id=message_id,
            props=plans.plan_props(turn_id, steps),
        )  # fmt: skip
        await element.update()

    # -- what happens in the home --------------------------------------------------------------------------------

    async def _follow(self) -> None:
        async with self._streams.listen(self._token) as happenings:
            while True:
                name, data = await happenings.get()
                if name == "signed_out":
                    await self._signed_out()
                    return
                try:
                    await self._happened(name, data)
                except Exception:
                    log.exception("%s could not be shown", name)

    async def _happened(self, name: str, data: Json) -> None:
        if name == "confirmation":
            await self._take(data.get("confirmation") or data)
        elif name == "alert":
            await self._alert(data.get("alert") or data)
        elif name == "agent_response":
            await self._continue(data)
        elif name == "session" and data.get("revoked") and str(data.get("session_id")) == self._session_id:
            await self._signed_out()
        elif name == "gap":
            await self._catch_up()
        elif name in ("device_event", "command", "mode") and _changes_status(name, data):
            self._renew_status()

    async def _continue(self, data: Json) -> None:
        """The rest of a turn that had waited for a card: once, and only where it belongs."""
        turn_id, text = str(data.get("turn_id") or ""), str(data.get("message") or "")
        ours = turn_id in self._turns or (self.thread_id is not None and data.get("thread_id") == self.thread_id)
        if not text or not ours or (turn_id, text) in self._said:
            return
        if self._running is not None:
            # The turn is still being streamed here: whether this is news shows when it has ended.
            self._held = [*self._held, data][-20:]
            return
        self._remember(turn_id, text)
        await cl.Message(content=text, author=NAME).send()

    async def _catch_up(self, *, after_s: float = 0.0, turn_id: str | None = None) -> None:
        """After a gap: cards as they are now, and answers that came while nobody listened."""
        await asyncio.sleep(after_s)
        try:
            if turn_id is None:
                shown = await self.show_open_cards()
                for card_id, card in list(self._cards.items()):
                    if card.get("state") == "open" and card_id not in shown:
                        await self._refresh(card_id)
            if self.thread_id is None or not self._turns:
                return
            for item in await self._rest.history(self._token, self.thread_id):
                wanted = item.get("turn_id") == turn_id if turn_id else item.get("turn_id") in self._turns
                if wanted and item.get("role") == "assistant":
                    await self._continue({**item, "message": item.get("text")})
        except RestProblem as problem:
            log.info("a chat could not catch up: %s", problem)

    async def _alert(self, alert: Json) -> None:
        alert_id = str(alert.get("id") or "")
        if not alert_id or alert_id in self._alerts:
            return
        self._alerts[alert_id] = None
        _bound(self._alerts)
        element = cl.CustomElement(name="AlertCard", display="inline", props=cards.alert_props(alert))
        await cl.Message(content="", author="Alarm", elements=[element]).send()

    def _renew_status(self) -> None:
        """The first screen, as long as it stands, says how the home is by now."""
        if not self._status_is_due and not self._session.has_first_interaction:
            self._status_is_due = True
            self._spawn(self._show_status(after_s=_STATUS_EVERY_S if self._status_shown else 0.0))

    async def _show_status(self, *, after_s: float = 0.0) -> None:
        await asyncio.sleep(after_s)
        self._status_is_due, self._status_shown = False, True
        try:
            status = words.home_status(await self._rest.devices(self._token))
        except SignedOut:
            await self._signed_out()
            return
        except RestProblem as problem:
            status = words.HomeStatus(problem.sentence, "notice")
        line = {"name": self._name, "text": status.text, "tone": status.tone, "details": list(status.details[:3])}
        await self._tell_page({"status": line})

    async def _signed_out(self) -> None:
        await self._tell_page({"signed_out": True})
        await leave(self._session)

    async def _tell_page(self, what: Json) -> None:
        await context.emitter.send_window_message({"homeguard": what})

    # -- bookkeeping ---------------------------------------------------------------------------------------------

    def _remember(self, turn_id: str, text: str) -> None:
        if text:
            self._said[turn_id, text] = None
            _bound(self._said)

    def _spawn(self, work: Any) -> None:
        async def on_its_own() -> None:
            # A task inherits the step it was started in; what it sends stands below everything said so far.
            local_steps.set(None)
            try:
                await work
            except Exception:
                log.exception("something could not be shown in a chat")

        task = asyncio.create_task(on_its_own())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _show_event(view: TurnView, name: str, data: Json) -> None:
    if name == "token":
        await view.token(str(data.get("text") or ""))
    elif name == "tool_start":
        await view.tool_start(data)
    elif name == "tool_end":
        await view.tool_end(data)
    elif name == "answer":
        await view.answer(str(data.get("text") or ""))


def _changes_status(name: str, data: Mapping[str, Any]) -> bool:
    changed = data.get("state")
    says_more = isinstance(changed, Mapping) and any(k in words.WATCHED for k in changed)
    return name != "device_event" or says_more or data.get("event_type") in _STATUS_KINDS


def _bound(seen: dict[Any, Any]) -> None:
    while len(seen) > _REMEMBERED:
        del seen[next(iter(seen))]
