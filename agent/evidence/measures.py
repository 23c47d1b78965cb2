"""Numbers as words, temperatures and other measures: whether the unit that is said is that of the number."""

import re
from collections.abc import Mapping
from typing import Final

from agent.evidence.facts import Facts
from agent.evidence.numbers import FROM_ONE, TEENS, TENS, UNITS

_ONES: Final = {name: n for name, n in UNITS.items() if n < 10}
_SPELLED: Final = re.compile(
    rf"\b(?:(?P<ten>{'|'.join(TENS)})(?:[\s-](?P<one>{'|'.join(_ONES)}))?|(?P<teen>{'|'.join(TEENS)}))\b",
    re.IGNORECASE,
)
_SMALL: Final = re.compile(
    rf"\b(?P<n>{FROM_ONE})\s+(?=degrees?|percent|per cent|volts?|watts?"
    r"|times\b)",
    re.IGNORECASE,
)
_DEGREES: Final = re.compile(
    r"(?<![\w.,])(?P<n>[-\u2212]?\d+(?:[.,]\d+)?)\s*(?:°|degrees?\s*)\s*(?P<unit>c\b|f\b|celsius|fahrenheit)",
    re.IGNORECASE,
)
#: Unit as it is said -> what the names of such measures hold.
_UNITS: Final[Mapping["re.Pattern[str]", tuple[str, ...]]] = {
    re.compile(r"\d\s*(?:volts?|v)\b", re.IGNORECASE): ("_v", "volt"),
    re.compile(r"\d\s*(?:watts?|w|kw|kilowatts?)\b", re.IGNORECASE): ("_w", "power", "watt"),
    re.compile(r"\d\s*(?:kwh|kilowatt[- ]hours?|wh)\b", re.IGNORECASE): ("wh", "energy"),
    re.compile(r"\d\s*(?:lux|lx|lumens?)\b", re.IGNORECASE): ("lx", "lux", "illuminance"),
    re.compile(r"\d\s*ppm\b", re.IGNORECASE): ("ppm", "co2"),
    re.compile(r"\d\s*(?:amps?|amperes?)\b", re.IGNORECASE): ("_a", "current", "amp"),
}  # fmt: skip


def spelled_out(text: str) -> str:
    """The text with the numbers from thirteen to ninety-nine, and those before a unit, as digits."""
    text = _SPELLED.sub(_digits, text)
    return _SMALL.sub(lambda m: f"{UNITS[m.group('n').casefold()]} ", text)


def _digits(match: "re.Match[str]") -> str:
    teen = match.group("teen")
    if teen:
        return str(TEENS[teen.casefold()])
    return str(TENS[match.group("ten").casefold()] + _ONES.get((match.group("one") or "").casefold(), 0))


def unknown_degrees(text: str, facts: Facts) -> bool:
    """A temperature with its unit that is none of those that are known in that unit, nor the person's own number."""
    for match in _DEGREES.finditer(text):
        raw = match.group("n").replace("\u2212", "-").replace(",", ".")
        number, decimals = float(raw), len(raw.partition(".")[2])
        if number in facts.own_numbers or not facts.degrees:
            continue
        is_c = match.group("unit").casefold().startswith("c")
        reach = 0.5 * 10.0**-decimals + 1e-6
        if not any(abs((c if is_c else c * 1.8 + 32) - number) <= reach for c in facts.degrees):
            return True
    return False


def unknown_unit(text: str, facts: Facts) -> bool:
    """A measure in a unit that nothing of this turn is measured in, and that the person did not speak of."""
    for pattern, names in _UNITS.items():
        found = pattern.search(text)
        if found and not any(n in key for t in facts.things.values() for key in t.values for n in names):
            unit = re.sub(r"[\d\s]", "", found.group(0)).casefold()
            if unit not in facts.vocabulary:
                return True
    return False
