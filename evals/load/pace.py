"""Runs requests at their due times, side by side on a number of connections."""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from evals.load.plan import Plan
from evals.load.result import Result

#: A timer is early enough by so much; the rest is spent in turns of the loop.
_LOOK_S: Final = 0.001


class Sender(Protocol):
    """Sends one request and says in `result` what became of it; it never raises for what the other side does."""

    async def send(self, due: float, result: Result) -> None:
        """`due` is a `perf_counter`: latencies count from there."""
        ...

    async def close(self) -> None: ...


async def paced(
    plan: Plan, senders: Sequence[Sender], result: Result, *, on_second: Callable[[Result], None] | None = None
) -> None:
    """Every request of the plan once, each when it is due or, when all senders are busy, as soon as one is free."""
    numbers = iter(range(plan.requests))
    begun = time.perf_counter()

    async def work(sender: Sender) -> None:
        for number in numbers:
            due = begun + plan.due_s(number)
            await _until(due)
            result.latest_s = max(result.latest_s, time.perf_counter() - due)
            result.requests += 1
            await sender.send(due, result)

    async def tell(on_second: Callable[[Result], None]) -> None:
        for second in itertools.count(1):
            await _until(begun + second)
            result.elapsed_s = time.perf_counter() - begun
            on_second(result)

    telling = asyncio.create_task(tell(on_second)) if on_second is not None else None
    try:
        async with asyncio.TaskGroup() as tasks:
            for sender in senders:
                tasks.create_task(work(sender))
    finally:
        if telling is not None:
            telling.cancel()
        await asyncio.gather(*(sender.close() for sender in senders), return_exceptions=True)
        result.elapsed_s = max(time.perf_counter() - begun, 1e-9)


async def _until(due: float) -> None:
    early_s = due - time.perf_counter()
    if early_s > _LOOK_S:
        await asyncio.sleep(early_s - _LOOK_S)
    while time.perf_counter() < due:  # noqa: ASYNC110 - the clock tells nobody
        await asyncio.sleep(0)
