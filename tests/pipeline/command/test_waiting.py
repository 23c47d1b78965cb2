"""A device's word is waited for: it counts when its state is there, which may be after the word itself."""

import asyncio

import pytest

from homeguard.model import LiveState
from pipeline.command.waiting import Reports


class Places:
    """Where a state lies that another process writes: the looks after which it is there."""

    def __init__(self, after: int) -> None:
        self.looks = 0
        self._after = after

    async def get(self, home_id: str, device_id: str) -> LiveState:
        self.looks += 1
        is_there = self.looks > self._after
        return LiveState(home_id=home_id, device_id=device_id, attributes={"on": is_there})


@pytest.mark.parametrize("after", [0, 1, 4])
async def test_the_state_may_come_after_the_word(after: int):
    places, spoke = Places(after), asyncio.Event()
    spoke.set()
    reports = Reports(feed=None, live=places)  # type: ignore[arg-type]
    assert await reports.until(spoke, "h", "lamp", {"on": True}, 10)
    assert places.looks == after + 1


async def test_a_state_that_was_so_before_is_no_word():
    places = Places(0)
    reports = Reports(feed=None, live=places)  # type: ignore[arg-type]
    assert not await reports.until(asyncio.Event(), "h", "lamp", {"on": True}, 0.2)
    assert places.looks == 0


async def test_a_word_that_says_something_else_is_none():
    places, spoke = Places(10_000), asyncio.Event()
    spoke.set()
    reports = Reports(feed=None, live=places)  # type: ignore[arg-type]
    assert not await reports.until(spoke, "h", "lamp", {"on": True}, 0.2)
