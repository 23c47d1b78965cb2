"""What one process does every two seconds, each thing for itself."""

import asyncio
from typing import Any

import pytest

from deploy.data_plane import _upkeep
from deploy.roles import ROLES
from homeguard.clock import SystemClock
from homeguard.errors import StoreUnavailable


class Turns(SystemClock):
    """A clock that lets so many turns pass at once, and then none."""

    def __init__(self, turns: int) -> None:
        self.left = turns
        self.over = asyncio.Event()

    async def sleep(self, delay_s: float) -> None:
        self.left -= 1
        if self.left < 0:
            self.over.set()
            await asyncio.Event().wait()


class Work:
    """Everything that the upkeep calls; `expire_open` fails as it is told to."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.delivered = self.trimmed = 0

    async def expire_open(self) -> None:
        raise self.error

    async def deliver(self) -> int:
        self.delivered += 1
        return 0

    async def trim(self, _: object) -> int:
        self.trimmed += 1
        return 0


@pytest.mark.parametrize("error", [StoreUnavailable("away"), RuntimeError("a driver's own")])
async def test_messages_are_delivered_and_the_log_is_trimmed_whatever_else_fails(error: Exception):
    clock, work = Turns(3), Work(error)
    whole: Any = work
    running = asyncio.create_task(_upkeep(whole, whole, whole, whole, whole, whole, clock, ROLES["all"]))
    over = asyncio.create_task(clock.over.wait())
    await asyncio.wait((running, over), return_when=asyncio.FIRST_COMPLETED, timeout=10)
    assert not running.done()
    assert (work.delivered, work.trimmed) == (3, 1)
    running.cancel()
