"""Whether a clause tells or orders: "I turned the light off" and "turn the light off". Pure.

English orders have no subject ("turn it off"), or are asked of "you" ("could you turn it off"), or wished ("I want it
off"). An action that has another subject, or lies in the past, is told of, and nobody wants it done.
"""

import re
from typing import Final

from agent.models.offline.frames import Frame
from agent.models.offline.words import those

_PEOPLE: Final = (
    r"kids?|children|baby|dog|cat|puppy|neighbou?rs?|cleaners?|plumber|electrician|landlord|teacher|nanny|sitter"
    r"|babysitter|guests?|guys?|man|woman|boss|boys?|girls?|app|guide|manual|others?|police|visitor"
)
_SUBJECT: Final = (
    r"(?P<who>i|we|he|she|they|you|someone|somebody|nobody|no one|everyone|everybody|anyone|people|dad|daddy|mom|mum"
    rf"|mommy|mummy|(?:my|our|his|her|their) (?!lights?|lamps?|doors?|locks?|house|home)[a-z]+|the (?:{_PEOPLE})"
    r"|[a-z]+(?= (?:used to|said|says|yelled|shouted|always|usually)\b))"
)
_VERB: Final = (
    r"(?P<verb>(?:turn|switch|lock|unlock|open|start|lower|adjust|disarm|arm|play|flick|kill|bolt|crank|pull|push)"
    r"(?:s|ed|ing|es)?|(?:clos|rais|chang|paus|activat|brighten|increas|decreas)(?:e|es|ed|ing)?|brighten(?:s|ed|ing)?"
    r"|shut(?:s|ting)?|set(?:s|ting)?|put(?:s|ting)?|dim(?:s|med|ming)?|stop(?:s|ped|ping)?|flip(?:s|ped|ping)?)"
)
_CHAIN: Final = (
    r"(?P<chain>(?:(?:am|are|is|was|were|be|been|being|have|has|had|ve|will|ll|would|can|could|might|may|did|do|does|not"
    r"|never|always|usually|often|already|just|also|only|even|still|almost|nearly|going|about|used|learning|keep|keeps"
    r"|kept|how|to|then|both|all|really|sometimes|probably|should|must|shall|cannot|please|myself|himself|herself"
    r"|themselves|said|says|yelled|shouted|planned|planning|meant|supposed) )*)"
)
_GOVERNED: Final = re.compile(rf"(?P<before>(?:\b[a-z]+ )?)\b{_SUBJECT} {_CHAIN}{_VERB}\b")
_ANY_VERB: Final = re.compile(rf"\b{_VERB}\b")
#: In front of a subject that asks: "can I turn it off", "let us lock up".
_ASKING: Final = those(
    "can could may shall should would will do did does want wants need like sure let help have ask so"
)
_WISH: Final = re.compile(r"\b(?:would (?:like|love)|have to|has to|got to)\b")
#: What makes a thing that "you" do one that was done, or not done.
_PAST_OF_YOU: Final = those("have had never always used cannot not did")
_IN_PART: Final = those("when whenever how if because that since after before")
_INFLECTED: Final = re.compile(r"(?:ed|ing|s)$")
_LEFT: Final = re.compile(
    r"^(?:(?:hey|hi|ok|okay|and|but|so|well|because|since|as|now|oh|fyi|actually|no|thanks|yesterday|earlier|last night"
    r"|this morning|,) )*"
    rf"{_SUBJECT} (?:(?:just|already|always|usually|never|often|also|still|have|had|has) )*"
    r"(?:left|leave|leaves|found|saw|see|heard|noticed|like|likes|liked|hate|hates|kept|watched)\b"
)
_SAID_BEHIND: Final = re.compile(
    r" , (?:said|says|yelled|yells|shouted|shouts|goes|went|whispered|muttered|cried|sang|wrote) [a-z]+\b"
)


#: What was done, by whomever: no order has that form, but a wish may ("I want it turned off").
_DONE: Final = re.compile(
    r"\b(?P<verb>(?:turned|switched|lowered|raised|locked|unlocked|opened|closed|dimmed|changed|adjusted|cranked|flipped)"
    r"\b(?= (?:(?:up|down|off|on|back) )?(?:the|my|our|his|her|their|all|every|it|them)\b)"
    r"|(?<=\bwas )(?:set|put|shut|turned|switched|locked|unlocked|opened|closed|dimmed)\b"
    r"|(?<=\bwere )(?:set|put|shut|turned|switched|locked|unlocked|opened|closed|dimmed)\b)"
)
_WANTED: Final = re.compile(
    r"\b(?:want|wants|need|needs|like|love|have|get|keep|make|leave|see|please|can you|could you|if you|should|must)\b"
)
_AUXILIARY: Final = those("would could can will might may used always usually never keeps keep")


def declared(found: Frame) -> bool:
    """Whether every action of a clause is told of somebody, in the present or in the past, and none is wanted."""
    text = " ".join(found.words)
    if found.question:
        return False
    if _SAID_BEHIND.search(text) or _LEFT.match(text):
        return True
    told = {match.start("verb") for match in _GOVERNED.finditer(text) if _is_told(match)}
    told |= {m.start("verb") for m in _DONE.finditer(text) if not _WANTED.search(text[: m.start("verb")])}
    if not told:
        return False
    goes_on = not _AUXILIARY.isdisjoint(found.words)
    for match in _ANY_VERB.finditer(text):
        is_joined = text[: match.start()].endswith((" and ", " and then ")) and match.start() > min(told)
        if match.start() not in told and not (is_joined and (goes_on or match["verb"].endswith("ed"))):
            return False
    return True


def goes_on(before: Frame, found: Frame) -> bool:
    """Whether a clause that "and" joins goes on telling: "my ex would open the windows and turn up the heat"."""
    first = _ANY_VERB.search(" ".join(found.words))
    if first is None or first.start() > 0 or found.question:
        return False
    return not _AUXILIARY.isdisjoint(before.words) or first["verb"].endswith("ed")


def _is_told(match: re.Match[str]) -> bool:
    """Whether what this subject does is told, and not asked for or wished."""
    who, chain, before = match["who"], match["chain"].split(), match["before"].strip()
    if who == "you":
        return before in _IN_PART or _INFLECTED.search(match["verb"]) is not None or not _PAST_OF_YOU.isdisjoint(chain)
    if before in _ASKING and who in ("i", "we"):
        return False
    return _WISH.search(f"{who} {match['chain']}") is None
