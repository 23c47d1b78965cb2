"""The lists, charts and cards on one open page: drawn once, changed in place, drawn anew when its socket is back."""

from typing import Any, Final

from chainlit.context import context

Json = dict[str, Any]

#: More than one conversation holds on a page.
_REMEMBERED: Final = 2_000
#: Counts by itself in the page: a difference of it alone is none.
_CLOCK: Final = "left_s"


class Board:
    """What is drawn in a message keeps its element id, so that a later state takes its place."""

    def __init__(self) -> None:
        self._drawn: dict[str, tuple[str, str, Json]] = {}

    async def put(self, name: str, element_id: str, message_id: str, props: Json) -> None:
        """Draws element `name` below the message, or changes the one that is there; the same again draws nothing."""
        known = self._drawn.get(element_id)
        if known is not None and _shown(known[2]) == _shown(props):
            return
        self._drawn[element_id] = name, message_id, props
        while len(self._drawn) > _REMEMBERED:
            del self._drawn[next(iter(self._drawn))]
        await send(name, element_id, message_id, props)

    def forget(self, element_id: str) -> None:
        """What the page shows of it now is not known: the next `put` draws it."""
        self._drawn.pop(element_id, None)

    async def draw_again(self, *, but: str) -> None:
        """Everything except elements of the name `but`: the page may have missed what was sent of it."""
        for element_id, (name, message_id, props) in list(self._drawn.items()):
            if name != but:
                await send(name, element_id, message_id, props)


def element(name: str, element_id: str, thread_id: str, message_id: str, props: Json) -> Json:
    """An element as the page takes it; its source is `public/elements/<name>.jsx`."""
    return {
        "id": element_id, "threadId": thread_id, "type": "custom", "name": name, "display": "inline",
        "forId": message_id, "mime": "application/json", "props": props,
    }  # fmt: skip


async def send(name: str, element_id: str, message_id: str, props: Json) -> None:
    """Draws it now. The library's own way would write each state of it into a file first."""
    await context.emitter.send_element(element(name, element_id, context.session.thread_id, message_id, props))


def _shown(props: Json) -> Json:
    return {key: value for key, value in props.items() if key != _CLOCK}
