"""Questions to a person, through a client that cannot say yes: the client carries the question, we keep the answer.

A call that a person must confirm is told in the form that its client understands: input required with a URL
(2026-07-28), the URL elicitation error (2025-11-25), else a plain result that says where to confirm. What a client
answers to an elicitation carries no authority: only the stored confirmation counts.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from mcp.server.mcpserver import Context
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp.types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult

from homeguard.clock import Clock
from homeguard.errors import NotFound
from homeguard.model import Confirmation, Principal
from tools.answers import CommandAnswer, Question, answer_from_json, answer_to_json, decided_answers
from tools.context import ToolContext

#: How long what came of a question is told to a repetition of the call.
REMEMBERED: Final = timedelta(minutes=10)
#: Key of the `_meta` of an input-required result: every answer of the call so far.
ANSWERS_META: Final = "homeguard/answers"
_KEPT: Final = 2000
_LOOK_EVERY_S: Final = 0.25
_MODERN: Final = "2026-07-28"
_URL_ERROR: Final = "2025-11-25"

Kind = Literal["modern", "url_error", "plain"]


@dataclass(frozen=True, slots=True)
class _Known:
    """A call that was asked about before. `sealed`: the client brought it back itself."""

    answers: list[CommandAnswer]
    sealed: bool


class Asking:
    """Remembers, for clients without request state, which call waits for which question (bounded, this process)."""

    def __init__(self, *, clock: Clock, person_wait_s: float) -> None:
        self._clock = clock
        self._person_wait_s = person_wait_s
        self._kept: OrderedDict[str, list[CommandAnswer]] = OrderedDict()

    async def answer(
        self, call: Context[Any, Any], context: ToolContext, act: Callable[[], Awaitable[Sequence[CommandAnswer]]]
    ) -> list[CommandAnswer] | InputRequiredResult:
        """What came of the call: from its earlier question when there is one, else by acting now.

        Raises:
            UrlElicitationRequiredError: a 2025-11-25 client must open the page first.
        """
        key = _key(context.principal, call)
        kind = _kind(call)
        known = self._known(call, key)
        if known is not None:
            cards = await self._cards(context, known.answers, self._patience(context.principal, kind))
            if await self._still_holds(context, known, cards):
                return self._tell(call, kind, key, decided_answers(known.answers, cards))
        self._kept.pop(key, None)
        return self._tell(call, kind, key, list(await act()))

    def _known(self, call: Context[Any, Any], key: str) -> _Known | None:
        if call.request_state is not None:
            return _Known([answer_from_json(a) for a in json.loads(call.request_state)["answers"]], sealed=True)
        kept = self._kept.get(key)
        return _Known(kept, sealed=False) if kept is not None else None

    def _patience(self, principal: Principal, kind: Kind) -> float:
        """An agent of ours comes back when it is decided; a program that shows the page may wait for the press."""
        return 0.0 if principal.caller == "agent" or kind == "plain" else self._person_wait_s

    async def _cards(
        self, context: ToolContext, answers: Sequence[CommandAnswer], wait_s: float
    ) -> dict[str, Confirmation]:
        """The questions of these answers, by id, looked at until all are settled or the time is over."""
        end = self._clock.monotonic() + wait_s
        while True:
            cards = {}
            for question in _questions(answers):
                try:
                    cards[question.id] = await context.commands.confirmation(context.principal, question.id)
                except NotFound:
                    continue
            unsettled = any(c.state == "open" or (c.state == "approved" and not c.outcome) for c in cards.values())
            if not unsettled or self._clock.monotonic() >= end:
                return cards
            await self._clock.sleep(_LOOK_EVERY_S)

    async def _still_holds(self, context: ToolContext, known: _Known, cards: Mapping[str, Confirmation]) -> bool:
        """Whether the old question answers this call; if not, the call is a new one.

        A client that brings its own state back always means the old one. One that merely repeats a call means it while
        it is open, and after the press for ten minutes, unless the home has changed again meanwhile.
        """
        if not cards:
            return False
        if known.sealed:
            return True
        now = self._clock.now()
        for card in cards.values():
            if card.state == "expired" or (card.decided_at is not None and now - card.decided_at > REMEMBERED):
                return False
            for entry in card.outcome if card.state == "approved" else ():
                if entry.get("outcome") == "confirmed" and not await _is_still_so(context, entry):
                    return False
        return True

    def _tell(
        self, call: Context[Any, Any], kind: Kind, key: str, answers: list[CommandAnswer]
    ) -> list[CommandAnswer] | InputRequiredResult:
        questions = _questions(answers)
        if not questions:
            self._kept.pop(key, None)
            return answers
        self._kept[key] = answers
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        if kind == "plain" or _turned_down(call):
            return answers
        asks = {
            q.id: ElicitRequestURLParams(message=f"{q.text} {q.detail}", url=q.confirm_url, elicitation_id=q.id)
            for q in questions
        }
        told = [answer_to_json(a) for a in answers]
        if kind == "modern":
            return InputRequiredResult(
                input_requests={i: ElicitRequest(params=p) for i, p in asks.items()},
                request_state=json.dumps({"answers": told}),
                _meta={ANSWERS_META: told},
            )
        if any(a.confirmation is None for a in answers):
            return answers  # part of it is done: an error would hide that
        raise UrlElicitationRequiredError(list(asks.values()), questions[0].text)


def _questions(answers: Sequence[CommandAnswer]) -> list[Question]:
    return list({a.confirmation.id: a.confirmation for a in answers if a.confirmation is not None}.values())


def _kind(call: Context[Any, Any]) -> Kind:
    capabilities = call.client_capabilities
    if capabilities is None or capabilities.elicitation is None or capabilities.elicitation.url is None:
        return "plain"
    version = call.protocol_version or ""
    return "modern" if version >= _MODERN else "url_error" if version == _URL_ERROR else "plain"


def _turned_down(call: Context[Any, Any]) -> bool:
    """The client says that nobody will open the page now: it gets the plain result instead of a loop."""
    responses = call.input_responses or {}
    return any(isinstance(r, ElicitResult) and r.action != "accept" for r in responses.values())


def _key(principal: Principal, call: Context[Any, Any]) -> str:
    params = call.request_context.params or {}
    asked = [
        principal.home_id,
        principal.user_id,
        principal.caller,
        principal.session_id,
        principal.turn.id if principal.turn is not None else "",
        params.get("name"),
        params.get("arguments") or {},
    ]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


async def _is_still_so(context: ToolContext, entry: Mapping[str, Any]) -> bool:
    device_id, wanted = str(entry.get("device_id") or ""), entry.get("set")
    if not device_id or not isinstance(wanted, Mapping):
        return True
    state = await context.live.get(context.home_id, device_id)
    return state is None or all(state.attributes.get(name) == value for name, value in wanted.items())
