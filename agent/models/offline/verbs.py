"""The actions that a clause's words allow: imperative verbs, "on" and "off", phrases of several words, wishes."""

import re
from collections.abc import Collection, Sequence
from typing import Final

from agent.models.offline.lexicon import LEAD_INS, PARTICLE_HEADS, VERBS
from agent.models.offline.words import those
from homeguard.kinds import singular

_AFTER_NOUN: Final = those("on off to return start pause stop in")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Verbs that are nouns or adjectives as well: they count where a verb stands.
_SHY: Final = _set(
    "clean open close secure start back play find return send record film charge light cool heat make put give run "
    "lock "
    "drop dock picture photo vacuum switch silence change water forward empty pack"
)
_NOUNS: Final = _set("vacuum switch lock dock photo picture record back return clean light film water charge heat cool")
_BEFORE_VERB: Final = _set("to please and you then or dont not never mind , just no half partially fully go take skip")
_BEFORE_GERUND: Final = _set("about mind without of to no from start stop avoid than needs need")
_AFTER_ON: Final = _set(
    "please now in at for thanks , here everywhere throughout across on inside to tonight and so again upstairs "
    "downstairs too straight , when if as except outside right immediately with only but until every"
)
_SKIPPED_BEFORE: Final = LEAD_INS | _set(", dont not do never no forget why how about a favor able are be my no")
_TOO: Final = _set("warm hot cold quiet loud dim low high")
#: Words of phrasal actions that name no device.
_CONSUMED: Final = _set(
    "fire up down base dock station charger last previous take draw roll pull picture photo snapshot image upwards its "
    "crank "
    "snap play replay return go send power watering bright dark dim very closed open locked next "
    "backward backwards back"
)
_HOLD: Final = re.compile(r"^(?:please )?hold (?:on|it)(?: a (?:moment|minute|second|sec))?(?: please)?$")
_PHRASES: Final = (
    (r"\b(?:turn|bring|crank|put|take|nudge|push|pull|move|notch|bump|knock|wind) (?:[a-z0-9 ]+ )?up\b", "raise"),
    (r"\b(?:turn|bring|put|take|nudge|push|notch|bump|knock|wind|drop) (?:[a-z0-9 ]+ )?down\b", "lower"),
    (r"^(?:\d+(?: degrees?| percent)? |a bit |a little |slightly |much |way )?(?:higher|warmer|hotter|brighter"
     r"|louder)$",
        "raise"),
    (r"^(?:\d+(?: degrees?| percent)? |a bit |a little |slightly |much |way )?(?:lower|cooler|colder|dimmer"
     r"|darker|quieter)$",
        "lower"),
    (r"\b(?:throw (?:away|out)|take out|dump) .*\b(?:trash|garbage|rubbish|bin)\b", "start"),
    (r"\b(?:knock|turn|take|wind|dial) (?:[a-z ]+ )?back (?:by )?\d", "lower"), (r"\bfire up\b", "turn_on"),
    (r"\blight up\b", "turn_on"), (r"\b(?:go|send .*|head|return .*) home\b", "dock"),
    (r"\b(?:return|back|go|send) .*?(?:to|back to) (?:its |the )?(?:base|dock|station|charger)\b", "dock"),
    (r"\b(?:re)?play (?:the )?(?:last|previous)\b", "previous"), (r"\bplay (?:the )?next\b", "next"),
    (r"\bskip back(?:ward)?s?\b", "previous"), (r"\bgo back\b", "previous"),
    (r"\bto (?:fully |completely )?closed$", "close"), (r"\bto (?:fully |completely )?open$", "open"),
    (r"\bto on$", "turn_on"), (r"\bto locked$", "lock"),
    (r"\bstop watering\b", "turn_off"),
    (r"\b(?:take|get|snap) (?:a|me a|an) (?:picture|photo|snapshot|image)\b",
    "snapshot"),
    (r"\b(?:shut|power) (?:[a-z ]+ )?down\b", "turn_off"), (r"\bpower (?:on|up)\b", "turn_on"), (
        r"\bpower (?:off|down)\b",
        "turn_off"),
    (r"\broll (?:[a-z ]+ )?up\b", "open"), (r"\broll (?:[a-z ]+ )?down\b", "close"),
    (r"\bpull (?:[a-z ]+ )?down\b", "close"),
    (r"^(?:please )?draw\b", "close"), (r"\block(?:ed)? up\b", "lock"), (r"\bcut the (?:lights?|power)\b", "turn_off"),
    (r"\bcool (?:[a-z ]+ )?down\b", "lower"), (r"\b(?:warm|heat) (?:[a-z ]+ )?up\b", "raise"),
    (r"\bheat\b.* to \d", "set"),
    (r"\bvolume up\b", "raise"), (r"\bvolume down\b", "lower"), (r"\bmore (?:light|volume)\b", "raise"),
    (r"\bless (?:light|volume)\b", "lower"), (r"\bmove .*(?:up|upwards|upward)\b", "raise"),
    (r"\blet .* in\b", "unlock"),
    (r"\b(?:blinds?|curtains?|shades?|shutters?|awnings?|covers?|garage(?: door)?|gate) up\b(?! to)", "open"),
    (r"\b(?:blinds?|curtains?|shades?|shutters?|awnings?|covers?|garage(?: door)?|gate) down\b(?! to)", "close"),
    (r"\bmake .* (?:very )?bright$", "raise"), (r"\bmake .* (?:very )?(?:dark|dim)$", "lower"),
    (r"\btemperature up\b", "raise"), (r"\btemperature down\b", "lower"),
    (r"^(?:(?:it|that|this) is )?(?:way |much |a bit |a little )?too (?:dark|cold|quiet|dim|low)\b", "raise"),
    (r"^(?:(?:it|that|this) is )?(?:way |much |a bit |a little )?too (?:bright|hot|warm|loud|high)\b", "lower"),
    (r"\b(?:it is|the (?:\w+ ){1,3}is) (?:way |much |a bit |a little )?too (?:dark|cold|quiet)\b", "raise"),
    (r"\b(?:it is|the (?:\w+ ){1,3}is) (?:way |much |a bit |a little )?too (?:bright|hot|warm|loud)\b", "lower"),
)  # fmt: skip
_PHRASAL: Final = tuple((re.compile(pattern), action) for pattern, action in _PHRASES)
#: These say what is meant whatever other verbs stand there.
_STRONGER: Final = _set("open close dock previous next unlock")
_PARTICIPLES: Final = {
    "locked": "lock", "unlocked": "unlock", "closed": "close", "shut": "close", "opened": "open", "armed": "arm",
    "muted": "mute", "paused": "pause", "open": "open", "disarmed": "disarm",
}  # fmt: skip


def actions(words: Sequence[str], held: Collection[int], used: set[int]) -> tuple[str, ...]:
    """The actions that the clause can ask for, in the order of its words; positions of their words join `used`."""
    if _HOLD.match(" ".join(words)) and not held:
        used.update(range(len(words)))
        return ("pause",)
    lead = _lead(words, held)
    found: list[str] = []
    particle = _particle(words, held)
    if particle is not None:
        at, which = particle
        used.add(at)
        used.update(i for i, w in enumerate(words) if _heads(w) and i not in held)
        found.append("turn_on" if which == "on" else "turn_off")
    for at in range(len(words)):
        base = _verb(words, at, lead, held, particle is not None)
        if base:
            used.add(at)
            found += [a for a in VERBS[base] if a not in found]
    return tuple(_wishes(words, held, used, _phrasal(words, held, used, found)))


def _lead(words: Sequence[str], held: Collection[int]) -> int:
    """Where the clause proper begins, behind politeness."""
    at = 0
    while at < len(words) and at not in held and words[at] in _SKIPPED_BEFORE:
        at += 1
    return at


def _verb(words: Sequence[str], at: int, lead: int, held: Collection[int], particle: bool) -> str:
    """The base form of the verb that stands here, `""` for none."""
    word, last = words[at], at == len(words) - 1
    before = words[at - 1] if at else ""
    after = words[at + 1] if not last else ""
    gerund = word.endswith("ing") and word not in VERBS
    base = base_form(word) if gerund else word
    if base not in VERBS or (gerund and before not in _BEFORE_GERUND):
        return ""
    if at in held and (at != lead or len(words) == 1) and not (last and lead == 0):
        return ""
    if particle and base in PARTICLE_HEADS:
        return ""
    if (
        before in ("is", "are", "was", "were", "been", "being")
        and base in ("open", "shut", "close")
        and not _wished(words)
    ):
        return ""
    if base in _SHY and not gerund and at > lead and before not in _BEFORE_VERB and (not last or base in _NOUNS):
        return ""
    if (base == "make" and after == "sure") or word == "heating":
        return ""
    if base == "back" and not (last or after in ("to", "please", "a", "one", ",") or before in ("go", "skip")):
        return ""
    if base == "back" and after == "one" and before != "go":
        return ""
    if base == "dimmer" and before in ("the", "my", "a"):
        return ""
    if base in ("light", "water") and not (at == lead and after in ("the", "my", "our", "up")):
        return ""
    if base in ("vacuum", "switch") and after in (_AFTER_NOUN | {""}):
        return ""
    return base


def _phrasal(words: Sequence[str], held: Collection[int], used: set[int], found: list[str]) -> list[str]:
    text = " ".join(words)
    starts = [len(" ".join(words[:at])) + (at > 0) for at in range(len(words))]
    for pattern, action in _PHRASAL:
        match = pattern.search(text)
        if match is None:
            continue
        if action == "turn_off" and "down" in match[0]:
            found = ["turn_off", *(a for a in found if a not in ("close", "lower", "turn_off"))]
        elif action in _STRONGER:
            found = [
                action,
                *(a for a in found if a not in ("set", "raise", "lower", "play", "next", "previous", action)),
            ]
        elif action in ("raise", "lower"):
            found = [action, *(a for a in found if a not in ("set", action))]
        elif action not in found:
            found = [*found, action]
        drop = _CONSUMED | ({"home"} if action == "dock" else set()) | (_TOO if " too " in f" {match[0]} " else set())
        used.update(
            at for at, word in enumerate(words)
            if at not in held and word in drop and match.start() <= starts[at] < match.end()
        )  # fmt: skip
    return found


def _wished(words: Sequence[str]) -> bool:
    return bool(
        re.search(
            r"\b(?:make sure|ensure|i want|i need|i would like|should be|must be|needs? to be|get)\b", " ".join(words)
        )
    )


def _wishes(words: Sequence[str], held: Collection[int], used: set[int], found: list[str]) -> list[str]:
    """ "Make sure it is locked", "have the door locked"."""
    if not (_wished(words) or re.match(r"(?:please )?(?:have|get|make) (?:the|my|our|all)", " ".join(words))):
        return found
    for at, word in enumerate(words):
        if at not in held and word in _PARTICIPLES:
            action = _PARTICIPLES[word]
            found = [action, *(a for a in found if a != action)]
            used.add(at)
    return found


def _heads(word: str) -> bool:
    return word in PARTICLE_HEADS or (word.endswith("ing") and base_form(word) in PARTICLE_HEADS)


def base_form(word: str) -> str:
    """`turning` -> `turn`, `switching` -> `switch`, `setting` -> `set`."""
    stem = word[:-3]
    for candidate in (stem, stem + "e", stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem):
        if candidate in VERBS or candidate in PARTICLE_HEADS:
            return candidate
    return stem


def _particle(words: Sequence[str], held: Collection[int]) -> tuple[int, str] | None:
    """Where "on", "off" or "out" stands as part of the verb, not before a place."""
    best: tuple[int, str] | None = None
    for at, word in enumerate(words):
        if at in held or word not in ("on", "off", "out"):
            continue
        if word == "off":
            return at, "off"
        before = words[at - 1] if at else ""
        after = words[at + 1] if at + 1 < len(words) else ""
        after_head = at > 0 and (at - 1) not in held and _heads(before)
        ends = (at > 0 or len(words) > 1) and (not after or after in _AFTER_ON)
        lit = any(singular(w) in ("light", "lamp", "lighting", "bulb") for w in words[:at])
        if word == "out" and lit and after in ("", ","):
            return at, "off"
        if word == "out" and (after_head or (ends and singular(before) in ("light", "lamp", "lighting"))):
            return at, "off"
        if word == "on" and (after_head or ends):
            best = best or (at, "on")
    return best
