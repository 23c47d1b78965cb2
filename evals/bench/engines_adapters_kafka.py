"""The log in Kafka beside the bare driver."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from evals.bench.engines_adapters import CALLERS, Pair
from evals.bench.engines_bare import consumer
from evals.bench.engines_place import Place
from evals.bench.engines_records import events
from homeguard.clock import SystemClock
from homeguard.ports.log import EVENTS, Log, NewRecord
from homeguard.stores.kafka.open import open_kafka
from pipeline.envelope import encode
from pipeline.processor import BATCH
from pipeline.topics import RECORD, TOPICS_OF

_RECORDS, _A_CALL = 16_000, 100
_GROUP: Final = "read"


@asynccontextmanager
async def kafka(place: Place) -> AsyncIterator[Sequence[Pair]]:
    """Both write to the same topics and read all of them in groups of their own."""
    records = [encode(event) for event in events("kafka", _RECORDS)]
    batches = [records[first : first + _A_CALL] for first in range(0, _RECORDS, _A_CALL)]
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(
            open_kafka(place.brokers, SystemClock(), instance="bench-ours", prefix=place.prefix)
        )
        producer = AIOKafkaProducer(
            bootstrap_servers=place.brokers, enable_idempotence=True, acks="all", max_batch_size=128 * 1024
        )
        await producer.start()
        stack.push_async_callback(producer.stop)
        reader = await stack.enter_async_context(consumer(place, "bare-read"))
        bare = _Bare(producer, reader, place.prefix + EVENTS)
        await _to_the_end(ours.log, reader)
        yield [
            Pair(
                name="Kafka: append, 100 records a call", items=lambda: (batches, batches), ours=ours.log.append,
                bare=bare.append, callers=CALLERS, size=len,
            ),
            Pair(
                name="Kafka: append, bare one by one", items=lambda: (batches, batches), ours=ours.log.append,
                bare=bare.append_each, callers=CALLERS, size=len,
            ),
            Pair(
                name="Kafka: read and commit, 500 a time", items=lambda: ([_RECORDS], [_RECORDS]),
                ours=lambda n: _read(ours.log, n), bare=bare.read, size=lambda n: n,
            ),
        ]  # fmt: skip


class _Bare:
    def __init__(self, producer: Any, reader: Any, topic: str) -> None:
        self._producer = producer
        self._reader = reader
        self._topic = topic
        self._partition = DefaultPartitioner()
        self._locks: dict[int, asyncio.Lock] = {}

    async def append(self, records: Sequence[NewRecord]) -> None:
        """The driver's own batches: the best that it can do."""
        numbers = sorted(await self._producer.partitions_for(self._topic))
        builders: dict[int, Any] = {}
        at = time.time_ns() // 1_000_000
        for record in records:
            key = record.key.encode()
            number = self._partition(key, numbers, ())
            builder = builders.get(number)
            if builder is None:
                builder = builders[number] = self._producer.create_batch()
            builder.append(timestamp=at, key=key, value=record.value, headers=_headers(record))
        await asyncio.gather(*[self._send(number, builder) for number, builder in builders.items()])

    async def _send(self, number: int, builder: Any) -> None:
        # One at a time: of several that wait for one partition the driver's clock runs ahead.
        async with self._locks.setdefault(number, asyncio.Lock()):
            sent = await self._producer.send_batch(builder, self._topic, partition=number)
        await sent

    async def append_each(self, records: Sequence[NewRecord]) -> None:
        """As most programs use it."""
        await asyncio.gather(
            *[await self._producer.send(self._topic, r.value, key=r.key.encode(), headers=_headers(r)) for r in records]
        )

    async def read(self, n: int) -> None:
        while n > 0:
            found = await self._reader.getmany(timeout_ms=250, max_records=BATCH)
            if found:
                await self._reader.commit({p: some[-1].offset + 1 for p, some in found.items()})
            n -= sum(map(len, found.values()))


def _headers(record: NewRecord) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in record.headers.items()]


async def _read(log: Log, n: int) -> None:
    while n > 0:
        records = await log.read(_GROUP, TOPICS_OF[RECORD], limit=BATCH, wait_s=0.25)
        await log.commit(_GROUP, records)
        n -= len(records)


async def _to_the_end(log: Log, reader: Any) -> None:
    """What other rounds left is not read here."""
    await log.read(_GROUP, TOPICS_OF[RECORD], limit=1, wait_s=0.25)
    while await log.lag(_GROUP):
        await log.commit(_GROUP, await log.read(_GROUP, TOPICS_OF[RECORD], limit=10_000, wait_s=0.25))
    await reader.seek_to_end()
    await reader.commit({p: await reader.position(p) for p in reader.assignment()})
