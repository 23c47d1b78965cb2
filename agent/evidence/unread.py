"""What is said of a home at which nobody looked in this turn: no tool told anything, so nothing of it can be known."""

import re
from typing import Final

from agent.evidence.event_words import UNCHANGED
from agent.evidence.facts import Facts

_LEAD: Final = r"^\W*(?:[\w'\u2019 ]{1,30}[,:!.\u2013]\s+|(?:and|but|so|also|then|well|yes|no|currently|right now)\s+)*"
_VERB: Final = (
    r"(?:(?:is|are|was|were|has|have|had)(?:n't)?\b|'(?:s|re)\b|(?:seems?|looks?|appears?|sounds?|reads?|shows?|reports?"
    r"|stands?|stays?|stayed|remains?|ran|rang|went|came|arrived|left|got|saw|detected|opened|closed)\b)"
)
#: What stands there is the home or something in it.
_SOMETHING: Final = re.compile(
    rf"{_LEAD}(?:the|your|our|both|every|each|no|none of (?:the|your)|neither|one|two|three|four|five|\d+|all(?: of)?)"
    rf"\s+(?P<of>(?:[\w'\u2019-]+\s+){{0,5}}?[\w\u2019-]+?)\s*(?=\s{_VERB}|'s\s|'re\s)",
    re.IGNORECASE,
)
_SOMEBODY: Final = re.compile(
    rf"{_LEAD}(?:every(?:thing|one|body)|nobody|no one|nothing|some(?:body|one|thing)|all|we)\s*{_VERB}", re.IGNORECASE
)
_THERE: Final = re.compile(
    rf"{_LEAD}there\s*(?:is|are|was|were|has been|have been|'s)\s+(?!nothing to\b|no (?:need|way|reason|such|rush)\b"
    r"|(?:many|several|a few|two|three) ways\b|more\b)",
    re.IGNORECASE,
)
_IT: Final = re.compile(
    rf"{_LEAD}(?:it|they|that)\s*(?:is|was|are|were|'s|'re|has been|seems|looks|feels)\s+"
    r"(?:\w+ly\s+|now\s+|still\s+|quite\s+|very\s+|a (?:bit |little )?|nice and\s+|(?:about|around)\s+|not\s+)*"
    r"(?:locked|unlocked|open|closed|shut|on|off|armed|disarmed|lit|warm|cold|cool|hot|chilly|freezing|humid|dry|dark"
    r"|bright|quiet|calm|empty|raining|snowing|sunny|windy|secure|safe|home|away|-?\d+)\b",
    re.IGNORECASE,
)
_ALL_WELL: Final = re.compile(
    rf"{_LEAD}(?:all|everything)\s*(?:'s|is)?\s*(?:good|clear|quiet|well|fine|safe|secure|calm|in order)\b",
    re.IGNORECASE,
)
#: "Music is playing".
_GOING_ON: Final = re.compile(
    rf"{_LEAD}(?!(?:i|you|we|who|what|which|this|that|nothing|homeguard)\b)\w+\s+(?:is|are|was|were)\s+\w+ing\b",
    re.IGNORECASE,
)
_LOOKED: Final = re.compile(
    r"\bi(?:'ve| have)?\s+(?:just\s+|also\s+|can\s+)*"
    r"(?:(?:checked|looked|verified|reviewed|noticed|detected|found|saw)\b"
    r"|see\b(?!\s*[.,!]|\s*$|\s+(?:what|why|that you|your|how)\b))"
    r"|\b(?:according to|based on) (?:the|your) (?!words\b)",
    re.IGNORECASE,
)
_BARE: Final = re.compile(r"^\W*(?:(?:un)?locked|open|closed|shut|on|off|(?:dis)?armed|home|away)\W*$", re.IGNORECASE)
#: An answer that only says yes or no, to a question about how something is.
_YES: Final = re.compile(
    r"^\W*(?:yes|no|yep|yeah|nope|correct|right)\b(?:[ ,]+(?:it|they|he|she)\b[\w' ]*)?\W*$", re.IGNORECASE
)
_ASKED: Final = re.compile(
    r"^\W*(?:is|are|was|were|did|has|have|does)\s+(?!you\b|it (?:possible|true that you)\b)", re.IGNORECASE
)
#: It speaks of what may be, of the assistant, or of this talk.
_NOT_OF_HOME: Final = re.compile(
    r"\b(?:can|could|may|might|should|would|will|if|when|whenever|unless|usually|means?|needs?|called"
    r"|you (?:asked|said|told|mentioned|wanted)|i (?:can't|cannot|don't|do not|didn't|did not|haven't|have not|couldn't"
    r"|could not|know|mean|asked|said)|not sure|unknown|unclear|something (?:that )?i)\b",
    re.IGNORECASE,
)
_TALK: Final = frozenset(
    ("question", "questions", "request", "requests", "answer", "answers", "name", "word", "words", "message", "command",
     "commands", "order", "orders", "assistant", "reason", "point", "idea", "problem", "plan", "difference", "thing",
     "rest", "news", "pleasure", "choice", "way", "rule", "rules", "automation", "automations", "reminder",
     "note", "trigger", "triggers", "worries", "more", "approval", "card", "change", "changes", "nothing", "memory")
)  # fmt: skip


def said_unread(sentence: str, facts: Facts) -> bool:
    """Whether it says how the home is or was, while no tool of this turn told anything."""
    if _NOT_OF_HOME.search(sentence) or UNCHANGED.search(sentence):
        return False
    plain = sentence.replace("\u2019", "'").replace("*", "")
    if _YES.search(plain) and _ASKED.search(facts.words):
        return True
    if any(p.search(plain) for p in (_SOMEBODY, _THERE, _IT, _ALL_WELL, _GOING_ON, _LOOKED, _BARE)):
        return True
    found = _SOMETHING.search(plain)
    return found is not None and not _TALK & set(found.group("of").casefold().replace("'s", "").split())
