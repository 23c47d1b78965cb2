"""What waits on disk for an engine: durable, in order, bounded."""

import asyncio

import pytest

from homeguard.errors import Overloaded, StartRefused
from homeguard.ports.spool import Backlog, Entry
from homeguard.stores.sqlite.spool import ROW_BYTES, open_spool


def entries(*values: str, concern: str = "alerts") -> list[Entry]:
    return [Entry(concern=concern, value=value) for value in values]


async def values(spool, engine: str = "e", limit: int = 100) -> list[str]:
    return [waiting.entry.value for waiting in await spool.next(engine, limit=limit)]


@pytest.fixture
async def spool(tmp_path, clock):
    async with open_spool(tmp_path / "spool.db", clock, row_limit=8, byte_limit=8 * ROW_BYTES + 80) as opened:
        yield opened


async def test_each_engines_entries_come_in_their_order(spool):
    await spool.put("e", entries("1", "2"))
    await spool.put("other", entries("x"))
    await spool.put("e", entries("3", concern="notices"))
    assert await values(spool) == ["1", "2", "3"]
    assert await values(spool, limit=2) == ["1", "2"]
    assert await values(spool, "other") == ["x"]
    assert await values(spool, "nobody") == []


async def test_what_was_taken_goes_and_taking_it_twice_changes_nothing(spool):
    await spool.put("e", entries("1", "2", "3"))
    first, _, third = await spool.next("e")
    for _ in range(2):
        await spool.taken("e", [first.number, third.number])
    await spool.taken("other", [w.number for w in await spool.next("e")])
    assert await values(spool) == ["2"]
    assert (spool.count("e"), spool.count("other")) == (1, 0)


async def test_all_of_it_is_there_after_a_reopening_and_numbers_go_on(tmp_path, clock):
    path = tmp_path / "spool.db"
    async with open_spool(path, clock) as spool:
        await spool.put("e", entries("1", "2"))
        await spool.put("e", entries("n", concern="notices"))
        last = (await spool.next("e"))[-1].number
        await spool.taken("e", [last])
    async with open_spool(path, clock) as spool:
        assert (spool.count("e"), spool.count("e", "alerts"), spool.count("e", "notices")) == (2, 2, 0)
        await spool.put("e", entries("3"))
        found = await spool.next("e")
        assert [w.entry.value for w in found] == ["1", "2", "3"]
        assert found[-1].number > last
        assert found[0].kept_at == clock.now()


async def test_a_full_one_takes_all_of_a_batch_or_nothing_and_says_when_to_come_back(spool):
    await spool.put("e", entries(*"1234567"))
    with pytest.raises(Overloaded, match=r"e is away and what may wait for it here is full \(7 rows") as caught:
        await spool.put("e", entries("8", "9"))
    assert caught.value.details["retry_after_s"] == 5
    await spool.put("e", entries("8"))
    await spool.put("other", entries(*"abcdefgh"))
    assert await values(spool) == list("12345678")


async def test_bytes_are_bounded_too(spool):
    await spool.put("e", entries("x" * 80 + "y" * 80))
    with pytest.raises(Overloaded):
        await spool.put("e", entries("z" * 700))
    assert spool.count("e") == 1


async def test_what_must_not_be_lost_finds_the_part_that_is_kept_free(spool):
    await spool.put("e", entries(*"12345678"))
    with pytest.raises(Overloaded):
        await spool.put("e", entries("9"))
    await spool.put("e", entries("9", "10"), reserved=True)
    with pytest.raises(Overloaded):
        await spool.put("e", entries("11"), reserved=True)
    assert spool.count("e") == 10


async def test_writers_at_the_same_time_do_not_pass_the_limit_together(spool):
    results = await asyncio.gather(*(spool.put("e", entries("x")) for _ in range(20)), return_exceptions=True)
    assert sum(result is None for result in results) == 8
    assert spool.count("e") == 8


async def test_room_is_there_again_when_entries_were_taken(spool):
    await spool.put("e", entries(*"12345678"))
    await spool.taken("e", [w.number for w in await spool.next("e")])
    await spool.put("e", entries(*"abcdefgh"))
    assert spool.count("e", "alerts") == 8


async def test_refusals_are_counted_with_their_last_reason(spool):
    await spool.put("e", entries("1"))
    (waiting,) = await spool.next("e")
    assert [await spool.refused("e", waiting.number, reason) for reason in ("a", "b")] == [1, 2]
    (waiting,) = await spool.next("e")
    assert (waiting.tries, waiting.reason) == (2, "b")


async def test_what_was_set_aside_waits_no_more_until_it_is_put_back_in_its_place(spool):
    await spool.put("e", entries("1", "2", "3"))
    second = (await spool.next("e"))[1]
    await spool.refused("e", second.number, "no")
    await spool.set_aside("e", second.number)
    assert await values(spool) == ["1", "3"]
    assert spool.count("e") == 2
    assert [(w.entry.value, w.reason) for w in await spool.aside("e")] == [("2", "no")]
    assert await spool.put_back("e") == 1
    assert await values(spool) == ["1", "2", "3"]
    assert (await spool.next("e"))[1].tries == 0
    assert spool.count("e") == 3


async def test_of_those_set_aside_only_the_newest_stay(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("homeguard.stores.sqlite.spool.ASIDE_LIMIT", 20)
    async with open_spool(tmp_path / "spool.db", clock) as spool:
        await spool.put("e", entries(*(str(n) for n in range(23))))
        for waiting in await spool.next("e"):
            await spool.set_aside("e", waiting.number)
        kept = await spool.aside("e")
        assert [kept[0].entry.value, len(kept), spool.count("e")] == ["3", 20, 0]


async def test_backlogs_tell_what_waits_since_when_and_what_was_set_aside(spool, clock):
    begun = clock.now()
    await spool.put("e", entries("1", "22"))
    await clock.advance(60)
    await spool.put("e", entries("3"))
    await spool.put("a", entries("4"))
    await spool.set_aside("a", (await spool.next("a"))[0].number)
    assert await spool.backlogs() == [
        Backlog(engine="a", rows=0, size=0, oldest_at=None, aside=1),
        Backlog(engine="e", rows=3, size=3 * ROW_BYTES + 4, oldest_at=begun, aside=0),
    ]


async def test_a_file_that_is_no_spool_is_refused(tmp_path, clock):
    (tmp_path / "spool.db").write_bytes(b"not a database, but long enough to look like a page of one" * 100)
    with pytest.raises(StartRefused):
        async with open_spool(tmp_path / "spool.db", clock):
            raise AssertionError("it opened")
