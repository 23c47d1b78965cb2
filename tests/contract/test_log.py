"""The log: order, groups, positions. A log may have several partitions, and take a moment to give a group its own."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest

from homeguard.errors import InvalidInput, PayloadTooLarge
from homeguard.ports.log import ALERTS, COMMANDS, DEAD_LETTERS, EVENTS, HEARTBEATS, NewRecord

PORTS = ("log",)

SECOND = timedelta(seconds=1)
#: Until a record is there at the latest, and for how long we look that none comes.
PATIENCE_S, MOMENT_S = 20.0, 0.3


def new(number: int, topic: str = EVENTS, key: str = "h1/d1") -> NewRecord:
    return NewRecord(topic=topic, key=key, value=f"v{number}".encode(), headers={"schema": "1"})


def numbered(count: int, start: int = 0) -> list[NewRecord]:
    return [new(number) for number in range(start, start + count)]


async def records(stores, group: str, count: int, topics: Sequence[str] = (EVENTS,), limit: int = 100) -> list:
    """The next `count` records, by reads of at most `limit`."""
    found: list = []
    until = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < until:
        some = await stores.log.read(group, topics, limit=min(limit, count - len(found)), wait_s=1)
        assert len(some) <= limit
        found += some
    return found


async def values(stores, group: str, count: int, topics: Sequence[str] = (EVENTS,), limit: int = 100) -> list[str]:
    return [record.value.decode() for record in await records(stores, group, count, topics, limit)]


async def nothing_more(stores, group: str, topics: Sequence[str] = (EVENTS,)) -> bool:
    return await stores.log.read(group, topics, limit=100, wait_s=MOMENT_S) == []


def named(*numbers: int) -> list[str]:
    return [f"v{number}" for number in numbers]


async def test_a_record_is_read_as_it_was_appended(stores, clock):
    await stores.log.append([new(1), NewRecord(topic=EVENTS, key="h1/d1", value=b"")])

    first, second = await records(stores, "g", 2)

    assert (first.topic, first.key, first.value, first.headers) == (EVENTS, "h1/d1", b"v1", {"schema": "1"})
    assert first.appended_at == clock.now()
    assert first.appended_at.utcoffset() == timedelta(0)
    assert (second.key, second.value, second.headers) == ("h1/d1", b"", {})
    assert second.partition == first.partition
    assert second.offset > first.offset


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        ("", b"x", {}),
        ("h1/kitchen lamp", b"\x00\xff\xfe", {"schema": "1", "lane": "safety", "traceparent": "00-ab-cd-01"}),
        ("höme/dévice-日本", '{"größe": "ß"}'.encode(), {"reason": "größer als erlaubt — 日本", "empty": ""}),
        ("h1/" + "d" * 200, b"v" * 65_536, {"long": "x" * 500}),
    ],
)
async def test_any_key_value_and_headers_come_back_the_same(stores, key, value, headers):
    await stores.log.append([NewRecord(topic=HEARTBEATS, key=key, value=value, headers=headers)])

    (found,) = await records(stores, "g", 1, [HEARTBEATS])

    assert (found.topic, found.key, found.value, dict(found.headers)) == (HEARTBEATS, key, value, headers)


async def test_each_group_reads_everything_in_order_and_once(stores):
    for start in range(0, 30, 10):
        await stores.log.append(numbered(10, start))

    for group in ("one", "two"):
        assert await values(stores, group, 7, limit=7) == named(*range(7))
        assert await values(stores, group, 23) == named(*range(7, 30))
        assert await nothing_more(stores, group)


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
async def test_a_read_gives_at_most_its_limit_and_loses_nothing(stores, limit):
    await stores.log.append(numbered(12))

    assert await values(stores, "g", 12, limit=limit) == named(*range(12))
    assert await nothing_more(stores, "g")


async def test_a_group_gets_only_its_topics(stores):
    await stores.log.append([new(1), new(2, COMMANDS), new(3)])

    assert await values(stores, "events", 2) == ["v1", "v3"]
    assert await values(stores, "commands", 1, [COMMANDS]) == ["v2"]
    assert sorted(await values(stores, "both", 3, [COMMANDS, EVENTS])) == ["v1", "v2", "v3"]
    assert await nothing_more(stores, "events")
    assert await nothing_more(stores, "commands", [COMMANDS])


async def test_the_same_key_in_two_topics_is_in_order_in_each(stores):
    for number in range(0, 10, 2):
        await stores.log.append([new(number), new(number + 1, ALERTS)])

    found = await values(stores, "both", 10, [EVENTS, ALERTS], limit=4)

    assert [v for v in found if int(v[1:]) % 2 == 0] == named(0, 2, 4, 6, 8)
    assert [v for v in found if int(v[1:]) % 2] == named(1, 3, 5, 7, 9)


async def test_every_key_keeps_its_own_order_and_its_partition(stores):
    keys = [f"h{n % 3}/d{n}" for n in range(12)]
    for start in range(0, 60, 20):
        await stores.log.append([new(number, key=key) for number in range(start, start + 20) for key in keys])

    found = await records(stores, "g", 60 * len(keys), limit=50)

    for key in keys:
        mine = [record for record in found if record.key == key]
        assert [int(record.value[1:]) for record in mine] == list(range(60))
        assert len({record.partition for record in mine}) == 1
        offsets = [record.offset for record in mine]
        assert offsets == sorted(set(offsets))


async def test_within_one_read_the_oldest_of_a_partition_comes_first(stores):
    await stores.log.append([new(number, key=f"h1/d{number % 5}") for number in range(40)])

    found = await records(stores, "g", 40)

    for partition in {record.partition for record in found}:
        offsets = [record.offset for record in found if record.partition == partition]
        assert offsets == sorted(offsets)


async def test_a_reader_that_waits_is_woken_by_an_append(stores):
    await stores.log.append([new(0)])
    assert await values(stores, "g", 1) == ["v0"]
    waiting = asyncio.ensure_future(stores.log.read("g", [EVENTS], limit=10, wait_s=30))
    await asyncio.sleep(0)
    await stores.log.append([new(1, COMMANDS)])
    assert not waiting.done()
    await stores.log.append([new(2)])

    assert [r.value for r in await waiting] == [b"v2"]


@pytest.mark.parametrize("wait_s", [0, 0.01])
async def test_a_reader_that_waits_in_vain_gets_nothing(stores, wait_s):
    assert await stores.log.read("g", [EVENTS], limit=10, wait_s=wait_s) == []


async def test_many_appenders_at_once_keep_their_own_order(stores):
    async def append(task: int) -> None:
        for number in range(20):
            await stores.log.append([new(1000 * task + 10 * number + i) for i in range(3)])

    await asyncio.gather(*(append(task) for task in range(20)))

    found = await records(stores, "g", 1200, limit=500)
    numbers = [int(r.value[1:]) for r in found]
    assert [r.offset for r in found] == sorted({r.offset for r in found})
    for task in range(20):
        mine = [n for n in numbers if n // 1000 == task]
        assert mine == [1000 * task + 10 * number + i for number in range(20) for i in range(3)]
    # What one append wrote under one key is never torn apart.
    assert all(numbers[i : i + 3] == [numbers[i] + k for k in range(3)] for i in range(0, len(numbers), 3))


async def test_appends_that_are_not_waited_for_keep_the_order_of_their_calls(stores):
    await asyncio.gather(*(stores.log.append([new(number)]) for number in range(300)))

    assert await values(stores, "g", 300) == named(*range(300))


async def test_a_large_append_arrives_whole_and_in_order(stores):
    body = b"x" * 2_000
    await stores.log.append([NewRecord(topic=EVENTS, key="h1/d1", value=b"%05d" % n + body) for n in range(1_500)])

    found = await records(stores, "g", 1_500, limit=400)

    assert [int(record.value[:5]) for record in found] == list(range(1_500))
    assert {len(record.value) for record in found} == {2_005}


async def test_a_record_that_is_too_large_is_refused_and_nothing_of_its_append_is_kept(stores):
    huge = NewRecord(topic=EVENTS, key="h1/d2", value=b"x" * 9_000_000)
    with pytest.raises(PayloadTooLarge):
        await stores.log.append([new(1), huge, new(2)])
    await stores.log.append([new(3)])

    assert await values(stores, "g", 1) == ["v3"]
    assert await nothing_more(stores, "g")


async def test_after_a_reopen_a_group_goes_on_from_its_commit(opener):
    async with opener() as stores:
        await stores.log.append(numbered(10))
        found = await records(stores, "g", 6)
        await stores.log.commit("g", found[:4])
        await stores.log.commit("g", found[:2])
        await stores.log.commit("g", [])
    async with opener() as stores:
        assert await stores.log.lag("g") == 6
        assert await values(stores, "g", 6) == named(*range(4, 10))
        assert await values(stores, "new", 10) == named(*range(10))


async def test_what_was_read_and_not_committed_comes_again_after_a_reopen(opener):
    async with opener() as stores:
        await stores.log.append([new(number, key=f"h1/d{number % 4}") for number in range(20)])
        first = await values(stores, "g", 20)
    async with opener() as stores:
        again = await values(stores, "g", 20)

    assert sorted(first) == sorted(again) == sorted(named(*range(20)))


async def test_a_commit_of_every_second_partition_leaves_the_others(opener):
    """Committing is by partition; in a log of one, all that lies before is done too."""
    async with opener() as stores:
        await stores.log.append([new(number, key=f"h1/d{number}") for number in range(30)])
        found = await records(stores, "g", 30)
        done = {found[0].partition}
        await stores.log.commit("g", [record for record in found if record.partition in done])
    async with opener() as stores:
        left = [record for record in found if record.partition not in done]
        assert await stores.log.lag("g") == len(left)
        assert sorted(await values(stores, "g", len(left))) == sorted(record.value.decode() for record in left)


async def test_committing_again_and_backwards_changes_nothing(stores):
    await stores.log.append(numbered(5))
    found = await records(stores, "g", 5)

    for some in (found, found[:1], found, found[2:3]):
        await stores.log.commit("g", some)
        assert await stores.log.lag("g") == 0


async def test_groups_do_not_see_each_others_commits(stores):
    await stores.log.append(numbered(4))
    await stores.log.commit("one", await records(stores, "one", 4))

    assert await stores.log.lag("one") == 0
    assert await stores.log.lag("two") == 4
    assert await values(stores, "two", 4) == named(*range(4))


async def test_lag_counts_what_is_not_committed_and_not_what_other_topics_hold(stores):
    await stores.log.append([new(1), new(2), new(3, COMMANDS)])
    assert await stores.log.lag("g") == 3

    found = await records(stores, "g", 2)
    assert await stores.log.lag("g") == 2
    await stores.log.commit("g", found[:1])
    assert await stores.log.lag("g") == 1
    await stores.log.append([new(4, COMMANDS), new(5)])
    assert await stores.log.lag("g") == 2
    await stores.log.commit("g", [*found, *await records(stores, "g", 1)])

    assert await stores.log.lag("g") == 0


async def test_the_lag_of_several_keys_is_counted_together(stores):
    await stores.log.append([new(number, key=f"h1/d{number}") for number in range(25)])
    found = await records(stores, "g", 25, limit=9)
    assert await stores.log.lag("g") == 25

    await stores.log.commit("g", found)

    assert await stores.log.lag("g") == 0


async def test_passing_over_other_topics_does_not_commit_what_is_still_open(opener):
    async with opener() as stores:
        await stores.log.append([new(1)])
        assert await values(stores, "g", 1) == ["v1"]
        await stores.log.append([new(2, COMMANDS)])
        assert await nothing_more(stores, "g")
    async with opener() as stores:
        assert await values(stores, "g", 1) == ["v1"]


async def test_seeking_goes_to_the_first_record_of_that_time_or_later(opener, clock):
    start = clock.now()
    async with opener() as stores:
        for number in range(5):
            clock.at = start + number * SECOND
            await stores.log.append(numbered(2, 2 * number))
        await values(stores, "g", 10)

        await stores.log.seek("g", start + 3 * SECOND)
        assert await values(stores, "g", 4) == named(6, 7, 8, 9)
        await stores.log.seek("g", start + 2.5 * SECOND)
        assert await values(stores, "g", 1) == ["v6"]
        await stores.log.seek("g", start + 9 * SECOND)
        assert await nothing_more(stores, "g")
        assert await stores.log.lag("g") == 0
        await stores.log.seek("g", None)
        assert await stores.log.lag("g") == 10
    async with opener() as stores:
        assert await values(stores, "g", 2) == ["v0", "v1"]
        await stores.log.seek("g", start - SECOND)
        assert await values(stores, "g", 1) == ["v0"]


async def test_seeking_tells_milliseconds_apart_and_takes_any_time_zone(stores, clock):
    start = clock.now()
    for number in range(4):
        clock.at = start + number * timedelta(milliseconds=1)
        await stores.log.append([new(number)])
    here = timezone(timedelta(hours=-5))

    for at, first in (
        (start + timedelta(milliseconds=2), 2),
        ((start + timedelta(milliseconds=1)).astimezone(here), 1),
        (start + timedelta(microseconds=1), 1),
        (datetime(1999, 1, 1, tzinfo=UTC), 0),
    ):
        await stores.log.seek("g", at)
        assert await values(stores, "g", 4 - first) == named(*range(first, 4))


async def test_a_group_can_be_moved_before_it_ever_read(opener, clock):
    async with opener() as stores:
        await stores.log.append(numbered(3))
        clock.at += SECOND
        await stores.log.append(numbered(2, 3))
        await stores.log.seek("g", clock.now())
        assert await stores.log.lag("g") == 2
    async with opener() as stores:
        assert await values(stores, "g", 2) == ["v3", "v4"]
        assert await nothing_more(stores, "g")


async def test_moving_one_group_leaves_the_others_where_they_are(stores):
    await stores.log.append(numbered(4))
    for group in ("one", "two"):
        await stores.log.commit(group, await records(stores, group, 4))

    await stores.log.seek("one", None)

    assert await stores.log.lag("one") == 4
    assert await stores.log.lag("two") == 0
    assert await values(stores, "one", 4) == named(*range(4))
    assert await nothing_more(stores, "two")


async def test_after_a_seek_back_everything_is_read_once_more_and_can_be_committed(opener):
    async with opener() as stores:
        await stores.log.append([new(number, key=f"h1/d{number % 6}") for number in range(30)])
        await stores.log.commit("g", await records(stores, "g", 30))
        await stores.log.seek("g", None)
        again = await records(stores, "g", 30, limit=8)
        assert sorted(record.value.decode() for record in again) == sorted(named(*range(30)))
        await stores.log.commit("g", again)
        assert await stores.log.lag("g") == 0
    async with opener() as stores:
        assert await nothing_more(stores, "g")


@pytest.mark.parametrize("group", ["", "two words", "../escape", "-x", "g" * 65, "größe"])
async def test_what_cannot_name_a_group_is_refused(stores, group):
    with pytest.raises(InvalidInput):
        await stores.log.read(group, [EVENTS], limit=1, wait_s=0)
    with pytest.raises(InvalidInput):
        await stores.log.seek(group, None)


async def test_an_empty_append_takes_nothing(stores):
    await stores.log.append([])

    assert await stores.log.lag("g") == 0
    assert await stores.log.tail(EVENTS, limit=10) == []


async def test_the_tail_is_the_last_records_of_a_topic_oldest_first(stores, clock):
    for number in range(12):
        clock.at += SECOND
        await stores.log.append([new(number, key=f"h1/d{number % 4}"), new(100 + number, COMMANDS)])

    assert [r.value.decode() for r in await stores.log.tail(EVENTS, limit=5)] == named(7, 8, 9, 10, 11)
    assert [r.value.decode() for r in await stores.log.tail(EVENTS, limit=1)] == ["v11"]
    assert [r.value.decode() for r in await stores.log.tail(EVENTS, limit=50)] == named(*range(12))
    (last,) = await stores.log.tail(COMMANDS, limit=1)
    assert (last.topic, last.key, last.headers, last.appended_at) == (COMMANDS, "h1/d1", {"schema": "1"}, clock.now())
    assert await stores.log.tail(DEAD_LETTERS, limit=5) == []


async def test_looking_at_the_tail_moves_no_group(stores):
    await stores.log.append(numbered(6))
    assert await values(stores, "g", 2, limit=2) == ["v0", "v1"]

    assert len(await stores.log.tail(EVENTS, limit=10)) == 6

    assert await stores.log.lag("g") == 6
    assert await values(stores, "g", 4) == named(2, 3, 4, 5)


async def test_the_tail_is_there_after_a_reopen(opener):
    async with opener() as stores:
        await stores.log.append([*numbered(4), *(new(n, COMMANDS) for n in range(10, 14))])
    async with opener() as stores:
        assert [r.value.decode() for r in await stores.log.tail(EVENTS, limit=3)] == named(1, 2, 3)
        await stores.log.append([new(4)])
        assert [r.value.decode() for r in await stores.log.tail(EVENTS, limit=3)] == named(2, 3, 4)


async def test_times_in_the_log_never_step_back(stores, clock):
    start = clock.now()
    await stores.log.append([new(0)])
    clock.at = start - 60 * SECOND
    await stores.log.append([new(1)])
    clock.at = start + SECOND
    await stores.log.append([new(2)])

    found = await records(stores, "g", 3)

    assert [record.appended_at for record in found] == [start, start, start + SECOND]


async def test_one_group_read_by_two_at_once_gives_each_record_to_one_of_them(stores):
    await stores.log.append([new(number, key=f"h1/d{number % 7}") for number in range(200)])
    found: list[str] = []

    async def reader() -> None:
        until = time.monotonic() + PATIENCE_S
        while len(found) < 200 and time.monotonic() < until:
            found.extend(r.value.decode() for r in await stores.log.read("g", [EVENTS], limit=9, wait_s=MOMENT_S))

    await asyncio.gather(reader(), reader())

    assert sorted(found) == sorted(named(*range(200)))


async def test_trimming_what_is_older_leaves_what_is_younger(stores, clock):
    await stores.log.append(numbered(3))

    assert await stores.log.trim(clock.now() - timedelta(days=7)) == 0
    assert await values(stores, "g", 3) == named(0, 1, 2)
