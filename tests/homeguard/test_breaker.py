"""When a breaker leaves a dependency alone, and when it asks it again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeguard.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, delay_s: float) -> None:
        self.seconds += delay_s


def ask(breaker: Breaker, *outcomes: bool) -> list[bool]:
    """Which of these requests (True: it would succeed) were let through."""
    passed = []
    for outcome in outcomes:
        ticket = breaker.admit()
        passed.append(ticket is not None)
        if ticket is not None:
            (breaker.succeeded if outcome else breaker.failed)(ticket)
    return passed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([False] * 9, "closed"),
        ([False] * 10, "open"),
        ([True] * 4 + [False] * 6, "open"),
        ([True] * 5 + [False] * 5, "closed"),
        ([True] * 5 + [False] * 7, "closed"),
        ([True] * 5 + [False] * 8, "open"),
    ],
)
def test_it_trips_at_ten_requests_of_which_six_in_ten_failed(breaker, outcomes, state):
    ask(breaker, *outcomes)
    assert breaker.state == state


def test_requests_count_for_ten_seconds_only(breaker, clock):
    ask(breaker, *[False] * 9)
    clock.seconds = 10.1
    ask(breaker, False)
    assert breaker.state == "closed"
    ask(breaker, *[False] * 9)
    assert breaker.state == "open"


def test_failures_spread_over_the_interval_count_together(breaker, clock):
    for second in range(10):
        clock.seconds = second * 0.95
        ask(breaker, False)
    assert breaker.state == "open"


def test_an_open_one_lets_nothing_through_for_thirty_seconds_and_then_three(breaker, clock):
    ask(breaker, *[False] * 10)
    since = breaker.since
    clock.seconds = 29.9
    assert ask(breaker, True) == [False]
    assert breaker.retry_after_s == pytest.approx(0.1)
    clock.seconds = 30.0
    assert breaker.state == "half_open"
    assert breaker.since == since + timedelta(seconds=30)
    assert [breaker.admit() is not None for _ in range(5)] == [True, True, True, False, False]


def test_three_successes_close_a_half_open_one_and_one_failure_opens_it_again(breaker, clock):
    ask(breaker, *[False] * 10)
    clock.seconds = 30
    ask(breaker, True, True, False)
    assert breaker.state == "open"
    clock.seconds = 60
    assert ask(breaker, True, True, True, False) == [True] * 4
    assert breaker.state == "closed"


def test_a_caller_that_leaves_gives_its_place_back_and_says_nothing(breaker, clock):
    ask(breaker, *[False] * 10)
    clock.seconds = 30
    tickets = [breaker.admit() for _ in range(3)]
    breaker.left(tickets[0])
    assert breaker.admit() is not None
    assert breaker.state == "half_open"


def test_what_a_request_of_an_earlier_state_has_to_tell_is_of_no_interest(breaker, clock):
    slow = [breaker.admit() for _ in range(3)]
    ask(breaker, *[False] * 10)
    clock.seconds = 30
    assert breaker.state == "half_open"
    breaker.failed(slow[0])
    assert breaker.state == "half_open"
    breaker.succeeded(slow[1])
    breaker.left(slow[2])
    assert ask(breaker, True, True) == [True, True]
    assert breaker.state == "half_open"


def test_a_probe_that_was_answered_closes_it_early_and_one_in_vain_opens_it(breaker, clock):
    breaker.trip()
    assert (breaker.state, breaker.admit()) == ("open", None)
    clock.seconds = 3
    breaker.reset()
    assert ask(breaker, *[False] * 9) == [True] * 9
    assert breaker.state == "closed"


def test_the_profile_for_language_models_trips_at_three_failures_in_a_row(clock):
    breaker = Breaker.llm(clock)
    ask(breaker, False, False, True, False, False)
    assert breaker.state == "closed"
    ask(breaker, False)
    assert breaker.state == "open"
    clock.seconds = 30
    assert breaker.state == "half_open"


@given(st.lists(st.tuples(st.floats(0, 40), st.booleans()), max_size=80))
def test_whatever_happens_at_most_three_pass_a_half_open_one_and_none_an_open_one(steps):
    clock = Clock()
    breaker = Breaker(clock)
    for wait_s, outcome in steps:
        clock.seconds += wait_s
        state = breaker.state
        tickets = [breaker.admit() for _ in range(5)]
        passed = [ticket for ticket in tickets if ticket is not None]
        assert len(passed) == {"closed": 5, "open": 0, "half_open": 3}[state]
        for ticket in passed:
            (breaker.succeeded if outcome else breaker.failed)(ticket)
        if state == "half_open":
            assert breaker.state == ("closed" if outcome else "open")
