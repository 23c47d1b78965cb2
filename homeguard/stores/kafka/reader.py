"""One consumer group as this process takes part in it: what it handed out, what of that is done."""

import asyncio
import zlib
from collections.abc import Mapping, Set
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError, KafkaError

from homeguard.errors import Conflict

#: A process that died is given up after this long; its partitions then go to the others.
SESSION_MS: Final = 6_000
_HEARTBEAT_MS: Final = 1_500
#: How long the members have to come back when partitions are handed round.
_REBALANCE_MS: Final = 8_000
#: Longer than the brokers may hold back the answer to a member that joins.
_REQUEST_MS: Final = 10_000
#: A reader that waits for a store is alive, however long it takes.
_POLL_MS: Final = 2**31 - 1
#: How long a fetch waits at the broker, and so how soon a position that was moved is read.
_FETCH_WAIT_MS: Final = 250
#: After so long without an answer to a fetch the brokers are away.
_SILENT_S: Final = 5.0
#: How long partitions are held back for the records that are in hand.
_DRAIN_S: Final = 3.0
_CLOSE_S: Final = 4.0
#: A read that a rebalance overtakes may take this much longer.
_GRACE_S: Final = 0.05


class Reader:
    """Joins the group as it is made, in the background.

    One with a `member` name keeps its place for a session after `close`: when it comes back soon, it finds its
    partitions again and the others notice nothing. Its topics are part of the name, because the brokers give back the
    place as it was. One without a name leaves at once.
    """

    def __init__(self, servers: list[str], *, group: str, member: str | None, topics: Set[str]) -> None:
        self.topics = frozenset(topics)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, group_id=group,
            group_instance_id=None if member is None else f"{member}-{_short(self.topics)}",
            enable_auto_commit=False, auto_offset_reset="earliest", session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS, rebalance_timeout_ms=_REBALANCE_MS, max_poll_interval_ms=_POLL_MS,
            request_timeout_ms=_REQUEST_MS, fetch_max_wait_ms=_FETCH_WAIT_MS,
            # the same numbers of every topic to one member: what a device says in two topics is heard by one process
            partition_assignment_strategy=(RangePartitionAssignor,),
        )  # fmt: skip
        self._consumer.subscribe(sorted(self.topics), listener=_Handover(self))
        #: What was handed out since the partition came here or was moved: behind the last record; behind the last done.
        self._delivered: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._assigned = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        #: When a broker last said something of our partitions: by its own count, and when that changed here.
        self._heard: int | None = None
        self._heard_at = asyncio.get_running_loop().time()
        self._joining = asyncio.create_task(self._join(), name=f"kafka-join {group}")
        self._failure: BaseException | None = None

    @property
    def has_failed(self) -> bool:
        return self._failure is not None

    async def take(self, limit: int, wait_s: float) -> list[Any]:
        """The next records as the driver gives them, at most `limit`; `[]` when none came in time or the partitions
        are just handed round. Raises what the driver raises; when `has_failed` it is of no use any more."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        if not await self._within(until) and not self._joining.done():
            return []
        if self._failure is not None:
            raise self._failure
        # Asked also while partitions are handed round: what went wrong with the group is told only to a read.
        return await self._get(limit, max(0.0, until - loop.time()))

    async def _get(self, limit: int, wait_s: float) -> list[Any]:
        try:
            async with asyncio.timeout(wait_s + _GRACE_S):
                found = await self._consumer.getmany(timeout_ms=round(wait_s * 1000), max_records=limit)
        except TimeoutError:
            return []
        except KafkaError as error:
            self._failure = error
            raise
        records = []
        for partition, some in found.items():
            self._committed.setdefault(partition, some[0].offset)
            self._delivered[partition] = some[-1].offset + 1
            records += some
        if records:
            self._idle.clear()
            self._heard_at = asyncio.get_running_loop().time()
        elif self._is_cut_off():
            raise KafkaConnectionError("the partitions of the group are not answered for")
        return records

    def _is_cut_off(self) -> bool:
        """No broker has said anything of our partitions for a while, not even that there is nothing new."""
        if not self._assigned.is_set():
            return False
        said = max((self._consumer.last_poll_timestamp(p) or 0 for p in self._consumer.assignment()), default=None)
        now = asyncio.get_running_loop().time()
        if said is None or said != self._heard:
            self._heard, self._heard_at = said, now
        return now - self._heard_at > _SILENT_S

    async def commit(self, done: Mapping[TopicPartition, int]) -> None:
        """What lies before these offsets is done; partitions that are not here any more are passed over. Raises what
        the driver raises."""
        mine = {
            partition: offset
            for partition, offset in done.items()
            if self._committed.get(partition, offset) < offset <= self._delivered.get(partition, -1)
        }
        if not mine:
            return
        try:
            await self._consumer.commit(mine)
        except (CommitFailedError, IllegalStateError):
            # They went to others, who begin behind the last commit: what is in hand here counts for nothing.
            self._forget()
            return
        for partition, offset in mine.items():
            if self._committed.get(partition, offset) < offset:
                self._committed[partition] = offset
        self._note_idle()

    async def joined(self) -> None:
        """Returns when this process takes part in the group; the caller bounds the wait. Raises what the driver
        raises."""
        await self._assigned.wait()
        if self._failure is not None:
            raise self._failure

    async def move(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Set the group to these offsets, one for each partition; what was handed out before counts for nothing.

        Raises:
            Conflict: another process reads some of them.
        """
        if not self._assigned.is_set() or self._consumer.assignment() != set(offsets):
            raise Conflict("another process reads this group as well: end it, then try again")
        try:
            await self._consumer.commit(dict(offsets))
        except (CommitFailedError, IllegalStateError) as error:
            raise Conflict("the group is just being handed round: try again") from error
        for partition, offset in offsets.items():
            self._consumer.seek(partition, offset)
            self._delivered[partition] = self._committed[partition] = offset
        self._idle.set()

    async def close(self) -> None:
        self._joining.cancel()
        await asyncio.gather(self._joining, return_exceptions=True)
        self._idle.set()
        await end(self._consumer)

    async def _join(self) -> None:
        try:
            await self._consumer.start()
        except (KafkaError, OSError) as error:
            self._failure = error
            self._assigned.set()

    async def _within(self, until: float) -> bool:
        """Wait for partitions; False when there are none by then."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._assigned.wait()
        return self._assigned.is_set()

    # --- what the group's coordinator tells

    async def _leave(self) -> None:
        """Partitions go: read no more, and let what is in hand be committed first."""
        self._assigned.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await self._idle.wait()
        self._forget()

    def _arrive(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._assigned.set()

    def _forget(self) -> None:
        self._delivered.clear()
        self._committed.clear()
        self._idle.set()

    def _note_idle(self) -> None:
        if all(self._committed.get(p, offset) >= offset for p, offset in self._delivered.items()):
            self._idle.set()


async def end(consumer: Any) -> None:
    """Stop a consumer of the driver's, within a few seconds also when no broker answers."""
    # a task of the driver's that is ended before it began takes the whole end down with it
    await asyncio.sleep(0)
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait([stopping], timeout=_CLOSE_S)
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)


def _short(topics: Set[str]) -> str:
    return f"{zlib.crc32(','.join(sorted(topics)).encode()):08x}"


class _Handover(ConsumerRebalanceListener):  # type: ignore[misc]
    """What the driver calls when partitions come and go."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def on_partitions_revoked(self, revoked: Set[TopicPartition]) -> None:
        await self._reader._leave()

    async def on_partitions_assigned(self, assigned: Set[TopicPartition]) -> None:
        self._reader._arrive()
