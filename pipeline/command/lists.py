"""What can be done with a list of the home: write on it, tick off, take away."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from homeguard.clock import Clock
from homeguard.errors import InvalidInput
from homeguard.ids import derived_id
from homeguard.model import Effect, Json, Principal
from homeguard.ports.lists import ListItem, Lists
from homeguard.recollection import folded
from pipeline.command.own_words import check_own_words
from pipeline.command.words import Act

#: Lists of a home, and items of a list.
MOST_LISTS: Final = 20
MOST_ITEMS: Final = 200


class ListActs:
    """The acts over `lists`; done again they change nothing more."""

    def __init__(self, *, lists: Lists, clock: Clock) -> None:
        self._lists = lists
        self._clock = clock

    def registry(self) -> Mapping[str, Act]:
        """By the kind of the effect."""
        return {"add_to_list": self.add, "complete_list_item": self.complete, "remove_from_list": self.remove}

    async def add(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Write the parameters' `items` on the list; tells which are new and which were there.

        Raises:
            InvalidInput: there are too many items or lists.
            NotAllowed: they are others' text (`check_own_words`).
        """
        given: Mapping[str, Any] = effect.parameters
        name, texts = str(given["list"]), [str(text) for text in given["items"]]
        check_own_words(principal, texts)
        known = await self._lists.of(principal.home_id, name)
        names = await self._lists.names(principal.home_id)
        if name not in names and len(names) >= MOST_LISTS:
            raise InvalidInput(f"a home has at most {MOST_LISTS} lists", field="list_name")
        now = self._clock.now()
        items: dict[str, ListItem] = {}
        for place, text in enumerate(texts):
            id_ = item_id(principal.home_id, name, text)
            made = ListItem(
                home_id=principal.home_id,
                id=id_,
                list_name=name,
                text=text,
                added_by=principal.user_id,
                # a list is in the order in which it was said
                added_at=now + timedelta(microseconds=place),
            )
            items.setdefault(id_, made)
        if len({i.id for i in known} | items.keys()) > MOST_ITEMS:
            raise InvalidInput(f"a list has at most {MOST_ITEMS} items; take some away first", field="items")
        new = {item.id for item in await self._lists.add(list(items.values()))}
        added = [i.text for i in items.values() if i.id in new]
        return {"list": name, "added": added, "already": [i.text for i in items.values() if i.id not in new]}

    async def complete(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Tick the item of the parameters' `id` off, or open it again."""
        given: Mapping[str, Any] = effect.parameters
        await self._lists.set_done(principal.home_id, [str(given["id"])], given["done"] is True)
        return {"list": str(given["list"]), "item": str(given["item"]), "done": given["done"] is True}

    async def remove(self, principal: Principal, effect: Effect, act_id: str) -> Mapping[str, Json]:
        """Take the items of the parameters' `ids` away; tells their `items`."""
        given: Mapping[str, Any] = effect.parameters
        ids: Sequence[Any] = given["ids"]
        await self._lists.remove(principal.home_id, [str(id_) for id_ in ids])
        return {"list": str(given["list"]), "removed": list(given["items"])}


def item_id(home_id: str, list_name: str, text: str) -> str:
    """The same for the same words on the same list, however they are written."""
    return derived_id("list_item", home_id, list_name, folded(text) or text)
