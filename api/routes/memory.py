"""What I asked to be remembered, as I and my household see it."""

from typing import Annotated, Any

from fastapi import Path, Query, Response

from api import wire, wire_memory
from api.access import Controller, Reader
from api.deps import Deps
from api.routing import reply, router
from api.tool_context import context_of
from homeguard.errors import NotAllowed, NotFound
from tools.answers import ActAnswer, CommandAnswer
from tools.memory import NoteLine, everything, forget, line_of, recall, remember

routes = router("/memory", "memory")
MemoryId = Annotated[str, Path(min_length=1, max_length=128)]


@routes.get("", response_model=wire_memory.Memories)
async def memories(principal: Reader, deps: Deps, query: Annotated[str, Query(max_length=400)] = "") -> Response:
    """What is kept of me and of my household; with `query` what shares a word with it, best first."""
    context = context_of(principal, deps)
    if query.strip():
        found = (await recall(context, query=query, limit=50)).notes
    else:
        await recall(context, limit=1)
        found = tuple(line_of(m) for m in await everything(context))
    return reply({"items": [_shown(note) for note in found], "total": len(found)})


@routes.post("", status_code=201, response_model=wire_memory.MemoryView)
async def keep(body: wire_memory.NewMemory, principal: Controller, deps: Deps) -> Response:
    """Keep a sentence or a preference, exactly as the tool does."""
    context = context_of(principal, deps)
    told = await remember(
        context, text=body.text, for_household=body.for_household, preference_name=body.preference, value=body.value
    )
    rows: Any = done(told)["remembered"]
    kept = await context.memory.get(principal.home_id, principal.user_id, str(rows[0]["id"]))
    if kept is None:
        raise NotFound("it was forgotten meanwhile", code="MEMORY_NOT_FOUND")
    return reply(_shown(line_of(kept)), 201)


@routes.delete("/{memory_id}", response_model=wire.Deleted)
async def let_go(memory_id: MemoryId, principal: Controller, deps: Deps) -> Response:
    """Forget one thing of mine or of the household."""
    told = await forget(context_of(principal, deps), memory_id=memory_id)
    if told.outcome == "refused":
        raise NotAllowed(told.reason)
    if not told.forgotten:
        raise NotFound("nothing of that id is remembered here", code="MEMORY_NOT_FOUND")
    return reply({"deleted": len(told.forgotten)})


def done(told: CommandAnswer | ActAnswer) -> dict[str, Any]:
    """What an act told. Raises NotAllowed: the gate refused it."""
    if told.outcome != "confirmed":
        raise NotAllowed(told.reason or "this is not allowed")
    return dict(told.data or {})


def _shown(note: NoteLine) -> dict[str, str]:
    return {
        "id": note.id, "text": note.text, "kind": note.kind, "whose": note.whose, "source": note.source, "at": note.at,
    }  # fmt: skip
