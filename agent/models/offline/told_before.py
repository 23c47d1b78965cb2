"""An order behind what is told: "he left the door open, so please lock it" wants "please lock it". Pure."""

import re
from collections.abc import Sequence
from typing import Final

from agent.models.offline.frames import frame
from agent.models.offline.home import Home
from agent.models.offline.moods import declared
from agent.models.offline.sparing import mentioned
from agent.models.offline.stories import story
from agent.models.offline.talk import urgent
from homeguard.model import Device

#: Where what is told ends and what is wanted begins.
_BETWEEN: Final = re.compile(
    r" ?[.;!] | , (?:and )?so (?:now )?(?:please |can you |could you |would you |just )*| , now "
)
_ORDER: Final = re.compile(
    r"^(?:(?:please|now|then|just|so|and|can you|could you|would you|will you|ok|okay|well|be an? [a-z]+ and"
    r"|do me a favou?r and|go ahead and) )*"
    r"(?:turn|switch|lock|set|put|make|dim|bring|close|shut|open|unlock|lower|raise|brighten|crank|drop|kill|cut)\b"
)
_SHORT: Final = re.compile(r"^(?:(?:the|my|all|so|now) )*[a-z ]{4,60} (?:on|off)(?: ,)?(?: (?:please|thanks|now))*$")
_WHY_BEHIND: Final = re.compile(
    r" , (?:i|we) (?:just )?(?:want|need|would like|am trying) to "
    r"(?!turn|switch|lock|unlock|open|close|shut|set|dim|put|have)[a-z]+[^,.;]*$"
)
#: Fewer words are no sentence.
_SENTENCE: Final = 3
#: What says of the order itself how far it goes.
_BEARS_ON_IT: Final = re.compile(
    r"\b(?:except|excepting|excluding|apart from|besides|other than|but not|leave|keep|only|unless|needs?|dont"
    r"|do not|never"
    r"|should|must|until|while)\b"
)
#: Who tells, or when it was.
_TELLS: Final = re.compile(
    r"^(?:(?:well|so|ok|okay|oh|ugh|look|hey|you know|honestly|the (?:day|night|other day)|yesterday|today|this morning"
    r"|last (?:night|week)|earlier|again|when|after|,) )*"
    r"(?:i|we|he|she|they|it|you|somebody|someone|nobody|everyone|dad|mom|mum|there|that|this|my|our|his|her|the|a)\b"
)
_CONDITION: Final = re.compile(r"^(?:if|when(?:ever)?|every time|once|as soon as)\b(?! (?:i|we|he|she"
                               r"|they) (?:got|came|went|was"
                               r"|were|left|woke|saw|heard)\b)")  # fmt: skip


def without_story(words: Sequence[str], home: Home) -> tuple[list[str], tuple[Device, ...]]:
    """The words of the order, when all before it is told and asks for nothing, with the device that was spoken of last;
    otherwise the words as they are."""
    text = " ".join(words)
    if urgent(text) or _CONDITION.match(text):
        return list(words), ()
    cuts = list(_BETWEEN.finditer(text))
    for cut in reversed(cuts):
        before, wanted = text[: cut.start()].strip(" ,"), text[cut.end() :].strip(" .!")
        if not (_ORDER.match(wanted) or _SHORT.match(wanted)) or not _tells_only(before, home):
            continue
        wanted = _WHY_BEHIND.sub("", re.sub(r"^(?:and )?be an? [a-z]+ and ", "", wanted))
        named = mentioned(tuple(before.split()), home.devices, home)
        return wanted.split(), named[-1:]
    return list(words), ()


def _tells_only(text: str, home: Home) -> bool:
    parts = [p for p in re.split(r" ?[.;!] ", text) if p.strip()]
    for part in parts:
        if len(part.split()) < _SENTENCE or not _TELLS.match(part) or "?" in part or _BEARS_ON_IT.search(part):
            return False
        found = frame(part.split(), home.devices, home.places)
        if (
            found.actions
            and not (declared(found) or story(found))
            and re.search(r"\b(?:want|need|would like|please)\b", part)
        ):
            return False
    return bool(parts)
