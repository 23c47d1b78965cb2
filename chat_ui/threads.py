"""Past conversations as Chainlit wants to see them: a view of the REST API's history. Nothing is stored here."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from chainlit.context import ChainlitContextException, context
from chainlit.data.base import BaseDataLayer
from chainlit.types import PageInfo, PaginatedResponse
from chainlit.user import PersistedUser
from starlette.exceptions import HTTPException

from chat_ui import cards, charts, deeds, plans
from chat_ui.board import element
from chat_ui.charting import drawn_chart
from chat_ui.languages import LANGUAGE, Words, words_in
from chat_ui.rest import TOKEN, Rest, RestProblem, SignedOut, identifier, user_id

Json = dict[str, Any]
NAME: Final = "HomeGuard"
_CARDS_SHOWN: Final = 6
_CHARTS_SHOWN: Final = 4
#: A page that opens a conversation asks for it twice in a row; once is enough.
_TWICE_S: Final = 3.0


class ConversationView(BaseDataLayer):  # type: ignore[misc]  # chainlit is not typed for us
    """Reads go to REST with the visitor's own session; writes go nowhere, the agent keeps the conversation."""

    def __init__(self, rest: Rest, on_close: Callable[[], Awaitable[None]]) -> None:
        self._rest = rest
        self._on_close = on_close
        self._handed: dict[tuple[str, str], tuple[float, Json]] = {}

    async def get_user(self, identifier: str) -> Any:
        return PersistedUser(id=identifier, identifier=identifier, createdAt="1970-01-01T00:00:00Z")

    async def create_user(self, user: Any) -> Any:
        return await self.get_user(user.identifier)

    async def list_threads(self, pagination: Any, filters: Any) -> Any:
        try:
            page = await self._rest.threads(
                _token(), limit=min(pagination.first, 100), search=filters.search, cursor=pagination.cursor
            )
        except RestProblem:
            page = {}
        found = [_thread(item, filters.userId) for item in page.get("items") or []]
        more = page.get("next_cursor")
        start = found[0]["id"] if found else None
        return PaginatedResponse(PageInfo(hasNextPage=bool(more), startCursor=start, endCursor=more), found)

    async def get_thread_author(self, thread_id: str) -> str:
        """The visitor, if the conversation is theirs; empty (which Chainlit answers with 404) if it is not."""
        try:
            return identifier(_token()) if await self._items(thread_id) else ""
        except RestProblem:
            return ""

    async def get_thread(self, thread_id: str) -> Json | None:
        """The conversation; when the home does not answer, a page that says so instead of one that never loads."""
        token, now = _token(), asyncio.get_running_loop().time()
        self._handed = {k: v for k, v in self._handed.items() if now - v[0] < _TWICE_S}
        if handed := self._handed.pop((token, thread_id), None):
            return handed[1]
        try:
            items = await self._items(thread_id)
            steps, elements = await conversation(self._rest, token, thread_id, items, _words())
        except SignedOut:
            return None
        except RestProblem as problem:
            told = problem.sentence(_words())
            said = {"type": "assistant_message", "name": NAME, "output": told, "isError": True}
            return self._thread(token, thread_id, [], [_step(f"{thread_id}-problem", thread_id, "") | said], [])
        if not items:
            return None
        thread = self._thread(token, thread_id, items, steps, elements)
        self._handed[token, thread_id] = (now, thread)
        return thread

    @staticmethod
    def _thread(token: str, thread_id: str, items: list[Json], steps: list[Json], elements: list[Json]) -> Json:
        who = identifier(token)
        return {
            "id": thread_id,
            "createdAt": str(items[0].get("at") or "") if items else "",
            "name": next((str(i.get("text", ""))[:80] for i in items if i.get("role") == "user"), ""),
            "userId": who,
            "userIdentifier": who,
            "tags": [],
            "metadata": {},
            "steps": steps,
            "elements": elements,
        }

    async def delete_thread(self, thread_id: str) -> None:
        await self._rest.forget(_token(), thread_id)

    async def _items(self, thread_id: str) -> list[Json]:
        try:
            return await self._rest.history(_token(), thread_id)
        except RestProblem as problem:
            if problem.status == 404:
                return []
            raise

    async def close(self) -> None:
        await self._on_close()

    async def build_debug_url(self) -> str:
        return ""

    async def get_element(self, thread_id: str, element_id: str) -> None:
        return None

    async def get_favorite_steps(self, user_id: str) -> list[Json]:
        return []

    async def update_thread(self, thread_id: str, name: str | None = None, **_: Any) -> None:
        """A new name is the person's wish; everything else about a conversation the agent keeps."""
        if name is None or not TOKEN.get():
            return
        try:
            await self._rest.rename(TOKEN.get(), thread_id, name)
        except RestProblem as problem:
            raise HTTPException(problem.status or 503, problem.sentence(_words())) from problem

    async def create_step(self, step_dict: Any) -> None: ...
    async def update_step(self, step_dict: Any) -> None: ...
    async def delete_step(self, step_id: str) -> None: ...
    async def create_element(self, element: Any) -> None: ...
    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None: ...
    async def upsert_feedback(self, feedback: Any) -> str:
        return ""

    async def delete_feedback(self, feedback_id: str) -> bool:
        return False


async def conversation(
    rest: Rest, token: str, thread_id: str, items: list[Json], words: Words
) -> tuple[list[Json], list[Json]]:
    """The steps of a history, and the elements below them: what was done, plans, cards, charts; oldest first."""
    shown: dict[str, Json] = {}
    elements: list[Json] = []
    me = user_id(token)
    for card_id, step_id in [(str(c), str(i["id"])) for i in items for c in i.get("confirmations") or []][
        -_CARDS_SHOWN:
    ]:
        try:
            card = await rest.card(token, card_id)
        except RestProblem:
            continue
        shown[card_id] = card
        props = cards.card_props(card, datetime.now(UTC), words, me=me)
        elements.append(element("ConfirmCard", cards.element_id(card_id), thread_id, step_id, props))
    steps = [step for item in items if (step := item_step(item, thread_id)) is not None]
    done = deed_elements(items, shown, thread_id, words, me)
    drawn = await _charts(rest, token, thread_id, items, words)
    return steps, [*done, *plan_elements(items, shown, thread_id, words), *elements, *drawn]


def deeds_of(items: list[Json]) -> dict[str, tuple[str, deeds.Deeds]]:
    """What each turn of a history did, with the message that carries it: the first answer that told of it."""
    found: dict[str, tuple[str, deeds.Deeds]] = {}
    said: dict[str, str] = {}
    for item in items:
        turn_id = str(item.get("turn_id") or "")
        if item.get("role") == "user":
            said[turn_id] = str(item.get("text") or "")
        if item.get("role") != "assistant" or not turn_id:
            continue
        _, told = found.setdefault(turn_id, (str(item["id"]), deeds.Deeds(said=said.get(turn_id, ""))))
        known = [(call.get("tool"), call.get("arguments")) for call in told.calls]
        for call in item.get("calls") or ():
            if (call.get("tool"), call.get("arguments")) not in known:
                told.calls.append({**call, "status": str(call.get("outcome") or "ok")})
        for command in item.get("commands") or ():
            told.came(command)
    return {turn_id: (step_id, told) for turn_id, (step_id, told) in found.items() if told.calls or told.commands}


def deed_elements(items: list[Json], cards_of: Mapping[str, Json], thread_id: str, words: Words, me: str) -> list[Json]:
    """What was done and why, below each answer."""
    made = []
    for turn_id, (step_id, told) in deeds_of(items).items():
        asked = {i: card for i, card in cards_of.items() if card.get("turn_id") == turn_id}
        props = deeds.deed_props(told, asked, words, me=me)
        made.append(element("DeedList", deeds.element_id(turn_id), thread_id, step_id, props))
    return made


async def _charts(rest: Rest, token: str, thread_id: str, items: list[Json], words: Words) -> list[Json]:
    """The charts of the last answers that are worth one."""
    answered = {str(i["id"]): str(i.get("at") or "") for i in items}
    wanted = []
    for turn_id, (step_id, told) in deeds_of(items).items():
        try:
            found = charts.wish(told.calls, datetime.fromisoformat(answered[step_id]))
        except ValueError:
            continue
        if found is not None:
            wanted.append((turn_id, step_id, found))
    if not wanted:
        return []
    try:
        home = (await rest.me(token)).get("home") or {}
    except RestProblem:
        return []
    made = []
    for turn_id, step_id, found in wanted[-_CHARTS_SHOWN:]:
        props = await drawn_chart(rest, token, found, home, words)
        if props is not None:
            made.append(element("Chart", charts.element_id(turn_id), thread_id, step_id, props))
    return made


def plan_elements(items: list[Json], cards_of: Mapping[str, Json], thread_id: str, words: Words) -> list[Json]:
    """The plan of each turn that did or asked several things, below the first answer that told of it."""
    made: dict[str, Json] = {}
    for item in items:
        turn_id = str(item.get("turn_id") or "")
        if item.get("role") != "assistant" or not turn_id or turn_id in made:
            continue
        asked = [cards_of[str(c)] for c in item.get("confirmations") or () if str(c) in cards_of]
        tainted = any(call.get("tainted") for call in item.get("calls") or ())
        found = plans.steps_of(item.get("commands") or (), asked, tainted=tainted)
        if found:
            props = plans.plan_props(turn_id, found, words)
            made[turn_id] = element("PlanList", plans.element_id(turn_id), thread_id, str(item["id"]), props)
    return list(made.values())


def item_step(item: Mapping[str, Any], thread_id: str) -> Json | None:
    """One message of a history; None when nothing was said in it and nothing hangs below it."""
    text, role = str(item.get("text") or ""), item.get("role")
    if role not in ("user", "assistant") or not (text or item.get("confirmations") or item.get("calls")):
        return None
    kind = "user_message" if role == "user" else "assistant_message"
    told = {"type": kind, "name": NAME, "output": text, "metadata": {"turn_id": str(item.get("turn_id") or "")}}
    return _step(str(item["id"]), thread_id, str(item.get("at") or "")) | told


def _step(step_id: str, thread_id: str, at: str) -> Json:
    return {
        "id": step_id,
        "threadId": thread_id,
        "parentId": None,
        "createdAt": at,
        "start": at,
        "end": at,
        "input": "",
        "output": "",
        "streaming": False,
        "isError": False,
        "metadata": {},
    }


def _thread(item: Mapping[str, Any], user_id: str | None) -> Json:
    at = str(item.get("updated_at") or item.get("created_at") or "")
    title = str(item.get("title") or _words().say("thread.untitled"))
    return {
        "id": str(item["id"]), "createdAt": at, "name": title, "userId": user_id, "steps": [], "metadata": {},
    }  # fmt: skip


def _token() -> str:
    """The visitor's session: of the request that the door let in, else of the socket being served."""
    if token := TOKEN.get():
        return token
    try:
        return str(context.session.token or "")
    except ChainlitContextException:
        return ""  # outside of a chat there is no session, and so nobody to read for


def _words() -> Words:
    return words_in(LANGUAGE.get())
