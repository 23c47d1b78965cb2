"""The lists of the home: what to buy, what to pack."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Path, Response

from api import wire_time
from api.access import Controller, Reader
from api.deps import Deps
from api.routes.memory import done
from api.routing import reply, router
from api.tool_context import context_of
from tools.lists import add_to_list, complete_list_item, get_list, remove_from_list

routes = router("/lists", "lists")
ListName = Annotated[str, Path(min_length=1, max_length=40)]
ItemId = Annotated[str, Path(min_length=1, max_length=128)]


@routes.get("/{list_name}", response_model=wire_time.ListView)
async def items(list_name: ListName, principal: Reader, deps: Deps) -> Response:
    """What is on it, and which lists there are; one that nothing is on has no items."""
    return reply(asdict(await get_list(context_of(principal, deps), list_name=list_name)))


@routes.post("/{list_name}/items", response_model=wire_time.Added)
async def add(list_name: ListName, body: wire_time.NewItems, principal: Controller, deps: Deps) -> Response:
    """Write items on it; what is on it already is told apart."""
    return reply(done(await add_to_list(context_of(principal, deps), items=body.items, list_name=list_name)))


@routes.patch("/{list_name}/items/{item_id}", response_model=wire_time.Changed)
async def tick(
    list_name: ListName, item_id: ItemId, body: wire_time.ChangedItem, principal: Controller, deps: Deps
) -> Response:
    """Tick an item off, or open it again."""
    context = context_of(principal, deps)
    return reply(done(await complete_list_item(context, item=item_id, list_name=list_name, done=body.done)))


@routes.delete("/{list_name}/items/{item_id}", response_model=wire_time.Removed)
async def remove(list_name: ListName, item_id: ItemId, principal: Controller, deps: Deps) -> Response:
    """Take an item away; `*done` takes all that are ticked off."""
    return reply(done(await remove_from_list(context_of(principal, deps), items=[item_id], list_name=list_name)))
