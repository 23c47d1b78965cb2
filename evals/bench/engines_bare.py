"""The bare side: the same records by the drivers alone, into the same tables, in the same batches."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4
from zlib import crc32

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer
from cassandra import ConsistencyLevel
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType
from redis.asyncio import Redis

from evals.bench.engines_ours import Taken
from evals.bench.engines_place import Place, cassandra
from homeguard.ids import device_uuid
from homeguard.model import Anomaly
from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.server import Script, script
from homeguard.stores.scylla import anomalies, days, event_rows, events
from homeguard.stores.timescale.readings import _ADD_RANGES, _APPEND
from pipeline.processor import BATCH
from pipeline.topics import RECORD, TOPICS_OF

#: Rows of a batch, ids of a question, buckets of a home's ids: as our store has them.
ROWS, IDS, BUCKETS = 100, 100, 8
SPACE: Final = "bare"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND, _MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)
_DAY_MS, _DATE_OFFSET = 86_400_000, 2**31
_BY_DEVICE, _BY_USER, _BY_TYPE, _, _PUT_ID = event_rows.STATEMENTS
_STORED: Final = events.STATEMENTS[0]
_PUT_DAY: Final = days.STATEMENTS[0]
_STORED_ANOMALY, _PUT_ANOMALY_ID, _PUT_ANOMALY, _PUT_ANOMALY_BY_DEVICE = anomalies.STATEMENTS[:4]

Values = tuple[Any, ...]


class _Said(msgspec.Struct):
    firmware_version: str | None = None
    signal_strength: int | None = None
    is_simulated: bool = False


class _Envelope(msgspec.Struct):
    event_id: str
    home_id: str
    device_id: str
    user_id: str
    event_type: str
    timestamp: str
    payload: msgspec.Raw
    metadata: _Said


class _Payload(msgspec.Struct):
    metrics: dict[str, float] = {}
    intensity: float = 0.0


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_PAYLOAD: Final = msgspec.json.Decoder(_Payload)
_ENCODE: Final = msgspec.json.Encoder().encode
#: Words of the payload -> the metric and its unit.
_METRICS: Final = (("humidity", "humidity_pct", ""), ("temperature", "temperature_c", "°C"))


@dataclass(slots=True)
class Heard:
    """A record, taken apart as far as the rows need it; `at` is in milliseconds."""

    envelope: _Envelope
    said: _Payload
    headers: Mapping[str, str]
    moment: datetime
    at: int
    received_at: int
    offset: int


def heard(messages: Iterable[Any]) -> list[Heard]:
    found = []
    for message in messages:
        envelope = _ENVELOPE.decode(message.value)
        headers = {name: value.decode() for name, value in message.headers}
        moment = datetime.fromisoformat(envelope.timestamp)
        received = datetime.fromisoformat(headers["received_at"])
        found.append(
            Heard(
                envelope, _PAYLOAD.decode(envelope.payload), headers, moment, (moment - _EPOCH) // _MILLISECOND,
                (received - _EPOCH) // _MILLISECOND, message.offset,
            )
        )  # fmt: skip
    return found


class BareCassandra:
    """Requests all at once; one wake-up of the loop when the last is answered."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._prepared: dict[str, Any] = {}
        self._uuids: dict[tuple[str, str], UUID] = {}

    def prepare(self, *texts: str) -> None:
        for text in texts:
            self._prepared[text] = self._session.prepare(text)

    def uuid(self, home_id: str, device_id: str) -> UUID:
        key = (home_id, device_id)
        found = self._uuids.get(key)
        if found is None:
            found = self._uuids[key] = device_uuid(*key)
        return found

    async def all(self, statements: Sequence[Any]) -> list[Any]:
        if not statements:
            return []
        done: asyncio.Future[None] = self._loop.create_future()
        answers: list[Any] = [None] * len(statements)
        finished: list[int] = []

        def arrive(rows: Any, number: int) -> None:
            answers[number] = rows
            finished.append(number)
            if len(finished) == len(answers):
                self._loop.call_soon_threadsafe(_finish, done)

        for number, statement in enumerate(statements):
            self._session.execute_async(statement).add_callbacks(
                arrive, arrive, callback_args=(number,), errback_args=(number,)
            )
        await done
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def asks(self, text: str, asks: Iterable[Values]) -> list[Any]:
        return [self._prepared[text].bind(values) for values in asks]

    def writes(self, text: str, width: int, rows: Iterable[Values]) -> list[Any]:
        """Batches of rows whose first `width` values are the same."""
        partitions: dict[Values, list[Values]] = {}
        for row in rows:
            partitions.setdefault(row[:width], []).append(row)
        prepared, statements = self._prepared[text], []
        for inside in partitions.values():
            for first in range(0, len(inside), ROWS):
                part = inside[first : first + ROWS]
                if len(part) == 1:
                    statements.append(prepared.bind(part[0]))
                    continue
                batch = BatchStatement(BatchType.UNLOGGED, consistency_level=ConsistencyLevel.LOCAL_QUORUM)
                for row in part:
                    batch.add(prepared, row)
                statements.append(batch)
        return statements

    async def stored(self, text: str, ids: Iterable[tuple[str, str]]) -> set[str]:
        """Which of (home, id) are stored."""
        partitions: dict[tuple[str, int], list[str]] = {}
        for home_id, id_ in ids:
            partitions.setdefault((home_id, crc32(id_.encode()) % BUCKETS), []).append(id_)
        asks = [(*key, some[n : n + IDS]) for key, some in partitions.items() for n in range(0, len(some), IDS)]
        return {id_ for rows in await self.all(self.asks(text, asks)) for (id_,) in rows or ()}

    async def append_events(self, told: Sequence[Heard]) -> None:
        known = await self.stored(_STORED, ((h.envelope.home_id, h.envelope.event_id) for h in told))
        by_device, by_user, by_type, ids = [], [], [], []
        strands: dict[tuple[str, str, str, int], None] = {}
        for h in told:
            e, said = h.envelope, h.envelope.metadata
            if e.event_id in known:
                continue
            home, kind, device, at = e.home_id, e.event_type, self.uuid(e.home_id, e.device_id), h.at
            number = at // _DAY_MS
            day = number + _DATE_OFFSET
            rest = (
                e.device_id, e.user_id or UNSET_VALUE, h.received_at, bytes(e.payload).decode(), said.firmware_version,
                said.signal_strength, said.is_simulated, h.headers["source"], h.headers["trust"], h.headers["lane"],
                UNSET_VALUE, UNSET_VALUE,
            )  # fmt: skip
            by_user.append((home, day, at, e.event_id, kind, device, *rest))
            by_type.append((home, kind, day, at, e.event_id, device, *rest))
            by_device.append((device, day, at, e.event_id, kind, home, *rest))
            ids.append((home, crc32(e.event_id.encode()) % BUCKETS, e.event_id, at))
            for scope, name in (("home", ""), ("type", kind), ("device", e.device_id)):
                strands[home, scope, name, number] = None
            strands[home, "device_type", f"{e.device_id}\x1f{kind}", number] = None
        await self.all(
            [
                *self.writes(_BY_DEVICE, 2, by_device), *self.writes(_BY_USER, 2, by_user),
                *self.writes(_BY_TYPE, 3, by_type), *self._days(strands),
            ]
        )  # fmt: skip
        await self.all(self.writes(_PUT_ID, 2, ids))

    async def append_anomalies(self, found: Sequence[Anomaly]) -> None:
        if not found:
            return
        await self.stored(_STORED_ANOMALY, ((a.home_id, a.id) for a in found))
        in_home, of_device, ids = [], [], []
        strands: dict[tuple[str, str, str, int], None] = {}
        for a in found:
            at = (a.at - _EPOCH) // _MILLISECOND
            number = at // _DAY_MS
            rest = (
                a.device_id, a.kind, a.score, a.severity, a.explanation, a.event_id, a.metric, a.value, a.expected_low,
                a.expected_high,
            )  # fmt: skip
            in_home.append((a.home_id, number + _DATE_OFFSET, at, a.id, *rest))
            of_device.append((self.uuid(a.home_id, a.device_id), number + _DATE_OFFSET, at, a.id, a.home_id, *rest))
            ids.append((a.home_id, crc32(a.id.encode()) % BUCKETS, a.id, at))
            strands[a.home_id, "anomaly", "", number] = None
            strands[a.home_id, "anomaly_device", a.device_id, number] = None
        await self.all([*self.writes(_PUT_ANOMALY, 2, in_home), *self.writes(_PUT_ANOMALY_BY_DEVICE, 2, of_device)])
        await self.all(self._days(strands))
        await self.all(self.writes(_PUT_ANOMALY_ID, 2, ids))

    def _days(self, strands: Iterable[tuple[str, str, str, int]]) -> list[Any]:
        change = uuid4()
        rows = ((home, scope, name, number + _DATE_OFFSET, change) for home, scope, name, number in strands)
        return self.writes(_PUT_DAY, 1, rows)


def _finish(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)


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
                ((h.moment - _EPOCH) // _MICROSECOND, h.offset, 1, words)
            )
        now = (datetime.now(UTC) - _EPOCH) // _MICROSECOND
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
