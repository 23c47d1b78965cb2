"""How requests to Cassandra go out: bounded, in turn for all who ask, and not at all when nobody waits any more."""

import asyncio
from collections import deque
from typing import Any

import pytest
from cassandra.cluster import NoHostAvailable

from homeguard.errors import StoreUnavailable
from homeguard.stores.scylla.batches import in_partitions
from homeguard.stores.scylla.cql import Cql

TEXT = "SELECT value FROM rows WHERE number = ?"


class Statement:
    """As the driver prepares one."""

    is_idempotent = False

    def bind(self, values: tuple[Any, ...]) -> Any:
        return values[0]


class Answer:
    """As the driver gives one that has not come yet."""

    def __init__(self, asked: Any) -> None:
        self.asked = asked

    def add_callbacks(self, callback: Any, errback: Any, callback_args: Any, errback_args: Any) -> None:
        self.come = lambda: callback([(self.asked,)], *callback_args)
        self.fail = lambda error: errback(error, *errback_args)


class Driver:
    """A session whose answers come when the test says so, in another thread."""

    def __init__(self) -> None:
        self.open: deque[Answer] = deque()
        self.sent: list[Any] = []
        self.most = 0

    def prepare(self, text: str) -> Statement:
        return Statement()

    def execute_async(self, bound: Any) -> Answer:
        answer = Answer(bound)
        self.sent.append(bound)
        self.open.append(answer)
        self.most = max(self.most, len(self.open))
        return answer

    async def answer_next(self) -> None:
        await asyncio.to_thread(self.open.popleft().come)

    async def answer_all(self) -> None:
        while self.open:
            await self.answer_next()


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
async def cql(driver: Driver) -> Cql:
    cql = Cql(driver, "here:9042", deadline_s=30, in_flight=4)
    await cql.prepare([TEXT])
    return cql


def numbers(first: int, count: int) -> list[tuple[str, tuple[int]]]:
    return [(TEXT, (n,)) for n in range(first, first + count)]


async def begun(waiting: Any) -> "asyncio.Task[Any]":
    """It has sent what it may."""
    task = asyncio.create_task(waiting)
    await asyncio.sleep(0)
    return task


async def test_no_more_than_allowed_are_under_way_and_answers_keep_the_order_of_the_questions(cql, driver):
    asking = await begun(cql.each(numbers(0, 50)))
    assert len(driver.open) == 4
    await driver.answer_all()
    assert await asking == [[(n,)] for n in range(50)]
    assert driver.most == 4


async def test_answers_that_come_in_another_order_are_not_mixed_up(cql, driver):
    asking = await begun(cql.each(numbers(0, 4)))
    driver.open.reverse()
    await driver.answer_all()
    assert await asking == [[(n,)] for n in range(4)]


async def test_one_question_is_not_behind_all_of_a_long_write(cql, driver):
    long = await begun(cql.each(numbers(0, 100)))
    short = await begun(cql.ask(TEXT, (1000,)))
    for _ in range(6):
        await driver.answer_next()
    assert await short == [(1000,)]
    assert not long.done()
    await driver.answer_all()
    assert len(await long) == 100


async def test_the_first_failure_ends_the_call_and_what_was_left_of_it_is_not_sent(cql, driver):
    asking = await begun(cql.each(numbers(0, 50)))
    await asyncio.to_thread(driver.open.popleft().fail, NoHostAvailable("gone", {}))
    with pytest.raises(StoreUnavailable):
        await asking
    await driver.answer_all()
    assert driver.sent == [0, 1, 2, 3]


async def test_after_a_deadline_the_rest_is_not_sent_and_its_room_is_free_again(cql, driver):
    async def in_a_hurry() -> None:
        async with cql.deadline(0.001):
            await cql.each(numbers(0, 50))

    with pytest.raises(StoreUnavailable):
        await in_a_hurry()
    await driver.answer_all()
    assert driver.sent == [0, 1, 2, 3]
    asking = await begun(cql.each(numbers(100, 4)))
    assert len(driver.open) == 4
    await driver.answer_all()
    assert await asking == [[(n,)] for n in range(100, 104)]


async def test_a_value_that_cannot_be_sent_fails_its_call_and_no_other(cql, driver):
    with pytest.raises(IndexError):
        await cql.each([(TEXT, ())])
    asking = await begun(cql.ask(TEXT, (7,)))
    await driver.answer_all()
    assert await asking == [(7,)]


def test_rows_with_long_texts_are_few_in_a_batch_and_short_ones_a_hundred():
    long = [("home", n, "x" * 100_000) for n in range(5)]
    assert [len(rows) for _, rows in in_partitions(TEXT, 1, long, heavy=2)] == [2, 2, 1]
    short = [("home", n, "x") for n in range(250)]
    assert [len(rows) for _, rows in in_partitions(TEXT, 1, short, heavy=2)] == [100, 100, 50]
    assert [rows for _, rows in in_partitions(TEXT, 1, [("a", 1), ("b", 2), ("a", 3)])] == [
        [("a", 1), ("a", 3)], [("b", 2)],
    ]  # fmt: skip
