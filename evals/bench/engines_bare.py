"""The bare side: the same records by the drivers alone, into the same tables, in the same batches."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis

from evals.bench.engines_bare_cassandra import BareCassandra
from evals.bench.engines_heard import EPOCH, Heard, heard
from evals.bench.engines_ours import Taken
from evals.bench.engines_place import Place, cassandra
from homeguard.model import Anomaly
from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.server import Script, script
from homeguard.stores.scylla import anomalies, days, event_rows, events
from homeguard.stores.timescale.readings import _ADD_RANGES, _APPEND
from pipeline.processor import BATCH
from pipeline.topics import RECORD, TOPICS_OF

#: What stands before the bare side's keys in Redis.
SPACE: Final = "bare"

_MICROSECOND: Final = timedelta(microseconds=1)
_ENCODE: Final = msgspec.json.Encoder().encode
#: Words of the payload -> the metric and its unit.
_METRICS: Final = (("humidity", "humidity_pct", ""), ("temperature", "temperature_c", "°C"))


class BareReadings:
    """asyncpg with our statement."""

    def __init__(self, connection: Any, uuid: Any) -> None:
        self._connection = connection
        self._uuid = uuid

    async def append(self, told: Sequence[Heard]) -> None:
        rows = [
            (self._uuid(h.envelope.home_id, h.envelope.device_id), metric, h.moment, h.envelope, unit, value)
            for h in told
            for word, metric, unit in _METRICS
            if (value := h.said.metrics.get(word)) is not None
        ]
        if not rows:
            return
        rows.sort(key=lambda row: (row[0], row[1], row[2], row[3].event_id))
        series = sorted({row[:2]: row for row in rows}.items())
        await self.send(
            [r[2] for r in rows], [r[0] for r in rows], [r[3].home_id for r in rows], [r[1] for r in rows],
            [float(r[5]) for r in rows], [r[4] for r in rows], [r[3].event_id for r in rows],
            [r[3].metadata.is_simulated for r in rows], datetime.now(UTC),
            [d for (d, _), _ in series], [m for (_, m), _ in series], [r[3].home_id for _, r in series],
            [r[3].device_id for _, r in series], [r[4] for _, r in series],
        )  # fmt: skip

    async def send(self, *columns: object) -> None:
        try:
            await self._connection.fetchval(_APPEND, *columns, timeout=60)
        except asyncpg.CheckViolationError:
            while not await self._connection.fetchval(_ADD_RANGES, columns[0], columns[8]):
                pass
            await self._connection.fetchval(_APPEND, *columns, timeout=60)


class BareLive:
    """The driver's pipeline with our script."""

    def __init__(self, redis: Any, wanted: Script, uuid: Any) -> None:
        self._redis = redis
        self._script = wanted
        self._uuid = uuid
        self._keys: dict[tuple[str, str], tuple[str, ...]] = {}
        self._names = Keys(SPACE)

    def keys(self, home_id: str, device_id: str) -> tuple[str, ...]:
        found = self._keys.get((home_id, device_id))
        if found is None:
            names, uuid = self._names, str(self._uuid(home_id, device_id))
            found = self._keys[home_id, device_id] = (
                names.state(uuid), names.points(uuid), names.online(uuid), names.devices(home_id), names.seen,
            )  # fmt: skip
        return found

    async def apply(self, told: Sequence[Heard]) -> None:
        devices: dict[tuple[str, str], list[Any]] = {}
        for h in told:
            if h.said.metrics:
                words = {metric: _ENCODE(h.said.metrics[word]).decode() for word, metric, _ in _METRICS}
            else:
                words = {"motion": "true", "occupancy": "true", "intensity": _ENCODE(h.said.intensity).decode()}
            devices.setdefault((h.envelope.home_id, h.envelope.device_id), []).append(
                ((h.moment - EPOCH) // _MICROSECOND, h.offset, 1, words)
            )
        now = (datetime.now(UTC) - EPOCH) // _MICROSECOND
        pipeline = self._redis.pipeline(transaction=False)
        for key, changes in devices.items():
            pipeline.execute_command("EVALSHA", self._script.sha, 5, *self.keys(*key), *key, now, _ENCODE(changes))
        await pipeline.execute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    """All of the bare side, connected."""

    cassandra: BareCassandra
    readings: BareReadings
    live: BareLive


@asynccontextmanager
async def drivers(place: Place, ground: str) -> AsyncIterator[Drivers]:
    async with AsyncExitStack() as stack:
        cluster, session = await asyncio.to_thread(cassandra, place, place.keyspace("bare"))
        stack.push_async_callback(asyncio.to_thread, cluster.shutdown)
        bare = BareCassandra(session)
        texts = (*event_rows.STATEMENTS, *events.STATEMENTS, *days.STATEMENTS, *anomalies.STATEMENTS)
        await asyncio.to_thread(bare.prepare, *texts)
        connection = await asyncpg.connect(place.readings_url(ground, "bare"), timeout=10)
        stack.push_async_callback(connection.close)
        redis = Redis.from_url(place.redis_url, protocol=2)
        stack.push_async_callback(redis.aclose)
        wanted = script("device", "apply")
        await redis.script_load(wanted.text)
        yield Drivers(
            cassandra=bare, readings=BareReadings(connection, bare.uuid), live=BareLive(redis, wanted, bare.uuid)
        )


async def run(place: Place, ground: str, n: int, strange: Mapping[str, Sequence[Anomaly]], limit_s: float) -> Taken:
    """Record the next `n` records of a group of its own; what is strange in them it is told."""
    taken = Taken()
    async with drivers(place, ground) as to, consumer(place, "bare") as reader, asyncio.timeout(limit_s):
        left = n
        while left > 0:
            found = await reader.getmany(timeout_ms=250, max_records=BATCH)
            messages = [message for some in found.values() for message in some]
            if not messages:
                continue
            if left == n:
                taken.begin()
            told = heard(messages)
            anomalies_of = [a for h in told for a in strange.get(h.envelope.event_id, ())]
            await asyncio.gather(
                to.cassandra.append_events(told), to.readings.append(told),
                to.cassandra.append_anomalies(anomalies_of), to.live.apply(told),
            )  # fmt: skip
            await reader.commit({partition: some[-1].offset + 1 for partition, some in found.items()})
            left -= len(messages)
        taken.end()
    return taken


@asynccontextmanager
async def consumer(place: Place, group: str) -> AsyncIterator[Any]:
    """The driver's consumer of all that the group `record` reads."""
    reader = AIOKafkaConsumer(
        *(place.prefix + topic for topic in TOPICS_OF[RECORD]), bootstrap_servers=place.brokers,
        group_id=f"{place.prefix}{group}", enable_auto_commit=False, auto_offset_reset="earliest",
        fetch_max_wait_ms=250,
    )  # fmt: skip
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()
