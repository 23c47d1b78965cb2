"""Numbers as people write them: as digits or words, rounded, in other units; and which of them are known."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from homeguard.units import celsius_to_fahrenheit

_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+(?:[.,]\d+)?")
_DEGREES: Final = re.compile(r"(?<![\w.])([-\u2212]?\d+(?:[.,]\d+)?)\s*(?:°|degrees?\s+)\s*(c|f)\b", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W_]+")
_NAMES: Final = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
#: "one" to "twelve".
UNITS: Final[Mapping[str, int]] = {name: n for n, name in enumerate(_NAMES, 1)}
TEENS: Final[Mapping[str, int]] = {
    "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS: Final[Mapping[str, int]] = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
#: What counts wherever it stands; "one" may stand for a thing.
SPELLED: Final[Mapping[str, int]] = {
    "zero": 0, **{name: n for name, n in UNITS.items() if n > 1}, "twice": 2, "both": 2,
}  # fmt: skip
#: For patterns: one of the words from "one" to "twelve"; from "two".
FROM_ONE: Final = "|".join(_NAMES)
FROM_TWO: Final = "|".join(_NAMES[1:])


def numbers_in(text: str) -> set[float]:
    """The numbers that stand in a text as digits or as words from zero to twelve."""
    found = {float(n.replace(",", ".")) for n in _NUMBER.findall(text) if len(n) < 20}
    found |= {float(SPELLED[w]) for w in _WORD.findall(text[:10_000].casefold()) if w in SPELLED}
    return found


def degrees_in(text: str) -> set[float]:
    """The temperatures that a text names with their unit, in degrees Celsius."""
    found = set()
    for raw, unit in _DEGREES.findall(text[:10_000]):
        value = float(raw.replace("\u2212", "-").replace(",", ".")) if len(raw) < 12 else 0.0
        found.add(value if unit.casefold() == "c" else (value - 32) / 1.8)
    return found


def is_known(number: float, decimals: int, known: Iterable[float], spans_s: Iterable[float]) -> bool:
    """Whether a number is one of these as people write it: rounded, in Fahrenheit, as a percentage, in thousands.

    `spans_s` are the seconds between the times that are known: a number may be one of them in any unit of time.
    """
    shown = round(number, decimals)
    reach = 0.5 * 10.0**-decimals + 1e-9
    for value in known:
        for form in (value, celsius_to_fahrenheit(value), (value - 32) / 1.8, value * 100, value / 1000, value * 1000):
            if abs(abs(form) - abs(shown)) <= reach:
                return True
    return any(abs(span / unit - shown) <= max(0.6, 0.1 * shown) for span in spans_s for unit in (1, 60, 3600, 86400))


def value_of(raw: str) -> tuple[float | None, int]:
    """The number of a text such as "1,234.5" with its decimals; None when it is no number."""
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", raw):
        raw = raw.replace(",", "")
    raw = raw.replace(",", ".")
    try:
        return float(raw), len(raw.partition(".")[2])
    except ValueError:
        return None, 0
