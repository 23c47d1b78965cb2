""" "Forget that", "forget what I said about Ana": what a person wants to be let go of."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.models.offline.parts import Call, Part, plain_error
from agent.models.protocol import ToolResult
from memory.items import Item

_LAST: Final = re.compile(
    r"^(?:(?:never ?mind|scratch that|no)[ ,]+)?(?:you can |just )?"
    r"(?:forget|delete|remove|erase|unremember|drop|scratch|don't remember|do not remember|stop remembering|clear)"
    r" (?:about )?(?:that|this|it|what i(?:'ve| have)? (?:just |last )?(?:said|told you|asked you to remember)"
    r"|(?:that|the|my|this) (?:last )?(?:note|memory)|the last (?:thing|note|one)(?: that)?(?: i (?:told you|said))?)"
    r"(?:,? forget it)?(?: (?:again|now|from (?:your |the )?(?:memory|notes)))*$",
    re.IGNORECASE,
)
#: Of these, those that mean nothing kept unless something was just told.
_CANCELS: Final = re.compile(
    r"^(?:never ?mind[ ,]+)?(?:you can |just )?(?:forget|delete|remove|erase|scratch|drop"
    r"|clear) (?:about )?(?:that|this|it)"
    r"(?:,? forget it)?(?: (?:again|now))*$",
    re.IGNORECASE,
)
_KEPT: Final = (
    r"(?:everything|anything|all|what|whatever)?(?: of| that)?\s*(?:what )?"
    r"(?:i(?:'ve| have)?(?: ever| just)? (?:said|told you|asked you to remember)"
    r"|you (?:know|remember|saved|stored|noted|have)|(?:the |my |that |all )?(?:notes?|thing|memory|memories)"
    r"|everything|anything|all)"
)
_ABOUT: Final = re.compile(
    r"^(?:you can |just )?(?:forget|delete|remove|erase|drop|clear|don't remember|do not remember|stop remembering)\s+"
    rf"{_KEPT} (?:about|on|of) (?P<what>.+?)(?: (?:any ?more|again|now|at all))*$",
    re.IGNORECASE,
)
#: "Forget about unlocking the door" lets go of a plan, not of something kept.
_PLAIN: Final = re.compile(
    r"^(?:you can |just )?(?:forget|stop remembering|don't remember|do not remember|unremember)"
    r"(?: about (?!\w+ing\b)| that | (?!about\b))(?!it\b|that\b|this\b|to\b|me\b|you\b)"
    r"(?P<what>.+?)(?: (?:any ?more|again|now))*$",
    re.IGNORECASE,
)
_ALL: Final = re.compile(r"\b(?:everything|anything|all)\b", re.IGNORECASE)


def forget_part(said: str, last: Sequence[Item]) -> Part | None:
    """What to forget, or the question which; None for another sentence. `last`: what was told just before."""
    if _LAST.match(said):
        if last:
            return _forget(said, last[-1].text, everything=False)
        if _CANCELS.match(said):
            return None
        return Part(text=said[:200], say="What should I forget? Say for example: forget what I said about the key.")
    match = _ABOUT.match(said) or _PLAIN.match(said)
    if match is None or (said.endswith("?") and "about" not in said):
        return None
    what = re.sub(r"\?+$", "", match["what"]).strip()
    return _forget(said, what, everything=_ALL.search(said[: match.start("what")]) is not None) if what else None


def _forget(said: str, what: str, *, everything: bool) -> Part:
    arguments: dict[str, Any] = {"query": what[:500]}
    if everything:
        arguments["all_that_fit"] = True

    def tell(results: Sequence[ToolResult]) -> str:
        return _told(results[0], what)

    return Part(text=said[:200], calls=(Call("forget", arguments),), tell=tell)


def _told(result: ToolResult, what: str) -> str:
    output: Mapping[str, Any] = result.output
    match output.get("outcome") if result.status == "ok" else "":
        case "confirmed":
            gone = [str(row["text"]).rstrip(".") for row in output.get("forgotten") or ()]
            return f"Forgotten: {'; '.join(gone)}." if gone else "There was nothing left to forget."
        case "choose":
            rows = [str(row["text"]).rstrip(".") for row in output.get("choices") or ()][:6]
            return (
                f"Several things fit, so nothing is forgotten yet: {'; '.join(rows)}. Which one? "
                "Say it in full, or say everything."
            )
        case "nothing":
            return f'I have nothing in mind about "{what[:80]}".'
        case _:
            reason = plain_error(result.error or str(output.get("reason") or ""), "the tool did not answer")
            return f"I could not forget that: {reason}."
