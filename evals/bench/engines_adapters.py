"""Each adapter beside its bare driver: the same requests to equal tables, the two sides in turn."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from evals.bench.engines_ours import Taken
from evals.bench.engines_place import Place
from evals.bench.table import Row

#: How many ask at the same time where callers are several.
CALLERS: Final = 8

Act = Callable[[Any], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One thing that both sides do for each of some items, `callers` at a time.

    `items` makes those of a round, for us and for the bare side, before anything is measured; `size` says how many
    operations (rows, records) an item is.
    """

    name: str
    items: Callable[[], tuple[Sequence[Any], Sequence[Any]]]
    ours: Act
    bare: Act
    callers: int = 1
    size: Callable[[Any], int] = lambda item: 1


Pairs = Callable[[Place], AbstractAsyncContextManager[Sequence[Pair]]]


async def measure(place: Place, several: Sequence[Pairs], repeat: int, rows: dict[str, list[Row]]) -> None:
    """Every pair `repeat` times; one round before is not counted."""
    for opened in several:
        async with opened(place) as pairs:
            for pair in pairs:
                for number in range(repeat + 1):
                    row = await _round(pair, ours_first=number % 2 == 1)
                    if number:
                        rows[pair.name].append(row)
                print(f"{pair.name}: measured", flush=True)


def beside(n: int, ours: Taken, bare: Taken) -> Row:
    """`of bare`: our speed as a share of theirs; `CPU of bare`: our cost as a multiple of theirs."""
    return {
        "n": n, "ours/s": n / ours.elapsed_s, "bare/s": n / bare.elapsed_s, "of bare": bare.elapsed_s / ours.elapsed_s,
        "ours CPU us": ours.cpu_s / n * 1e6, "bare CPU us": bare.cpu_s / n * 1e6,
        "CPU of bare": ours.cpu_s / bare.cpu_s,
    }  # fmt: skip


async def _round(pair: Pair, *, ours_first: bool) -> Row:
    for_ours, for_bare = pair.items()
    sides = [(pair.ours, for_ours, Taken()), (pair.bare, for_bare, Taken())]
    for act, items, taken in sides if ours_first else reversed(sides):
        taken.begin()
        await _each(act, items, pair.callers)
        taken.end()
    return beside(sum(map(pair.size, for_ours)), sides[0][2], sides[1][2])


async def _each(act: Act, items: Sequence[Any], callers: int) -> None:
    left = iter(items)

    async def work() -> None:
        for item in left:
            await act(item)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(callers):
            tasks.create_task(work())
