"""Times of day as the home has them: in its zone, and written as in its country. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from chat_ui.languages import DEFAULT, Words

Json = Mapping[str, Any]


def zone_of(home: Json) -> tzinfo:
    """The zone of a home as REST shows it; UTC where none is known."""
    try:
        return ZoneInfo(str(home.get("time_zone") or "UTC"))
    except (KeyError, ValueError, OSError):
        return UTC


def clock(at: datetime, home: Json, words: Words) -> str:
    """`9:05 PM` where a home of that country is told of it in its language, else `21:05`."""
    is_twelve = home.get("unit_system") == "us" and words.language == DEFAULT
    return f"{at.astimezone(zone_of(home)):{'%I:%M %p' if is_twelve else '%H:%M'}}".removeprefix("0")


def moment_of(text: object) -> datetime | None:
    """A moment with its zone; None for anything else."""
    try:
        at = datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
