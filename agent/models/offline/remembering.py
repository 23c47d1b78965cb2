""" "Remember that ...", "we have a dog called Biscuit", "quiet hours are from 22 to 7": what a person tells to be kept.

Works on the words as they were written, since names keep their case.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any, Final

from agent.models.offline.forgetting import forget_part
from agent.models.offline.knowing import knowing_part
from agent.models.offline.parts import Call, Part, plain_error
from agent.models.protocol import ToolResult
from homeguard.errors import InvalidInput
from memory.items import Item, address, fact, member_of_household, quiet_hours

_POLITE: Final = re.compile(
    r"^(?:(?:hey|hi|ok|okay|so|well|oh|also|and|please|actually|no wait|wait|listen)\b[ ,]*|no, |"
    r"(?:hey )?home ?guard\b[ ,]*|(?:can|could|would|will) you (?:please )?|"
    r"i(?: would|'d)? (?:want|like) you to |i need you to )+",
    re.IGNORECASE,
)
_ASKED_FOR: Final = re.compile(r"^.{0,30}\b(?:can|could|would|will) you\b", re.IGNORECASE)
_TAIL: Final = re.compile(r"(?:[ ,]+(?:please|ok|okay|thanks|thank you))*[ .!]*$", re.IGNORECASE)
_REMEMBER: Final = re.compile(
    r"^(?:(?:remember|don't forget|do not forget|keep in mind|bear in mind|memori[sz]e|note|please note|make a note|"
    r"take a note|be aware|take note)(?: that\b|:| of the fact that\b)\s*|"
    r"(?:remember|memori[sz]e) (?=(?:my|our|the|i|we|that)\b(?! to\b))|"
    r"(?:save|store|remember|note)(?: this|(?: down)? the fact that|:)(?: down)?:?\s+"
    r"|for future reference,?\s+(?:that )?|"
    r"you should know(?: that)?\s+|just so you know,?\s+(?:that )?|fyi,?:?\s+|for your information,?\s+)",
    re.IGNORECASE,
)
#: What follows "remember" in "remember the milk list" is no sentence.
_SENTENCE: Final = re.compile(
    r"\b(?:is|are|was|were|has|have|had|'s|'re|'ve|'m|am|likes?|needs?|wants?|works?|comes?|sticks?|lives?|goes|will|"
    r"can|can't|doesn't|don't|do|does|sleeps?|hates?|loves?|prefers?|uses?|called|named|[a-z]+s)\b",
    re.IGNORECASE,
)
_PETS: Final = (
    r"(?:(?:[a-z]+ )?(?:dog|cat|puppy|kitten|parrot|hamster|rabbit|bunny|tortoise|turtle|guinea pig|bird|budgie|canary|"
    r"goldfish|fish|snake|lizard|gecko|iguana|horse|pony|ferret|rat|mouse|chicken|hen|goat|duck|shepherd|retriever|"
    r"labrador|terrier|poodle|bulldog|beagle|dachshund|husky|collie|corgi|pug|spaniel|hound))"
)
_NAME: Final = r"(?P<name>[^\W\d_][\w'-]*(?: [A-Z][\w'-]*)*)"
_PET: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^(?:we|i|there)\b.*?\b(?P<species>{_PETS})\b.*?\b(?:called|named|name is|name's) (?-i:{_NAME})",
        rf"^(?:my|our|the) (?P<species>{_PETS})(?:'s name)? is (?:called |named )?(?-i:{_NAME})$",
        rf"^the name of (?:my|our|the) (?P<species>{_PETS}) is (?-i:{_NAME})$",
        rf"^(?:my|our) (?P<species>{_PETS})'s name's (?-i:{_NAME})$",
        rf"^add (?:an?|our|my|the) (?P<species>{_PETS}) (?:called |named )?(?-i:{_NAME}) to\b",
        rf"^(?:meet|this is) (?:our|my) (?:new )?(?P<species>{_PETS}),? (?-i:{_NAME})$",
    )
)
_FILLERS: Final = re.compile(
    r"^(?:an?|the|our|my|pet|new|little|one|got|have|own|adopted|just|is|has|s|ve)\s+", re.IGNORECASE
)
_NUMBER: Final = re.compile(r"(?<![\w:])\+?\(?\d[\d ()/-]{4,22}\d(?![\w:])")
_PHONE: Final = r"(?:(?:phone|mobile|cell|telephone|home|work|office) )?(?:number|phone|telephone|mobile|cell)"
_WHOSE: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^(?:(?:here is|here's|save|add|store) )?(?P<who>.+?)'s? {_PHONE}\b",
        rf"^(?:the )?{_PHONE} (?:of|for) (?P<who>.+?) is$",
        r"^(?:you can |to )?reach (?P<who>.+?) (?:at|on|under)$",
        r"^(?P<who>.+?) can be reached (?:at|on|under)$",
        r"^(?:call|phone|ring) (?P<who>.+?) (?:at|on|under)$",
        r"^(?:my |our |an? |add an? |add )?(?:new )?(?:emergency |trusted )?contact(?: is|:)? (?P<who>.+?)$",
        r"^add (?P<who>.+?)(?:,? as an?(?: new)? (?:emergency |trusted )?contact)",
        r"^put (?P<who>.+?) (?:in|into|on) (?:the |my |our )?contacts?(?: list)?(?: with)?$",
        r"^(?:add|save) (?P<who>.+?) (?:to|in) (?:the |my |our )?contacts?(?: with)?$",
    )
)
_RELATIONS: Final = frozenset(
    re.findall(
        r"\w+",
        "mother mom mum dad father brother sister wife husband son daughter neighbour neighbor grandma grandpa "
        "grandmother grandfather aunt uncle cousin friend partner boyfriend girlfriend doctor vet plumber electrician "
        "gardener cleaner nanny babysitter landlord caretaker boss colleague nurse dentist roommate flatmate niece "
        "nephew",
    )
)
_QUIET: Final = re.compile(
    r"\bquiet (?:hours?|times?)\b|\bnight quiet\b|\b(?:do not|don't) disturb\b|^no noise\b", re.IGNORECASE
)
_TIME: Final = re.compile(
    r"\b(?:(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d))?\s*(?P<half>[ap]\.?m\b\.?|o'clock"
    r"|in the (?:morning|evening)|at night)?"
    r"|(?P<word>midnight|noon))",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(
    r"^(?:my|our|the|the home'?s?) (?:home )?address is (?P<where>.+\d.*|\d.+)$", re.IGNORECASE
)
_RESIDENT: Final = re.compile(
    r"^(?:my |our )?(?:(?P<relation>[a-z]+) )?(?-i:(?P<name>[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)) "
    r"(?:lives|is living|stays|moved in) (?:here|with (?:me|us)|in (?:this|our|my) (?:house|home))(?: now| too)?$",
    re.IGNORECASE,
)


def memory_part(text: str, earlier: Sequence[str], named: Collection[str] = ()) -> Part | None:
    """What to keep, to forget or to tell of what is kept; None for any other sentence.

    `earlier` are the person's own sentences before it, oldest first; `named` the words of devices and places.
    """
    said = " ".join(text.replace("\u2019", "'").split())[:1_000]
    last = next((items for items in map(told_items, reversed(earlier)) if items), [])
    known = forget_part(bare(said), last) or knowing_part(bare(said), named)
    if known is not None:
        return known
    items = told_items(said)
    return _keep(said, items) if items else None


def told_items(text: str) -> list[Item]:
    """What a sentence tells to be kept; empty for one that tells nothing."""
    said = bare(" ".join(text.replace("\u2019", "'").split())[:1_000])
    if said.endswith("?"):
        return []
    asked = _REMEMBER.match(said)
    inner = bare(said[asked.end() :]) if asked is not None else said
    try:
        item = _households(inner)
        if item is None and asked is not None and _SENTENCE.search(inner) and not inner.lower().startswith("to "):
            item = fact(inner[:1].upper() + inner[1:])
    except InvalidInput:
        return []
    return [item] if item is not None else []


def bare(said: str) -> str:
    """Without what is only polite, and without the mark at its end (a question mark stays)."""
    plain = _POLITE.sub("", said)
    if _ASKED_FOR.match(said) is not None:
        plain = plain.rstrip("?! ")
    return _TAIL.sub("", plain).strip()


def _households(said: str) -> Item | None:
    for found in (_hours(said), _contact(said), _pet(said), _place(said), _resident(said)):
        if found is not None:
            return found
    return None


def _pet(said: str) -> Item | None:
    for pattern in _PET:
        match = pattern.search(said.replace(".", ","))
        if match is not None:
            species = match["species"]
            while (shorter := _FILLERS.sub("", species)) != species:
                species = shorter
            return member_of_household("pet", {"name": match["name"].rstrip(","), "species": species})
    return None


def _contact(said: str) -> Item | None:
    number = _NUMBER.search(said)
    if number is None:
        return None
    before = re.sub(
        r"(?:[ ,:]|\bit's|\bit is|\bis|\bwith|\b(?:his|her|their|whose) number)+$", "", said[: number.start()]
    )
    for ending in (said[: number.start()].rstrip(" ,:"), before):
        for pattern in _WHOSE:
            match = pattern.search(ending)
            if match is not None:
                return _called(match["who"], number[0], said)
    return None


def _called(who: str, number: str, said: str) -> Item | None:
    words = [w for w in re.sub(r"^(?:my|our|the|a|an)\b ?", "", who.strip(), flags=re.IGNORECASE).split() if w]
    if not 0 < len(words) <= 5:
        return None
    relation = words[0].lower() if words[0].lower() in _RELATIONS else ""
    name = " ".join(words[1:] if relation and len(words) > 1 else words).strip(" ,")
    given: dict[str, Any] = {"name": name[:1].upper() + name[1:], "phone": number.strip()}
    if relation:
        given["relation"] = relation
    role = re.search(r"\b(emergency|trusted)\b", said, re.IGNORECASE)
    if role is not None:
        given["role"] = role[1].lower()
    return member_of_household("contact", given)


def _hours(said: str) -> Item | None:
    if _QUIET.search(said) is None:
        return None
    times = list(_TIME.finditer(said))
    if len(times) != 2:
        return None
    start, end = (_clock(match, late=at == 0, bare_pair=_are_bare(times)) for at, match in enumerate(times))
    return quiet_hours(start, end)


def _are_bare(times: Sequence[re.Match[str]]) -> bool:
    return all(t["hour"] and not t["half"] and not t["minute"] for t in times)


def _clock(match: re.Match[str], *, late: bool, bare_pair: bool) -> str:
    """The time of day; "from 10 to 7" means the evening and the morning."""
    if match["word"]:
        return "00:00" if match["word"].lower() == "midnight" else "12:00"
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if half[:1] == "p" or "evening" in half or "night" in half:
        hour = hour % 12 + 12
    elif half[:1] == "a" and half != "at night":
        hour %= 12
    elif bare_pair and late and 6 <= hour < 12:
        hour += 12
    return f"{hour:02}:{match['minute'] or '00'}"


def _place(said: str) -> Item | None:
    match = _ADDRESS.search(said)
    return address(match["where"]) if match is not None else None


def _resident(said: str) -> Item | None:
    match = _RESIDENT.search(said)
    if match is None:
        return None
    relation = (match["relation"] or "").lower()
    if relation and relation not in _RELATIONS:
        return None
    return member_of_household("resident", {"name": match["name"], **({"relation": relation} if relation else {})})


def _keep(said: str, items: Sequence[Item]) -> Part:
    calls = []
    for item in items:
        match item.kind:
            case "fact":
                calls.append(Call("remember", {"text": item.text}))
            case "quiet_hours":
                calls.append(
                    Call("update_household", {"quiet_from": item.value["start"], "quiet_to": item.value["end"]})
                )
            case "address":
                calls.append(Call("update_household", {"address": item.value["address"]}))
            case kind:
                calls.append(Call("update_household", {f"{kind}s": [dict(item.value)]}))

    def tell(results: Sequence[ToolResult]) -> str:
        return " ".join(_kept(result, item) for result, item in zip(results, items, strict=False))

    return Part(text=said[:200], calls=tuple(calls), tell=tell)


def _kept(result: ToolResult, item: Item) -> str:
    if result.status == "ok" and result.output.get("outcome") == "confirmed":
        return f"I'll remember that: {item.text}."
    reason = plain_error(result.error or str(result.output.get("reason") or ""), "it could not be kept")
    return f"I could not keep that: {reason}."
