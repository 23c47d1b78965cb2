"""Messages to people: written once, then delivered."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from homeguard.model import Notice

PORTS = ("outbox",)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def notice(number: int, **changes) -> Notice:
    return replace(
        Notice(
            id=f"n{number}", home_id="h1", at=AT + number * SECOND, channel="push", recipient="anna", priority="high",
            title="T", text="X", cause="c",
        ),
        **changes,
    )  # fmt: skip


async def test_a_notice_is_written_once_and_waits_until_it_is_delivered(opener):
    async with opener() as stores:
        foreign = notice(1, home_id="h2")
        assert await stores.outbox.put([notice(2), notice(1), notice(2)]) == [notice(2), notice(1)]
        assert await stores.outbox.put([notice(1), foreign]) == [foreign]
        await stores.outbox.delivered("h2", "n2", AT)
        await stores.outbox.delivered("h1", "n1", AT)
        await stores.outbox.delivered("h1", "n1", AT + SECOND)
    async with opener() as stores:
        assert await stores.outbox.undelivered() == [foreign, notice(2)]
        assert await stores.outbox.query("h1", start=AT, end=AT + 9 * SECOND) == [
            notice(2),
            notice(1, delivered_at=AT),
        ]
        assert await stores.outbox.query("h1", start=AT, end=AT + 2 * SECOND) == [notice(1, delivered_at=AT)]
        assert await stores.outbox.query("h1", start=AT, end=AT + 9 * SECOND, limit=1) == [notice(2)]
        assert await stores.outbox.query("h3", start=AT, end=AT + 9 * SECOND) == []


async def test_an_empty_outbox_answers_with_nothing_and_takes_nothing(stores):
    assert await stores.outbox.put([]) == []
    assert await stores.outbox.undelivered() == []
    await stores.outbox.delivered("h1", "none", AT)
    assert await stores.outbox.query("h1", start=AT - SECOND, end=AT + SECOND) == []


async def test_of_several_notices_of_one_id_the_first_is_kept(stores):
    first, second = notice(1, text="first"), notice(1, text="second")

    assert await stores.outbox.put([first, second]) == [first]
    assert await stores.outbox.put([second]) == []

    assert await stores.outbox.undelivered() == [first]


async def test_the_same_id_in_another_home_is_another_notice(stores):
    here, there = notice(1), notice(1, home_id="h2", text="There")
    assert await stores.outbox.put([here, there]) == [here, there]

    await stores.outbox.delivered("h2", "n1", AT)

    assert await stores.outbox.undelivered() == [here]
    assert await stores.outbox.query("h2", start=AT, end=AT + 2 * SECOND) == [replace(there, delivered_at=AT)]


async def test_what_waits_comes_oldest_first_over_all_homes_and_equal_times_by_id(stores):
    given = [notice(3), notice(1, home_id="h2"), notice(2, at=AT + SECOND), notice(0, at=AT + 3 * SECOND)]
    await stores.outbox.put(given)

    assert [(n.home_id, n.id) for n in await stores.outbox.undelivered()] == [
        ("h2", "n1"), ("h1", "n2"), ("h1", "n0"), ("h1", "n3"),
    ]  # fmt: skip


async def test_a_query_is_newest_first_equal_times_by_id_backwards_within_its_bounds(stores):
    await stores.outbox.put([notice(n, at=AT + (n // 2) * SECOND) for n in range(6)])

    async def ids(start: int, end: int, limit: int = 100) -> list[str]:
        found = await stores.outbox.query("h1", start=AT + start * SECOND, end=AT + end * SECOND, limit=limit)
        return [n.id for n in found]

    assert await ids(0, 3) == ["n5", "n4", "n3", "n2", "n1", "n0"]
    assert await ids(1, 2) == ["n3", "n2"]
    assert await ids(0, 3, limit=3) == ["n5", "n4", "n3"]
    assert await ids(2, 2) == []
    assert await ids(3, 0) == []


@pytest.mark.parametrize("hours", [-11, 5.5, 14])
async def test_the_day_of_another_time_zone_has_its_own_borders(stores, hours):
    zone = timezone(timedelta(hours=hours))
    midnight = datetime(2026, 3, 2, tzinfo=zone)
    before, first, last, after = (
        notice(n, at=midnight + span)
        for n, span in enumerate((-SECOND / 1000, timedelta(), 24 * timedelta(hours=1) - SECOND / 1000, timedelta(1)))
    )
    await stores.outbox.put([before, first, last, after])

    found = await stores.outbox.query("h1", start=midnight, end=midnight + timedelta(days=1))

    assert found == [last, first]
    assert {n.at.utcoffset() for n in found} == {timedelta()}


async def test_a_notice_put_by_many_at_once_is_new_for_one_of_them(stores):
    batch = [notice(n) for n in range(20)]

    answers = await asyncio.gather(*(stores.outbox.put(batch if n % 2 else batch[::-1]) for n in range(20)))

    assert sorted(n.id for answer in answers for n in answer) == sorted(n.id for n in batch)
    assert await stores.outbox.undelivered() == batch


async def test_a_notice_that_comes_delivered_does_not_wait(opener):
    done = notice(1, delivered_at=AT + SECOND)
    async with opener() as stores:
        assert await stores.outbox.put([done, notice(2)]) == [done, notice(2)]
        await stores.outbox.delivered("h1", "n1", AT + 9 * SECOND)
    async with opener() as stores:
        assert await stores.outbox.undelivered() == [notice(2)]
        assert await stores.outbox.query("h1", start=AT, end=AT + 2 * SECOND) == [done]


async def test_a_large_batch_is_taken_whole_and_named_in_its_order(stores):
    batch = [notice(n, text="é" * 300) for n in range(2_000, 0, -1)]

    assert await stores.outbox.put(batch) == batch
    assert await stores.outbox.put([*batch, notice(0)]) == [notice(0)]

    assert len(await stores.outbox.undelivered()) == 2_001
