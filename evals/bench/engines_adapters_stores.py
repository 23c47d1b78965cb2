"""The stores on Cassandra, PostgreSQL, Redis and MongoDB beside the bare drivers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, timedelta
from functools import partial
from itertools import count
from typing import Any, Final
from zlib import crc32

import asyncpg
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from evals.bench import engines_bare
from evals.bench.engines_adapters import Pair
from evals.bench.engines_bare_cassandra import BUCKETS
from evals.bench.engines_heard import Heard, heard
from evals.bench.engines_place import Place
from evals.bench.engines_records import DEVICES, device, events, homes
from homeguard.clock import SystemClock
from homeguard.ids import device_uuid
from homeguard.model import Device, Event, Notice, Reading
from homeguard.ports.live_state import StateChange
from homeguard.stores.guarded.engine import guard
from homeguard.stores.guarded.live_state import GuardedLive
from homeguard.stores.mongo.documents import key as document_key
from homeguard.stores.mongo.open import open_mongo
from homeguard.stores.postgres import outbox
from homeguard.stores.postgres.columns import by_column
from homeguard.stores.postgres.open import open_postgres
from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.open import open_redis
from homeguard.stores.scylla import events as cql
from homeguard.stores.scylla.columns import DAY_MS, date_cell, milliseconds
from homeguard.stores.scylla.open import open_scylla
from homeguard.stores.timescale import readings as sql
from homeguard.stores.timescale.open import open_timescale
from pipeline.envelope import encode
from pipeline.handlers.observed import attributes_said, readings_of
from pipeline.processor import BATCH

_HOUR: Final = timedelta(hours=1)
_SHOWN: Final = ("state", "stamps", "available", "seen")
#: Numbers in the names of rows that are new in each round.
_round = count()


@asynccontextmanager
async def cassandra(place: Place) -> AsyncIterator[Sequence[Pair]]:
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(
            open_scylla(place.services["SCYLLA_HOSTS"], SystemClock(), keyspace=place.keyspace("ours"))
        )
        bare = (await stack.enter_async_context(engines_bare.drivers(place, "plain"))).cassandra
        told = events("asked", 2_000)
        await ours.events.append(told)
        await bare.append_events(_heard(told))
        low, high = told[0].at - _HOUR, told[-1].at + _HOUR

        async def newest(home: str) -> None:
            assert len((await ours.events.query(home, start=low, end=high, limit=100)).items) == 100

        async def newest_bare(home: str) -> None:
            first, last = milliseconds(low), milliseconds(high)
            days = range(last // DAY_MS, first // DAY_MS - 1, -1)
            asks = [(home, date_cell(day), first, last, 101) for day in days]
            assert sum(map(len, await bare.all(bare.asks(cql._IN_HOME + cql._SPAN, asks)))) >= 101

        async def one(event: Event) -> None:
            assert await ours.events.get(event.home_id, event.event_id) is not None

        async def one_bare(event: Event) -> None:
            bucket = crc32(event.event_id.encode()) % BUCKETS
            ((at,),) = (await bare.all(bare.asks(cql._TIME, [(event.home_id, bucket, event.event_id)])))[0]
            ms = milliseconds(at.replace(tzinfo=UTC))
            key = (event.home_id, date_cell(ms // DAY_MS), ms, event.event_id)
            assert (await bare.all(bare.asks(cql._ONE, [key])))[0]

        yield [
            Pair(name="Cassandra: append, 500 events a call", items=_new_events, ours=ours.events.append,
                 bare=bare.append_events, size=len),
            Pair(name="Cassandra: a home's newest 100", items=_same(homes("asked") * 25), ours=newest,
                 bare=newest_bare),
            Pair(name="Cassandra: an event by its id", items=_same(told[:400]), ours=one, bare=one_bare),
        ]  # fmt: skip


@asynccontextmanager
async def readings(place: Place) -> AsyncIterator[Sequence[Pair]]:
    async with AsyncExitStack() as stack:
        pairs: list[Pair] = []
        for ground in place.grounds:
            ours = await stack.enter_async_context(open_timescale(place.readings_url(ground, "ours"), SystemClock()))
            pool = await asyncpg.create_pool(place.readings_url(ground, "bare"), min_size=1, max_size=8)
            stack.push_async_callback(pool.close)
            bare = engines_bare.BareReadings(pool, device_uuid)
            told = events("asked", 40_000)
            numbers = [reading for event in told for reading in readings_of(event)]
            await ours.readings.append(numbers)
            await bare.append(_heard(told))
            pairs += _of_readings(ground, ours.readings, bare, pool, numbers)
        yield pairs


def _of_readings(ground: str, ours: Any, bare: Any, pool: Any, numbers: Sequence[Reading]) -> list[Pair]:
    span = {"start": numbers[0].at - _HOUR, "end": numbers[-1].at + _HOUR}
    series = list(dict.fromkeys((r.home_id, r.device_id, r.metric) for r in numbers))

    async def raw(key: tuple[str, str, str]) -> None:
        assert len(await ours.raw(*key, **span, limit=200)) == 200

    async def raw_bare(key: tuple[str, str, str]) -> None:
        home, thing, metric = key
        assert len(await pool.fetch(sql._RAW, device_uuid(home, thing), metric, *span.values(), 200)) == 200

    async def hours(key: tuple[str, str, str]) -> None:
        assert await ours.windows(*key, **span, every=_HOUR)

    async def hours_bare(key: tuple[str, str, str]) -> None:
        home, thing, metric = key
        assert await pool.fetch(sql._BY_HOUR, device_uuid(home, thing), metric, _HOUR, *span.values())

    def fresh() -> tuple[list[Any], list[Any]]:
        told = events(f"new-{next(_round)}", 10_000)
        parts = [told[first : first + BATCH] for first in range(0, len(told), BATCH)]
        return [[r for e in part for r in readings_of(e)] for part in parts], [_heard(part) for part in parts]

    return [
        Pair(name=f"PostgreSQL ({ground}): append, readings of 500 events", items=fresh, ours=ours.append,
             bare=bare.append, size=len),
        Pair(name=f"PostgreSQL ({ground}): 200 readings of a series", items=_same(series * 4), ours=raw,
             bare=raw_bare),
        Pair(name=f"PostgreSQL ({ground}): hours of a series", items=_same(series * 4), ours=hours, bare=hours_bare),
    ]  # fmt: skip


@asynccontextmanager
async def redis(place: Place) -> AsyncIterator[Sequence[Pair]]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(guard("Redis", lambda: open_redis(place.redis_url, clock), clock))
        ours, guarded = (
            (await stack.enter_async_context(open_redis(place.redis_url, clock))).live,
            GuardedLive(engine, clock),
        )
        bare = (await stack.enter_async_context(engines_bare.drivers(place, "plain"))).live
        server = await stack.enter_async_context(Redis.from_url(place.redis_url, protocol=2))
        told = events("live", 1_000)
        await ours.apply(_changes(told))
        await bare.apply(_heard(told))
        names = Keys(engines_bare.SPACE)
        asked = [(home, device(number)) for home in homes("live") for number in range(DEVICES)] * 5

        async def get(key: tuple[str, str]) -> None:
            assert await ours.get(*key) is not None

        async def get_guarded(key: tuple[str, str]) -> None:
            assert await guarded.get(*key) is not None

        async def get_bare(key: tuple[str, str]) -> None:
            assert (await server.hmget(names.state(names.uuid(*key)), *_SHOWN))[0]

        async def whole(home: str) -> None:
            assert len(await ours.all(home)) == DEVICES

        async def whole_guarded(home: str) -> None:
            assert len(await guarded.all(home)) == DEVICES

        async def whole_bare(home: str) -> None:
            ids: Any = await server.smembers(names.devices(home))
            pipeline = server.pipeline(transaction=False)
            for id_ in ids:
                pipeline.hmget(names.state(names.uuid(home, id_.decode())), *_SHOWN)
            assert len(await pipeline.execute()) == DEVICES

        def fresh() -> tuple[list[Any], list[Any]]:
            said = [events("live", BATCH) for _ in range(10)]
            return [_changes(some) for some in said], [_heard(some) for some in said]

        yield [
            Pair(name="Redis: apply, 500 events a call", items=fresh, ours=ours.apply, bare=bare.apply, size=len),
            Pair(name="Redis: state of one device", items=_same(asked), ours=get, bare=get_bare),
            Pair(name="Redis: state of one device, guarded", items=_same(asked), ours=get_guarded, bare=get_bare),
            Pair(name="Redis: states of a home of 50", items=_same(homes("live") * 50), ours=whole, bare=whole_bare),
            Pair(name="Redis: states of a home of 50, guarded", items=_same(homes("live") * 50), ours=whole_guarded,
                 bare=whole_bare),
        ]  # fmt: skip


@asynccontextmanager
async def postgres(place: Place) -> AsyncIterator[Sequence[Pair]]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        ours = (await stack.enter_async_context(open_postgres(place.postgres_url, clock))).outbox
        pool = await asyncpg.create_pool(place.postgres_url, min_size=1, max_size=8)
        stack.push_async_callback(pool.close)
        notices = [_notice(f"asked-{n}") for n in range(200)]
        await ours.put(notices)
        span = (notices[0].at - _HOUR, notices[0].at + _HOUR)

        async def query(home: str) -> None:
            assert len(await ours.query(home, start=span[0], end=span[1])) == 100

        async def query_bare(home: str) -> None:
            assert len(await pool.fetch(outbox._QUERY, home, *span, 100)) == 100

        async def put_bare(some: Sequence[Notice]) -> None:
            assert await pool.fetch(outbox._PUT, *by_column([outbox._row(notice) for notice in some]))

        def fresh() -> tuple[list[Any], list[Any]]:
            name = next(_round)
            return [[_notice(f"o{name}-{n}")] for n in range(200)], [[_notice(f"b{name}-{n}")] for n in range(200)]

        yield [
            Pair(name="PostgreSQL: a message into the outbox", items=fresh, ours=ours.put, bare=put_bare),
            Pair(name="PostgreSQL: 100 messages", items=_same([notices[0].home_id] * 200), ours=query,
                 bare=query_bare),
        ]  # fmt: skip


@asynccontextmanager
async def mongo(place: Place) -> AsyncIterator[Sequence[Pair]]:
    async with AsyncExitStack() as stack:
        ours = (await stack.enter_async_context(open_mongo(place.mongo_url, SystemClock()))).devices
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(place.mongo_url)
        stack.push_async_callback(client.close)
        stack.push_async_callback(client.drop_database, place.name)
        table = client[place.name]["devices"]
        await ours.put([_device(home, number) for home in homes("asked") for number in range(DEVICES)])
        keys = [(home, device(number)) for home in homes("asked") for number in range(DEVICES)] * 2

        async def get(key: tuple[str, str]) -> None:
            assert await ours.get(*key) is not None

        async def get_bare(key: tuple[str, str]) -> None:
            assert await table.find_one({"_id": document_key(*key)}) is not None

        async def whole(home: str) -> None:
            assert len(await ours.of_home(home)) == DEVICES

        async def whole_bare(home: str) -> None:
            assert len(await table.find({"user_id": home}).to_list()) == DEVICES

        yield [
            Pair(name="MongoDB: a device", items=_same(keys), ours=get, bare=get_bare),
            Pair(name="MongoDB: the 50 devices of a home", items=_same(homes("asked") * 25), ours=whole,
                 bare=whole_bare),
        ]  # fmt: skip


def _same(items: Sequence[Any]) -> Any:
    return partial(_twice, items)


def _twice(items: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    return items, items


def _new_events() -> tuple[list[Any], list[Any]]:
    told = events(f"new-{next(_round)}", 4_000)
    parts = [told[first : first + BATCH] for first in range(0, len(told), BATCH)]
    return parts, [_heard(part) for part in parts]


class _Message:
    """As the driver's consumer gives it."""

    __slots__ = ("headers", "offset", "value")

    def __init__(self, event: Event, offset: int) -> None:
        record = encode(event)
        self.value, self.offset = record.value, offset
        self.headers = [(name, value.encode()) for name, value in record.headers.items()]


def _heard(told: Sequence[Event]) -> list[Heard]:
    return heard(_Message(event, offset) for offset, event in enumerate(told))


def _changes(told: Sequence[Event]) -> list[StateChange]:
    return [
        StateChange(
            home_id=e.home_id, device_id=e.device_id, at=e.at, sequence=offset, attributes=attributes_said(e),
            available=True,
        )
        for offset, e in enumerate(told)
    ]  # fmt: skip


def _notice(name: str) -> Notice:
    return Notice(
        id=name, home_id="asked", at=SystemClock().now(), channel="in_app", recipient="somebody", priority="normal",
        title="Motion", text="Somebody is in the living room", cause="cause",
    )  # fmt: skip


def _device(home: str, number: int) -> Device:
    return Device(
        home_id=home, id=device(number), name=f"Sensor {number}", type="motion", capabilities=("motion", "climate"),
        area="living_room", aliases=("eye",), config={"range": [0, 100]}, binding={"driver": "simulated"},
    )  # fmt: skip
