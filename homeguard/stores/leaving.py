"""Rows of the homes' audits that leave for their age, home after home."""

from collections.abc import Awaitable, Callable, Iterable

from homeguard.errors import Conflict


async def trimmed(homes: Iterable[str], leave: Callable[[str], Awaitable[int]]) -> int:
    """How many rows left in all. `leave` lets some of a home's rows go and returns how many, 0 at the end.

    A home whose chain is broken keeps its rows, the others' leave all the same.

    Raises:
        Conflict: of the first chain that is broken, when all others are through.
    """
    count = 0
    broken: Conflict | None = None
    for home_id in homes:
        try:
            while gone := await leave(home_id):
                count += gone
        except Conflict as error:
            broken = broken or error
    if broken is not None:
        raise broken
    return count
