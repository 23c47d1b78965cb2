"""Work that runs beside a block and ends with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from homeguard.clock import Clock


@asynccontextmanager
async def beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run them as tasks for the length of the block; they are cancelled, and have ended, when it is over.

    What the block raises comes out as it is, in no group. The works are loops that keep what they fail with to
    themselves.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def pause(clock: Clock, delay_s: float, until: asyncio.Event | None = None) -> None:
    """Wait that long by the clock, or until the event is set."""
    slept = asyncio.ensure_future(clock.sleep(delay_s))
    waits: set[asyncio.Future[Any]] = {slept}
    if until is not None:
        waits.add(asyncio.ensure_future(until.wait()))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
