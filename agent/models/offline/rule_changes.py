"""Rules that are there already: listing them, switching one off or on, deleting one. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from agent.models.offline.parts import Call, Part, plain_error, read
from agent.models.offline.wording import listed
from agent.models.offline.words import those
from agent.models.protocol import ToolResult
from homeguard.kinds import singular

_RULE: Final = r"(?:rules?|automations?|routines?|schedules?|scheduled (?:things?|actions?|tasks?)|time ?tables?)"
_ASKED: Final = re.compile(
    rf"^(?:(?:can you|could you|please) )*(?:show|list|tell|read|give)(?: me)?\b.*\b{_RULE}\b"
    rf"|^(?:what(?: are| is)?|which|do i have|how many|are there|is there|any)\b.*\b{_RULE}\b"
    r"|^what (?:is|have (?:i|you)(?: got)?|did i|do you have) (?:scheduled|planned|set up|lined up)\b"
    r"|^what (?:will happen|happens|is going to happen|runs|will run) (?:later|tonight|tomorrow|automatically"
    r"|by itself)\b"
    r"|^what .*\b(?:happen|run|go off|do)s? (?:automatically|by (?:itself|themselves|yourself))\b"
)
_BEGIN: Final = r"^(?:(?:please|can you|could you|would you|hey|ok|and|i want (?:you )?to|i would like (?:you )?to) )*"
_GONE: Final = re.compile(
    rf"{_BEGIN}(?:delete|remove|cancel|get rid of|drop|scrap|erase|clear|undo|forget)\b.*\b{_RULE}\b"
)
_OFF: Final = re.compile(
    rf"{_BEGIN}(?:(?:turn|switch) off|disable|deactivate|pause|stop|suspend)\b.*\b{_RULE}\b"
    rf"|{_BEGIN}(?:turn|switch) .*\b{_RULE}\b.* off$"
)
_ON: Final = re.compile(
    rf"{_BEGIN}(?:(?:turn|switch) on|enable|activate|resume|reactivate|restart)\b.*\b{_RULE}\b"
    rf"|{_BEGIN}(?:turn|switch) .*\b{_RULE}\b.* on$"
)
_LAST: Final = re.compile(r"\b(?:that|this|it|last|latest|newest)\b")
_NTH: Final = {"1st": 0, "first": 0, "2nd": 1, "second": 1, "3rd": 2, "third": 2, "4th": 3, "fourth": 3}
#: "The second one": as they are listed.
_ORDINAL: Final = re.compile(rf"\b({'|'.join(_NTH)}) (?:one|rule|of)\b")
_PLAIN: Final = those(
    "delete remove cancel get rid of drop scrap erase clear undo forget turn switch off on disable deactivate "
    "pause stop suspend enable activate resume reactivate restart the my a an that this for about with which "
    "please can could you would i to want like rule rules automation automations routine routines schedule "
    "schedules scheduled all every one last latest newest new called named again it and hey ok thing things at in "
)


def rules_part(words: Sequence[str], text: str, pending: Sequence[str] = ()) -> Part | None:
    """The part for rules that are there; `None` for another sentence. `pending`: `("rule",)` when one was just spoken
    of, so that "delete the last one" means a rule."""
    part = _rules_part(words, text, pending)
    return replace(part, pending=("rule",)) if part is not None else None


_ONE: Final = re.compile(
    r"\b(?:it|that(?: one)?|this(?: one)?|them(?: all)?|the one (?:for|about|with|at) .+"
    r"|(?:the )?(?:last|latest|newest|new|1st|first|2nd|second|3rd|third|4th|fourth)(?: one)?)$"
)


def _rules_part(words: Sequence[str], text: str, pending: Sequence[str]) -> Part | None:
    said = " ".join(w for w in words if w not in ("?", "!", "."))
    if pending[:1] == ("rule",) and re.match(rf"{_BEGIN}(?:delete|remove|cancel|drop|scrap|erase|forget|get rid of"
                                             r"|disable|deactivate|pause|suspend)\b", said):  # fmt: skip
        said = _ONE.sub(lambda m: f"{m[0]} rule", said)
    if _GONE.search(said):
        return _on_one(said, text, "deleted")
    if _OFF.search(said):
        return _on_one(said, text, "switched off")
    if _ON.search(said):
        return _on_one(said, text, "switched on")
    if _ASKED.search(said):
        return _listed(text)
    return None


def _rows(output: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [r for r in output.get("automations") or () if isinstance(r, Mapping)]


def _listed(text: str) -> Part:
    def tell(output: Mapping[str, Any]) -> str:
        rows = _rows(output)
        if not rows:
            return (
                'There are no rules in this home yet. Say one: "when the front door is unlocked at night, '
                'notify me", or '
                '"every weekday at 7 ...".'
            )
        names = [f'"{r.get("name")}"{"" if r.get("enabled", True) else " (switched off)"}' for r in rows]
        return f"You have {len(rows)} rule{'s' if len(rows) != 1 else ''}: {listed(names, 6)}."

    return read(text, "list_automations", {}, tell)


def _content(said: str) -> set[str]:
    return {singular(w) for w in re.findall(r"[a-z0-9:]+", said.lower()) if w not in _PLAIN}


def _on_one(said: str, text: str, how: str) -> Part:
    """First which rules there are, then the change to the one that the words mean."""
    wanted = _content(re.split(r" , | because ", said)[0])

    def fitting(results: Sequence[ToolResult]) -> list[Mapping[str, Any]]:
        rows = _rows(results[0].output) if results and results[0].status == "ok" else []
        if not wanted and _LAST.search(said):
            return rows and [max(rows, key=lambda r: str(r.get("created_at") or ""))]
        at = _ORDINAL.search(said)
        if at is not None:
            return rows[_NTH[at[1]] : _NTH[at[1]] + 1]
        if not wanted:
            return rows
        scored = [(len(wanted & _content(str(r.get("name") or ""))), r) for r in rows]
        best = max((s for s, _ in scored), default=0)
        return [r for s, r in scored if s == best and s * 2 >= len(wanted)] if best else []

    def follow(results: Sequence[ToolResult]) -> Sequence[Call]:
        found = fitting(results)
        if len(found) != 1:
            return ()
        rule_id = found[0].get("id")
        if how == "deleted":
            return (Call("delete_automation", {"automation_id": rule_id}),)
        return (Call("update_automation", {"automation_id": rule_id, "enabled": how == "switched on"}),)

    def tell(results: Sequence[ToolResult]) -> str:
        if not results or results[0].status != "ok":
            return "I could not look up your rules."
        rows, found = _rows(results[0].output), fitting(results)
        names = [f'"{r.get("name")}"' for r in (found or rows)]
        if not rows:
            return "There are no rules in this home."
        if not found and _ORDINAL.search(said):
            return f"There {'is' if len(rows) == 1 else 'are'} only {len(rows)}: {listed(names, 6)}."
        if not found:
            return f"None of your rules fits that. There are {listed(names, 6)}."
        if len(found) > 1:
            return f"Which one: {listed(names, 6, 'or')}?"
        last = results[-1]
        if last.status == "asked":
            return f"I need your OK for that: the rule {names[0]} would be {how}. Please confirm on the card."
        if last.status == "denied":
            return f"Okay, the rule {names[0]} stays as it is."
        if (
            last.name == "list_automations"
            or last.status != "ok"
            or str(last.output.get("outcome")) in ("failed", "refused")
        ):
            why = plain_error(last.error or str(last.output.get("reason") or ""))
            return f"I could not change the rule {names[0]}: {why}."
        return f"The rule {names[0]} is {how}."

    return Part(text=text, calls=(Call("list_automations"),), tell=tell, follow=follow)
