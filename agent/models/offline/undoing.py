""" "Undo that", "put it back": the call that puts back what was done last, and what came of it in words."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.models.offline.parts import Call, Part, plain_error
from agent.models.offline.words import those
from agent.models.protocol import ToolResult
from homeguard.causes import state_words

_BEFORE: Final = (
    r"^(?:(?:oops|whoops|no|wait|please|sorry|actually|hey|ok|okay|hmm|never mind|just|now|and|then|can you|could you"
    r"|would you|will you|i want you to|i want to|that was (?:a )?(?:mistake|wrong)|my mistake|wrong one"
    r"|i (?:did not|didnt|didn t|didn't) (?:mean|want) (?:that|it|this|to)|[.,!;-])\s*)*"
)
_IT: Final = r"(?:it|that|this|them|those|these|things|everything|all(?: of (?:it|them|that))?)"
_AS_IT_WAS: Final = (
    r"(?:(?:to|like|as|just as|exactly as) )?(?:how|what|the way|the state|as|like|where) "
    r"(?:it|they|things|everything|that|all) (?:was|were|had been|used to be)(?: before| earlier| then)?"
    r"|(?:to |like |as )?before|(?:to|like|as) (?:it|they) (?:was|were)(?: before)?|again|now|then|please"
)
_UNDO: Final = re.compile(
    _BEFORE
    + rf"(?:(?:undo|revert|reverse)\b(?P<what>.*)|roll (?:{_IT} )?back(?P<rolled>.*)|take {_IT} back"
    + rf"|(?:put|change|set|bring|turn|switch|move) {_IT} back(?: (?:{_AS_IT_WAS}))*"
    + rf"|(?:go|change|switch|get|put it) back (?:{_AS_IT_WAS})"
    + rf"|(?:make|have|leave|put) {_IT} (?:{_AS_IT_WAS})"
    + r"|restore (?:the |my |our )?(?:previous|last|old|earlier|former|prior) (?:settings?|states?|values?)"
    + r"|(?:restore|reset) " + _IT + rf"(?: (?:{_AS_IT_WAS}))?)[ .!?]*$"
)  # fmt: skip
#: What may stand behind "undo": nothing that names one thing among others.
_ANY: Final = those(
    "that it this last latest previous thing things action actions command commands change changes step steps what you "
    "i we just did done do have has made make please my the your our everything again now all of them those one to "
    "request for me back . , !"
)
_REDO: Final = re.compile(_BEFORE + r"redo\b(?: (?:it|that|this|the last (?:thing|one|action)))?[ .!?]*$")
_NOT: Final = re.compile(r"\b(?:dont|don t|don't|do not|never|without)\b")


def undo_part(text: str, spoken: str) -> Part | None:
    """The part for a sentence that wants the last thing put back, `None` for another. `text` is in lower case."""
    if _REDO.search(text):
        return Part(text=spoken, say='Say "undo" once more after an undo: that brings back what it changed.')
    found = _UNDO.search(text)
    if found is None or _NOT.search(re.sub(_BEFORE, "", text)):
        return None
    rest = (found.group("what") or found.group("rolled") or "").split()
    if not set(rest) <= _ANY:
        return Part(
            text=spoken, say='I can only put back what you did last: say "undo that", or how you want it to be.'
        )
    return Part(text=spoken, calls=(Call("undo", {}),), tell=_told)


def _told(results: Sequence[ToolResult]) -> str:
    result = results[0]
    rows = result.output.get("results")
    done = [r for r in rows if isinstance(r, Mapping)] if isinstance(rows, list | tuple) else [result.output]
    if result.status == "ok":
        text = str(result.output.get("text") or "")
        return text or " ".join(map(_row, done))
    if result.status == "denied":
        return " ".join([*(_row(r) for r in done if r.get("outcome")), "Okay, I left the rest as it is."])
    if result.status == "asked":
        return "I need your OK on the card before I put that back."
    return f"I could not undo that: {plain_error(result.error, 'the tool did not answer')}."


def _row(row: Mapping[str, Any]) -> str:
    name = str(row.get("device") or row.get("device_name") or str(row.get("command") or "it").replace("_", " "))
    values, reason = row.get("set"), str(row.get("reason") or "").rstrip(". ")
    how = state_words(values) if isinstance(values, Mapping) else ""
    match row.get("outcome"):
        case "confirmed":
            return f"{name} is {how or 'put back'} again." if how else f"{name} is put back."
        case "sent":
            return f"I sent {name} back, but it has not confirmed it yet."
        case "refused":
            return f"I may not put {name} back: {reason or 'it is not allowed'}."
        case _:
            return f"I could not put {name} back: {reason or 'it did not work'}."
