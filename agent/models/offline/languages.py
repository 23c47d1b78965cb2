"""Spanish, German and French as the planner's English, word by word from data files. Names stay as they are. Pure."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from agent.models.offline.english import english_words

_FOLDER: Final = Path(__file__).parent / "data"
LANGUAGES: Final = ("de", "es", "fr")
_LONGEST: Final = 6
_GAP: Final = "(.{1,60}?)"


@dataclass(frozen=True, slots=True)
class Language:
    """`phrases` maps folded words to English ones; `gaps` are patterns around words that stay, longest first."""

    code: str
    phrases: dict[tuple[str, ...], str]
    gaps: tuple[tuple[re.Pattern[str], str], ...]
    words: frozenset[str]


@lru_cache(maxsize=1)
def languages() -> tuple[Language, ...]:
    """All that there are data files for."""
    return tuple(_read(code) for code in LANGUAGES)


def _read(code: str) -> Language:
    phrases: dict[tuple[str, ...], str] = {}
    gaps: list[tuple[int, re.Pattern[str], str]] = []
    for line in (_FOLDER / f"{code}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or "=" not in line:
            continue
        foreign, english = (part.strip() for part in line.split("=", 1))
        if "..." in foreign:
            pattern = r"\b" + re.escape(foreign).replace(re.escape("..."), _GAP) + r"(?=[ .,;?!]|$)"
            gaps.append((len(foreign), re.compile(pattern), english.replace("...", r"\1")))
        else:
            phrases[tuple(foreign.split())] = english
    ordered = sorted(gaps, key=lambda g: -g[0])
    return Language(code, phrases, tuple((p, e) for _, p, e in ordered), frozenset(w for form in phrases for w in form))


def folded(text: str) -> str:
    """Lower case without accents, apostrophes as blanks, marks as words of their own."""
    plain = (
        text.lower()
        .replace("\u00df", "ss")
        .replace("\u0153", "oe")
        .replace("%", " percent ")
        .replace("\u00b0", " degrees ")
    )
    plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    plain = re.sub(r"(\d+)\s*h\s*(\d\d)?\b", lambda m: f"{m[1]}:{m[2]}" if m[2] else f"{m[1]} oclock", plain)
    return " ".join(re.sub(r"[^a-z0-9.,;?!:]+", " ", re.sub(r"([.,;?!])(?!\d)", r" \1 ", plain)).split())


def language_of(text: str) -> Language | None:
    """The language that a sentence is in, `None` for English and whatever else there is."""
    words = [w for w in folded(text).split() if w.isalpha()]
    english = sum(w in english_words() for w in words)
    best: tuple[int, Language] | None = None
    for language in languages():
        own = sum(w in language.words or _compound(w, language) != "" for w in words)
        if best is None or own > best[0]:
            best = (own, language)
    if best is None or best[0] == 0 or best[0] <= english or best[0] * 2 < len(words):
        return None
    return best[1]


def in_english(text: str, language: Language, names: Collection[str] = ()) -> str:
    """The sentence in the planner's English; words of `names`, and those that are not in the data, stay."""
    said, changed = folded(text), False
    for pattern, put in language.gaps:
        again = pattern.sub(put, said, count=1)
        if again != said:
            said, changed = again, True
            break
    words = said.split()
    #: English verbs that a gap has put in and that no word of the language may take for its own.
    verbs = {put.split()[0] for _, put in language.gaps}
    out: list[str] = []
    at = 0
    while at < len(words):
        for size in range(min(_LONGEST, len(words) - at), 0, -1):
            run = words[at : at + size]
            found = None if any(w in names and len(w) > 3 for w in run) else language.phrases.get(tuple(run))
            if found is not None and not (size == 1 and changed and at < 2 and run[0] in verbs):
                out.append(found)
                at += size
                break
        else:
            out.append(words[at] if words[at] in names else _compound(words[at], language) or words[at])
            at += 1
    return " ".join(w for w in out if w)


def _compound(word: str, language: Language) -> str:
    """A German compound by its parts: "Wohnzimmerlicht" as "living room light"; `""` for none."""
    if language.code != "de" or len(word) < 8:
        return ""
    for at in range(len(word) - 3, 3, -1):
        head, tail = word[:at], word[at:]
        for link in ("", "s", "n", "en"):
            first = language.phrases.get((head.removesuffix(link) if link else head,))
            second = language.phrases.get((tail,))
            if first and second and len(tail) > 2:
                return f"{first} {second}"
    return ""
