"""The day on which people come back, as they said it."""

from datetime import UTC, date, datetime

import pytest

from memory.vacation import return_date, vacation_context

#: A Monday.
TODAY = date(2024, 1, 15)


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("I'm going on vacation tomorrow for 2 weeks", date(2024, 1, 30)),
        ("We leave tomorrow for two weeks", date(2024, 1, 30)),
        ("we're away for a week", date(2024, 1, 22)),
        ("I am leaving the day after tomorrow for ten days", date(2024, 1, 27)),
        ("off to Rome on Friday for 3 nights", date(2024, 1, 22)),
        ("gone for a couple of days", date(2024, 1, 17)),
        ("I'm on holiday until January 29th", date(2024, 1, 29)),
        ("traveling, back on 3 February", date(2024, 2, 3)),
        ("back on 3rd of January", date(2025, 1, 3)),
        ("we'll be away until 2024-02-01", date(2024, 2, 1)),
        ("back on Monday", date(2024, 1, 22)),
        ("going to Japan for 1 month", date(2024, 2, 15)),
    ],
)
def test_a_stretch_counts_from_the_departure(words: str, day: date) -> None:
    assert return_date(words, TODAY) == day


@pytest.mark.parametrize(
    "words",
    ["turn on the light for two hours", "dim the lamp for a week", "what happened last week", "", "until late",
     "back on 31 february", "set it to 20 until tomorrow"],
)  # fmt: skip
def test_what_says_no_return_has_none(words: str) -> None:
    assert return_date(words, TODAY) is None


def test_a_month_ends_on_its_last_day() -> None:
    assert return_date("away for a month", date(2024, 1, 31)) == date(2024, 2, 29)
    assert return_date("away for 11 months", date(2024, 1, 31)) == date(2024, 12, 31)
    assert return_date("away for 12 months", date(2024, 1, 31)) == date(2025, 1, 31)


def test_the_mode_follows_what_was_confirmed_and_never_what_was_said() -> None:
    now = datetime(2024, 1, 15, 9, tzinfo=UTC)
    words = "I'm going on vacation tomorrow for 2 weeks"

    def outcome(mode: str, outcome: str = "confirmed") -> dict[str, object]:
        return {"command_id": "c", "outcome": outcome, "data": {"mode": mode}}

    assert vacation_context(words, [], now) == {"return_date": "2024-01-30"}
    assert vacation_context(words, [outcome("vacation", "failed")], now) == {"return_date": "2024-01-30"}
    assert vacation_context(words, [outcome("vacation")], now) == {"vacation_mode": True, "return_date": "2024-01-30"}
    assert vacation_context("we are home", [outcome("home")], now) == {"vacation_mode": False, "return_date": None}
