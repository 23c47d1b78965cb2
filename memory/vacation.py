"""When the people of a home are away, as they said it: the mode and the day on which they come back. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from homeguard.model import Json

_NUMBERS: Final = {
    word: number
    for number, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1)
}
_NUMBERS_TOO: Final = {**_NUMBERS, "a": 1, "an": 1, "a couple of": 2}
_SPAN: Final = re.compile(
    rf"\bfor (?:the next |about )?(\d{{1,3}}|a couple of|{'|'.join(_NUMBERS_TOO)}) (day|night|week|month)s?\b"
)
_AWAY: Final = re.compile(r"\b(?:vacation|holidays?|trip|travel(?:l?ing)?|away|leav(?:e|ing)|going to|gone|off to)\b")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_BACK: Final = re.compile(
    r"\b(?:until|till|back(?: home)?(?: on| by)?|return(?:ing)?(?: on)?)\s+(?:the )?"
    r"(\d{4}-\d{2}-\d{2}|(?:\d{1,2})(?:st|nd|rd|th)?(?: of)? (?:"
    + "|".join(_MONTHS)
    + r")|(?:"
    + "|".join(_MONTHS)
    + r") \d{1,2}(?:st|nd|rd|th)?|(?:next )?(?:"
    + "|".join(_DAYS)
    + r"))\b"
)
_LENGTHS: Final = {"day": 1, "night": 1, "week": 7}


def return_date(words: str, today: date) -> date | None:
    """The day on which the person says that they come back; None when they do not say it.

    A stretch counts from the departure: "tomorrow for two weeks" is fourteen days after tomorrow.
    """
    said = " ".join(words.lower().split())
    back = _BACK.search(said)
    if back is not None:
        return _day(back[1], today)
    span = _SPAN.search(said)
    if span is None or not _AWAY.search(said):
        return None
    count = int(span[1]) if span[1].isdigit() else _NUMBERS_TOO[span[1]]
    departure = _departure(said, today)
    if span[2] == "month":
        return _months_later(departure, count)
    return departure + timedelta(days=count * _LENGTHS[span[2]])


def vacation_context(words: str, commands: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, Json]:
    """`{"vacation_mode", "return_date"}` as far as the turn changes them; `now` is the home's own time.

    The mode follows what was confirmed, never what was said.
    """
    found: dict[str, Json] = {}
    for command in commands:
        data = command.get("data")
        mode = data.get("mode") if isinstance(data, Mapping) else None
        if command.get("outcome") == "confirmed" and isinstance(mode, str):
            found["vacation_mode"] = mode == "vacation"
            if mode != "vacation":
                found["return_date"] = None
    back = return_date(words, now.date())
    if back is not None:
        found["return_date"] = back.isoformat()
    return found


def _departure(said: str, today: date) -> date:
    if "tomorrow" in said:
        return today + timedelta(days=2 if "day after tomorrow" in said else 1)
    named = re.search(rf"\b(?:on|this|next|from) ({'|'.join(_DAYS)})\b", said)
    return _weekday(named[1], today) if named is not None else today


def _weekday(name: str, today: date) -> date:
    """The next one, never today."""
    return today + timedelta(days=(_DAYS.index(name) - today.weekday() - 1) % 7 + 1)


def _day(text: str, today: date) -> date | None:
    name = text.removeprefix("next ")
    if name in _DAYS:
        return _weekday(name, today)
    try:
        if re.match(r"\d{4}-", text):
            return date.fromisoformat(text)
        month = next(number for number, month in enumerate(_MONTHS, 1) if month in text)
        number = int(re.search(r"\d{1,2}", text)[0])  # type: ignore[index]
        this_year = date(today.year, month, number)
        return this_year if this_year >= today else date(today.year + 1, month, number)
    except ValueError:
        return None


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.month - 1 + months, 12)
    first = date(day.year + year, month + 1, 1)
    last = (date(first.year + (first.month == 12), first.month % 12 + 1, 1) - timedelta(days=1)).day
    return first.replace(day=min(day.day, last))
