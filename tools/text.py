"""Text and numbers on their way out or in: what devices wrote is cleaned and cut, what callers ask is bounded."""

import difflib
import json
import math
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from homeguard.clock import parse_time
from homeguard.errors import InvalidInput
from homeguard.model import Json

#: The longest text of a device, a person or a payload in a tool's answer.
TEXT_LIMIT: Final = 200
#: The longest payload of one event in a tool's answer, in characters of JSON.
PAYLOAD_LIMIT: Final = 1000
_ITEM_LIMIT: Final = 40
_DEPTH_LIMIT: Final = 5
#: Control, direction and other invisible marks, halves of characters: nothing that a person would read.
_INVISIBLE: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))


def clean(text: object, limit: int = TEXT_LIMIT) -> str:
    """One line of visible text, at most `limit` characters; what was cut ends in `…`."""
    line = "".join(
        " " if c in "\n\r\t\u2028\u2029" else c
        for c in str(text)[: limit * 4]
        if c in "\n\r\t" or unicodedata.category(c) not in _INVISIBLE
    )
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def clean_json(value: object, depth: int = 0) -> Json:
    """A JSON value with every text cleaned, at most 40 items a level and 5 levels; numbers are finite."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping | list | tuple) and depth >= _DEPTH_LIMIT:
        return "…"
    if isinstance(value, Mapping):
        return {clean(k, 64): clean_json(v, depth + 1) for k, v in list(value.items())[:_ITEM_LIMIT]}
    if isinstance(value, list | tuple):
        return [clean_json(v, depth + 1) for v in value[:_ITEM_LIMIT]]
    return clean(value)


def clean_object(value: Mapping[str, Any]) -> dict[str, Json]:
    """An object as `clean_json` makes it."""
    return {clean(k, 64): clean_json(v, 1) for k, v in list(value.items())[:_ITEM_LIMIT]}


def payload_of(payload: Mapping[str, Any]) -> tuple[dict[str, Json], bool]:
    """An event's payload for a tool's answer, and whether it had to be shortened."""
    cleaned = clean_object(payload)
    kept: dict[str, Json] = {}
    size = 2
    for key, value in cleaned.items():
        size += len(json.dumps(key)) + len(json.dumps(value)) + 2
        if size > PAYLOAD_LIMIT:
            break
        kept[key] = value
    return kept, kept != dict(payload)


def bounded(value: float, low: float, high: float, field: str) -> int:
    """A whole number within `[low, high]`: below or above is clamped. Raises InvalidInput: it is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(f"{field} is a number from {low:g} to {high:g}", field=field, low=low, high=high)
    return int(min(max(value, low), high))


def one_of(value: str, allowed: Iterable[str], field: str) -> str:
    """The value, which must be among the allowed ones. Raises InvalidInput: it is not; the nearest are named."""
    words = sorted(allowed)
    if value in words:
        return value
    near = difflib.get_close_matches(clean(value, 64), words, n=5, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it is one of {', '.join(words[:60])}"
    raise InvalidInput(f"{field} '{clean(value, 64)}' is not known; {hint}", field=field, allowed=near or words[:60])


def moment(value: str, zone: str, field: str) -> datetime:
    """ISO 8601 as aware UTC; a time without a zone is the home's. Raises InvalidInput: it cannot be read."""
    try:
        at = datetime.fromisoformat(value) if len(value) <= 40 else None
        if at is not None and at.tzinfo is None:
            at = at.replace(tzinfo=zone_of(zone))
        return parse_time(at)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"{field} is a time such as 2026-05-01T17:00:00Z (without a zone: the home's own)", field=field
        ) from error


def zone_of(name: str) -> ZoneInfo:
    """A home's zone; one that this machine does not know is UTC."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
