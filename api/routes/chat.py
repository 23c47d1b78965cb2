"""Talking to the home: a turn at once or as a stream, and what was said before."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Final

from fastapi import Path, Query, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from agent.stream import AgentEvent
from api import shapes, wire
from api.access import Reader
from api.deps import ApiDeps, Deps
from api.errors import encode
from api.query import Cursor, Limit, clamp, page
from api.routing import reply, router
from api.sse import EventStream
from api.turn import TurnSoFar
from homeguard.errors import InvalidInput, NotFound
from homeguard.model import Principal
from homeguard.titles import title_of

routes = router("/ai/chat", "chat")
ThreadId = Annotated[str, Query(max_length=128)]
_PING_S: Final = 15


@routes.post("", response_model=wire.ChatAnswer)
async def chat(body: wire.ChatMessage, principal: Reader, deps: Deps) -> Response:
    """Say something; the answer comes when the turn has ended or waits for a person's yes."""
    turn = TurnSoFar()
    async with aclosing(_turn(body, principal, deps)) as happening:
        async for event in happening:
            turn.add(event)
    return reply(turn.answer())


@routes.post(
    "/stream",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "the turn's events as they happen"}},
)
async def chat_stream(body: wire.ChatMessage, principal: Reader, deps: Deps) -> Response:
    """Say something and watch: `turn`, `token`, `tool_start`, `tool_end`, `confirmation`, `plan`, `outcome`,
    `answer`, `error`, `done`. The turn goes on to its end when nobody listens any more."""
    happening = _turn(body, principal, deps)
    # The first event is waited for, so that a message that cannot be taken is an HTTP error and no stream.
    first = await anext(happening)
    return EventStream(_server_sent(first, happening), ping=_PING_S, send_timeout=30)


@routes.get("/history", response_model=wire.Page[wire.MessageView])
async def history(principal: Reader, deps: Deps, thread_id: ThreadId = "", limit: Limit = 200) -> Response:
    """The messages of one of my conversations, oldest first; of the last one without `thread_id`."""
    if not thread_id:
        last = await deps.conversations.threads(principal.home_id, principal.user_id, limit=1)
        thread_id = last[0].id if last else ""
    elif await deps.conversations.thread(principal.home_id, principal.user_id, thread_id) is None:
        raise _no_thread()
    said = []
    if thread_id:
        said = await deps.conversations.messages(principal.home_id, principal.user_id, thread_id, limit=clamp(limit))
    return reply({"items": [shapes.message(m) for m in said], "next_cursor": None})


@routes.delete("/history", response_model=wire.Deleted)
async def forget(principal: Reader, deps: Deps, thread_id: ThreadId = "") -> Response:
    """Delete one of my conversations, or all of mine without `thread_id`."""
    if thread_id and await deps.conversations.thread(principal.home_id, principal.user_id, thread_id) is None:
        raise _no_thread()
    gone = await deps.conversations.clear(principal.home_id, principal.user_id, thread_id)
    return reply({"deleted": gone})


@routes.get("/threads", response_model=wire.Page[wire.ThreadView])
async def threads(
    principal: Reader,
    deps: Deps,
    limit: Limit = 50,
    cursor: Cursor = None,
    search: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """My conversations, newest first; with `search` those in which every word occurs."""
    mine = await deps.conversations.threads(principal.home_id, principal.user_id, limit=1000, search=search)
    part, more = page(mine, lambda t: t.id, clamp(limit), cursor)
    return reply({"items": [shapes.thread(t) for t in part], "next_cursor": more})


@routes.patch("/threads/{thread_id}", response_model=wire.ThreadView)
async def rename(
    thread_id: Annotated[str, Path(min_length=1, max_length=128)], body: wire.NewTitle, principal: Reader, deps: Deps
) -> Response:
    """Call one of my conversations by another title, up to 60 characters of it."""
    title = title_of(body.title)
    if not title:
        raise InvalidInput("a title has a word at least", field="title")
    if not await deps.conversations.rename(principal.home_id, principal.user_id, thread_id, title):
        raise _no_thread()
    renamed = await deps.conversations.thread(principal.home_id, principal.user_id, thread_id)
    if renamed is None:
        raise _no_thread()
    return reply(shapes.thread(renamed))


async def _turn(body: wire.ChatMessage, principal: Principal, deps: ApiDeps) -> AsyncGenerator[AgentEvent, None]:
    """The agent's turn; its end is counted, and told to the person's other screens."""
    turn = TurnSoFar()
    happening = deps.agent.stream(principal, body.message, thread_id=body.thread_id, new_thread=body.new_thread)
    async for event in happening:
        turn.add(event)
        if event.name == "done":
            deps.metrics.agent_seconds.observe(turn.duration_s)
            deps.metrics.agent_conversations.labels(str(turn.done.get("intent") or "talk")).inc()
            for command in turn.commands:
                deps.metrics.agent_actions.labels(str(command.get("command") or "other")).inc()
            await deps.feed.publish([turn.told(principal, deps.clock.now())])
        yield event


async def _server_sent(first: AgentEvent, rest: AsyncGenerator[AgentEvent, None]) -> AsyncIterator[ServerSentEvent]:
    async with aclosing(rest):
        yield _sent(first)
        async for event in rest:
            yield _sent(event)


def _sent(event: AgentEvent) -> ServerSentEvent:
    data: Any = encode(event.data).decode()
    return ServerSentEvent(event=event.name, data=data)


def _no_thread() -> NotFound:
    return NotFound("you have no such conversation", code="THREAD_NOT_FOUND")
