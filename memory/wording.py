"""What a sentence says, as far as a note about it must say the same: its words, hours, numbers and turns. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from homeguard.recollection import folded

#: Words that say the same here, one line each; what stands first names the line.
_SAME: Final = """
mother mum mom mama mommy mummy
father dad papa daddy
grandmother grandma granny gran nan
grandfather grandpa grandad
parents folks
wife missus
kid child children son daughter
neighbour neighbor
friend mate pal buddy
cleaner housekeeper
flatmate roommate housemate
doctor gp physician
vet veterinarian
visit come comes came coming drop drops visits over
rise get gets up wake wakes woke awake
sleep sleeps bed bedtime asleep
have has had having got own owns owned with
leave leaves go goes head depart departs departure out away
return returns back arrive arrives home
prefer prefers like likes love loves want wants rather enjoy enjoys favourite favorite wish
dislike hate hates dislikes detest loathe
work job works working office
car vehicle auto
sofa couch
television tv telly
cellar basement
flat apartment home
garbage trash rubbish bin bins waste
holiday vacation
morning mornings am
evening evenings pm
night nights nighttime
phone number telephone mobile cell
stay stays live lives lived living
feed fed feeds meal meals
allergic allergy allergies
medicine medication pills pill tablets meds
quiet silent silence noise noisy loud disturb
warn warning warnings alert alerts notify notification notifications tell alarm
motion movement moving
temperature warm warmth degrees
weekday weekdays
called named name
""".strip()
#: A kind is said by each of its members, never the other way round.
_KINDS: Final = {
    "pet": frozenset(
        ("dog", "cat", "puppy", "kitten", "parrot", "hamster", "rabbit", "bird", "fish", "tortoise", "horse")
    ),
    "parents": frozenset(("mother", "father")),
}
_NUMBERS: Final = {
    word: number
    for line in """
0 zero; 1 one first; 2 two second; 3 three third; 4 four fourth; 5 five fifth; 6 six sixth; 7 seven seventh;
8 eight eighth; 9 nine ninth; 10 ten tenth; 11 eleven eleventh; 12 twelve twelfth; 13 thirteen; 14 fourteen;
15 fifteen fifteenth; 16 sixteen; 17 seventeen; 18 eighteen; 19 nineteen; 20 twenty twentieth; 30 thirty; 40 forty;
50 fifty; 60 sixty; 70 seventy; 80 eighty; 90 ninety""".replace(";", "\n").splitlines()
    for number, *words in [line.split() or [""]]
    for word in words
}
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY: Final = re.compile(r"\b(mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)\b")
#: They stand in every sentence, or say only whose the note is.
_FILLING: Final = frozenset(
    re.findall(
        r"\w+",
        """a an the of in on at to for from about and or but is are was were be been being am do
    does did done will would shall can could i me my mine myself we us our ours you your yours he him his she her hers
    it its they them their theirs this that these those there here who which what where why how as so than then too
    also just very really please thanks thank ok okay hey hi well user person owner somebody someone homeguard s re ve
    ll d m t o clock always every each usually normally typically mostly daily regularly whenever into by around near
    remember note keep mind forget know save store memorise memorize bear fyi future reference should when while""",
    )
)
_NOT: Final = re.compile(
    r"\b(?:not|no|never|none|nobody|no one|nothing|without|neither|nor|cannot|isnt|arent|dont|doesnt|didnt|wont|cant"
    r"|wasnt|shouldnt|mustnt|\w+n't)\b"
)
#: Each narrows what was said; a note has the same ones or says something else.
_NARROWS: Final = tuple(
    re.compile(rf"\b(?:{words})\b")
    for words in (
        "if|in case|as long as|provided", "unless|except|apart from|but not", "until|till", "only|just for",
        "maybe|perhaps|might|probably|possibly|i think|i guess|not sure|i believe|could be",
    )
)  # fmt: skip
_ONCE: Final = re.compile(r"\b(?:today|tonight|tomorrow|this|next|once|yesterday|last|ago)\b")
_OFTEN: Final = re.compile(
    rf"\b(?:always|every|each|daily|weekly|usually|normally|typically|mostly|regularly|whenever|most"
    rf"|mornings|evenings|nights|weekends|weekdays|(?:{'|'.join(_DAYS)})s)\b"
)
_IDIOM: Final = re.compile(
    r"\b(?:don't|do not|dont|never) (?:ever )?forget\b|\bno (?:problem|wait|worries)\b|^(?:no|yes|ok|okay)[,.]\s+"
    r"|\bjust so (?:that )?you know\b|\bwell,"
)
_TIME: Final = re.compile(
    r"(?<![\d:.])(\d{1,2})(?:[:.h](\d\d))?(?:\s*([ap])\.?\s?m\b\.?|\s*(o'clock|uhr|h)\b)?(?![\d:%])"
)
_PHONE: Final = re.compile(r"\+?\d[\d ()/-]{4,24}\d")
_ADDRESS: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,60}(?:\.[\w-]{1,60})+")
_WORD: Final = re.compile(r"\d+(?:[.,]\d+)?|[^\W\d_]+(?:'[^\W\d_]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """`words` in their order, each by the one name of what it says; `hours` are the times of day that it may mean
    (`HH:MM`); `numbers` as they are written; `turns`: what turns or narrows the rest."""

    words: tuple[str, ...]
    hours: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    turns: frozenset[str] = frozenset()


def wording(text: str, *, own_name: str = "") -> Wording:
    """Of one sentence or a few. `own_name`: how the person is called, whom a note may name for "I"."""
    plain = _plain(text)
    plain = _IDIOM.sub(" ", plain)
    numbers = {re.sub(r"\D", "", found) for found in _PHONE.findall(plain)} | set(_ADDRESS.findall(plain))
    rest = _ADDRESS.sub(" ", _PHONE.sub(" ", plain))
    hours = _hours(rest)
    tokens = _WORD.findall(_TIMED.sub(" ", rest))
    numbers |= {token.replace(",", ".") for token in _WORD.findall(rest) if token[0].isdigit()}
    own = set(folded(own_name).split())
    words = [
        one_name(token.removesuffix("'s"))
        for token in tokens
        if not token[0].isdigit() and not _fills(token) and token not in own
    ]
    turns = {f"narrows {n}" for n, pattern in enumerate(_NARROWS) if pattern.search(plain)}
    negative = _NOT.search(plain) is not None
    if negative and "prefer" in words:
        words, negative = ["dislike" if word == "prefer" else word for word in words], False
    if negative:
        turns.add("not")
    if _ONCE.search(plain):
        turns.add("once")
    if _OFTEN.search(plain):
        turns.add("often")
    return Wording(words=tuple(words), hours=hours, numbers=frozenset(numbers), turns=frozenset(turns))


def joined(parts: Sequence[Wording]) -> Wording:
    """What several sentences say together."""
    if len(parts) == 1:
        return parts[0]
    return Wording(
        words=tuple(word for part in parts for word in part.words),
        hours=frozenset().union(*(part.hours for part in parts)),
        numbers=frozenset().union(*(part.numbers for part in parts)),
        turns=frozenset().union(*(part.turns for part in parts)),
    )


def says(word: str, said: str) -> bool:
    """Whether what was said says the word of a note too."""
    return word == said or said in _KINDS.get(word, ())


def one_name(word: str) -> str:
    """The name of all words that say the same as this one, in whatever form."""
    known = _NAMES.get(word) or _NAMES.get(_stem(word))
    return known or _stem(word)


def _plain(text: str) -> str:
    marks = text.casefold().replace("\u2019", "'").replace("\u2013", "-")
    plain = "".join(c for c in unicodedata.normalize("NFKD", marks) if not unicodedata.combining(c))
    plain = _DAY.sub(lambda m: next(d for d in _DAYS if d.startswith(m[1][:3])), plain)
    plain = re.sub(r"\b(\d+)(?:st|nd|rd|th)\b", r"\1", plain)
    plain = re.sub(r"[a-z]+", lambda m: _NUMBERS.get(m[0], m[0]), plain)
    plain = re.sub(r"\b(?:every|each) day\b", "daily", plain)
    plain = re.sub(r"\bhalf (?:past )?(\d{1,2})\b", r"\1:30", plain)
    plain = re.sub(r"\bquarter past (\d{1,2})\b", r"\1:15", plain)
    plain = re.sub(r"\bquarter to (\d{1,2})\b", lambda m: f"{(int(m[1]) - 1) % 24}:45", plain)
    plain = re.sub(r"\b(\d{1,2}) (15|30|45)\b", r"\1:\2", plain)
    plain = re.sub(r"\b(20|30|40|50|60|70|80|90) ([1-9])\b", lambda m: str(int(m[1]) + int(m[2])), plain)
    return plain.replace("midday", "noon").replace("noon", "12:00 pm").replace("midnight", "0:00")


_TIMED: Final = re.compile(r"\b\d{1,2}(?:[:.]\d\d)?\s*(?:[ap]\.?\s?m\b\.?|o'clock)|\b\d{1,2}:\d\d\b")


def _hours(plain: str) -> frozenset[str]:
    """Every time of day that the text can mean: five is five in the morning or in the afternoon, unless it says."""
    early = re.search(r"\bmornings?\b", plain) is not None
    late = re.search(r"\b(?:afternoons?|evenings?|tonight)\b", plain) is not None
    found = set()
    for match in _TIME.finditer(plain):
        hour, minute = int(match[1]), int(match[2] or 0)
        if hour > 24 or minute > 59:
            continue
        if match[3] is not None:
            hours = {hour % 12 + (12 if match[3] == "p" else 0)}
        elif hour > 12 or (match[2] is not None and len(match[1]) == 2 and hour < 10):
            hours = {hour % 24}
        else:
            hours = {hour % 24, (hour + 12) % 24}
            if early != late:
                hours = {h for h in hours if (h < 12) == early}
        found |= {f"{h:02}:{minute:02}" for h in hours}
    return frozenset(found)


def _fills(token: str) -> bool:
    return token in _FILLING or token.removesuffix("'s") in _FILLING or token.endswith("n't") or _is_turn(token)


def _is_turn(token: str) -> bool:
    return any(p.fullmatch(token) for p in (*_NARROWS, _NOT, _ONCE)) or token in ("in", "case")


def _stem(word: str) -> str:
    for ending, least, instead in (("ies", 5, "y"), ("ing", 6, ""), ("ed", 5, ""), ("es", 5, ""), ("s", 4, "")):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            word = word[: -len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


_NAMES: Final = {
    form: line.split()[0] for line in _SAME.splitlines() for word in line.split() for form in (word, _stem(word))
}
