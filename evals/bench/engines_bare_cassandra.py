"""The bare driver of Cassandra: the same rows as our store's, in the same batches, after the same questions."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID, uuid4
from zlib import crc32

from cassandra import ConsistencyLevel
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType

from evals.bench.engines_heard import EPOCH, MILLISECOND, Heard
from homeguard.ids import device_uuid
from homeguard.model import Anomaly
from homeguard.stores.scylla import anomalies, days, event_rows, events

#: Rows of a batch, ids of a question, buckets of a home's ids: as our store has them.
ROWS, IDS, BUCKETS = 100, 100, 8

_DAY_MS, _DATE_OFFSET = 86_400_000, 2**31
_BY_DEVICE, _BY_USER, _BY_TYPE, _, _PUT_ID = event_rows.STATEMENTS
_STORED: Final = events.STATEMENTS[0]
_PUT_DAY: Final = days.STATEMENTS[0]
_STORED_ANOMALY, _PUT_ANOMALY_ID, _PUT_ANOMALY, _PUT_ANOMALY_BY_DEVICE = anomalies.STATEMENTS[:4]

Values = tuple[Any, ...]


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
            at = (a.at - EPOCH) // MILLISECOND
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
