"""Text that came from a device, made safe to show: NFC, no control or direction characters, bounded."""

import re
import unicodedata
from typing import Final

MAX_NAME: Final = 100
_DROPPED: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))
_SPACES: Final = re.compile(r"\s+")


def clean_name(text: object, fallback: str = "") -> str:
    """The text as one line of at most 100 characters; `fallback` when nothing readable is left."""
    if not isinstance(text, str):
        return fallback
    spaced = _SPACES.sub(" ", text[: MAX_NAME * 10])
    kept = "".join(c for c in unicodedata.normalize("NFC", spaced) if unicodedata.category(c) not in _DROPPED)
    return _SPACES.sub(" ", kept).strip()[:MAX_NAME].strip() or fallback
