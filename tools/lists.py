"""The lists of the home: what to buy, what to pack. All of its people read and write them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar, Final

from homeguard.clock import iso
from homeguard.errors import InvalidInput, NotFound
from homeguard.model import Effect, Json
from homeguard.ports.lists import ListItem
from homeguard.recollection import folded
from tools.answers import ActAnswer, act_answer_of
from tools.context import ToolContext
from tools.shapes import SHAPE
from tools.text import clean

LONGEST_ITEM: Final = 100
LONGEST_NAME: Final = 40
#: Items in one call.
MOST_AT_ONCE: Final = 50
#: Stands for all that are done.
DONE: Final = "*done"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLine:
    __pydantic_config__: ClassVar = SHAPE
    id: str
    text: str
    done: bool
    added_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeList:
    __pydantic_config__: ClassVar = SHAPE
    list: str
    items: tuple[ListLine, ...]
    """Oldest first; empty when there is no such list"""
    lists: tuple[str, ...]
    """All lists of the home that have an item"""


async def add_to_list(context: ToolContext, *, items: Sequence[str], list_name: str = "shopping") -> ActAnswer:
    """Write items on a list; it is there as soon as something is on it.

    Raises:
        InvalidInput: no items, too many, or one without words.
    """
    return await _act(context, "add_to_list", {"list": _name(list_name), "items": _texts(items)})


async def get_list(context: ToolContext, *, list_name: str = "shopping") -> HomeList:
    """What is on it, and which lists there are."""
    name = _name(list_name)
    return HomeList(
        list=name,
        items=tuple(
            ListLine(id=i.id, text=clean(i.text), done=i.done, added_at=iso(i.added_at))
            for i in await context.lists.of(context.home_id, name)
        ),
        lists=tuple(clean(n) for n in await context.lists.names(context.home_id)),
    )


async def complete_list_item(
    context: ToolContext, *, item: str, list_name: str = "shopping", done: bool = True
) -> ActAnswer:
    """Tick an item off, or open it again.

    Raises:
        NotFound: it is not on the list.
    """
    name = _name(list_name)
    found = _found(item, await context.lists.of(context.home_id, name), name)
    parameters: dict[str, Json] = {"list": name, "id": found.id, "item": found.text, "done": done}
    return await _act(context, "complete_list_item", parameters)


async def remove_from_list(context: ToolContext, *, items: Sequence[str], list_name: str = "shopping") -> ActAnswer:
    """Take items away; `*done` stands for all that are ticked off.

    Raises:
        NotFound: one is not on the list; nothing was taken away.
    """
    name = _name(list_name)
    known = await context.lists.of(context.home_id, name)
    if list(items) == [DONE]:
        gone = [i for i in known if i.done]
    else:
        gone = [_found(text, known, name) for text in _texts(items)]
    parameters: dict[str, Json] = {"list": name, "ids": [i.id for i in gone], "items": [i.text for i in gone]}
    return await _act(context, "remove_from_list", parameters)


async def _act(context: ToolContext, kind: str, parameters: Mapping[str, Json]) -> ActAnswer:
    effect = Effect(kind=kind, command=kind, parameters=parameters)
    return act_answer_of(await context.commands.act(context.principal, effect))


def _found(item: str, known: Sequence[ListItem], name: str) -> ListItem:
    """By its id or its words, also by a part that only one has. Raises NotFound."""
    wanted = folded(item[:200])
    for i in known:
        if item in (i.id, i.text) or (wanted and folded(i.text) == wanted):
            return i
    parts = [i for i in known if wanted and f" {wanted} " in f" {folded(i.text)} "]
    if len(parts) == 1:
        return parts[0]
    near = get_close_matches(clean(item), [i.text for i in known], n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise NotFound(f"that is not on the list '{name}'{hint}", code="LIST_ITEM_NOT_FOUND", field="item")


def _name(name: str) -> str:
    """A list's name as it is kept: small letters, without the word `list` at its end."""
    kept = clean(name, LONGEST_NAME).casefold().removesuffix(" list").strip()
    if not folded(kept):
        raise InvalidInput("a list has a name, such as shopping", field="list_name")
    return kept


def _texts(items: Sequence[str]) -> list[str]:
    if isinstance(items, str) or not 0 < len(items) <= MOST_AT_ONCE:
        raise InvalidInput(f"1 to {MOST_AT_ONCE} items at a time", field="items")
    kept = [clean(item, LONGEST_ITEM) for item in items]
    for i, text in enumerate(kept):
        if not text:
            raise InvalidInput("an item is a word or more", field=f"items[{i}]")
    return kept
