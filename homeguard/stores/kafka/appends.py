"""The way into Kafka: records go by partition, in the order of the calls, many in one batch."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner

from homeguard.clock import Clock
from homeguard.errors import HomeGuardError, InvalidInput, Overloaded, PayloadTooLarge, StoreUnavailable
from homeguard.ports.log import NewRecord
from homeguard.stores.kafka.failures import LIMIT_S, answering, unavailable
from homeguard.stores.kafka.topics import Topic

#: What may be on its way to the brokers.
WAITING_BYTES: Final = 32 * 1024 * 1024
BATCH_BYTES: Final = 128 * 1024

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

#: Bytes that a record takes in a batch beside what is in it, at most.
_FRAME: Final = 64
_HEADER_FRAME: Final = 10
_BATCH_FRAME: Final = 61
_KNOWN_KEYS: Final = 50_000
_PAUSE_S: Final = 0.2

#: Key, value, headers, as the driver wants them.
_Entry = tuple[bytes, bytes, list[tuple[str, bytes]]]


@dataclass(slots=True, eq=False)
class _Append:
    """One call: `at` in milliseconds; `open` counts the records that are not acknowledged."""

    at: int
    open: int
    done: "asyncio.Future[None]"


@dataclass(slots=True, eq=False)
class _Share:
    """What of one call goes to one partition; `taken` of its entries are in batches already."""

    append: _Append
    entries: list[_Entry] = field(default_factory=list)
    size: int = 0
    taken: int = 0


@dataclass(slots=True, eq=False)
class _Batch:
    """Some records on the wire: how many of which call, and their bytes."""

    parts: list[tuple[_Append, int]] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True, eq=False)
class _Lane:
    """The way to one partition."""

    topic: str
    partition: int
    #: What a batch may hold.
    limit: int
    queue: deque[_Share] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class Appends:
    """Appends from many callers. Those of one partition keep the order of their calls and are not mixed.

    `start` gives a producer that is not started yet: idempotent, acks=all. A producer that had to give up on a batch
    has lost its place in the sequence, so another takes over.
    """

    def __init__(self, topics: Mapping[str, Topic], clock: Clock, where: str, start: Callable[[int], Any]) -> None:
        self._topics = topics
        self._clock = clock
        self._where = where
        self._start = start
        self._partition = DefaultPartitioner()
        self._ways: dict[tuple[str, str], _Lane] = {}
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._producer: Any = None
        self._is_broken = False
        self._renewing = asyncio.Lock()
        self._flying: dict[asyncio.Future[Any], _Batch] = {}
        self._waiting_bytes = 0
        self._last_at = 0
        self._closed = False

    async def open(self) -> None:
        """Find the brokers. Raises what the driver raises."""
        await self._working()

    async def close(self) -> None:
        """Send what waits as long as the brokers take it; the rest fails."""
        self._closed = True
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for lane in self._lanes.values():
            for share in lane.queue:
                _fail(share.append, StoreUnavailable("the log is closed"))
        if self._producer is not None:
            await self._part_with(self._producer)

    async def append(self, records: Sequence[NewRecord]) -> None:
        """As the port says. Also raises PayloadTooLarge (a record is larger than its topic takes) and InvalidInput
        (there is no such topic)."""
        if not records:
            return
        if self._closed:
            raise StoreUnavailable("the log is closed")
        # Times never step back, so that `seek` finds what came later behind what came before.
        at = max(self._last_at, (self._clock.now() - EPOCH) // MILLISECOND)
        append = _Append(at=at, open=len(records), done=asyncio.get_running_loop().create_future())
        shares = self._shares(append, records)
        size = sum(share.size for share in shares.values())
        if self._waiting_bytes and self._waiting_bytes + size > WAITING_BYTES:
            raise Overloaded("too much waits for Kafka", retry_after_s=1)
        self._last_at = at
        self._waiting_bytes += size
        for lane, share in shares.items():
            lane.queue.append(share)
            lane.arrived.set()
        try:
            async with answering(self._where):
                await append.done
        finally:
            if not append.done.done() or append.done.cancelled():
                self._withdraw(shares)

    def _shares(self, append: _Append, records: Sequence[NewRecord]) -> dict[_Lane, _Share]:
        """The records by lane; nothing is queued yet."""
        shares: dict[_Lane, _Share] = {}
        headers_of: tuple[object, list[tuple[str, bytes]], int] = (None, [], 0)
        for number, record in enumerate(records):
            key = record.key.encode()
            # Records that came together share their headers.
            if record.headers is not headers_of[0]:
                headers = [(name, value.encode()) for name, value in record.headers.items()]
                headers_of = (record.headers, headers, sum(len(n) * 4 + len(v) + _HEADER_FRAME for n, v in headers))
            size = len(key) + len(record.value) + headers_of[2] + _FRAME
            topic = self._topics.get(record.topic)
            if topic is None:
                raise InvalidInput(f"there is no topic '{record.topic}'", field=f"records.{number}")
            if size + _BATCH_FRAME > topic.batch_limit:
                raise PayloadTooLarge(
                    f"a record of {record.topic} holds at most {topic.batch_limit} bytes", field=f"records.{number}"
                )
            lane = self._ways.get((record.topic, record.key)) or self._way(record.topic, record.key, key)
            share = shares.get(lane)
            if share is None:
                share = shares[lane] = _Share(append)
            share.entries.append((key, record.value, headers_of[1]))
            share.size += size
        return shares

    def _way(self, topic: str, key: str, encoded: bytes) -> _Lane:
        """The lane of a key: the same one for the same key, in every process."""
        if len(self._ways) >= _KNOWN_KEYS:
            self._ways.clear()
        found = self._topics[topic]
        number = self._partition(encoded, range(found.partitions), ())
        lane = self._lanes.get((topic, number))
        if lane is None:
            lane = self._lanes[topic, number] = _Lane(found.name, number, min(BATCH_BYTES, found.batch_limit))
            self._tasks[topic, number] = asyncio.create_task(
                self._run(lane), name=f"kafka-append {found.name}/{number}"
            )
        self._ways[topic, key] = lane
        return lane

    def _withdraw(self, shares: Mapping[_Lane, _Share]) -> None:
        """Nobody waits for this call any more: what is in no batch yet does not go."""
        for lane, share in shares.items():
            if share.taken < len(share.entries) and share in lane.queue:
                lane.queue.remove(share)
                self._waiting_bytes -= share.size

    # --- sending

    async def _run(self, lane: _Lane) -> None:
        while True:
            while not lane.queue:
                lane.arrived.clear()
                await lane.arrived.wait()
            try:
                producer = await self._working()
            except (KafkaError, OSError, TimeoutError):
                # The callers have their own deadlines; what they withdraw is gone from the queue.
                await asyncio.sleep(_PAUSE_S)
                continue
            builder, batch = self._fill(producer, lane)
            if not batch.parts:
                continue
            try:
                sent = await producer.send_batch(builder, lane.topic, partition=lane.partition)
            except Exception as error:  # whatever the driver raises, the lane goes on
                self._is_broken = self._is_broken or not isinstance(error, KafkaTimeoutError)
                self._resolve(batch, unavailable(self._where, error))
            else:
                self._flying[sent] = batch
                sent.add_done_callback(partial(self._told, producer))

    def _fill(self, producer: Any, lane: _Lane) -> tuple[Any, _Batch]:
        """A batch of what waits in the lane, as much as one holds."""
        builder, batch = producer.create_batch(), _Batch()
        while lane.queue:
            share = lane.queue[0]
            at, count = share.append.at, 0
            for key, value, headers in islice(share.entries, share.taken, None):
                if (
                    lane.limit < BATCH_BYTES
                    and builder.record_count()
                    and (builder.size() + _size_of(key, value, headers) > lane.limit)
                ):
                    break
                if builder.append(timestamp=at, key=key, value=value, headers=headers) is None:
                    break
                count += 1
            if count:
                batch.parts.append((share.append, count))
                share.taken += count
            if share.taken < len(share.entries):
                break
            batch.size += share.size
            lane.queue.popleft()
        builder.close()
        return builder, batch

    def _told(self, producer: Any, sent: "asyncio.Future[Any]") -> None:
        """The brokers have the batch, or will not have it."""
        batch = self._flying.pop(sent)
        error = None if sent.cancelled() else sent.exception()
        if error is None and not sent.cancelled():
            self._resolve(batch, None)
            return
        if producer is self._producer:
            self._is_broken = True
        self._resolve(batch, _refusal(self._where, batch, error))

    def _resolve(self, batch: _Batch, error: HomeGuardError | None) -> None:
        self._waiting_bytes -= batch.size
        for append, count in batch.parts:
            append.open -= count
            if error is not None:
                _fail(append, error)
            elif append.open == 0 and not append.done.done():
                append.done.set_result(None)

    # --- the producer

    async def _working(self) -> Any:
        """The producer, another one when the last had to give up. Raises what the driver raises."""
        if self._producer is not None and not self._is_broken:
            return self._producer
        async with self._renewing:
            if self._producer is not None and self._is_broken:
                gone, self._producer = self._producer, None
                await self._part_with(gone)
            if self._producer is None:
                producer = self._start(BATCH_BYTES)
                try:
                    async with asyncio.timeout(LIMIT_S):
                        await producer.start()
                except BaseException:
                    await self._part_with(producer)
                    raise
                self._producer, self._is_broken = producer, False
            return self._producer

    async def _part_with(self, producer: Any) -> None:
        """Let it send what it has, as long as the brokers take it, then end it; what is left has failed."""
        try:
            async with asyncio.timeout(LIMIT_S / 2):
                await producer.flush()
        except (TimeoutError, KafkaError, OSError):
            # its own `stop` would wait for a broker that is away, and leave that wait behind when it is cut short
            producer._closed = True
            sending = producer._sender.sender_task
            if sending is not None:
                sending.cancel()
                await asyncio.wait([sending], timeout=LIMIT_S)
            await producer.client.close()
        else:
            await producer.stop()
        for sent in list(self._flying):
            sent.cancel()


def _size_of(key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
    """The most that a record may take in a batch."""
    return len(key) + len(value) + sum(len(n) * 4 + len(v) + _HEADER_FRAME for n, v in headers) + _FRAME


def _refusal(where: str, batch: _Batch, error: BaseException | None) -> HomeGuardError:
    """Whose fault it is that a batch was not taken: of a record only when it was alone."""
    if isinstance(error, MessageSizeTooLargeError) and sum(count for _, count in batch.parts) == 1:
        return PayloadTooLarge("the record is larger than its topic in Kafka takes by now", field="records.0")
    return unavailable(where, error)


def _fail(append: _Append, error: HomeGuardError) -> None:
    if not append.done.done():
        # An exception that is raised by several callers would mix their tracebacks.
        copy = type(error)(error.message, **error.details)
        copy.__cause__ = error.__cause__
        append.done.set_exception(copy)
