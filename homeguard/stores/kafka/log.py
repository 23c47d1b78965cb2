"""The log in Kafka: a topic each, partitions by key, a consumer for each group that this process reads."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

from homeguard.errors import Conflict, InvalidInput, StoreUnavailable
from homeguard.ports.log import NewRecord, Record
from homeguard.stores.kafka.appends import EPOCH, MILLISECOND, Appends
from homeguard.stores.kafka.failures import LIMIT_S, answering, unavailable
from homeguard.stores.kafka.reader import SESSION_MS, Reader, end
from homeguard.stores.kafka.topics import Topic

#: A group may have to wait for a member that died before its partitions can be moved.
SEEK_LIMIT_S: Final = 12.0

_GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_POLL_S: Final = 0.1
#: A partition at its end holds up the fetch of the others at most so long.
_TAIL_WAIT_MS: Final = 50
_NO_HEADERS: Final[Mapping[str, str]] = {}


class KafkaLog:
    """A `Log`. `open_kafka` makes one.

    A group that was not read yet by this process is known by what it has committed, or else as one that reads all.
    """

    def __init__(
        self,
        servers: list[str],
        admin: Any,
        appends: Appends,
        topics: Mapping[str, Topic],
        *,
        instance: str,
        prefix: str,
    ) -> None:
        self._servers = servers
        self._where = ",".join(servers)
        self._admin = admin
        self._appends = appends
        self._topics = topics
        self._names = {topic.name: name for name, topic in topics.items()}
        self._instance = instance
        self._prefix = prefix
        self._readers: dict[str, Reader] = {}
        self._lookout: Any = None
        self._closed = False

    async def open(self) -> None:
        """Raises what the driver raises."""
        self._lookout = AIOKafkaConsumer(
            bootstrap_servers=self._servers, client_id=self._instance, request_timeout_ms=round(LIMIT_S * 1000)
        )
        await self._lookout.start()

    async def close(self) -> None:
        self._closed = True
        readers, self._readers = self._readers, {}
        await asyncio.gather(*(reader.close() for reader in readers.values()), return_exceptions=True)
        if self._lookout is not None:
            await end(self._lookout)

    # --- the port

    async def append(self, records: Sequence[NewRecord]) -> None:
        """As the port says. Also raises PayloadTooLarge (a record is larger than its topic takes) and InvalidInput
        (there is no such topic)."""
        await self._appends.append(records)

    async def read(self, group: str, topics: Sequence[str], *, limit: int, wait_s: float) -> list[Record]:
        """As the port says. Brokers that went away are noticed after a few seconds; until then there is nothing."""
        reader = await self._reader(group, frozenset(self._topic(topic).name for topic in topics))
        try:
            found = await reader.take(max(1, limit), wait_s)
        except (KafkaError, OSError) as error:
            if reader.has_failed:
                await self._give_up(group, reader)
            raise unavailable(self._where, error) from error
        return self._records(found)

    async def commit(self, group: str, records: Sequence[Record]) -> None:
        reader = self._readers.get(group)
        if not records or reader is None:
            return
        last: dict[tuple[str, int], int] = {}
        for record in records:
            place = (record.topic, record.partition)
            if record.offset >= last.get(place, 0):
                last[place] = record.offset
        done = {TopicPartition(self._topic(topic).name, number): at + 1 for (topic, number), at in last.items()}
        async with answering(self._where):
            await reader.commit(done)

    async def seek(self, group: str, at: datetime | None) -> None:
        """As the port says.

        Raises:
            Conflict: another process reads the group as well.
        """
        async with answering(self._where, SEEK_LIMIT_S):
            reader = self._readers.get(group)
            topics = reader.topics if reader is not None else await self._topics_of(group)
            partitions = self._partitions(topics)
            offsets = await self._offsets_since(partitions, at)
            if reader is not None:
                await self._move(reader, offsets)
                return
            visitor = Reader(self._servers, group=self._group_id(group), member=None, topics=topics)
            try:
                await self._move(visitor, offsets)
            finally:
                await visitor.close()

    async def _offsets_since(self, partitions: Sequence[TopicPartition], at: datetime | None) -> dict[Any, int]:
        if at is None:
            return dict(await self._lookout.beginning_offsets(partitions))
        # a negative time means something else to the brokers
        since = max(0, -((EPOCH - at) // MILLISECOND))
        found = await self._lookout.offsets_for_times(dict.fromkeys(partitions, since))
        ends = await self._lookout.end_offsets(partitions)
        return {p: found[p].offset if found[p] is not None else ends[p] for p in partitions}

    async def _move(self, reader: Reader, offsets: Mapping[TopicPartition, int]) -> None:
        """A process that died is a member of the group for a while yet: it is waited for, one that lives is not."""
        loop = asyncio.get_running_loop()
        await reader.joined()
        until = loop.time() + SESSION_MS / 1000 + 2
        while True:
            try:
                await reader.move(offsets)
            except Conflict:
                if loop.time() > until:
                    raise
                await asyncio.sleep(_POLL_S)
            else:
                return

    async def tail(self, topic: str, *, limit: int) -> list[Record]:
        partitions = self._partitions(frozenset((self._topic(topic).name,)))
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers, client_id=self._instance, request_timeout_ms=round(LIMIT_S * 1000),
            fetch_max_wait_ms=_TAIL_WAIT_MS,
        )  # fmt: skip
        consumer.assign(partitions)
        try:
            async with answering(self._where):
                await consumer.start()
                found = await _last(consumer, partitions, max(1, limit))
        finally:
            await end(consumer)
        found.sort(key=lambda message: (message.timestamp, message.partition, message.offset))
        return self._records(found[-max(1, limit) :])

    async def lag(self, group: str) -> int:
        async with answering(self._where):
            committed = await self._committed(group)
            reader = self._readers.get(group)
            topics = reader.topics if reader is not None else await self._topics_of(group)
            partitions = self._partitions(topics)
            starts = await self._lookout.beginning_offsets(partitions)
            ends = await self._lookout.end_offsets(partitions)
        return sum(ends[p] - min(ends[p], max(starts[p], committed.get(p, 0))) for p in partitions)

    async def trim(self, older_than: datetime) -> int:
        """The brokers delete what is older than its topic keeps."""
        return 0

    # --- groups

    def _group_id(self, group: str) -> str:
        if _GROUP.fullmatch(group) is None:
            raise InvalidInput(f"'{group}' cannot name a consumer group", field="group")
        return f"{self._prefix}homeguard-{group}"

    async def _reader(self, group: str, names: frozenset[str]) -> Reader:
        """The consumer of a group, made at its first read; another one when it now reads other topics."""
        if self._closed:
            raise StoreUnavailable("the log is closed")
        reader = self._readers.get(group)
        if reader is not None and (reader.topics != names or reader.has_failed):
            await self._give_up(group, reader)
            reader = self._readers.get(group)
        if reader is None:
            reader = self._readers[group] = Reader(
                self._servers, group=self._group_id(group), member=f"{self._instance}-{group}", topics=names
            )
        return reader

    async def _give_up(self, group: str, reader: Reader) -> None:
        if self._readers.get(group) is reader:
            del self._readers[group]
        await reader.close()

    async def _committed(self, group: str) -> dict[TopicPartition, int]:
        """What the brokers know of the group; just after their start they first have to find out."""
        name = self._group_id(group)
        while True:
            try:
                # the driver's own call takes "not yet" for "nothing"
                node = await self._admin.find_coordinator(name)
                answer = await self._admin._client.send(node, OffsetFetchRequest(name, None))
                if answer.error_code:
                    raise for_code(answer.error_code)()
            except KafkaError as error:
                if not error.retriable:
                    raise
                await asyncio.sleep(_POLL_S)
            else:
                return {
                    TopicPartition(topic, number): offset
                    for topic, numbers in answer.topics
                    for number, offset, _, _ in numbers
                    if offset >= 0
                }

    async def _topics_of(self, group: str) -> frozenset[str]:
        known = {partition.topic for partition in await self._committed(group)}
        return frozenset(known & set(self._names)) or frozenset(self._names)

    # --- names

    def _topic(self, name: str) -> Topic:
        topic = self._topics.get(name)
        if topic is None:
            raise InvalidInput(f"there is no topic '{name}'", field="topic")
        return topic

    def _partitions(self, names: frozenset[str]) -> list[TopicPartition]:
        return [
            TopicPartition(topic.name, number)
            for topic in self._topics.values()
            if topic.name in names
            for number in range(topic.partitions)
        ]

    def _records(self, messages: Sequence[Any]) -> list[Record]:
        """What came together mostly shares its time and its headers: these are made once for a run of them."""
        found = []
        ms, at, raw = -1, EPOCH, ()
        headers = _NO_HEADERS
        for message in messages:
            if message.timestamp != ms:
                ms = message.timestamp
                at = EPOCH + ms * MILLISECOND
            if message.headers != raw:
                raw = message.headers
                headers = {name: value.decode(errors="replace") for name, value in raw}
            found.append(
                Record(
                    topic=self._names[message.topic],
                    partition=message.partition,
                    offset=message.offset,
                    key=(message.key or b"").decode(errors="replace"),
                    value=message.value or b"",
                    headers=headers,
                    appended_at=at,
                )
            )
        return found


async def _last(consumer: Any, partitions: Sequence[TopicPartition], limit: int) -> list[Any]:
    """The last `limit` of each partition, as they are now."""
    starts = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    left = {p for p in partitions if ends[p] > starts[p]}
    for partition in left:
        consumer.seek(partition, max(starts[partition], ends[partition] - limit))
    found: list[Any] = []
    while left:
        for partition, messages in (await consumer.getmany(*left, timeout_ms=100)).items():
            found += [message for message in messages if message.offset < ends[partition]]
        left = {p for p in left if await consumer.position(p) < ends[p]}
    return found
