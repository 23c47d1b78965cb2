"""Requests counted for all processes, and what one process does while the counter is away."""

import pytest

from api.access import Limits
from homeguard.errors import RateLimited, StoreUnavailable
from homeguard.model import Principal

ANNA = Principal(home_id="h1", user_id="anna", role="owner", caller="person")
EVENTS = "GET /api/v1/events"


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at


class Counter:
    """A `RateLimits` that answers what it is told to; None: it is away."""

    def __init__(self, answer: float | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, float, float]] = []

    async def take(self, key: str, *, per_minute: float, burst: float) -> float:
        self.asked.append((key, per_minute, burst))
        if self.answer is None:
            raise StoreUnavailable("away")
        return self.answer


async def test_the_shared_counter_decides():
    counter = Counter(2.5)
    limits = Limits(Clock(), on=True, shared=counter)

    with pytest.raises(RateLimited) as refused:
        await limits.check_place("10.0.0.1")
    assert refused.value.details["retry_after_s"] == 3

    counter.answer = 0.0
    for _ in range(300):
        await limits.check_person(ANNA, EVENTS)
    assert counter.asked[:3] == [("place 10.0.0.1", 100, 120), ("anna", 100, 120), ("anna /api/v1/events", 60, 60)]


async def test_while_the_counter_is_away_this_process_counts_and_asks_it_every_two_seconds():
    clock, counter = Clock(), Counter(None)
    limits = Limits(clock, on=True, shared=counter)

    for _ in range(60):
        await limits.check_person(ANNA, EVENTS)
    with pytest.raises(RateLimited):
        await limits.check_person(ANNA, EVENTS)
    assert len(counter.asked) == 1

    clock.at, counter.answer = 2.0, 0.0
    await limits.check_person(ANNA, EVENTS)
    assert [key for key, *_ in counter.asked] == ["anna", "anna", "anna /api/v1/events"]


async def test_without_limits_nobody_is_asked():
    counter = Counter(9.0)
    limits = Limits(Clock(), on=False, shared=counter)

    await limits.check_place("10.0.0.1")
    await limits.check_person(ANNA, EVENTS)

    assert counter.asked == []
