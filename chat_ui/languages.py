"""The languages of the chat: which one a visitor wants, and what is said in each, from `languages/*.json`. Pure."""

import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

#: Code -> how its speakers call it; the first is spoken where a visitor wants none of them.
LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "es": "Español", "de": "Deutsch", "fr": "Français"}
DEFAULT: Final = "en"
#: The visitor's own choice; without it the browser's languages decide.
CHOICE: Final = "homeguard_language"
#: The language of the request or socket being served; set by the door.
LANGUAGE: ContextVar[str] = ContextVar("homeguard_chat_language", default=DEFAULT)

_FOLDER: Final = Path(__file__).parent / "languages"


@dataclass(frozen=True, slots=True)
class Words:
    """What is said in one language: `texts` by dotted key, with `{places}` for names and numbers."""

    language: str
    texts: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """Raises KeyError: there is no such text."""
        return self.texts[key].format(**values)

    def find(self, key: str, otherwise: str = "") -> str:
        """The text as it stands, for keys that come from elsewhere."""
        return self.texts.get(key, otherwise)

    def count(self, key: str, number: int, **values: object) -> str:
        """`key.one` for one, `key.many` for more or none, with the number as `{n}`."""
        return self.say(f"{key}.{'one' if number == 1 else 'many'}", n=number, **values)

    def enumerate(self, parts: Sequence[str]) -> str:
        """`A`, `A and B`, `A, B and C`."""
        return parts[0] if len(parts) == 1 else self.say("list.and", first=", ".join(parts[:-1]), last=parts[-1])


@cache
def words_in(language: str) -> Words:
    """The words of a language; those of the default for one that is not spoken here."""
    code = language if language in LANGUAGES else DEFAULT
    return Words(code, _flat(_file(code)["words"]))


@cache
def page_texts(language: str) -> bytes:
    """What the page's own script says, as JSON."""
    code = language if language in LANGUAGES else DEFAULT
    told = {"language": code, "languages": LANGUAGES, "words": _flat(_file(code)["page"])}
    return json.dumps(told, ensure_ascii=False).encode()


def library_texts(language: str) -> Mapping[str, Any]:
    """What the chat library's own parts say, in its own order of keys."""
    texts: Mapping[str, Any] = _file(language)["library"]
    return texts


def wanted(choice: str | None, accept_language: str) -> str:
    """The language for a visitor: the one they chose, else the first of the browser's that is spoken here."""
    if choice in LANGUAGES:
        return str(choice)
    asked = []
    for place, part in enumerate(accept_language[:500].split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        asked.append((-weight, place, tag.split("-")[0].strip().lower()))
    return next((tag for weight, _, tag in sorted(asked) if tag in LANGUAGES and weight < 0), DEFAULT)


@cache
def _file(code: str) -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads((_FOLDER / f"{code}.json").read_text(encoding="utf-8"))
    return told


def _flat(texts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in texts.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
