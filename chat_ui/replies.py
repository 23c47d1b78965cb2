"""The short answers that a question of the agent invites, as buttons that send them as the person's own words. Pure.

They stand where the agent asks in words. What needs a press has a card, and a card is never answered here.
"""

import re
import uuid
from dataclasses import dataclass
from typing import Any, Final

from chat_ui.languages import Words, words_in

_SPACE: Final = uuid.UUID("c7a3d9e4-6d38-4b53-9f6b-0a1e5b8d2f47")
_MOST: Final = 4
_LONGEST: Final = 60
_SENTENCE: Final = re.compile(r"[^.!?]*\?\s*$", re.DOTALL)
#: How an offer begins: the language of the answer to it is the language of the offer.
_OFFERS: Final = {
    "en": r"shall i|should i|do you want(?: me)?|want me|would you like(?: me)?|may i",
    "de": r"soll ich|möchtest du|möchten sie",
    "es": r"quieres que|quiere que|te gustaría que",
    "fr": r"veux-tu que|voulez-vous que|dois-je|est-ce que je dois",
}
_OFFER: Final = re.compile(
    "^[¿ ]*(?:" + "|".join(f"(?P<{code}>{begins})" for code, begins in _OFFERS.items()) + r")\b(?: to)?", re.IGNORECASE
)
#: "Which one should I lock: A or B?", "Did you mean A or B?"
_CHOICE: Final = re.compile(
    r"^(?:which\b.*?:|did you mean|do you mean|meinst du|te refieres a|tu parles de)\s*(.+)$", re.IGNORECASE | re.DOTALL
)
_BETWEEN: Final = re.compile(r"\s*,\s*(?:(?:and|or|und|oder|y|o|et|ou)\s+)?|\s+(?:and|or|und|oder|y|o|et|ou)\s+")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a button says, and what it sends."""

    label: str
    message: str


def element_id(message_id: str) -> str:
    return str(uuid.uuid5(_SPACE, message_id))


def replies_to(answer: str, words: Words, *, has_card: bool) -> list[Reply]:
    """None, for an answer that asks nothing or asks with a card; `has_card`: a question of this turn waits for one."""
    asked = _SENTENCE.search(answer.strip())
    if asked is None or has_card:
        return []
    question = asked.group().strip().rstrip("?").strip()
    if offer := _OFFER.match(question):
        return _of_offer(question[offer.end() :].strip(" ,"), words, words_in(offer.lastgroup or "en"))
    if choice := _CHOICE.match(question):
        parts = _parts(choice.group(1))
        return [Reply(_capital(part), part) for part in parts] if 1 <= len(parts) <= _MOST else []
    return []


def reply_props(replies: list[Reply], words: Words) -> dict[str, Any]:
    """What `QuickReplies.jsx` draws."""
    shown = [{"label": reply.label, "message": reply.message} for reply in replies]
    return {"replies": shown, "name": words.say("reply.name")}


def _of_offer(offered: str, words: Words, agent: Words) -> list[Reply]:
    """Yes, the one thing of an offer of two, no; said in the language of the `agent`'s offer."""
    parts = _parts(offered)
    just = parts if len(parts) == 2 else []
    return [
        Reply(words.say("reply.yes"), agent.say("reply.yes")),
        *(Reply(words.say("reply.just", what=part), agent.say("reply.just", what=part)) for part in just),
        Reply(words.say("reply.no"), agent.say("reply.no")),
    ]


def _parts(text: str) -> list[str]:
    """`the back door lock or the front door lock` -> both; empty where one of them is no short name."""
    parts = [part.strip(" \"“”'") for part in _BETWEEN.split(text) if part.strip()]
    return parts if all(0 < len(part) <= _LONGEST for part in parts) else []


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
