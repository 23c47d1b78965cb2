"""Lists of the home: "add milk and eggs to the shopping list", "what is on my to-do list?", "tick off the milk"."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from agent.models.offline.parts import Call, Part, plain_error, question
from agent.models.offline.wording import listed, start
from agent.models.protocol import ToolResult

_KIND: Final = r"(?P<name>[a-z]+(?: (?:do|store|things))?(?: [a-z]+)?)"
_LIST: Final = re.compile(
    r"\b(?:(?:my |the |our |a |his |her |household )?(?P<name>shopping|grocery|groceries|to do|todo|task|tasks"
    r"|chores?|packing|wish|"
    r"reading|gift|party|hardware|food|errands?|christmas|bucket|birthday|work|supermarket) list|(?:my|the|our"
    r"|that|on|to|off|from) list)\b"
    r"|(?:(?<=\bon )|(?<=\bto )|(?<=\boff )|(?<=\bfrom )|(?<=\bin )|(?<=\bonto ))(?:my|the|our) "
    r"(?P<any>[a-z]+(?: [a-z]+)?) list\b"
    r"|\b(?:my |the |our )?(?P<bare>to dos?|todos|tasks|chores|errands|groceries)\b"
)
_ADD: Final = re.compile(
    r"^(?:(?:please|can you|could you|would you|hey|ok|and|also|i want to|i need to|i need you to) )*"
    r"(?:add|put|write|stick|pop|place|include|note|jot|get|chuck|bung|shove|throw|whack)(?: down)? "
    r"(?P<items>.+?) (?:to|on|onto|in|into|down on) "
)
#: "I bought the bread, you can tick it off"; "tick off the bread".
_GOT: Final = re.compile(
    r"\b(?:bought|got|picked up|have)(?: some| the| a)? (?P<one>[a-z ]+?)(?: ,)?(?: (?:so|and|now|then|please"
    r"|you|can|could|just))* "
    r"(?:tick|check|cross|strike|mark) (?:it|that|them|those) off\b"
    r"|^(?:please )?(?:tick|check|cross) off(?: the| my)? (?P<two>[a-z ]+)$"
)
_SHOPS: Final = re.compile(
    r"^(?:so |and )?what (?:do|did) (?:i|we) (?:still |have to )?(?:need|get|buy|want)(?: to (?:get"
    r"|buy))?\b.*\b(?:shops?|store|supermarket|"
    r"market|grocer\w*)\b|^what (?:do|should) (?:i|we) (?:still )?(?:need to |have to )?buy\b"
)
#: "We're out of rice, add it to the list".
_SHORT_OF: Final = re.compile(
    r"\b(?:out of|low on|short of|need|no more)(?: some| any| more)? (?P<item>[a-z][a-z ]*?)(?: (?:left|again))?(?: ,)?"
    r"(?: (?:so|and|please|can|could|you|be|just|would))* (?:add|adding|put|putting|stick|pop) (?:it|that|them"
    r"|those|some)\b"
)
_WANTS: Final = re.compile(r"\b(?:is|are) (?P<item>.+?) on$")
_TAKE: Final = re.compile(
    r"^(?:(?:please|can you|could you|would you|hey|ok|and|also) )*(?:remove|take|delete|erase|drop|get|strike"
    r"|scratch|cross)(?: off| out)? (?P<items>.+?)"
    r"(?: (?:off|from|out|on|in)(?: of)?) *$"
)
_TICK: Final = re.compile(
    r"^(?:(?:please|can you|could you|would you|hey|ok|and|also) )*(?:(?:check|tick|cross|mark)(?: off)?"
    r"|complete|finish) (?P<items>.+?)"
    r"(?: off)?(?: as (?:done|bought|complete|completed|finished))?(?: (?:on|from|in|off|of) |$)"
)
#: What takes something off a list, or changes it, never adds.
_OFF: Final = re.compile(
    r"(?:who|whose|when|where|why|how|if|remove|delete|complete|check|tick|cross|mark|take"
    r"|erase|drop|finish|find|change|move)\b"
)
_SHOW: Final = re.compile(
    r"\b(?:what|whats|which|show|read|tell|list|see|how many|count|anything|is there|do i (?:have|need)|give me"
    r"|open|display)\b"
)
_EMPTY: Final = re.compile(
    r"^(?:(?:please|can you|could you|hey) )*(?:clear|empty|wipe|delete|erase|reset)(?: out)?(?: all)?(?: of)? "
    r"(?:everything |all )?(?:items )?(?:from |on |off )?"
)
_SAME: Final = {
    "grocery": "shopping", "groceries": "shopping", "supermarket": "shopping", "food": "shopping", "": "shopping",
    "todo": "to do", "to dos": "to do", "todos": "to do", "task": "to do", "tasks": "to do", "chore": "chores",
    "errand": "errands",
}  # fmt: skip


def list_part(words: Sequence[str], text: str, pending: Sequence[str] = ()) -> Part | None:
    """The part for a list of the home; `None` for another sentence. `pending`: `("list", name)` when one was just
    spoken of."""
    part = _list_part(words, text, pending)
    return replace(part, pending=("list", _name_in(part))) if part is not None and not part.pending else part


def _name_in(part: Part) -> str:
    return next((str(c.arguments.get("list_name")) for c in part.calls if c.arguments.get("list_name")), "shopping")


def _list_part(words: Sequence[str], text: str, pending: Sequence[str]) -> Part | None:
    said = " ".join(w for w in words if w not in ("?", "!", "."))
    if pending[:1] == ("list",) and _LIST.search(said) is None:
        if re.match(r"(?:and |so |ok )*what(?: is|s| do we have| have i got)?(?: now)? on (?:it|there|that)\b", said):
            return _shown(pending[1], text, "", None)
        gone = re.match(
            r"(?:(?:no|actually|oh|and|please|wait) ,? ?)*(?:take|remove|cross|strike|scratch) "
            r"(?:the |my )?([a-z ]+?) (?:off|out)(?: again)?(?: ,.*)?$",
            said,
        )
        gone = gone or re.match(
            r"(?:(?:no|actually|oh|and|please|wait) ,? ?)*(?:remove|scratch|delete) (?:the "
            r"|my )?([a-z ]+?)(?: again)?$",
            said,
        )
        if gone is not None:
            items = _items(gone[1])
            done = f"{_and(items)} {_be(items)} off your {_called(pending[1])}."
            return _change("remove_from_list", {"items": items, "list_name": pending[1]}, text, done)
        more = re.match(r"(?:and |also |oh and |plus )+(?:add )?(?:some |a |the )?([a-z ]{3,40})$", said)
        if more is not None and not re.search(r"\b(?:light|door|lock|turn|is|are|what|how)\b", said):
            return _added(_items(more[1]), pending[1], text)
    found = _LIST.search(said)
    if found is None and _SHOPS.search(said):
        return _shown("shopping", text, "", None)
    short = _SHORT_OF.search(said)
    if found is not None and short is not None:
        return _added(_items(short["item"]), _SAME.get(found["name"] or "", found["name"] or ""), text)
    if found is None:
        got = _GOT.search(said)
        if got is None:
            return None
        item = got["one"] or got["two"]
        return _changes(
            (Call("complete_list_item", {"item": item, "list_name": "shopping"}),), text,
            f'"{start(item)}" is ticked off on your shopping list.',
        )  # fmt: skip
    name = found["name"] or found["any"] or found["bare"] or ""
    name = _SAME.get(name, name)
    head = said[: found.start()]
    empty = _EMPTY.match(said)
    if empty is not None and empty.end() >= found.start():
        return _emptied(name, text)
    added = _ADD.match(head + " ") if not re.search(r"\bwhat\b", head) else None
    if added is not None:
        return _added(_items(added["items"]), name, text)
    taken = _TAKE.match(head + " ")
    if taken is not None:
        items = _items(taken["items"])
        return _change(
            "remove_from_list",
            {"items": items, "list_name": name},
            text,
            f"{_and(items)} {_be(items)} off your {_called(name)}.",
        )
    ticked = _TICK.match(head.rstrip() + " ") if head.strip() else None
    if ticked is not None:
        items = _items(ticked["items"])
        calls = tuple(Call("complete_list_item", {"item": i, "list_name": name}) for i in items)
        return _changes(calls, text, f"{_and(items)} {_be(items)} ticked off on your {_called(name)}.")
    if found["bare"] and not re.search(r"\b(?:on|what|which|how many|show|read|list|any)\b", head):
        return None
    put = re.match(
        r"(?:(?:please|can you|could you|and|also|hey) )*(?P<items>[a-z0-9 ,]+?) "
        r"(?:(?:goes|go|should go|needs to go|belongs?) )?(?:on|onto|to) $",
        head,
    )
    if (
        put is not None
        and not _OFF.match(put["items"])
        and not _SHOW.search(head)
        and not re.match(r"(?:is|are|do|does|did|have|has)\b", head)
    ):
        return _added(_items(put["items"]), name, text)
    item = _WANTS.search(head.strip())
    return _shown(name, text, item["item"] if item and not _SHOW.search(head) else "", _about(said, found))


def _items(said: str) -> list[str]:
    """ "milk , eggs and a loaf of bread" as three."""
    parts = re.split(r" ?, (?:and )?| and | plus | as well as ", said)
    cleaned = [re.sub(r"^(?:some|a|an|the|more|also|to|my) ", "", p.strip()) for p in parts]
    return [p for p in cleaned if p][:20]


def _and(items: Sequence[str]) -> str:
    return start(listed([f'"{i}"' for i in items]))


def _be(items: Sequence[str]) -> str:
    return "is" if len(items) == 1 else "are"


def _called(name: str) -> str:
    return f"{name} list"


def _added(items: Sequence[str], name: str, text: str) -> Part:
    if not items:
        return question(text, f"What should I add to your {_called(name)}?")
    arguments = {"items": list(items), "list_name": name}

    def tell(results: Sequence[ToolResult]) -> str:
        result = results[0]
        if not _good(result):
            return f"I could not add that: {_why(result)}."
        data = result.output.get("data")
        already = [str(i) for i in data.get("already") or ()] if isinstance(data, Mapping) else []
        new = [i for i in items if i not in already]
        said = f"{_and(new)} {_be(new)} on your {_called(name)} now." if new else ""
        old = f"{_and(already)} {'was' if len(already) == 1 else 'were'} on it already." if already else ""
        return f"{said} {old}".strip()

    return Part(text=text, calls=(Call("add_to_list", arguments),), tell=tell)


def _good(result: ToolResult) -> bool:
    return result.status == "ok" and str(result.output.get("outcome") or "confirmed") not in ("failed", "refused")


def _why(result: ToolResult) -> str:
    return plain_error(result.error or str(result.output.get("reason") or ""))


def _change(tool: str, arguments: Mapping[str, Any], text: str, done: str) -> Part:
    return _changes((Call(tool, arguments),), text, done)


def _changes(calls: tuple[Call, ...], text: str, done: str) -> Part:
    def tell(results: Sequence[ToolResult]) -> str:
        bad = [r for r in results if not _good(r)]
        return done if not bad else f"I could not do that: {_why(bad[0])}."

    return Part(text=text, calls=calls, tell=tell)


def _emptied(name: str, text: str) -> Part:
    def follow(results: Sequence[ToolResult]) -> Sequence[Call]:
        items = [str(r.get("id") or r.get("text")) for r in _rows(results) or ()]
        return (Call("remove_from_list", {"items": items, "list_name": name}),) if items else ()

    def tell(results: Sequence[ToolResult]) -> str:
        rows = _rows(results)
        if rows is None:
            return "I could not look that up: the list did not answer."
        if not rows:
            return f"Your {_called(name)} is empty."
        return (
            f"Your {_called(name)} is empty now."
            if _good(results[-1])
            else f"I could not do that: {_why(results[-1])}."
        )

    return Part(text=text, calls=(Call("get_list", {"list_name": name}),), tell=tell, follow=follow)


def _rows(results: Sequence[ToolResult]) -> list[Mapping[str, Any]] | None:
    result = next((r for r in results if r.name == "get_list"), None)
    if result is None or result.status != "ok":
        return None
    return [r for r in result.output.get("items") or () if isinstance(r, Mapping)]


def _about(said: str, found: re.Match[str]) -> Callable[[str], bool] | None:
    """What of a list is asked for: "who is on it to call" means the items that begin with "call"."""
    match = re.search(
        r"\bto (call|buy|get|do|pick up|fix|repair|clean|visit|pay|send|write|make)\b", said[found.end() :] + " "
    )
    verb = match[1] if match else ""
    return (lambda item: item.lower().startswith(verb)) if verb and verb not in ("do", "get") else None


def _shown(name: str, text: str, item: str, about: Callable[[str], bool] | None) -> Part:
    def tell(results: Sequence[ToolResult]) -> str:
        rows = _rows(results)
        if rows is None:
            return "I could not look that up: the list did not answer."
        open_items = [str(r.get("text")) for r in rows if not r.get("done")]
        if item:
            fits = [i for i in open_items if re.sub(r"^(?:the|any|some) ", "", item) in i.lower()]
            return f'{"Yes" if fits else "No"}, "{item}" is {"" if fits else "not "}on your {_called(name)}.'
        if about is not None:
            open_items = [i for i in open_items if about(i)] or open_items
        if not open_items:
            return f"Your {_called(name)} is empty." if not rows else f"Everything on your {_called(name)} is done."
        count = len(open_items)
        return f"{count} thing{'s' if count != 1 else ''} on your {_called(name)}: {listed(open_items, 12)}."

    return Part(text=text, calls=(Call("get_list", {"list_name": name}),), tell=tell)
