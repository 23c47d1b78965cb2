"""The one way in: judges what was sent, item by item, and appends it to the log before it says that it was taken."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, cast

import msgspec

from homeguard.clock import Clock, HomeClocks, iso
from homeguard.errors import DeviceNotFound, HomeGuardError, HomeMismatch, InvalidInput, Overloaded
from homeguard.ids import FreshIds
from homeguard.model import Event, Lane, Trust
from homeguard.ports.devices import DeviceStore
from homeguard.ports.log import DEAD_LETTERS, Log, NewRecord
from homeguard.vocabulary import CORE_EVENTS, EVENT_TYPES
from pipeline.envelope import Envelope, EnvelopeMetadata, encode, headers_of, seal
from pipeline.intake.admission import Admission
from pipeline.intake.bounds import MAX_EVENT_BYTES, split
from pipeline.intake.devices import KnownDevices, no_device
from pipeline.intake.lanes import HomeLanes, Lanes
from pipeline.intake.turns import BUSY, FEW_BYTES, Pace, Turns, needs_turn
from pipeline.intake.wire import MAX_AHEAD, read, time_of

#: Items judged between two looks at the clock.
_LOOK_EVERY: Final = 16
#: These may come without a device: they are about people.
_NEEDS_NO_DEVICE: Final = frozenset(("geofence_arriving", "geofence_leaving"))
_SIMULATED: Final = frozenset(("simulator", "scenario"))
_PLAIN: Final = EnvelopeMetadata()
#: A recording sets nothing off, so nothing in it is urgent.
_REPLAY: Final = "replay"
#: Senders who are answered, and come again; the others wait for room before they take anything over.
_SEND_AGAIN: Final = frozenset(("http", _REPLAY))
_NOTHING: Final[frozenset[Lane]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who delivers, as the authenticated transport says. `device_id` set: only that device may speak.

    `may_create_devices` is for replays and discovery: an unknown device is then created from its first event.
    """

    home_id: str
    source: str
    trust: Trust = "device"
    user_id: str = ""
    device_id: str = ""
    may_create_devices: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why the item at `index` (from 0) was refused."""

    index: int
    code: str
    message: str
    field: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came of a body. `event_ids` are those of the accepted items, in their order; `retry_after_s` says when the
    items that were OVERLOADED may come again, None when there are none."""

    accepted: int
    rejected: tuple[Rejection, ...]
    event_ids: tuple[str, ...]
    is_single: bool
    retry_after_s: int | None = None


class Intake:
    """Judges and appends. It keeps the ids of each home's devices; whoever deletes a device says so."""

    def __init__(
        self,
        *,
        log: Log,
        devices: DeviceStore,
        clock: Clock,
        clocks: HomeClocks,
        lanes: HomeLanes | None = None,
        admission: Admission | None = None,
    ) -> None:
        """`lanes=None`: no home is ever armed; `admission=None`: whatever the log takes is taken."""
        self._log = log
        self._devices = KnownDevices(devices, clock)
        self._clock = clock
        self._clocks = clocks
        self._lanes = lanes or HomeLanes(None, clock)
        self._admission = admission
        #: Homes that were erased since the start.
        self._closed: set[str] = set()
        #: What the door asks before it reads a large body.
        self.turns = Turns(clock)
        self._fresh_id = FreshIds()
        #: Of the last millisecond, by source, trust and lane: records that came within it share them.
        self._headers: dict[tuple[str, Trust, Lane], Mapping[str, str]] = {}
        self._moment = 0

    async def receive(self, body: bytes, origin: Origin, *, ndjson: bool = False) -> Receipt:
        """Take a single object, an array or NDJSON lines; the accepted ones are on disk when it returns.

        Under load, items of the lower lanes are rejected as OVERLOADED while the alarms beside them are taken.

        Raises:
            InvalidInput, PayloadTooLarge: the body cannot be read, or is a single object that is refused.
            DeviceNotFound, HomeMismatch: a single object names a device or a home that is not the caller's.
            Overloaded, StorageFull, StoreUnavailable: the log did not take it; for the first two nothing was written.
        """
        if len(body) <= FEW_BYTES and not ndjson and body[:1] == b"{":
            return await self._receive_one(body, origin)
        if needs_turn(body, ndjson=ndjson):
            async with self.turns.turn(is_busy=self._is_busy):
                judged = await self._judge_all(body, origin, ndjson=ndjson)
        else:
            judged = await self._judge_all(body, origin, ndjson=ndjson)
        taken, rejected, shed = judged.taken, judged.rejected, judged.shed
        if taken.records:
            left_out = await self._append(taken, origin)
            if left_out:
                shed.update(lane for _, lane in left_out)
                rejected = sorted([*rejected, *(_shed_at(place) for place, _ in left_out)], key=lambda r: r.index)
        overload = self._count(shed) if shed else None
        if overload is not None and not taken.records:
            raise overload
        return Receipt(
            accepted=len(taken.records),
            rejected=tuple(rejected),
            event_ids=tuple(taken.event_ids),
            is_single=judged.is_single,
            retry_after_s=overload.details["retry_after_s"] if overload is not None else None,
        )

    async def _receive_one(self, body: bytes, origin: Origin) -> Receipt:
        """What comes most often, with nothing built for many. Raises as `receive`."""
        try:
            event_id, record = await self._judge(body.rstrip(b" \t\r\n"), origin, await self._sit(origin))
        except _Shed as refused:
            raise self._count({refused.lane: 1}) from None
        await self._log.append((record,))
        return Receipt(accepted=1, rejected=(), event_ids=(event_id,), is_single=True)

    async def _judge_all(self, body: bytes, origin: Origin, *, ndjson: bool) -> "_Judged":
        """Of the items of a body, with turns for everybody else in between. Raises as `receive`."""
        items, is_single = split(body, ndjson=ndjson)
        sitting = await self._sit(origin)
        judged = _Judged(is_single=is_single)
        pace = Pace(self._clock)
        for index, item in enumerate(items):
            if index % _LOOK_EVERY == _LOOK_EVERY - 1:
                await pace.give_way()
            try:
                event_id, record = await self._judge(item, origin, sitting)
            except _Shed as refused:
                judged.shed[refused.lane] += 1
                judged.rejected.append(_shed_at(index))
            except (InvalidInput, DeviceNotFound, HomeMismatch) as error:
                if is_single:
                    raise
                judged.rejected.append(_rejection(index, error))
            else:
                judged.taken.add(index, event_id, record)
        return judged

    def _count(self, shed: Mapping[Lane, int]) -> Overloaded:
        """The error of the lane that has to wait longest."""
        if self._admission is None:
            return Overloaded(BUSY, retry_after_s=1)
        refusals = [self._admission.refusal(lane, count) for lane, count in shed.items()]
        return max(refusals, key=lambda error: int(error.details["retry_after_s"]))

    async def receive_each(self, sent: Sequence[tuple[Origin, bytes]]) -> list[Rejection]:
        """Take one object from each of these senders, who all waited for room, in one append; what was not rejected is
        on disk when it returns.

        Raises:
            Overloaded, StorageFull, StoreUnavailable: as `receive`; but alarms may have been taken, so whoever tries
                again sends the same event ids.
        """
        sittings: dict[tuple[str, str], _Sitting] = {}
        taken = _Taken()
        rejected: list[Rejection] = []
        pace = Pace(self._clock)
        for index, (origin, item) in enumerate(sent):
            if index % _LOOK_EVERY == _LOOK_EVERY - 1:
                await pace.give_way()
            sitting = sittings.get((origin.home_id, origin.source))
            if sitting is None:
                sitting = sittings[origin.home_id, origin.source] = await self._sit(origin)
            try:
                event_id, record = await self._judge(item, origin, sitting)
            except (InvalidInput, DeviceNotFound, HomeMismatch) as error:
                rejected.append(_rejection(index, error))
            else:
                taken.add(index, event_id, record)
        if taken.records:
            await self._append(taken, None)
        return rejected

    async def room(self, limit_s: float) -> None:
        """Returns when there is room for more: for those of our own rooms who bring much and can wait.

        Raises:
            Overloaded: there was none for so long.
        """
        if self._admission is None:
            return
        try:
            async with asyncio.timeout(limit_s):
                await self._admission.room()
        except TimeoutError as error:
            raise Overloaded(BUSY, retry_after_s=1) from error

    async def submit(self, events: Sequence[Event]) -> None:
        """Append events that HomeGuard's own rooms built; they are on disk when it returns. An alarm among them gets
        the safety lane, whatever lane it was given.

        Raises:
            Overloaded, StorageFull, StoreUnavailable: as `Log.append`.
        """
        if self._closed:
            events = [event for event in events if event.home_id not in self._closed]
        if events:
            await self._log.append([encode(await self._in_its_lane(event)) for event in events])

    async def _in_its_lane(self, event: Event) -> Event:
        if event.lane == "safety" or event.source == _REPLAY or event.event_type not in EVENT_TYPES:
            return event
        lanes = await self._lanes.of(event.home_id)
        is_urgent = lanes.lane(event.event_type, event.payload) == "safety"
        return msgspec.structs.replace(event, lane="safety") if is_urgent else event

    async def dead_letter(self, *, origin: Origin, topic: str, body: bytes, reason: str) -> None:
        """Keep what could not be read (its first 64 KB), with where it came from and why."""
        await self._log.append(
            [
                NewRecord(
                    topic=DEAD_LETTERS,
                    key=f"{origin.home_id}/{origin.device_id}",
                    value=body[:MAX_EVENT_BYTES],
                    headers={
                        "reason": reason[:500],
                        "source": origin.source,
                        "topic": topic[:500],
                        "received_at": iso(self._clock.now()),
                    },
                )
            ]
        )

    def forget_devices(self, home_id: str) -> None:
        """The home's devices changed: ask the store again before the next event."""
        self._devices.forget(home_id)

    def close_home(self, home_id: str) -> None:
        """It is being erased: from now on it has no device, and what our own rooms say of it is dropped."""
        self._closed.add(home_id)
        self._devices.forget(home_id)

    async def _sit(self, origin: Origin) -> "_Sitting":
        received_at, home_now = self._clock.now(), self._clocks.now(origin.home_id)
        lanes = await self._lanes.of(origin.home_id)
        known = await self._devices.of(origin.home_id) if origin.home_id not in self._closed else set()
        return _Sitting(
            received_at=received_at,
            home_now=home_now,
            latest=max(received_at, home_now) + MAX_AHEAD,
            lanes=lanes,
            refused=self._refused_to(origin),
            known=known,
            headers=self._headers_at(received_at),
        )

    def _is_busy(self) -> bool:
        return self._admission is not None and self._admission.is_busy()

    def _refused_to(self, origin: Origin) -> frozenset[Lane]:
        if self._admission is None or origin.source not in _SEND_AGAIN:
            return _NOTHING
        return self._admission.refused()

    async def _judge(self, item: bytes, origin: Origin, sitting: "_Sitting") -> tuple[str, NewRecord]:
        """The event's id and the record of an item. Raises _Shed when its lane is refused."""
        sent, said = read(item)
        event_type = sent.event_type or ""
        if event_type in CORE_EVENTS and origin.trust != "core":
            raise InvalidInput(f"{event_type} is written by HomeGuard only", field="event_type")
        home_id = origin.home_id
        if sent.home_id is not None and sent.home_id != home_id:
            raise HomeMismatch("home_id is not the caller's home", field="home_id")
        # The columns that other documents call user_id hold the home's id, so that is the caller's own as well.
        if sent.user_id is not None and sent.user_id not in (home_id, origin.user_id or home_id):
            raise HomeMismatch("user_id is not the caller", field="user_id")
        timestamp = time_of(
            sent.timestamp,
            default=sitting.home_now,
            latest=sitting.latest,
            field="ts" if sent.ts is not None else "timestamp",
        )
        device_id = sent.device_id or origin.device_id
        if device_id not in sitting.known or (origin.device_id and device_id != origin.device_id):
            await self._check_device(device_id, event_type, origin, sitting.known)
        lane = sitting.lanes.lane(event_type, said) if origin.source != _REPLAY else "bulk"
        if lane in sitting.refused:
            raise _Shed(lane)
        metadata = sent.metadata or _PLAIN
        if origin.source in _SIMULATED and not metadata.is_simulated:
            metadata = EnvelopeMetadata(metadata.firmware_version, metadata.signal_strength, True)
        event_id = sent.event_id or self._fresh_id()
        envelope = Envelope(
            event_id, home_id, device_id, sent.user_id or origin.user_id, event_type, timestamp, sent.payload, metadata
        )
        headers = sitting.headers.get((origin.source, origin.trust, lane))
        if headers is None:
            headers = sitting.headers[origin.source, origin.trust, lane] = headers_of(
                received_at=sitting.received_at, source=origin.source, trust=origin.trust, lane=lane
            )
        return event_id, seal(envelope, headers)

    def _headers_at(self, received_at: datetime) -> dict[tuple[str, Trust, Lane], Mapping[str, str]]:
        moment = int(received_at.timestamp() * 1000)
        if moment != self._moment:
            self._moment, self._headers = moment, {}
        return self._headers

    async def _append(self, taken: "_Taken", origin: Origin | None) -> list[tuple[int, Lane]]:
        """Append what was taken. When there is room for alarms only, they alone are, and `taken` holds what was: the
        places and lanes of the others are the answer. A sender who waits for room (`origin=None`) sends again himself.

        Raises:
            Overloaded: nothing was taken; or a sender who waits sends everything again.
        """
        try:
            await self._log.append(taken.records)
        except Overloaded:
            urgent = [n for n, record in enumerate(taken.records) if record.headers["lane"] == "safety"]
            if len(urgent) in (0, len(taken.records)):
                raise
            await self._log.append([taken.records[n] for n in urgent])
            if origin is None or origin.source not in _SEND_AGAIN:
                raise
            return taken.keep(urgent)
        return []

    async def _check_device(self, device_id: str, event_type: str, origin: Origin, known: set[str]) -> None:
        if origin.home_id in self._closed:
            raise no_device(device_id)
        if not device_id:
            if event_type in _NEEDS_NO_DEVICE or origin.trust == "core":
                return
            raise InvalidInput("device_id is missing", field="device_id")
        if origin.device_id and device_id != origin.device_id:
            raise no_device(device_id)
        make = origin.may_create_devices
        await self._devices.check(
            known, origin.home_id, device_id, event_type, may_make=make, is_simulated=origin.source in _SIMULATED
        )


class _Shed(Exception):
    """Nothing of this lane is taken just now."""

    def __init__(self, lane: Lane) -> None:
        super().__init__(lane)
        self.lane = lane


@dataclass(slots=True, eq=False, kw_only=True)
class _Sitting:
    """What the items of one home and transport are judged by; looked up once for all that came together."""

    received_at: datetime
    home_now: datetime
    latest: datetime
    lanes: Lanes
    refused: frozenset[Lane]
    known: set[str]
    #: By source, trust and lane.
    headers: dict[tuple[str, Trust, Lane], Mapping[str, str]]


@dataclass(slots=True, eq=False)
class _Taken:
    """Records on their way into the log, with the places that they had in what came, and their events' ids."""

    places: list[int] = field(default_factory=list)
    event_ids: list[str] = field(default_factory=list)
    records: list[NewRecord] = field(default_factory=list)

    def add(self, place: int, event_id: str, record: NewRecord) -> None:
        self.places.append(place)
        self.event_ids.append(event_id)
        self.records.append(record)

    def keep(self, numbers: Sequence[int]) -> list[tuple[int, Lane]]:
        """Only these are left; gives the places and the lanes of the others."""
        kept = set(numbers)
        gone = [
            (place, cast("Lane", record.headers["lane"]))
            for n, (place, record) in enumerate(zip(self.places, self.records, strict=True))
            if n not in kept
        ]
        self.places = [self.places[n] for n in numbers]
        self.event_ids = [self.event_ids[n] for n in numbers]
        self.records = [self.records[n] for n in numbers]
        return gone


@dataclass(slots=True, eq=False, kw_only=True)
class _Judged:
    """What became of the items of a body; nothing is written yet."""

    is_single: bool
    taken: _Taken = field(default_factory=_Taken)
    rejected: list[Rejection] = field(default_factory=list)
    shed: Counter[Lane] = field(default_factory=Counter)


def _rejection(index: int, error: HomeGuardError) -> Rejection:
    return Rejection(index=index, code=error.code, message=error.message, field=str(error.details.get("field", "")))


def _shed_at(index: int) -> Rejection:
    return Rejection(index=index, code=Overloaded.code, message=BUSY)
