"""One clause taken apart: which actions its words allow, the values, the attribute, and the words of the target."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from agent.models.offline.lexicon import (
    ATTRIBUTES,
    FILLERS,
    HVAC_WORDS,
    KELVINS,
    LEAD_INS,
    NAMED_LEVELS,
    NAMED_SPEEDS,
    PARTICLE_HEADS,
    VERBS,
)
from agent.models.offline.words import PUNCTUATION, is_number
from homeguard.model import Device
from homeguard.targets import protected, singular
from homeguard.vocabulary import COLORS

_QUESTION_STARTS = frozenset(
    ("is", "are", "was", "were", "did", "does", "do", "has", "have", "had", "what", "which", "who", "whom", "whose",
     "when", "where", "why", "how", "any", "status", "am", "anything", "anyone", "whats", "should")
)  # fmt: skip
_TELLS = (
    ("tell", "me"), ("show", "me"), ("show",), ("check", "if"), ("check", "whether"), ("check", "that"), ("check",),
    ("list",), ("give", "me"), ("let", "me", "know"), ("find", "out"), ("do", "you", "know"), ("describe",),
    ("i", "want", "to", "know"), ("i", "need", "to", "know"), ("i", "wonder"), ("any", "idea"), ("see", "if"),
    ("verify",), ("confirm", "that"), ("confirm", "whether"), ("confirm", "if"), ("read",), ("say",), ("count",), ("get", "me"), ("report",),
    ("remind", "me"),
)  # fmt: skip
_REQUESTS = (
    ("can", "you"), ("could", "you"), ("would", "you"), ("will", "you"), ("why", "dont", "you"), ("can", "we"),
    ("could", "we"), ("do", "me", "a", "favor"), ("would", "you", "mind"), ("are", "you", "able", "to"), ("how", "about"),
    ("cannot", "you"), ("is", "it", "possible", "to"), ("can", "i"), ("could", "i"), ("have", "the"), ("have", "my"),
)  # fmt: skip
_NEGATIONS = (
    ("dont",), ("do", "not"), ("never",), ("must", "not"), ("should", "not"), ("no", "need", "to"), ("not", "to"),
    ("cannot", "let"), ("without",), ("instead", "of"), ("rather", "than"), ("nobody", "should"), ("no", "one", "should"),
    ("would", "not"), ("will", "not"), ("refuse", "to"), ("avoid",), ("not",), ("stop", "anyone", "from"), ("refrain", "from"),
    ("do", "nothing"), ("forget", "about"), ("hold", "off"), ("no", "unlocking"), ("under", "no", "circumstances"), ("keep", "from"),
)  # fmt: skip
_NOT_NEGATIONS = (
    ("dont", "forget", "to"), ("do", "not", "forget", "to"), ("why", "dont", "you"), ("if", "not"), ("dont", "you", "want"),
    ("whether", "or", "not"), ("or", "not"), ("never", "mind"), ("if", "you", "dont", "mind"), ("you", "dont", "mind"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that was said: `unit` is `percent`, `degrees`, `F`, `C`, `kelvin`, a time unit or `""`."""

    number: float
    unit: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A clause. `actions` are those that its words allow, none for a question; `strong` says a real verb was used."""

    words: tuple[str, ...]
    actions: tuple[str, ...] = ()
    strong: bool = False
    question: bool = False
    negated: bool = False
    attribute: str = ""
    value: Amount | None = None
    relative: bool = False
    color: str = ""
    kelvin: int = 0
    option: str = ""
    target: tuple[str, ...] = ()
    held: frozenset[int] = field(default_factory=frozenset)

    @property
    def has_value(self) -> bool:
        return self.value is not None or bool(self.color) or bool(self.kelvin) or bool(self.option)


def frame(words: Sequence[str], devices: Sequence[Device], places: Iterable[str] = ()) -> Frame:
    """Take a clause apart. `words` come from `words.tokens`; `places` are areas and floors without devices."""
    said = [w for w in words if w not in PUNCTUATION or w == ","]
    while said and said[-1] == ",":
        said.pop()
    while said and said[0] == ",":
        said.pop(0)
    held = protected(said, devices, places)
    question = is_question(said)
    negated = _negated(said)
    used: set[int] = set()
    actions, strong = _actions(said, held, used)
    value, relative = _value(said, held, used)
    attribute = _attribute(said, held, used)
    color, kelvin = _color(said, held, used, attribute, actions)
    option = _option(said, held, used, attribute, actions, value)
    if (value or color or kelvin or option) and not question and not _acts_without_value(actions):
        actions = (*actions, "set") if "set" not in actions else actions
    if question:
        actions = ()
    target = _target(said, held, used, question)
    return Frame(
        words=tuple(said), actions=actions, strong=strong, question=question, negated=negated, attribute=attribute,
        value=value, relative=relative, color=color, kelvin=kelvin, option=option, target=tuple(target),
        held=frozenset(held),
    )  # fmt: skip


def _acts_without_value(actions: Collection[str]) -> bool:
    return bool({"lock", "unlock", "arm", "disarm", "dock", "mute"} & set(actions))


def is_question(words: Sequence[str]) -> bool:
    """Whether the clause asks. "Could you turn it on?" is a request, "tell me if it is on" asks."""
    at = 0
    while at < len(words) and words[at] in (
        "please",
        "hey",
        "hi",
        "hello",
        "ok",
        "okay",
        "homeguard",
        "and",
        "so",
        "um",
        "well",
        ",",
        "now",
        "also",
        "then",
        "but",
    ):
        at += 1
    rest = list(words[at:])
    for request in _REQUESTS:
        if tuple(rest[: len(request)]) == request and not _telling(rest[len(request) :]):
            return False
    if _telling(rest):
        return True
    if len(rest) > 1 and rest[0] == "have" and rest[1] in ("the", "my", "all", "every"):
        return False
    if rest and rest[0] in ("do", "should") and len(rest) > 1 and rest[1] in ("not", "nothing"):
        return False
    return bool(rest) and rest[0] in _QUESTION_STARTS


def _telling(rest: Sequence[str]) -> bool:
    trimmed = list(rest)
    while trimmed and trimmed[0] in ("please", "you", "just"):
        trimmed.pop(0)
    return any(tuple(trimmed[: len(t)]) == t for t in _TELLS)


def _negated(words: Sequence[str]) -> bool:
    text = " ".join(words)
    for kind in _NOT_NEGATIONS:
        text = re.sub(rf"\b{' '.join(kind)}\b", " ", text)
    return any(re.search(rf"\b{' '.join(kind)}\b", text) for kind in _NEGATIONS)


def _lead(words: Sequence[str], held: Collection[int]) -> int:
    """Where the clause proper begins, behind politeness."""
    at = 0
    while (
        at < len(words)
        and at not in held
        and words[at]
        in LEAD_INS
        | {
            ",",
            "dont",
            "not",
            "do",
            "never",
            "no",
            "forget",
            "why",
            "how",
            "about",
            "a",
            "favor",
            "able",
            "are",
            "be",
            "my",
        }
    ):
        at += 1
    return at


def _actions(words: Sequence[str], held: Collection[int], used: set[int]) -> tuple[tuple[str, ...], bool]:
    lead = _lead(words, held)
    found: list[str] = []
    strong = False
    particle = _particle(words, held)
    if particle is not None:
        at, which = particle
        used.add(at)
        used.update(i for i, w in enumerate(words) if w in ("power", "flip", "kick", "fire", "click") and i not in held)
        found.append("turn_on" if which == "on" else "turn_off")
        strong = True
    text = list(words)
    for at, word in enumerate(text):
        if at in held and at != lead and not (at == len(text) - 1 and word in VERBS and lead == 0):
            continue
        if word not in VERBS and not (
            word.endswith("ing")
            and _base(word) in VERBS
            and at
            and text[at - 1] in ("about", "mind", "without", "of", "to", "no", "from", "start", "stop", "avoid", "than")
        ):
            continue
        base = word if word in VERBS else _base(word)
        if at in held and at == lead and len(text) == 1:
            continue
        near = text[at + 1] if at + 1 < len(text) else ""
        before = text[at - 1] if at else ""
        if (
            before in ("is", "are", "was", "were", "been", "being")
            and base in ("open", "shut", "close")
            and not _wished(text)
        ):
            continue
        if (
            base
            in (
                "clean",
                "open",
                "close",
                "secure",
                "start",
                "back",
                "play",
                "find",
                "return",
                "send",
                "record",
                "film",
                "charge",
                "light",
                "cool",
                "heat",
                "make",
                "put",
                "give",
                "run",
                "lock",
                "drop",
                "dock",
                "next",
                "picture",
                "photo",
                "vacuum",
                "switch",
                "dimmer",
                "silence",
                "change",
            )
            and at > lead
            and before
            not in ("to", "please", "and", "you", "then", "or", "dont", "not", "never", "mind", ",", "just", "no")
            and at != len(text) - 1
            and base not in ("next",)
        ):
            continue
        if (
            base
            in (
                "vacuum",
                "switch",
                "lock",
                "dock",
                "photo",
                "picture",
                "dimmer",
                "record",
                "back",
                "return",
                "clean",
                "start",
                "light",
                "film",
            )
            and at == len(text) - 1
            and at > lead
            and base not in ("start",)
            and before not in ("to", "go", "please", "a", "take")
            and not (base == "back" and before in ("go", "skip"))
        ):
            if base in ("clean", "dock", "lock", "record") and lead == at:
                pass
            elif base not in ("lock",) or lead != at:
                continue
        if base == "dimmer" and before in ("the", "my", "a"):
            continue
        if base == "light" and not (at == lead and near in ("the", "my", "up")):
            continue
        if base == "raise" and near == "the" and "alarm" in text[at:]:
            continue
        if base in ("vacuum", "switch") and near in ("", "on", "off", "to", "return", "start", "pause", "stop", "in"):
            if base == "switch" and near in ("on", "off"):
                used.add(at)
            continue
        if base == "water" and not (at == lead and near in ("the", "my", "our")):
            continue
        if particle is not None and base in PARTICLE_HEADS:
            used.add(at)
            continue
        if base == "set" and near in ("off",):
            continue
        used.add(at)
        found += [a for a in VERBS[base] if a not in found]
        strong = True
    found, strong = _phrasal(text, held, used, found, strong)
    return tuple(found), strong


def _wished(words: Sequence[str]) -> bool:
    text = " ".join(words)
    return bool(re.search(r"\b(make sure|ensure|i want|i need|i would like|should be|must be|get)\b", text))


def _phrasal(
    words: list[str], held: Collection[int], used: set[int], found: list[str], strong: bool
) -> tuple[list[str], bool]:
    """Actions of several words: "turn up", "go back", "light up", wishes with a participle ("make sure it is locked")."""
    text = " ".join(words)
    for pattern, action in (
        (r"\b(?:turn|bring|crank|put) (?:[a-z0-9 ]+ )?up\b", "raise"), (r"\b(?:turn|bring|put) (?:[a-z0-9 ]+ )?down\b", "lower"),
        (r"\blight up\b", "turn_on"), (r"\b(?:go|send .*|head|return .*) home\b", "dock"),
        (r"\b(?:return|back|go|send) .*?(?:to|back to) (?:its |the )?(?:base|dock|station|charger)\b", "dock"),
        (r"\b(?:re)?play (?:the )?(?:last|previous)\b", "previous"), (r"\bplay (?:the )?next\b", "next"), (r"\bskip back(?:ward)?s?\b", "previous"), (r"\b(?:to|is|be) (?:fully |completely )?closed$", "close"), (r"\bto (?:fully |completely )?open$", "open"), (r"\bto on$", "turn_on"), (r"\bstop watering\b", "turn_off"), (r"\b(?:take|get|snap) (?:a|me a|an) (?:picture|photo|snapshot|image)\b", "snapshot"),
        (r"\bshut down\b", "turn_off"), (r"\bpower (?:on|up)\b", "turn_on"), (r"\bpower (?:off|down)\b", "turn_off"),
        (r"\broll (?:[a-z ]+ )?up\b", "open"), (r"\broll (?:[a-z ]+ )?down\b", "close"), (r"\bpull (?:[a-z ]+ )?down\b", "close"),
        (r"\bdraw\b", "close"), (r"\block(?:ed)? up\b", "lock"), (r"\bcut the (?:lights?|power)\b", "turn_off"),
        (r"\bcool (?:it )?down\b", "lower"), (r"\b(?:warm|heat) (?:it )?up\b", "raise"), (r"\bheat\b.* to \d", "set"),
        (r"\bgo back\b", "previous"), (r"\bvolume up\b", "raise"), (r"\bvolume down\b", "lower"), (r"\bmore (?:light|volume)\b", "raise"),
        (r"\bless (?:light|volume)\b", "lower"), (r"\bmove .*(?:up|upwards|upward)\b", "raise"), (r"\blet .* in\b", "unlock"),
        (r"\btemperature up\b", "raise"), (r"\btemperature down\b", "lower"),
    ):  # fmt: skip
        if re.search(pattern, text):
            if action in ("open", "close", "dock", "previous", "next", "unlock"):
                found = [action, *(a for a in found if a not in ("set", "raise", "lower", "play", "next", "previous", action))]
            elif action in ("raise", "lower") and "set" in found:
                found = [action, *(a for a in found if a not in ("set",))]
            elif action not in found:
                found = [*found, action]
            strong = True
            for at, word in enumerate(words):
                if at not in held and word in (
                    "up",
                    "down",
                    "base",
                    "dock",
                    "station",
                    "charger",
                    "last",
                    "previous",
                    "take",
                    "draw",
                    "roll",
                    "pull",
                    "picture",
                    "photo",
                    "snapshot",
                    "image",
                    "upwards",
                    "its",
                    "crank",
                    "snap",
                    "home" if action == "dock" else "up",
                ):
                    used.add(at)
    if _wished(words) or re.match(r"(?:have|get|leave) (?:the|my|all)", text):
        for participle, action in (("locked", "lock"), ("unlocked", "unlock"), ("closed", "close"), ("shut", "close"),
                                   ("opened", "open"), ("armed", "arm"), ("muted", "mute"), ("paused", "pause"), ("open", "open"), ("disarmed", "disarm")):  # fmt: skip
            if participle in words:
                at = words.index(participle)
                if at not in held:
                    found = [action, *(a for a in found if a != action)]
                    used.add(at)
                    strong = True
    return found, strong


def _base(word: str) -> str:
    stem = word[:-3]
    for candidate in (stem, stem + "e", stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem):
        if candidate in VERBS or candidate in PARTICLE_HEADS:
            return candidate
    return stem


def _particle(words: Sequence[str], held: Collection[int]) -> tuple[int, str] | None:
    """Where "on", "off" or "out" stands as part of the verb, not before a place."""
    heads = [
        at for at, w in enumerate(words)
        if at not in held and (w in PARTICLE_HEADS or (w.endswith("ing") and _base(w) in PARTICLE_HEADS))
    ]  # fmt: skip
    best: tuple[int, str] | None = None
    for at, word in enumerate(words):
        if at in held or word not in ("on", "off", "out"):
            continue
        if word == "off":
            return at, "off"
        following = words[at + 1] if at + 1 < len(words) else ""
        after_head = at > 0 and (at - 1) in heads
        ends = following in (
            "",
            "please",
            "now",
            "in",
            "at",
            "for",
            "thanks",
            ",",
            "here",
            "everywhere",
            "throughout",
            "across",
            "on",
            "inside",
            "to",
            "tonight",
            "and",
            "so",
            "again",
            "upstairs",
            "downstairs",
            "too",
            "when",
            "if",
            "as",
            "except",
            "outside",
            "right",
            "immediately",
            "with",
            "only",
            "but",
        )
        if word == "out" and (
            after_head or (ends and at > 0 and singular(words[at - 1]) in ("light", "lamp", "lighting"))
        ):
            return at, "off"
        if word == "on" and (after_head or (ends and at > 0)):
            best = best or (at, "on")
    return best


def _value(words: Sequence[str], held: Collection[int], used: set[int]) -> tuple[Amount | None, bool]:
    relative = False
    best: Amount | None = None
    for at, word in enumerate(words):
        if at in held or not is_number(word) or (word == "1" and at + 1 < len(words) and words[at + 1] in ("of",)):
            continue
        unit, size = _unit(words, at + 1)
        before = words[at - 1] if at else ""
        if before in ("floor", "room", "bedroom", "zone", "channel") and not unit:
            continue
        if unit in ("minutes", "hours", "seconds", "days", "am", "pm"):
            if best is None and unit == "minutes" and "interval" in words:
                best = Amount(float(word), unit)
                used.update(range(at, at + 1 + size))
            continue
        number = float(word)
        if best is None or before in ("to", "at"):
            best = Amount(number, unit)
            relative = before == "by" or (
                size > 0
                and at + 1 + size < len(words)
                and words[at + 1 + size]
                in (
                    "more",
                    "less",
                    "brighter",
                    "dimmer",
                    "warmer",
                    "cooler",
                    "higher",
                    "lower",
                    "louder",
                    "quieter",
                    "hotter",
                    "colder",
                )
            )
            used.update(range(at, at + 1 + size))
            if before in ("to", "at", "by"):
                used.add(at - 1)
    if best is not None:
        return best, relative
    for at, word in enumerate(words):
        if (
            word in NAMED_LEVELS
            and at not in held
            and (word not in ("third", "quarter") or "a" in words[max(0, at - 1) : at])
        ):
            used.add(at)
            return Amount(NAMED_LEVELS[word], "percent", word), False
    return None, False


def _unit(words: Sequence[str], at: int) -> tuple[str, int]:
    if at >= len(words):
        return "", 0
    word = words[at]
    if word == "percent":
        return "percent", 1
    if word in ("degrees", "degree"):
        after = words[at + 1] if at + 1 < len(words) else ""
        if after in ("celsius", "c"):
            return "C", 2
        if after in ("fahrenheit", "f"):
            return "F", 2
        return "degrees", 1
    if word in ("c", "celsius"):
        return "C", 1
    if word in ("f", "fahrenheit"):
        return "F", 1
    if word in ("k", "kelvin", "kelvins"):
        return "kelvin", 1
    for unit in ("minutes", "hours", "seconds", "days"):
        if word in (unit, unit[:-1]):
            return unit, 1
    if word in ("am", "pm"):
        return word, 1
    return "", 0


def _attribute(words: Sequence[str], held: Collection[int], used: set[int]) -> str:
    for size in (2, 1):
        for at in range(len(words) - size + 1):
            span = tuple(words[at : at + size])
            if span in ATTRIBUTES and ATTRIBUTES[span] and not any(i in held for i in range(at, at + size)):
                used.update(range(at, at + size))
                return ATTRIBUTES[span]
    return ""


def _color(
    words: Sequence[str], held: Collection[int], used: set[int], attribute: str, actions: Collection[str]
) -> tuple[str, int]:
    text = " ".join(words)
    for phrase, kelvin in KELVINS.items():
        if re.search(rf"\b{phrase}\b", text) and "turn_on" not in actions:
            parts = phrase.split()
            used.update(at for at, w in enumerate(words) if w in parts and at not in held)
            return "", kelvin
    for at, word in enumerate(words):
        if word in COLORS and at not in held:
            strict = attribute == "color" or (at and words[at - 1] in ("to", "in")) or at == len(words) - 1
            if strict and (not actions or "set" in actions or attribute == "color" or (at and words[at - 1] == "to")):
                used.add(at)
                return word, 0
    return "", 0


def _option(
    words: Sequence[str], held: Collection[int], used: set[int], attribute: str, actions: Collection[str],
    value: Amount | None,
) -> str:  # fmt: skip
    """A named setting: "to heat", "low", "auto mode"."""
    if value is not None:
        return ""
    free = {at for at in range(len(words)) if at not in held}
    for at in sorted(free):
        pair = " ".join(words[at : at + 2])
        if pair == "fan only":
            used.update((at, at + 1))
            return "fan only"
    for at in sorted(free):
        word = words[at]
        follows_to = (
            at > 0
            and words[at - 1] in ("to", "on", "in", "the")
            and (
                at == len(words) - 1
                or words[at + 1] in ("mode", "speed", "in", "on", "for", "setting", "position", ",", "please")
            )
        )
        mode_after = at + 1 < len(words) and words[at + 1] in ("mode", "speed", "setting")
        listed = word in HVAC_WORDS or word in NAMED_SPEEDS
        if word in ("off", "fan") and attribute != "mode":
            continue
        ends_named = attribute in ("fan_speed", "mode", "speed", "swing") and at == len(words) - 1
        if listed and (follows_to or mode_after or ends_named):
            used.add(at)
            return word
        if (
            attribute in ("mode", "swing", "preset", "source")
            and follows_to and words[at - 1] == "to"
            and word not in ("the", "a", "mode")
            and (at == len(words) - 1 or words[at + 1] in ("mode", "position", "in", "on", "for", "setting"))
        ):
            if word in ("swing", "fan", "air", "mode"):
                continue
            used.add(at)
            return word
    if attribute == "swing":
        for at in sorted(free):
            if words[at] in ("up", "upwards", "down", "downwards", "middle", "auto"):
                used.add(at)
                return {"upwards": "up", "downwards": "down"}.get(words[at], words[at])
    return ""


def _target(words: Sequence[str], held: Collection[int], used: Collection[int], question: bool) -> list[str]:
    out: list[str] = []
    for at, word in enumerate(words):
        if at in held:
            out.append(word)
            continue
        if at in used or word in FILLERS or word in ("dont", "do", "never", "no", "nor", "forget", "need", "not"):
            continue
        if question and word in _QUESTION_STARTS:
            continue
        out.append(word)
    while out and out[-1] in ("and", "or", ",", "the", "in", "on", "of", "a", "from"):
        out.pop()
    while out and out[0] in ("and", "or", ","):
        out.pop(0)
    return out
