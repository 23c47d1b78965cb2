"""What a sentence claims: that something was changed, how a thing is, which number, which time, which thing."""
# ruff: noqa: E501

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

#: Sentences that claim that something was changed, with the words of four languages.
_CLAIM: Final = re.compile(
    r"(✅|☑|✔|👍|\bdone\b|\ball set\b|\btaken care of\b|\bsuccess(?:ful|fully)\b|\bconsider it\b"
    r"|\bmission accomplished\b|\byou can (?:now |just )*(?:walk|go|come|drive|get) in\b"
    r"|\bgood to go\b|\bit'?s handled\b|\bas (?:you )?(?:asked|requested|wished)\b"
    r"|\b(?:i|i've|i have|i went ahead and|we|we've|we have|just|homeguard|it|the system)\s+"
    r"(?:just\s+|now\s+|also\s+|already\s+|have\s+|went\s+|ahead\s+|and\s+)*"
    r"(?:locked|unlocked|turned|switched|opened|closed|shut|armed|disarmed|set|dimmed|started|stopped|changed|created"
    r"|added|deleted|removed|activated|deactivated|adjusted|lowered|raised|secured|enabled|disabled"
    r"|scheduled|paused|played|brightened|cooled|heated|warmed|bolted|remembered|saved|noted|forgot|forgotten|put)\b"
    r"|\b(?:has|have)\s+(?:just\s+|now\s+|already\s+)?been\s+\w+(?:ed|t|en|ut)\b(?!\s+(?:for|since)\b)"
    r"|\b(?:is|are|'s|'re)\s+(?:now|already|successfully|being)\s+\w+|\b(?:is|are)\s+\w+\s+now\b"
    r"|^\s*(?:locked|unlocked|turned (?:on|off)|switched (?:on|off)|opened|closed|armed|disarmed|set to)\b"
    r"|\b(?:erledigt|fertig|gemacht|geschafft)\b|\bhabe?\b.*\b(?:ge\w+t|ver\w+t|ein\w+t|aus\w+t|ab\w+t|auf\w+t|ge\w+en)\b"
    r"|\b(?:ist|sind)\s+(?:jetzt|nun|bereits)\b"
    r"|\b(?:listo|hecho)\b|\bhe(?:mos)?\s+\w+(?:ado|ido|ierto|uesto)\b|\best(?:á|án|a|an)\s+ahora\b"
    r"|\b(?:cerré|abrí|bloqueé|desbloqueé|apagué|encendí|activé|desactivé|puse|quedó)\b"
    r"|\bc'est fait\b|\btermin[ée]\b|\bj'ai\s+\w+(?:é|ert|is|u)\b|\b(?:est|sont)\s+maintenant\b)",
    re.IGNORECASE,
)
_SENDING: Final = re.compile(
    r"\b(?:i|i've|i have|we|we've|we have)\s+(?:just\s+|now\s+|also\s+|already\s+)*"
    r"(?:sent|notified|messaged|texted|emailed|called|alerted|told|informed|warned)\b",
    re.IGNORECASE,
)
#: It says that something will be done, by us, without an "if".
_PROMISE: Final = re.compile(
    r"\b(?:i'll|i will|i am going to|i'm going to|let me|i am|i'm|i'll have it|ich werde|voy a|je vais)"
    r"\s+(?:now\s+|just\s+|currently\s+|go ahead and\s+)*"
    r"(?:lock|unlock|turn|switch|open|close|shut|arm|disarm|set|dim|start|stop|creat|delet|remov|adjust|lower|rais"
    r"|schedul|enabl|disabl|notify|send|secur|bolt|tak)\w*"
    r"|^(?:[\w ]{1,20}[,:!]\W+)?\W*(?:will do|right away|on it|i'm on it|coming right up)\W*$|\b(?:is|are) about to be \w+ed\b"
    r"|^[\W_]*(?:(?:un)?locks|closes|opens|turns|switches|shuts|arms|disarms) (?:on |off )?(?:the|your)\b"
    r"|^\W*(?:(?:okay|ok|sure|right away|alright|of course|certainly)\W+)*(?:now\s+)?(?:re|un|dis)?"
    r"(?:lock|turn|switch|open|clos|shutt|arm|dimm|start|stopp|secur|adjust|lower|rais|enabl)ing\b"
    r"(?!.*\b(?:needs?|takes?|requires?|means?)\b)",
    re.IGNORECASE,
)
_NOT_A_FACT: Final = re.compile(
    r"\?\s*$|^\s*(?:you can(?! be sure)|you could|is|are|was|were|did|does|try|say|ask|if|would|do you|shall|should|want me|please|tell me|which|what|how)\b"
    r"|\b(?:if you|if it|when you|once you|whenever|unless|would you|should i|shall i|do you want|want me to|could be"
    r"|might be|may be|can be(?! sure)|can also)\b",
    re.IGNORECASE,
)
_HEDGE: Final = re.compile(
    r"\b(?:not|n't|no|none|nobody|never|fail|failed|refused|could|cannot|can't|won't|sent|waits for|waiting|stays?"
    r"|denied|confirm|unknown|unclear|unable|without|nothing|didn't|isn't|aren't|leave|left|keep|kept|sorry)\b",
    re.IGNORECASE,
)
#: Word -> what it says of a thing: attribute and value.
STATES: Final[Mapping[str, tuple[str, object]]] = {
    "locked": ("lock", "locked"), "bolted": ("lock", "locked"), "unlocked": ("lock", "unlocked"),
    "on": ("on", True), "off": ("on", False), "lit": ("on", True), "open": ("open", True), "opened": ("open", True),
    "closed": ("open", False), "shut": ("open", False), "armed": ("armed", True), "disarmed": ("armed", False),
    "offline": ("online", False), "online": ("online", True),
}  # fmt: skip
#: Word of a claim -> the commands that bear it out.
DOES: Final[Mapping[str, frozenset[str]]] = {
    "locked": frozenset(("lock",)), "bolted": frozenset(("lock",)), "unlocked": frozenset(("unlock",)),
    "opened": frozenset(("open", "set_position", "unlock")), "open": frozenset(("open", "set_position")),
    "closed": frozenset(("close", "set_position", "lock")), "shut": frozenset(("close", "set_position", "turn_off")),
    "armed": frozenset(("arm", "set_mode")), "disarmed": frozenset(("disarm", "set_mode")),
    "deleted": frozenset(("delete_automation", "delete_device", "forget")),
    "created": frozenset(("create_automation", "automation")),
}  # fmt: skip
_SWITCHED: Final = re.compile(
    r"\b(?:turned|switched)\s+(?:\w+\s+){0,6}?(on|off)\b|\b(?:is|are)\s+(?:now\s+)?(on|off)\b", re.I
)
_WORD: Final = re.compile(r"[^\W_]+")
_PRESENT: Final = re.compile(r"\b(?:is|are|'s|'re|stays?|remains?|currently|shows?|reports?|reads?)\b", re.IGNORECASE)
_QUOTED: Final = re.compile(r"'[^'\n]{1,200}'(?!\w)|\"[^\"\n]{1,200}\"|“[^”\n]{1,200}”|`[^`\n]{1,200}`")
_NOUNS: Final = (
    "door|doors|lock|locks|light|lights|lamp|lamps|window|windows|camera|cameras|sensor|sensors|thermostat"
    "|thermostats|garage|gate|siren|valve|heater|fan|plug|switch|outlet|blind|blinds|curtain|curtains|detector|alarm"
)
_THING: Final = re.compile(rf"\b(?:the|your|my|our)\s+((?:[\w'-]+\s+){{0,3}}?)({_NOUNS})\b", re.IGNORECASE)
#: Words before a noun that name nothing.
_PLAIN: Final = frozenset(
    ("other", "same", "last", "first", "next", "whole", "only", "two", "three", "four", "five", "six", "all", "new",
     "old", "main", "and", "or", "of", "smart", "following", "remaining", "rest", "nearest", "correct", "right",
     "wrong", "device", "in", "on", "at", "to", "inside", "outside", "indoor", "outdoor", "security", "home's",
     "house's")
)  # fmt: skip


class Number(NamedTuple):
    """A number as it stands in a sentence, with its decimals."""

    value: float
    decimals: int


def claims_done(sentence: str) -> bool:
    """Whether it claims that something was changed."""
    return _CLAIM.search(sentence) is not None


def claims_sent(sentence: str) -> bool:
    """Whether it claims that an order or a message went out."""
    return _SENDING.search(sentence) is not None


def promises(sentence: str) -> bool:
    """Whether it says that something is about to be done."""
    return _PROMISE.search(sentence) is not None


def is_fact(sentence: str) -> bool:
    """Whether it says how things are: no question, offer or condition."""
    return _NOT_A_FACT.search(sentence) is None


def hedges(sentence: str) -> bool:
    """Whether it says that something is not so, or was not done."""
    return _HEDGE.search(sentence) is not None or "n't" in sentence


def unquoted(sentence: str) -> str:
    """Without what stands in quotation marks: a name, or words that somebody may say."""
    return _QUOTED.sub(" ", sentence)


def commands_claimed(sentence: str) -> list[frozenset[str]]:
    """For each word of the claim that says what was done, the commands that it can mean."""
    lowered = sentence.casefold()
    found = [DOES[word] for word in _WORD.findall(lowered) if word in DOES]
    for match in _SWITCHED.finditer(lowered):
        on = (match.group(1) or match.group(2)) == "on"
        found.append(
            frozenset(("turn_on", "play", "start", "record")) if on else frozenset(("turn_off", "stop", "pause"))
        )
    return found


def states_claimed(sentence: str) -> list[tuple[str, object]]:
    """What it says about how something is at present: attribute and value."""
    if not _PRESENT.search(sentence):
        return []
    return [STATES[word] for word in _WORD.findall(sentence.casefold()) if word in STATES]


def things_named(sentence: str, names: Iterable[str]) -> set[str]:
    """Which of these names stand in it as whole words; a name within a longer one that stands there does not count."""
    lowered = sentence.casefold()
    found: list[tuple[int, int, str]] = []
    for name in names:
        start = lowered.find(name) if name else -1
        while start >= 0:
            end = start + len(name)
            before, after = lowered[start - 1 : start], lowered[end : end + 1]
            if not before.isalnum() and (not after.isalnum() or lowered[end : end + 2] in ("s ", "s.", "s,")):
                found.append((start, end, name))
            start = lowered.find(name, start + 1)
    return {n for s, e, n in found if not any((a, b) != (s, e) and a <= s and e <= b for a, b, _ in found)}


def strangers(sentence: str, vocabulary: set[str]) -> list[str]:
    """Things that are spoken of as if they were there, by words that nobody has said and no result holds."""
    found = []
    for match in _THING.finditer(sentence):
        words = [w for w in _WORD.findall(match.group(1).casefold()) if w not in _PLAIN and w not in STATES]
        unknown = [w for w in words if w not in vocabulary and w.rstrip("s") not in vocabulary]
        if words and unknown:
            found.append(match.group(0))
    return found
