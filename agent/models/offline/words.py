"""A sentence as plain words: folded, contractions opened, spoken numbers as digits, punctuation as words of its own."""

import re
import unicodedata
from typing import Final


def those(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


_NUMBER_BEFORE: Final = those("to by at room bedroom zone floor channel")
_NUMBER_AFTER: Final = those("percent degree degrees hour minute second day time level")
_ROOMS: Final = those("living dining bath laundry utility guest family powder play sun store wash")
PUNCTUATION: Final = frozenset((",", ";", ".", "?", "!", ":"))
_OPENED: Final = {
    "what's": "what is", "whats": "what is", "where's": "where is", "who's": "who is", "how's": "how is",
    "when's": "when is", "that's": "that is", "there's": "there is", "it's": "it is", "i'm": "i am", "im": "i am",
    "i'd": "i would", "i'll": "i will", "i've": "i have", "let's": "lets", "don't": "dont", "doesn't": "does not",
    "didn't": "did not", "isn't": "is not", "aren't": "are not", "wasn't": "was not", "weren't": "were not",
    "can't": "cannot", "won't": "will not", "shouldn't": "should not", "wouldn't": "would not", "haven't": "have not",
    "hasn't": "has not", "couldn't": "could not", "we're": "we are", "you're": "you are", "they're": "they are",
    "gonna": "going to", "wanna": "want to", "gotta": "have to", "lemme": "let me", "gimme": "give me",
    "you've": "you have", "we've": "we have", "they've": "they have", "you'll": "you will", "we'll": "we will",
    "they'll": "they will", "it'll": "it will", "that'll": "that will", "there'll": "there will", "he's": "he is",
    "she's": "she is", "nobody's": "nobody is", "everyone's": "everyone is", "everybody's": "everybody is",
    "someone's": "someone is", "somebody's": "somebody is", "anyone's": "anyone is", "no-one's": "no one is",
    "needn't": "need not", "mustn't": "must not", "who'd": "who would", "you'd": "you would", "we'd": "we would",
    "they'd": "they would", "y'all": "you all", "light's": "light is", "lights're": "lights are", "door's": "door is",
    "alarm's": "alarm is", "heating's": "heating is", "garage's": "garage is", "oughta": "ought to",
    "pls": "please", "plz": "please", "thx": "thanks", "u": "you", "colour": "color", "tonite": "tonight",
    "isnt": "is not", "arent": "are not", "doesnt": "does not", "didnt": "did not", "wont": "will not",
    "cant": "cannot", "pct": "percent", "temp": "temperature", "temps": "temperatures", "celcius": "celsius",
    "centigrade": "celsius", "aircon": "ac", "telly": "tv", "mins": "minutes", "min": "minutes", "hrs": "hours",
    "hr": "hour", "secs": "seconds", "lightning": "lighting", "everybody": "everyone", "grados": "degrees",
    "degres": "degrees", "grad": "degrees", "l'eclairage": "lumiere", "nvm": "nevermind",
    "teh": "the", "exept": "except", "lite": "light",
    "lites": "lights",
}  # fmt: skip
_UNITS: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "fiveteen": 15, "fivteen": 15, "forteen": 14, "eigth": 8,
        "eigt": 8,
        "twelv": 12,
        "nien": 9,
}  # fmt: skip
_TENS: Final = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "fourty": 40, "fourty-five": 45, "ninty": 90, "fivety": 50, "thirtty": 30, "twentee": 20,
}  # fmt: skip
_ORDINALS: Final = {"first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th"}
_TOKEN: Final = re.compile(
    r"\d{1,2}:\d\d|\d+(?:\.\d+)?(?:st|nd|rd|th)(?![a-z])|\d+/\d+|-?\d+(?:\.\d+)?(?![a-z0-9])|"
    r"[a-z0-9]+(?:\.[a-z0-9]+)*|[,;.?!:]"
)
#: "..., is it?", "..., right?": the sentence before is a question, whatever "not" stands in it.
_CHECKED: Final = re.compile(
    r" , (?:(?:is|are|was|were|did|do|does|has|have|had) (?:not )?(?:it|they|he|she|there|we|i|you|someone|anyone)"
    r"|right|correct|yes|no) \?$"
)
_ASKED_FOR: Final = re.compile(r" ,? ?(?:would|will|could|can) you(?: please)?(?: do (?:it|that))?(?: \?)?$")
_TAGS: Final = ((_CHECKED, ("?",)), (_ASKED_FOR, ()))
#: "I forgot to lock it, could you?": what was forgotten is what is asked for.
_FORGOTTEN: Final = re.compile(
    r"^(?:.* )?(?:i|we) (?:(?:have|had|just|totally|completely) )*(?:forgot|forgotten|forget) to "
)
#: Longer texts are cut: a request is a few sentences.
MAX_CHARACTERS: Final = 2000


def tokens(text: str) -> list[str]:
    """The words and marks of a text, in order; at most the first `MAX_CHARACTERS` characters count."""
    folded = text[:MAX_CHARACTERS].lower()
    for sign, word in (("°", " degrees "), ("º", " degrees "), ("%", " percent "), ("½", " 0.5 "), ("&", " and ")):
        folded = folded.replace(sign, word)
    folded = re.sub(r"\([^()]*\)", " ", folded)
    folded = re.sub(r"\.{2,}|\u2026", " , ", folded)
    for mark, plain in (("\u2019", "'"), ("\u2018", "'"), ("_", " "), ("\u2013", "-"), ("\u2014", " , ")):
        folded = folded.replace(mark, plain)
    folded = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    folded = " ".join(_open(chunk) for chunk in folded.split())
    folded = re.sub(r"(?<=[a-z])-(?=[a-z0-9])", " ", folded)
    folded = re.sub(r"\b(turn|switch|shut) of (?=the|my|all|it|every)", r"\1 off ", folded)
    folded = re.sub(r"\bback (on|off)(?![a-z])", r"\1", folded)
    folded = re.sub(r"(\d)\s*(am|pm|a\.m\.|p\.m\.)(?![a-z])", lambda m: f"{m[1]} {m[2][0]}m", folded)
    folded = re.sub(r"(?<=\d)(f|c|k)(?![a-z0-9])", r" \1", folded)
    return untagged(_numbers(["," if w == ":" else w for w in _TOKEN.findall(folded)]))


def untagged(words: list[str]) -> list[str]:
    """ "It is locked, isn't it?" as "it is locked?"; "lock it, would you?" and "..., please?" as what they ask for."""
    text = " ".join(words)
    for pattern, mark in _TAGS:
        match = pattern.search(text)
        if match is not None and match.start() > 0:
            body = text[: match.start()]
            body = re.sub(r"\b(?:not|dont) ", "", body) if match.re is _CHECKED else _FORGOTTEN.sub("", body)
            return [*body.split(), *mark]
    return words


def _open(chunk: str) -> str:
    core = chunk.rstrip(",;.?!:")
    tail = chunk[len(core) :]
    if core in _OPENED:
        return _OPENED[core] + tail
    if len(core) > 3 and core[:2] in ("l'", "d'"):
        core = core[2:]
    if core.endswith("'s"):
        core = core[:-2]
    return core.replace("'", "") + tail


def _numbers(words: list[str]) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(words):
        value, used = _number_at(words, at)
        if used and words[at] == "one" and used == 1 and not _counts(words, at):
            used = 0
        if used:
            out.append(value)
            at += used
        else:
            counts = words[at] == "second" and out and is_number(out[-1])
            out.append(words[at] if counts else _ORDINALS.get(words[at], words[at]))
            at += 1
    return out


def _counts(words: list[str], at: int) -> bool:
    """Whether "one" is a number here ("to one degree", "bedroom one") and not a thing ("the back one")."""
    before = words[at - 1] if at else ""
    after = words[at + 1] if at + 1 < len(words) else ""
    if before == "room" and at > 1 and words[at - 2] in _ROOMS:
        return False  # "the living room one"
    return before in _NUMBER_BEFORE or after in _NUMBER_AFTER  # fmt: skip


def _number_at(words: list[str], at: int) -> tuple[str, int]:
    """The spoken number that begins here and how many words it takes (0: none)."""
    word = words[at]
    total, used = 0, 0
    if word in _TENS:
        total, used = _TENS[word], 1
        if at + 1 < len(words) and 0 < _UNITS.get(words[at + 1], 99) < 10:
            total, used = total + _UNITS[words[at + 1]], 2
    elif word in _UNITS:
        total, used = _UNITS[word], 1
    elif word in ("a", "one") and at + 1 < len(words) and words[at + 1] == "hundred":
        total, used = 1, 1
    else:
        return "", 0
    if at + used < len(words) and words[at + used] == "thousand":
        total, used = total * 1000, used + 1
        rest, more = _number_at(words, at + used) if at + used < len(words) else ("", 0)
        if more and float(rest) < 1000:
            total, used = total + int(float(rest)), used + more
    if at + used < len(words) and words[at + used] == "hundred":
        total, used = total * 100, used + 1
        rest, more = _number_at(words, at + used + 1) if at + used + 1 < len(words) else ("", 0)
        if more and words[at + used] == "and":
            total, used = total + int(float(rest)), used + 1 + more
    text = str(total)
    if at + used + 1 < len(words) and words[at + used] == "point" and words[at + used + 1] in _UNITS:
        text, used = f"{text}.{_UNITS[words[at + used + 1]]}", used + 2
    return text, used


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return word not in ("nan", "inf", "infinity")
