"""What people tell around a request: why, and what happened before. It wants nothing by itself. Pure."""

import re
from typing import Final

from agent.models.offline.frames import Frame

_WHO: Final = r"(?:i|we|he|she|they|dad|mom|mum|someone|somebody|everyone|(?:my|our|the) (?:[a-z]+ )?[a-z]+)"
_SURELY: Final = re.compile(
    r"^(?:(?:hey|hi|ok|okay|and|but|so|well|because|since|as|now|oh|,) )*(?:i|we) "
    r"(?:(?:am|are|was|were) (?:\w+ )?(?:sure|certain|afraid|worried|scared|nervous) |"
    r"(?:\w+ )?(?:think|believe|guess|bet|suspect|fear) (?:that )?|(?:just |only |have |had |might have |may have )*)"
    r"(?:(?:i|we) )?(?:(?:have|had|just|totally|probably|completely) )*"
    r"(?:did not|have not|(?:keep|kept) forgetting|always forget|closed|locked|shut|turned|forgot|forgotten|left|"
    r"drove|went|walked|got|came|heard|saw|noticed|"
    r"(?:do not|dont) (?:feel|know|think|remember|recall|believe|trust|hear|see)|cannot (?:remember|recall|sleep|see)|"
    r"could not (?:remember|sleep|see))\b"
)
_TELLING: Final = re.compile(
    rf"^(?:(?:hey|hi|ok|okay|and|but|so|well|because|since|as|now|oh|,) )*"
    rf"(?:{_WHO} (?:just |already |still |always |never )*"
    r"(?:am|is|are|was|were|has|have|had|says|said|thinks|thought|feels?|keeps?|hates?|loves?|woke|started|[a-z]+ed|"
    r"went|left|drove|came|got|saw|heard)\b|there (?:is|was|are|were)\b|it (?:is|was|has)\b)"
)
_WISHED: Final = re.compile(
    r"\b(?:want|need|would like|should|must|wish|to be|have to|has to|asking|telling|too|please|could you|can you)\b"
)


def story(found: Frame) -> bool:
    """Whether a clause only tells: "I'm pretty sure I didn't do the back door", "my wife says it was chilly"."""
    text = " ".join(found.words)
    if found.question or _WISHED.search(text):
        return False
    if _SURELY.match(text):
        return True
    return not found.actions and not found.negated and not found.has_value and bool(_TELLING.match(text))
