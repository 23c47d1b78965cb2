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


#: What is only quoted: a title, a sign, what somebody said.
_QUOTED: Final = re.compile(
    r"\b(?:was|were) (?:just )?(?:about|going|meaning) to (?:say|ask(?: you)?|tell you)(?: to)?\b|\bi (?:almost"
    r"|nearly) (?:said|asked)\b|"
    r"\b(?:(?:is|was|are|were) (?:called|titled|named|entitled)|(?:sign|note|poster|letter|email|message|text"
    r"|book|song|film|movie|"
    r"show|game|tweet|headline|label|lyrics?|poem|t shirt|tshirt|mug|sticker|banner|card)s?\b.{0,30}?\b(?:says?"
    r"|saying|said|reads?|"
    r"reading|goes|called|titled|named|tells|telling)|(?:he|she|they|somebody|someone|(?:my|the|our) \w+)(?: \w+)? "
    r"(?:(?:just|always|keeps|kept|keeps on) )?"
    r"(?:mumbl(?:es?|ed|ing)|mutter(?:s|ed|ing)?|whisper(?:s|ing)?|repeat(?:s|ed|ing)|chant(?:s|ed|ing)|jok(?:es?|ed|ing)"
    r"|insist(?:s|ed)|claim(?:s|ed)|mouth(?:s|ed)|babbl(?:es?|ed|ing)|goes|said|says|saying|shouts?|shouted|yells?|yelled|sang|sings|singing"
    r"|wrote|whispered|told (?:me|us|him|her) "
    r"(?:to say )?|texted|muttered|screamed)"
    r"|\b(?:i|we|he|she|they|somebody|someone|(?:my|the|our|his|her) \w+) (?:\w+ )?"
    r"(?:told|asked|reminded|texted|begged|ordered|warned|convinced) (?!you\b|u\b|homeguard\b)"
    r"(?:(?:my|his|her|our|the|their) )?\w+(?: not)? to\b"
    r"|(?:what|how) (?:does|do|did|would|is) .{0,30}?(?:mean|say|do|happen)|if i (?:said|say|told you|were to "
    r"say|asked))\b"
)


def quoted(text: str) -> str:
    """What a sentence only quotes of its words, `""` when it quotes nothing."""
    said = ""
    for match in _QUOTED.finditer(text):
        said = text[match.end() :].strip(" ,")
    said = re.sub(r"^(?:is |was )?(?:called|titled|named|entitled) ", "", said)
    wished = re.search(r"\b(?:please|can you|could you|do it)\b", said)
    return (
        "" if wished and not re.search(r"\b(?:sign|note|poster|letter|book|song|film|called|titled)\b", text) else said
    )


def story(found: Frame) -> bool:
    """Whether a clause only tells: "I'm pretty sure I didn't do the back door", "my wife says it was chilly"."""
    text = " ".join(found.words)
    if found.question or _WISHED.search(text):
        return False
    if _SURELY.match(text):
        return True
    return not found.actions and not found.negated and not found.has_value and bool(_TELLING.match(text))
