"""What an answer was made from is told to the door that gives it."""

import asyncio
from datetime import UTC, datetime, timedelta

from homeguard.staleness import collect, note

T = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_oldest_moment_of_each_concern_counts():
    with collect() as stale:
        note("devices", T)
        note("devices", T - timedelta(minutes=1))
        note("users", T)
        note("devices", T)
    assert stale == {"devices": T - timedelta(minutes=1), "users": T}


def test_nothing_is_collected_outside_of_a_block():
    note("devices", T)
    with collect() as stale:
        pass
    note("devices", T)
    assert stale == {}


async def test_tasks_of_the_block_note_into_it_and_other_requests_do_not():
    async def request(concern: str) -> dict[str, datetime]:
        with collect() as stale:
            async with asyncio.TaskGroup() as group:
                group.create_task(inner(concern))
            return dict(stale)

    async def inner(concern: str) -> None:
        await asyncio.sleep(0)
        note(concern, T)

    assert await asyncio.gather(request("a"), request("b")) == [{"a": T}, {"b": T}]


def test_an_inner_block_tells_the_outer_one_too():
    with collect() as outer:
        with collect() as inner:
            note("events", T)
        note("users", T)
    assert inner == {"events": T}
    assert outer == {"events": T, "users": T}
