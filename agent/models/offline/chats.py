""" "Clear my chat history": what was said in chats is deleted where the chats are listed, and never by words."""

import re
from typing import Final

from agent.models.offline.parts import Part, refusal

_GONE: Final = (
    r"(?:delet\w*|eras\w*|clear\w*|wip(?:e|es|ed|ing)\b|remov\w*|empty\b|purge\w*|reset\b|scrub\b|destroy\b"
    r"|drop\b|forget\b"
    r"|get rid of|throw (?:away|out)|gone\b|lose\b|(?:do not|don't|dont|stop) (?:keep|stor|sav|record)\w*)"
)
_CHATS: Final = (
    r"(?:\b(?:chats?|conversations?|messages|chat ?logs?|chat histor\w+|talks?|dialog\w*)\b"
    r"|\b(?:my|our|the|this|all|whole|entire|clear|erase|delete|wipe)(?: of)? "
    r"(?:chat |conversation |message )?history\b"
    r"(?! (?:of|for|from) )"
    r"|\b(?:everything|all|anything|what|whatever) (?:that )?(?:i|we)(?:'ve| have|ve)? "
    r"(?:ever |just )?(?:said|written|typed|talked|discussed|chatted)\b(?: to you)?(?! about \w+ (?!you))"
    r"|\bhistory$)"
)
_WANTED: Final = re.compile(rf"\b{_GONE}.*{_CHATS}|{_CHATS}.*\b{_GONE}", re.IGNORECASE)
#: "Forget what I said about the key" is about notes, "what was the history" asks.
_NOTES: Final = re.compile(
    r"\b(?:forget|remember)\b(?!.*\b(?:chats?|conversations?|messages|history)\b)|\bsaid about\b", re.IGNORECASE
)
_ASKS: Final = re.compile(r"^(?:did|was|were|has|have|who|what|when|why|is|are|does) ", re.IGNORECASE)


def chats_part(text: str) -> Part | None:
    """What to answer to a wish that chats be deleted; None for another sentence."""
    said = " ".join(text.replace("\u2019", "'").split())[:300].rstrip(" .!?")
    if _NOTES.search(said) or _ASKS.match(said) or not _WANTED.search(said):
        return None
    return refusal(
        said[:200],
        "I can't delete chats by words, so all of it is still there. You can delete each of your conversations in the "
        "side bar of the chat; nobody else's are touched by that. What I keep in mind beside them goes with "
        '"forget what I said about ...".',
    )
