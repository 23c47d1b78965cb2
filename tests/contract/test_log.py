"""The log: order, groups, positions."""

import asyncio
from datetime import timedelta

from homeguard.ports.log import COMMANDS, EVENTS, NewRecord

PORTS = ("log",)

SECOND = timedelta(seconds=1)


def new(number: int, topic: str = EVENTS) -> NewRecord:
    return NewRecord(topic=topic, key="h1/d1", value=f"v{number}".encode(), headers={"schema": "1"})


async def values(stores, group: str, topics=(EVENTS,), limit: int = 100) -> list[str]:
    return [r.value.decode() for r in await stores.log.read(group, topics, limit=limit, wait_s=0)]


async def test_a_record_is_read_as_it_was_appended(stores, clock):
    await stores.log.append([new(1), NewRecord(topic=EVENTS, key="", value=b"")])

    first, second = await stores.log.read("g", [EVENTS], limit=10, wait_s=0)

    assert (first.topic, first.key, first.value, first.headers) == (EVENTS, "h1/d1", b"v1", {"schema": "1"})
    assert first.appended_at == clock.now()
    assert (second.key, second.value, second.headers) == ("", b"", {})
    assert second.offset > first.offset


async def test_each_group_reads_everything_in_order_and_once(stores):
    for start in range(0, 30, 10):
        await stores.log.append([new(n) for n in range(start, start + 10)])

    for group in ("one", "two"):
        assert await values(stores, group, limit=7) == [f"v{n}" for n in range(7)]
        assert await values(stores, group) == [f"v{n}" for n in range(7, 30)]
        assert await values(stores, group) == []


async def test_a_group_gets_only_its_topics(stores):
    await stores.log.append([new(1), new(2, COMMANDS), new(3)])

    assert await values(stores, "events") == ["v1", "v3"]
    assert await values(stores, "commands", [COMMANDS]) == ["v2"]
    assert await values(stores, "both", [COMMANDS, EVENTS]) == ["v1", "v2", "v3"]


async def test_a_reader_that_waits_is_woken_by_an_append(stores):
    waiting = asyncio.ensure_future(stores.log.read("g", [EVENTS], limit=10, wait_s=30))
    await asyncio.sleep(0)
    await stores.log.append([new(1, COMMANDS)])
    await stores.log.append([new(2)])

    assert [r.value for r in await waiting] == [b"v2"]


async def test_a_reader_that_waits_in_vain_gets_nothing(stores):
    assert await stores.log.read("g", [EVENTS], limit=10, wait_s=0.01) == []


async def test_many_appenders_at_once_keep_their_own_order(stores):
    async def append(task: int) -> None:
        for number in range(20):
            await stores.log.append([new(1000 * task + 10 * number + i) for i in range(3)])

    await asyncio.gather(*(append(task) for task in range(20)))

    records = await stores.log.read("g", [EVENTS], limit=5000, wait_s=0)
    numbers = [int(r.value[1:]) for r in records]
    assert [r.offset for r in records] == sorted({r.offset for r in records})
    for task in range(20):
        mine = [n for n in numbers if n // 1000 == task]
        assert mine == [1000 * task + 10 * number + i for number in range(20) for i in range(3)]
    # An append is never torn apart.
    assert all(numbers[i : i + 3] == [numbers[i] + k for k in range(3)] for i in range(0, len(numbers), 3))


async def test_after_a_reopen_a_group_goes_on_from_its_commit(opener):
    async with opener() as stores:
        await stores.log.append([new(n) for n in range(10)])
        records = await stores.log.read("g", [EVENTS], limit=6, wait_s=0)
        await stores.log.commit("g", records[:4])
        await stores.log.commit("g", records[:2])
        await stores.log.commit("g", [])
    async with opener() as stores:
        assert await stores.log.lag("g") == 6
        assert await values(stores, "g") == [f"v{n}" for n in range(4, 10)]
        assert await values(stores, "new") == [f"v{n}" for n in range(10)]


async def test_lag_counts_what_is_not_committed_and_not_what_other_topics_hold(stores):
    await stores.log.append([new(1), new(2), new(3, COMMANDS)])
    assert await stores.log.lag("g") == 3

    records = await stores.log.read("g", [EVENTS], limit=10, wait_s=0)
    assert await stores.log.lag("g") == 3
    await stores.log.commit("g", records)
    await stores.log.read("g", [EVENTS], limit=10, wait_s=0)

    assert await stores.log.lag("g") == 0


async def test_passing_over_other_topics_does_not_commit_what_is_still_open(opener):
    async with opener() as stores:
        await stores.log.append([new(1)])
        await stores.log.read("g", [EVENTS], limit=10, wait_s=0)
        await stores.log.append([new(2, COMMANDS)])
        await stores.log.read("g", [EVENTS], limit=10, wait_s=0)
    async with opener() as stores:
        assert await values(stores, "g") == ["v1"]


async def test_seeking_goes_to_the_first_record_of_that_time_or_later(opener, clock):
    start = clock.now()
    async with opener() as stores:
        for number in range(5):
            clock.at = start + number * SECOND
            await stores.log.append([new(2 * number), new(2 * number + 1)])
        await values(stores, "g")

        await stores.log.seek("g", start + 3 * SECOND)
        assert await values(stores, "g") == ["v6", "v7", "v8", "v9"]
        await stores.log.seek("g", start + 2.5 * SECOND)
        assert await values(stores, "g", limit=1) == ["v6"]
        await stores.log.seek("g", start + 9 * SECOND)
        assert await values(stores, "g") == []
        assert await stores.log.lag("g") == 0
        await stores.log.seek("g", None)
        assert await stores.log.lag("g") == 10
    async with opener() as stores:
        assert await values(stores, "g", limit=2) == ["v0", "v1"]
        await stores.log.seek("g", start - SECOND)
        assert await values(stores, "g", limit=1) == ["v0"]


async def test_an_empty_append_takes_nothing(stores):
    await stores.log.append([])

    assert await stores.log.lag("g") == 0
