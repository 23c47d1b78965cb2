"""The words of everyday English that the planner knows beside its own: what is no slip, and what names nothing."""

from functools import lru_cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).parent / "data" / "english.txt"


@lru_cache(maxsize=1)
def _sections() -> tuple[frozenset[str], frozenset[str]]:
    lines = [line for line in _FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    around, _, known = " ".join(lines).partition("[known]")
    return frozenset(around.replace("[around]", "").split()), frozenset(known.split())


def around_words() -> frozenset[str]:
    """Words that stand around a request and name nothing in a home."""
    return _sections()[0]


def english_words() -> frozenset[str]:
    """Every word that is no slip of the keyboard."""
    return _sections()[0] | _sections()[1]
