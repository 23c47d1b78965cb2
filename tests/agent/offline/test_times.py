"""Times in a request: which trigger they make, what is left of the words, and how they are said."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.models.offline.moments import span_s, spoken_span, when_of
from agent.models.offline.words import tokens

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=ZoneInfo("America/New_York"))  # a Sunday


@pytest.mark.parametrize(
    ("words", "trigger", "rest"),
    [
        ("dim it in twenty minutes", {"type": "once", "in_minutes": 20}, "dim it"),
        ("in an hour and a half shut the blinds", {"type": "once", "in_minutes": 90}, "shut the blinds"),
        ("open them 90 seconds from now", {"type": "once", "in_minutes": 1.5}, "open them"),
        ("lock up at 11 pm", {"type": "once", "at": "2026-11-22T23:00:00"}, "lock up"),
        ("lock up at 3", {"type": "once", "at": "2026-11-22T15:00:00"}, "lock up"),
        ("lock up tomorrow at 6:45", {"type": "once", "at": "2026-11-23T06:45:00"}, "lock up"),
        ("lock up on friday at 8 am", {"type": "once", "at": "2026-11-27T08:00:00"}, "lock up"),
        ("lock up at midnight", {"type": "once", "at": "2026-11-23T00:00:00"}, "lock up"),
        ("each weekday at quarter to seven lock up",
         {"type": "time", "at": "06:45", "days": ["mon", "tue", "wed", "thu", "fri"]}, "lock up"),
        ("lock up every night at 11", {"type": "time", "at": "23:00"}, "lock up"),
        ("on sundays at 18:30 lock up", {"type": "time", "at": "18:30", "days": ["sun"]}, "lock up"),
        ("lock up at dusk", {"type": "sun", "event": "sunset"}, "lock up"),
        ("45 minutes before sunrise lock up",
         {"type": "sun", "event": "sunrise", "offset_minutes": -45}, "lock up"),
    ],
)  # fmt: skip
def test_a_time_becomes_a_trigger_and_leaves_the_rest(words: str, trigger: dict[str, Any], rest: str) -> None:
    found = when_of(tokens(words), NOW)
    assert found is not None
    assert (dict(found.trigger), " ".join(found.words)) == (trigger, rest)


@pytest.mark.parametrize("words", ["lock up", "set it to 7", "dim by 20 percent", "make it 21 degrees", "turn it on"])
def test_what_names_no_time_has_none(words: str) -> None:
    assert when_of(tokens(words), NOW) is None


def test_a_number_behind_at_is_a_value_where_a_value_is_set() -> None:
    assert when_of(tokens("set the heating at 20"), NOW, bare_hours=False) is None


def test_until_is_how_long_it_lasts() -> None:
    found = when_of(tokens("keep the fan on until 3 pm"), NOW)
    assert found is not None
    assert (found.trigger, found.lasting_s) == ({}, 55 * 60)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("ten minutes", 600),
        ("an hour and a quarter", 4500),
        ("1 minute 30 seconds", 90),
        ("half an hour", 1800),
        ("", 0),
    ],
)
def test_a_length_is_read_in_seconds(said: str, seconds: float) -> None:
    assert span_s(" ".join(tokens(said))) == seconds


def test_a_length_is_said_in_two_units_at_most() -> None:
    assert [spoken_span(s) for s in (60, 5400, 86400 * 2 + 3600 * 3 + 60, 45)] == [
        "1 minute", "1 hour 30 minutes", "2 days 3 hours", "45 seconds",
    ]  # fmt: skip
