""" "What do you know about me?", "who lives here?", "do we have pets?": what is kept, as it was told."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from agent.models.offline.parts import Part, read
from agent.models.offline.wording import listed

_ME: Final = re.compile(
    r"^(?:tell me |show me |show |list |read me )?(?:(?:what|everything|anything|all|which|the"
    r"|things|information|data|notes"
    r"|of|that|do|did|have|has|kind) )*(?:is )?(?:you|i)(?:'ve| have)? (?:do )?(?:know"
    r"|remember(?:ed)?|saved?|stored?|kept?"
    r"|keep|have|noted?|told you|asked? you to remember|ask you to remember)(?: stored| saved| kept"
    r"| noted| remembered)?"
    r"(?: anything| everything)?(?: (?:about|on|of) me)?(?: so far)?$"
    r"|^(?:what|everything|anything|which).*\b(?:know|remember|saved|stored|have|keep)\b.*\b(?:about|on) me$"
    r"|^(?:show|list|read|tell)(?: me)? (?:all )?(?:my|your|the) (?:notes|memory|memories)$"
    r"|^what(?:'s| is) in your memory$"
    r"|^(?:do|did) you (?:know|remember) (?:anything|something) about me$|^(?:show"
    r"|list)(?: me)? what you (?:know|remember)$",
    re.IGNORECASE,
)
_WHO: Final = re.compile(
    r"\bhousehold\b|^(?:tell me |do you know )?(?:who|which people|how many people|who do you know)(?: all| else)?"
    r" lives? (?:here|in (?:this|our|my|the) (?:house|home|place)|with (?:me|us))$"
    r"|^(?:who|how many) are (?:the|our) residents$|^(?:list|show)(?: me)? (?:the|our|all)? ?residents$",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(
    r"^(?:who|what|which|when|how many|do|does|is|are|have|tell|list|show|name|where)\b", re.IGNORECASE
)
_SPECIES: Final = (
    r"(?:pets?|animals?|dogs?|cats?|puppy|kitten|parrot|hamster|rabbit|bunny|tortoise|turtle|bird|goldfish|horse)"
)
_PETS: Final = re.compile(
    rf"^(?:do|have|what|which|how many|list|tell me about|show|are there|is there|do you know|name|any)\b.*\b{_SPECIES}"
    r"(?:'s)?(?: (?:name|called|are there|do we have|do i have|have we got|we have|there|in (?:the|this|our|my) "
    r"(?:house|home|household)))*$"
    rf"|^what(?:'s| is| are) (?:the name of )?(?:our|my) {_SPECIES}(?:'s name| called| named)?$"
    rf"|^who is (?:our|my) {_SPECIES}$",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(
    r"^(?:what(?:'s| is)|tell me|give me|do you (?:have|know)) (?:the )?(?:phone |mobile "
    r"|telephone )?(?:number (?:of|for) )?"
    r"(?:my |our |the )?(?P<who>[\w .-]+?)(?:'s (?:phone |mobile |telephone )?number| phone number)?$",
    re.IGNORECASE,
)
_QUIET: Final = re.compile(r"^(?:when|what|from when|tell me)\b.*\bquiet hours\b", re.IGNORECASE)
_ADDRESS: Final = re.compile(
    r"^(?:what(?:'s| is)|tell me) (?:my|our|the|this home's) (?:home )?address$", re.IGNORECASE
)


_TOPIC: Final = re.compile(
    r"^(?:what|tell me what|do|did|have)\b.{0,30}\b(?:know|remember|said|say|told you|tell you|saved)\b.{0,12}? about "
    r"(?:the |my |our )?(?P<what>.+)$",
    re.IGNORECASE,
)


def knowing_part(said: str, named: Collection[str] = ()) -> Part | None:
    """The look-up and how it is told; None for another sentence. `named`: words of the home's devices and places, of
    which the home itself knows more."""
    plain = re.sub(r"[ ?!.]+$", "", said)
    if _ME.match(plain):
        return read(said[:200], "recall", {}, _notes)
    if _ASKS.match(plain) and _QUIET.match(plain):
        return read(said[:200], "get_household", {}, _hours)
    if _ADDRESS.match(plain):
        return read(said[:200], "get_household", {}, _where)
    if _PETS.match(plain):
        return read(said[:200], "get_household", {}, lambda output: _animals(output, plain.lower()))
    if _ASKS.match(plain) and _WHO.search(plain):
        return read(said[:200], "get_household", {}, _people)
    topic = _TOPIC.match(plain)
    if topic is not None and not set(topic["what"].lower().split()) & {*named, "house", "home", "door", "it", "that"}:
        return read(said[:200], "recall", {"query": topic["what"][:200]}, lambda output: _about(output, topic["what"]))
    number = _NUMBER.match(plain)
    if number is not None and "number" in plain.lower():
        return read(said[:200], "get_household", {}, lambda output: _phone(output, number["who"]))
    return None


def _notes(output: Mapping[str, Any]) -> str:
    rows = [str(row.get("text", "")).rstrip(".") for row in output.get("notes") or ()]
    if not rows:
        return "I was not asked to remember anything yet."
    more = int(output.get("total") or 0) - len(rows)
    rest = f"; and {more} more" if more > 0 else ""
    return f"This is what I was asked to remember: {'; '.join(rows)}{rest}."


def _about(output: Mapping[str, Any], what: str) -> str:
    rows = [str(row.get("text", "")).rstrip(".") for row in output.get("notes") or ()]
    return f"{'; '.join(rows)}." if rows else f'I was told nothing about "{what[:80]}".'


def _people(output: Mapping[str, Any]) -> str:
    people = [_named(row, "relation") for row in output.get("residents") or ()]
    pets = [_named(row, "species") for row in output.get("pets") or ()]
    said = []
    if people:
        said.append(f"I was told of {listed(people, 12)}.")
    if pets:
        said.append(f"Pets: {listed(pets, 12)}.")
    contacts = [_named(row, "relation") for row in output.get("contacts") or ()]
    if contacts:
        said.append(f"Contacts: {listed(contacts, 12)}.")
    return " ".join(said) or "Nobody told me yet who belongs to this household."


def _animals(output: Mapping[str, Any], asked: str) -> str:
    pets: Sequence[Mapping[str, Any]] = output.get("pets") or ()
    if not pets:
        return "I know of no pets here: nobody told me of one."
    wanted = re.search(rf"\b{_SPECIES}\b", asked)
    kind = re.sub(r"s$", "", wanted[0]) if wanted is not None else "pet"
    meant = [p for p in pets if kind in ("pet", "animal") or kind in str(p.get("species", "")).lower()]
    shown = listed([_named(row, "species") for row in meant or pets], 12)
    if not meant:
        return f"I know of no {kind} here, but of {shown}."
    return f"I know of {shown}."


def _phone(output: Mapping[str, Any], who: str) -> str:
    wanted = who.lower().split()
    for row in output.get("contacts") or ():
        words = f"{row.get('name', '')} {row.get('relation', '')}".lower().split()
        if wanted and all(w in words for w in wanted) and row.get("phone"):
            return f"{row['name']}: {row['phone']}."
    return f"I was not told a number for {who}."


def _hours(output: Mapping[str, Any]) -> str:
    hours = output.get("quiet_hours")
    if not isinstance(hours, Mapping):
        return "No quiet hours are set here."
    return f"Quiet hours are from {hours['start']} to {hours['end']}."


def _where(output: Mapping[str, Any]) -> str:
    return f"The address is {output['address']}." if output.get("address") else "Nobody told me the address."


def _named(row: Mapping[str, Any], more: str) -> str:
    extra = str(row.get(more) or "")
    return f"{row.get('name', '')}{f' ({extra})' if extra else ''}"
