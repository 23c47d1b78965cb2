"""One open chat: its conversation, its questions, and the live stream of the home that it follows."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import chainlit as cl
from chainlit.context import context, local_steps

from chat_ui import cards, charts, deeds, plans, replies
from chat_ui.board import Board
from chat_ui.charting import drawn_chart
from chat_ui.home_watch import HomeWatch
from chat_ui.languages import DEFAULT, words_in
from chat_ui.live import HomeStreams
from chat_ui.questions import CARD, Questions, card_of
from chat_ui.rest import Rest, RestProblem, SignedOut, display_name, user_id
from chat_ui.sockets import leave
from chat_ui.threads import NAME, deeds_of
from chat_ui.turn import TurnView

Json = dict[str, Any]
log = logging.getLogger("homeguard.chat")

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
        self._words = words_in(str(scope.get("homeguard.language") or DEFAULT))
        self.thread_id: str | None = None
        self._board = Board()
        self._questions = Questions(
            rest, self._token, self._board, self._words, me=self._me, on_change=self._card_changed
        )  # fmt: skip
        name = display_name(self._token).split(" ")[0]
        self._home = HomeWatch(rest, self._token, self._words, name, self._tell_page)
        self._plans: dict[str, tuple[str, plans.Steps]] = {}  # turn -> (message that carries it, its steps)
        self._deeds: dict[str, tuple[str, deeds.Deeds]] = {}  # turn -> (message that carries them, what was done)
        self._turns: set[str] = set()  # turns whose continuation belongs on this page
        self._said: dict[tuple[str, str], None] = {}  # (turn, text) already on the page
        self._alerts: dict[str, None] = {}
        self._running: str | None = None
        self._held: list[Json] = []  # continuations that arrived while a turn was being shown
        self._raised: list[Json] = []  # cards of the turn being shown: they come below its words
        self._asked_last = ""  # the element with short answers: it goes with the next thing said
        self._tasks: set[asyncio.Task[None]] = set()

    # -- beginning and end ---------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Starts following the home. Call inside the chat's context; it ends with `stop`."""
        self._spawn(self._follow())
        self._spawn(self._home.keep_telling())

    def begin(self) -> None:
        """A new chat: follows the home and greets. Call inside the chat's context."""
        self.follow()
        self._spawn(self._greet())

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _greet(self) -> None:
        """The first screen: how the home is, and every question that is still open."""
        await self._read_home()
        await self.show_open_cards()

    def resume(self, thread: Mapping[str, Any]) -> None:
        """A past conversation is about to be sent to the page: its cards are known, its continuations belong here."""
        self.thread_id = str(thread["id"])
        for element in thread.get("elements") or []:
            props, message_id = element.get("props") or {}, str(element.get("forId"))
            if element.get("name") == "PlanList":
                self._plans[str(props.get("turn_id"))] = message_id, list(props.get("steps") or [])
            elif element.get("name") == CARD:
                self._questions.know(str(props.get("id") or ""), message_id, str(props.get("state") or ""))
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
        await self._read_home()
        await self.show_open_cards()

    def returned(self) -> None:
        """The socket is back. Call inside the chat's context."""
        self._spawn(self._after_return())

    async def _after_return(self) -> None:
        """Everything may have changed meanwhile, and what was sent of it may not have arrived."""
        await self._home.tell_again()
        await self._board.draw_again(but=CARD)
        shown = await self.show_open_cards()
        await self._questions.draw_again(but=shown)

    async def _read_home(self) -> None:
        try:
            await self._home.read()
        except SignedOut:
            await self._signed_out()

    # -- a turn --------------------------------------------------------------------------------------------------

    async def say(self, text: str) -> None:
        """Sends what the person wrote and shows the turn as it happens."""
        await self._put_answers_away()
        view = TurnView(self._board, self._words, text, me=self._me, cards_of=self._questions.of_turn)
        problem, steps = "", plans.merged([], [])
        try:
            async for name, data in self._rest.turn(self._token, text, self.thread_id):
                if name == "turn":
                    view.turn_id = self._running = str(data.get("turn_id") or "")
                    self._turns.add(view.turn_id)
                    await self._adopt(str(data.get("thread_id") or ""), text)
                elif name == "confirmation":
                    self._raised.append(card_of(data))
                elif name == "plan":
                    steps = plans.merged(steps, data.get("steps") or [])
                elif name == "error":
                    told = str((data.get("error") or {}).get("message") or "")
                    problem = told or self._words.say("problem.told")
                else:
                    await _show_event(view, name, data)
        except SignedOut:
            await self._signed_out()
            return
        except RestProblem as error:
            problem = error.sentence(self._words)
        finally:
            self._running = None
            await view.end()
        self._remember(view.turn_id, view.text)
        if problem:
            self._remember(view.turn_id, problem)
            await cl.ErrorMessage(content=problem, author=NAME).send()
        await self._tell_page({"announce": problem or view.text})
        await self._show_below(view, steps)
        held, self._held = self._held, []
        for data in held:
            await self._continue(data)

    async def _show_below(self, view: TurnView, steps: plans.Steps) -> None:
        """What stands below the words of a turn: its plan, its questions, a chart, short answers."""
        message_id = view.message_id
        if message_id is not None:
            self._deeds[view.turn_id] = message_id, view.deeds
            _bound(self._deeds)
            if len(steps) > 1:
                await self._show_plan(view.turn_id, message_id, steps)
        raised, self._raised = self._raised, []
        for card in raised:
            await self._questions.show(card, under=message_id)
        if message_id is None:
            return
        wanted = charts.wish(view.deeds.calls, datetime.now(UTC))
        if wanted is not None:
            self._spawn(self._show_chart(view.turn_id, message_id, wanted))
        offered = replies.replies_to(view.text, self._words, has_card=bool(raised))
        if offered:
            self._asked_last = replies.element_id(message_id)
            props = replies.reply_props(offered, self._words)
            await self._board.put("QuickReplies", self._asked_last, message_id, {**props, "message_id": message_id})

    async def _put_answers_away(self) -> None:
        """Short answers are to the last thing said, and to nothing before it."""
        if self._asked_last:
            await self._board.put("QuickReplies", self._asked_last, "", {"replies": [], "name": ""})
            self._asked_last = ""

    async def _show_chart(self, turn_id: str, message_id: str, wanted: charts.Wish) -> None:
        props = await drawn_chart(self._rest, self._token, wanted, self._home.home, self._words)
        if props is not None:
            await self._board.put("Chart", charts.element_id(turn_id), message_id, props)

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
        """Sends a press."""
        try:
            card = await self._questions.answer(card_id, approve=approve, pin=pin)
        except SignedOut:
            await self._signed_out()
            return
        turn_id = str((card or {}).get("turn_id") or self._questions.turn_of(card_id))
        if card is not None and turn_id:
            self._turns.add(turn_id)
            self._spawn(self._catch_up(after_s=_CONTINUATION_S, turn_id=turn_id))

    async def _take(self, card: Json) -> None:
        """Shows a card; a new one below the words of the turn that is being shown, when they are there."""
        if self._running is not None and not self._questions.is_placed(str(card.get("id"))):
            self._raised = [*self._raised, card][-20:]
        else:
            await self._questions.show(card)

    async def _card_changed(self, card: Json) -> None:
        """Its turn is told of it: the plan that it belongs to, and what was done and why."""
        turn_id = str(card.get("turn_id") or "")
        if turn_id:
            self._turns.add(turn_id)
        for planned, (carrier, steps) in list(self._plans.items()):
            after = plans.advanced(steps, card)
            if after != steps:
                await self._show_plan(planned, carrier, after)
        done = self._deeds.get(turn_id)
        if done is None and turn_id in self._turns and card.get("state") != "open" and self.thread_id:
            done = await self._deeds_of_before(turn_id)
        if done is not None:
            message_id, told = done
            for command in deeds.commands_of(card):
                told.came(command)
            props = deeds.deed_props(told, self._questions.of_turn(turn_id), self._words, me=self._me)
            await self._board.put("DeedList", deeds.element_id(turn_id), message_id, props)

    async def _deeds_of_before(self, turn_id: str) -> tuple[str, deeds.Deeds] | None:
        try:
            found = deeds_of(await self._rest.history(self._token, str(self.thread_id)))
        except RestProblem:
            return None
        self._deeds = {**found, **self._deeds}
        return found.get(turn_id)

    async def _show_plan(self, turn_id: str, message_id: str, steps: plans.Steps) -> None:
        """Puts a turn's plan below its words, or changes the one that is there already."""
        self._plans[turn_id] = message_id, steps
        _bound(self._plans)
        props = plans.plan_props(turn_id, steps, self._words)
        await self._board.put("PlanList", plans.element_id(turn_id), message_id, props)

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
            await self._take(card_of(data))
        elif name == "alert":
            await self._alert(data.get("alert") or data)
        elif name == "agent_response":
            await self._continue(data)
        elif name == "session" and data.get("revoked") and str(data.get("session_id")) == self._session_id:
            await self._signed_out()
        elif name == "gap":
            await self._read_home()
            await self._catch_up()
        elif name in ("device_event", "mode"):
            await self._home.happened(name, data)

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
        await self._tell_page({"announce": text})

    async def _catch_up(self, *, after_s: float = 0.0, turn_id: str | None = None) -> None:
        """After a gap: cards as they are now, and answers that came while nobody listened."""
        await asyncio.sleep(after_s)
        try:
            if turn_id is None:
                shown = await self.show_open_cards()
                await self._questions.refresh_open(but=shown)
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
        device = self._home.name_of(str(alert.get("device_id") or ""))
        props = cards.alert_props(alert, self._home.home, self._words, device=device)
        message = cl.Message(content="", author="Alarm")
        await message.send()
        await self._board.put("AlertCard", cards.element_id(alert_id), message.id, props)

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
    elif name == "outcome":
        await view.outcome(data.get("command") or {})
    elif name == "answer":
        await view.answer(str(data.get("text") or ""))


def _bound(seen: dict[Any, Any]) -> None:
    while len(seen) > _REMEMBERED:
        del seen[next(iter(seen))]
