"""What was meant by words that are slips: "trun off teh pourch lite", "livingroom", "the lounge" in this home. Pure."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from agent.models.offline.english import around_words, english_words
from agent.models.offline.lexicon import (
    ATTRIBUTES,
    FILLERS,
    HVAC_WORDS,
    LEAD_INS,
    NAMED_LEVELS,
    NAMED_SPEEDS,
    PARTICLE_HEADS,
    VERBS,
)
from agent.models.offline.moments import whole_spans
from agent.models.offline.phrases import GRAMMAR
from agent.models.offline.reading import PREDICATES
from agent.models.offline.words import PUNCTUATION, is_number, those
from homeguard.kinds import KINDS, name_words, plain_words, singular
from homeguard.model import Device
from homeguard.target_words import slips
from homeguard.vocabulary import COLORS

#: Places that people call by either name; the home's own is taken where it has one of them.
_PLACES: Final[tuple[frozenset[str], ...]] = (
    frozenset(("living room", "lounge", "sitting room", "front room", "family room", "parlor", "drawing room")),
    frozenset(("hallway", "hall", "corridor", "passage", "landing", "passageway")),
    frozenset(("bathroom", "washroom", "restroom", "loo", "toilet", "wc")),
    frozenset(("store room", "storage room", "storeroom", "storage", "pantry", "box room")),
    frozenset(("study", "study room", "office", "home office", "den", "library")),
    frozenset(("garden", "yard", "backyard", "back yard", "back garden")),
    frozenset(("driveway", "drive")),
    frozenset(("master bedroom", "main bedroom", "primary bedroom", "our bedroom")),
    frozenset(("guest room", "guest bedroom", "spare room", "spare bedroom")),
    frozenset(("foyer", "entrance", "entry", "entrance hall", "entryway", "vestibule")),
    frozenset(("porch", "stoop", "veranda", "verandah")), frozenset(("patio", "terrace", "deck")),
    frozenset(("basement", "cellar")), frozenset(("attic", "loft")), frozenset(("dining room", "dining area")),
    frozenset(("nursery", "baby room", "babys room")), frozenset(("utility room", "laundry room", "laundry",
        "utility")),
    frozenset(("front door", "main door", "entrance door", "street door")),
    frozenset(("back door", "rear door", "kitchen door", "garden door")),
)  # fmt: skip
_HEARD: Final = (
    (r"\b(?:per|purr|pur|par) (?:cent|scent|sent|cents)\b", "percent"),
    (r"\btoo (?=\d)", "to "), (r"\b(?:two|to) to (?=\d)", "to "),
    (r"\bturn(?:ed)? of (?=the|my|all|it|every|our|this|that)", "turn off "),
    (r"\bof$", "off"), (r"\bof(?= (?:please|now|thanks)$)", "off"),
    (r"\b((?:shut|turn|switch|put) .{1,40}) of(?= (?:please|now)$)", r"\1 off"),
    (r"\bwhat is is\b", "what is"), (r"\b(\d+) and (?:a|1) half\b(?! hours?)", r"\1.5"),
    (r"\b3 quarters of an? hour\b", "45 minutes"), (r"\ba quarter of an hour\b", "15 minutes"),
    (r"\b(\d+) quarters of an hour\b", r"\1 quarter hours"), (r"\ba (?:sec|tick|jiffy|mo)\b", "a moment"),
    (r"\b((?:bump|push|nudge|turn|put|crank|take|bring|move|kick|notch|knock|drop) (?:\w+ ){1,4}?(?:up|down)) "
     r"(\d|1[0-5]) (degrees?|percent)\b(?! (?:mode|setting))", r"\1 by \2 \3"),
    (r"\bset (?:it|the (?:house|home|alarm|system|place)|everything) (?:to|on|in|into) (away|sleep|night|vacation)"
     r"(?: mode)?\b", r"set the home to \1 mode"),
    (r"\blet (?:the |my |our |a )?\w+(?: \w+)? in(?= (?:at|when|if|by|around) | ?[.!]?$)", "unlock the door"),
    (r"\bknock(?:ed)? off\b", "turn off"), (r"\bkill (?=the|all|every|those|these|my|our)", "turn off "),
    (r"\b(?:whack|stick|bung|pop|chuck|flick|flip|kick|fire|hit|whip|bang|get|give me|gimme) "
     r"((?:the|my|our|all|every|that|those) .{1,30}\b(?:on|off))(?= (?:please|now|for me|would you|will you)$|$)",
     r"turn \1"),
    (r"\bcrank (?!it|them)(?=.* to \d)", "set "), (r"\b(?:bar|barring) (?=the|my|our|what)", "except "),
    (r"\bhalf (?=(?:[1-9]|1[0-2])\b(?! (?:percent|degrees|hours?|minutes?)))", "half past "),
    (r"\b(?:straight|right) away\b|\bstraightaway\b", "immediately"),
    (r"\b(snapshot|photo|picture|image|shot) off\b", r"\1 from"),
    (r"\bany ?time (?=the|my|our|someone|somebody|anyone|there)", "whenever "), (r"\b(if|when) ever\b", r"\1"),
    (r" (?:, )?(?:just |only )?(?:the once|once only|one time only|just once|only once)$", ""),
    (r"\baff\b", "off"), (r"^pit (?=the|my)", "put "), (r"\blicht\b", "light"),
    (r"\b([ap])\.m\b", r"\1m"), (r"\b(?:the |a |my )?(?:erm+|umm*|uhh*|er|eh|ah|ehm)\b(?: [,.])?", ""),
    (r"^should (?=(?:the|my|our|any|some|there)\w*\b(?!.*\?$))", "if "), (r"\bever (?=trips?|opens?|goes"
                                                                          r"|detects?|sees|rings)",
        ""),
    (r"\bthe place\b", "the house"), (r"\bblew\b(?= please|$| ,)", "blue"), (r"\bda\b", "the"), (r"\bdoin\b", "doing"),
    (r" (?:na|lah|la|yaar|ji|ya|eh|huh|hey)(?= [.?!]|$)", ""),
    (r"\b(?:gadgets?|gizmos?|appliances|(?<=which )stuff|(?<=what )stuff)\b", "devices"), (r"\bcams?\b", "camera"), (
        r"\bhooked up\b",
        "connected"),
    (r"\b(?:y / n|y n|yes or no)$", "?"),
)  # fmt: skip
_CLEANING: Final = re.compile(r"\b(?:start|begin) (?:the )?(?:cleaning|vacuuming|hoovering)(?: up)?(?= *[.!]?$)")
_PATTERNS: Final = tuple((re.compile(pattern), put) for pattern, put in _HEARD)
_UNITS: Final = those(
    "percent degrees degree celsius fahrenheit minutes minute hours hour seconds second half maximum minimum "
    "brightness "
    "temperature volume color everything except please timer timers remind reminder alarm list shopping "
    "automation rule "
    "tonight tomorrow morning evening night sunset sunrise weekday weekdays weekend status battery batteries unlocked "
    "locked closed turned motion camera thermostat light lights door doors window windows garage"
)


@lru_cache(maxsize=1)
def _own() -> frozenset[str]:
    """The planner's own words."""
    kinds = {w for form in KINDS for w in form}
    attributes = {w for form in ATTRIBUTES for w in form}
    phrases = {w for templates in GRAMMAR.values() for t in templates for w in re.findall(r"[a-z]+", t)}
    every = frozenset(
        {
            *VERBS,
            *PARTICLE_HEADS,
            *FILLERS,
            *LEAD_INS,
            *kinds,
            *attributes,
            *COLORS,
            *PREDICATES,
            *HVAC_WORDS,
            *NAMED_SPEEDS,
            *NAMED_LEVELS,
            *phrases,
            *_UNITS,
        }
    )
    return every | {singular(w) for w in every}


_ENDINGS: Final = ("ing", "ed", "ly", "er", "est", "d", "s", "es", "ness", "ish", "y", "n", "en", "al", "able")


def _is_word(word: str) -> bool:
    """Whether it is a word of English as far as we know, in any of its forms."""
    known = english_words()
    if word in known or singular(word) in known:
        return True
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            forms = {stem}
            if ending[0] in "aeiy":
                forms |= {f"{stem}e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem}
            if ending in ("es", "ed", "er", "est"):
                forms.add(f"{stem[:-1]}y")
            if forms & (known | _own()):
                return True
    return False


def heard(words: Sequence[str], devices: Sequence[Device], places: Iterable[str]) -> tuple[list[str], frozenset[str]]:
    """The words as they were meant, and which of them are mended slips."""
    names = tuple(
        {n: None for d in devices for n in (d.name, *d.aliases, d.area, d.floor) if n} | dict.fromkeys(places)
    )
    home = _home_words(names)
    text = " ".join(words)
    for pattern, put in _PATTERNS:
        text = pattern.sub(put, text)
    heats = any(d.type == "thermostat" for d in devices) and not any(d.type == "air_conditioner" for d in devices)
    if heats and not {"ac", "air", "aircon", "furnace", "boiler", "conditioning"} & home:
        text = re.sub(
            r"\b(?:ac|aircon|air con|air conditioning|air conditioner|furnace|boiler)\b(?! unit)", "thermostat", text
        )
    if any(d.type == "vacuum" for d in devices):
        text = _CLEANING.sub("start the vacuum", text)
    text = _by_its_name(whole_spans(text), names)
    out: list[str] = []
    mended: set[str] = set()
    for word in _joined(text.split(), home):
        meant = _meant(word, home)
        if meant != [word]:
            mended.update(meant)
        out += meant
    if mended:
        again = " ".join(out)
        for pattern, put in _PATTERNS:
            again = pattern.sub(put, again)
        out = again.split()
    return out, frozenset(mended)


@lru_cache(maxsize=64)
def _home_words(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(w for name in names for w in (*name_words(name), *plain_words(name)))


@lru_cache(maxsize=16)
def _other_names(names: tuple[str, ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    """What people call the places of this home beside their names here, with the name here."""
    here = {" ".join(plain_words(n)) for n in names}
    words = {w for name in here for w in name.split()}
    found = []
    for group in _PLACES:
        exact = [n for n in group if n in here] or [n for n in group if set(n.split()) <= words and _within(n, here)]
        if exact:
            own = min(exact, key=len)
            found += [
                (re.compile(rf"\b{other}\b(?! (?:door|lock|room|area)\b)"), own)
                for other in sorted(group - set(exact), key=len, reverse=True)
                if other not in here and not _within(other, here)
            ]
    return tuple(found)


def _within(name: str, names: Iterable[str]) -> bool:
    return any(f" {name} " in f" {other} " for other in names)


def _by_its_name(text: str, names: tuple[str, ...]) -> str:
    """A place under the name that this home has for it."""
    for pattern, own in _other_names(names):
        text = pattern.sub(own, text)
    return text


def _joined(words: Sequence[str], home: frozenset[str]) -> list[str]:
    """ "thermos stat" as one word, where this home or the planner knows the two as one."""
    out = list(words)
    for at in range(len(out) - 2, -1, -1):
        one, two = out[at], out[at + 1]
        if not (one.isalpha() and two.isalpha()) or len(one) + len(two) < 8 or {one, two} <= home:
            continue
        whole = one + two
        if not (whole in home or whole in _own()) and (one in _own() or two in _own() or {one, two} & around_words()):
            continue
        known = whole if whole in home or whole in _own() else next((k for k in home if slips(whole, k, 1)), "")
        if known:
            out[at : at + 2] = [known]
    return out


def _meant(word: str, home: frozenset[str]) -> list[str]:
    base = singular(word)
    if len(word) < 3 or not word.isalpha() or word in PUNCTUATION or is_number(word):
        return [word]
    if word in home or base in home or word in _own() or base in _own() or _is_word(word):
        return [word]
    for at in range(3, len(word) - 2):
        parts = [word[:at], word[at:]]
        if all({p, singular(p)} & (home | _own()) for p in parts) and any(
            singular(p) in home or (singular(p),) in KINDS for p in parts
        ):
            return parts
    near = [k for k in home | _own() if _slip(word, k)]
    best = [k for k in near if k in home] or near
    first = [k for k in best if k[0] == word[0]] or best
    if len(first) > 1:
        first = [k for k in first if sorted(k) == sorted(word)] or [k for k in first if _dropped(word, k)] or first
    if not first:
        sounds = {k for k in home if len(k) > 3 and k[0] == word[0] and _skeleton(k) == _skeleton(word)}
        first = list(sounds) if len(word) > 3 else []
    return [first[0]] if len(first) == 1 else [word]


def _dropped(word: str, known: str) -> bool:
    """Whether a word is the known one with letters left out."""
    letters = iter(known)
    return all(c in letters for c in word)


def _skeleton(word: str) -> str:
    """The consonants of a word, doubles as one: what is left of it when it is written as it sounds."""
    return re.sub(
        r"(.)\1+", r"\1", re.sub(r"[aeiouyhw]", "", word.replace("ck", "k").replace("c", "k").replace("j", "g"))
    )


def _slip(word: str, known: str) -> bool:
    if len(known) < 3 or abs(len(word) - len(known)) > 2 or (len(word) < 4 and len(known) < 4):
        return False
    if len(word) < 5 and word[0] != known[0]:
        return False
    return slips(word, known, 2 if min(len(word), len(known)) >= 7 else 1)
