"""What just happened is told here at once, and to and from other processes while the engine carries it."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from homeguard.errors import StoreUnavailable
from homeguard.ports.live_state import Live
from homeguard.stores.guarded import feed as feed_module
from homeguard.stores.guarded.engine import guard
from homeguard.stores.guarded.feed import bridge
from homeguard.stores.sqlite.feed import MemoryFeed


class Bus:
    """A server between processes: what one of them publishes reaches the others."""

    def __init__(self) -> None:
        self.feed = MemoryFeed()
        self.is_up = True
        self.seats: list[Seat] = []


class Seat:
    """One process's connection to the bus."""

    name, version = "Bus", "1"

    def __init__(self, bus: Bus, number: int) -> None:
        self.bus, self.number, self.engine, self.feed = bus, number, self, self
        self.published: list[list[Live]] = []

    async def ping(self) -> None:
        if not self.bus.is_up:
            raise StoreUnavailable("connection refused")

    async def publish(self, items) -> None:
        await self.ping()
        self.published.append(list(items))
        await self.bus.feed.publish([Live(home_id=str(self.number), kind="", data={"item": item}) for item in items])

    @asynccontextmanager
    async def subscribe_foreign(self, limit):
        await self.ping()
        async with self.bus.feed.subscribe("*", limit=limit) as items:

            async def foreign():
                async for item in items:
                    await self.ping()
                    if item.home_id != str(self.number):
                        yield item.data["item"]

            yield foreign()


def item(number: int, home_id: str = "h1") -> Live:
    return Live(home_id=home_id, kind="device_event", data={"n": number})


@pytest.fixture
async def processes(clock):
    """Two bridged feeds on one bus, and the bus."""
    bus = Bus()
    async with AsyncExitStack() as stack:
        made = []
        for number in (1, 2):
            seat = Seat(bus, number)
            bus.seats.append(seat)

            @asynccontextmanager
            async def opener(seat=seat):
                yield seat

            engine = await stack.enter_async_context(guard("The bus", opener, clock))
            made.append(await stack.enter_async_context(bridge(MemoryFeed(), engine, clock)))
        await clock.advance(0)
        yield *made, bus


async def until(clock, is_true) -> None:
    for _ in range(200):
        if is_true():
            return
        await clock.advance(0.5)
    raise AssertionError("it never held")


@asynccontextmanager
async def listening(feed, home_id="h1"):
    heard: list[Live] = []

    async def listen(items):
        async for found in items:
            heard.append(found)  # noqa: PERF401 - they are read while it goes on

    async with feed.subscribe(home_id) as items:
        task = asyncio.ensure_future(listen(items))
        try:
            yield heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_each_process_hears_everything_once_in_order(processes, clock):
    one, two, _ = processes
    async with listening(one) as here, listening(two) as there:
        for number in range(10):
            await one.publish([item(number), item(number, "h2")])
        await until(clock, lambda: len(there) == 10)
        await two.publish([item(10)])
        await until(clock, lambda: len(here) == 11)
        await clock.advance(5)
    assert here == there == [item(number) for number in range(11)]
    assert (one.dropped, two.dropped) == (0, 0)


async def test_what_came_from_another_process_is_not_sent_back(processes, clock):
    one, two, bus = processes
    async with listening(two) as there:
        await one.publish([item(1)])
        await until(clock, lambda: there)
        await clock.advance(5)
    assert bus.seats[1].published == []


async def test_while_the_engine_is_away_people_here_still_hear_and_the_rest_is_counted(processes, clock):
    one, two, bus = processes
    bus.is_up = False
    async with listening(one) as here, listening(two) as there:
        for number in range(5):
            await one.publish([item(number)])
            await clock.advance(0)
        await until(clock, lambda: one.dropped == 5)
        assert here == [item(number) for number in range(5)]
        bus.is_up = True
        await clock.advance(30)
        await one.publish([item(9)])
        await until(clock, lambda: there)
    assert there == [item(9)]


async def test_a_burst_over_the_bound_drops_the_oldest(processes, clock):
    one, _, bus = processes
    await one.publish([item(number) for number in range(feed_module.WAITING + 7)])
    await until(clock, lambda: sum(map(len, bus.seats[0].published)) == feed_module.WAITING)
    assert one.dropped == 7
    assert bus.seats[0].published[0][0] == item(7)
