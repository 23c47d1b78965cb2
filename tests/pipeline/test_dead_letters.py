"""Dead letters: what is told of them, and that each is sent again once."""

import asyncio

import pytest
from pipeline_fakes import NOW, event

from homeguard.errors import StoreUnavailable
from homeguard.ports.log import DEAD_LETTERS, EVENTS, HEARTBEATS, NewRecord
from homeguard.stores.sqlite.open import open_embedded
from pipeline.dead_letters import DeadLetters
from pipeline.envelope import encode
from pipeline.processor import Processor


class Strict:
    """Cannot do these events, until told otherwise."""

    def __init__(self, *poison: str) -> None:
        self.poison = set(poison)
        self.seen: list[str] = []

    async def __call__(self, batch) -> None:
        for _, got in batch:
            if got.event_id in self.poison:
                raise ValueError(f"cannot make sense of {got.event_id}")
        self.seen += [got.event_id for _, got in batch]


def letter(number: int, **headers: str) -> NewRecord:
    said = {"schema": "1", "reason": f"r{number}", "group": "record", "topic": EVENTS, "offset": f"0/{number}",
            "died_at": "2026-03-10T12:00:00.000Z", **headers}  # fmt: skip
    return NewRecord(topic=DEAD_LETTERS, key=f"h1/d{number}", value=f"v{number}".encode(), headers=said)


async def run_through(log, clock, handler, group: str = "record") -> None:
    processor, stop = Processor(log, group, [EVENTS], [handler], clock), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(processor.run(stop))
        async with asyncio.timeout(20):
            await processor.caught_up()
        stop.set()


async def test_a_letter_tells_who_could_not_do_what_and_why(stores, clock):
    await stores.log.append([encode(event("door_open", "door", event_id="e0", at=NOW))])
    await run_through(stores.log, clock, Strict("e0"))

    (told,) = await DeadLetters(stores.log, stores.log).list(10)

    record = (await stores.log.tail(EVENTS, limit=1))[0]
    assert (told.group, told.topic, told.offset, told.key) == ("record", EVENTS, f"0/{record.offset}", "h1/door")
    assert told.reason == "Strict: ValueError: cannot make sense of e0"
    assert told.died_at.endswith("Z")
    assert (told.size, told.retries, told.is_waiting) == (len(record.value), 0, True)


async def test_the_list_has_the_last_ones_newest_last(stores):
    await stores.log.append([letter(number) for number in range(8)])
    letters = DeadLetters(stores.log, stores.log)

    assert [told.reason for told in await letters.list(3)] == ["r5", "r6", "r7"]
    assert [told.reason for told in await letters.list(50)] == [f"r{n}" for n in range(8)]


async def test_without_letters_there_is_nothing_to_list_or_to_send(stores):
    await stores.log.append([encode(event("door_open", "door", at=NOW))])
    letters = DeadLetters(stores.log, stores.log)

    assert await letters.list(10) == []
    assert (await letters.retry()).letters == 0


async def test_what_is_sent_again_is_as_it_was_and_counts_how_often(stores):
    await stores.log.append([letter(1, retried="2", lane="safety", topic=HEARTBEATS)])

    done = await DeadLetters(stores.log, stores.log).retry()

    assert (done.letters, done.sent, done.unreadable) == (1, 1, 0)
    (again,) = await stores.log.tail(HEARTBEATS, limit=5)
    assert (again.key, again.value) == ("h1/d1", b"v1")
    assert dict(again.headers) == {"schema": "1", "lane": "safety", "retried": "3"}


async def test_what_can_be_done_meanwhile_is_done_once_it_is_sent_again(stores, clock):
    handler = Strict("e1")
    await stores.log.append([encode(event("door_open", "door", event_id=f"e{n}", at=NOW)) for n in range(3)])
    await run_through(stores.log, clock, handler)
    handler.poison.clear()

    await DeadLetters(stores.log, stores.log).retry()
    await run_through(stores.log, clock, handler)

    assert handler.seen == ["e0", "e2", "e1"]
    assert [told.is_waiting for told in await DeadLetters(stores.log, stores.log).list(10)] == [False]


async def test_one_that_dies_again_is_a_new_letter_and_does_not_keep_retrying_busy(stores, clock):
    handler, letters = Strict("e0"), DeadLetters(stores.log, stores.log)
    await stores.log.append([encode(event("door_open", "door", event_id="e0", at=NOW))])
    for _ in range(3):
        await run_through(stores.log, clock, handler)
        assert (await letters.retry()).sent == 1

    told = await letters.list(10)
    assert [(t.retries, t.is_waiting) for t in told] == [(0, False), (1, False), (2, False)]


async def test_each_letter_is_sent_again_once_also_by_the_next_process(tmp_path, clock):
    async with open_embedded(tmp_path / "d", clock) as stores:
        await stores.log.append([letter(number) for number in range(5)])
        assert (await DeadLetters(stores.log, stores.log).retry(2)).letters == 2
    async with open_embedded(tmp_path / "d", clock) as stores:
        letters = DeadLetters(stores.log, stores.log)
        assert [told.is_waiting for told in await letters.list(10)] == [False, False, True, True, True]
        assert (await letters.retry()).letters == 3
        assert (await letters.retry()).letters == 0
        assert [r.value for r in await stores.log.tail(EVENTS, limit=10)] == [b"v%d" % n for n in range(5)]


async def test_looking_does_not_count_as_sending(stores):
    await stores.log.append([letter(number) for number in range(3)])
    letters = DeadLetters(stores.log, stores.log)

    for _ in range(2):
        assert [told.is_waiting for told in await letters.list(10)] == [True, True, True]
    assert (await letters.retry()).letters == 3


async def test_a_record_that_died_in_two_groups_goes_back_once(stores):
    await stores.log.append([letter(1), letter(1, group="reflex"), letter(2)])

    done = await DeadLetters(stores.log, stores.log).retry()

    assert (done.letters, done.sent) == (3, 2)
    assert [r.value for r in await stores.log.tail(EVENTS, limit=10)] == [b"v1", b"v2"]


async def test_a_letter_that_does_not_say_where_it_came_from_is_passed_over(stores):
    nameless = NewRecord(topic=DEAD_LETTERS, key="k", value=b"x", headers={"retried": "many"})
    await stores.log.append([nameless, letter(1)])
    letters = DeadLetters(stores.log, stores.log)

    assert [told.retries for told in await letters.list(5)] == [0, 0]
    done = await letters.retry()

    assert (done.letters, done.sent, done.unreadable) == (2, 1, 1)
    assert (await letters.retry()).letters == 0


async def test_what_the_log_does_not_take_waits_on(stores):
    class Full:
        async def append(self, records):
            raise StoreUnavailable("away")

    await stores.log.append([letter(number) for number in range(3)])
    letters = DeadLetters(stores.log, Full())
    with pytest.raises(StoreUnavailable):
        await letters.retry()

    assert [told.is_waiting for told in await letters.list(5)] == [True] * 3
    assert await stores.log.lag("dead-letters") == 3


async def test_many_more_than_fit_one_batch_are_all_sent(stores):
    await stores.log.append([letter(number) for number in range(950)])

    assert (await DeadLetters(stores.log, stores.log).retry()).sent == 950
    assert len(await stores.log.tail(EVENTS, limit=2_000)) == 950
