"""The one way in: judges what was sent, item by item, and appends it to the log before it says that it was taken."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from homeguard.clock import Clock, HomeClocks, iso
from homeguard.errors import DeviceNotFound, HomeGuardError, HomeMismatch, InvalidInput
from homeguard.ids import new_id
from homeguard.model import Device, Event, Lane, Trust
from homeguard.ports.devices import DeviceStore
from homeguard.ports.log import DEAD_LETTERS, Log, NewRecord
from homeguard.vocabulary import CORE_EVENTS, DEVICE_TYPES, EVENT_TYPES
from pipeline.envelope import Envelope, EnvelopeMetadata, encode, headers_of, seal
from pipeline.intake.bounds import MAX_EVENT_BYTES, check, split
from pipeline.intake.wire import MAX_AHEAD, Sent, read, time_of

#: Homes whose device ids are remembered; the one that was filled first goes first.
MAX_CACHED_HOMES: Final = 1_000
#: Items judged before other work gets its turn.
_SLICE: Final = 500
#: These may come without a device: they are about people.
_NEEDS_NO_DEVICE: Final = frozenset(("geofence_arriving", "geofence_leaving"))
_SIMULATED: Final = frozenset(("simulator", "scenario"))
_PLAIN: Final = EnvelopeMetadata()

#: What a device must be when nothing is known but one event of it.
_TYPE_OF_EVENT: Final[Mapping[str, str]] = {
    "motion_detected": "motion", "motion_stopped": "motion", "door_open": "contact", "door_closed": "contact",
    "window_open": "contact", "window_closed": "contact", "door_locked": "lock", "door_unlocked": "lock",
    "garage_open": "garage_door", "garage_closed": "garage_door", "glass_break": "glass_break",
    "smoke_detected": "smoke", "smoke_cleared": "smoke", "heat_anomaly": "heat", "heat_cleared": "heat",
    "co_detected": "co", "gas_detected": "gas", "water_leak_detected": "water_leak",
    "water_leak_cleared": "water_leak", "doorbell_pressed": "doorbell", "person_detected": "camera",
    "person_left": "camera", "face_recognized": "camera", "package_detected": "camera", "button_pressed": "button",
}  # fmt: skip


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What came of a body. `event_ids` are those of the accepted items, in their order."""

    accepted: int
    rejected: tuple[Rejection, ...]
    event_ids: tuple[str, ...]
    is_single: bool


class Intake:
    """Judges and appends. It keeps the ids of each home's devices; whoever deletes a device says so."""

    def __init__(self, *, log: Log, devices: DeviceStore, clock: Clock, clocks: HomeClocks) -> None:
        self._log = log
        self._devices = devices
        self._clock = clock
        self._clocks = clocks
        self._known: dict[str, set[str]] = {}
        self._forgotten = 0

    async def receive(self, body: bytes, origin: Origin, *, ndjson: bool = False) -> Receipt:
        """Take a single object, an array or NDJSON lines; the accepted ones are on disk when it returns.

        Raises:
            InvalidInput, PayloadTooLarge: the body cannot be read, or is a single object that is refused.
            DeviceNotFound, HomeMismatch: a single object names a device or a home that is not the caller's.
            Overloaded, StorageFull, StoreUnavailable: the log did not take it; for the first two nothing was written.
        """
        items, is_single = split(body, ndjson=ndjson)
        records: list[NewRecord] = []
        event_ids: list[str] = []
        rejected: list[Rejection] = []
        received_at = self._clock.now()
        home_now = self._clocks.now(origin.home_id)
        headers: dict[Lane, Mapping[str, str]] = {}
        for index, item in enumerate(items):
            if index % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            try:
                check(item)
                sent = read(item)
                event_id, record = await self._judge(sent, origin, received_at, home_now, headers)
            except (InvalidInput, DeviceNotFound, HomeMismatch) as error:
                if is_single:
                    raise
                rejected.append(_rejection(index, error))
            else:
                records.append(record)
                event_ids.append(event_id)
        if records:
            await self._log.append(records)
        return Receipt(accepted=len(records), rejected=tuple(rejected), event_ids=tuple(event_ids), is_single=is_single)

    async def submit(self, events: Sequence[Event]) -> None:
        """Append events that HomeGuard's own rooms built; they are on disk when it returns.

        Raises:
            Overloaded, StorageFull, StoreUnavailable: as `Log.append`.
        """
        if events:
            await self._log.append([encode(event) for event in events])

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
        self._known.pop(home_id, None)
        self._forgotten += 1

    async def _judge(
        self,
        sent: Sent,
        origin: Origin,
        received_at: datetime,
        home_now: datetime,
        headers: dict[Lane, Mapping[str, str]],
    ) -> tuple[str, NewRecord]:
        event_type = sent.event_type or ""
        if event_type in CORE_EVENTS and origin.trust != "core":
            raise InvalidInput(f"{event_type} is written by HomeGuard only", field="event_type")
        if sent.home_id is not None and sent.home_id != origin.home_id:
            raise HomeMismatch("home_id is not the caller's home", field="home_id")
        # The columns that other documents call user_id hold the home's id, so that is the caller's own as well.
        if sent.user_id is not None and sent.user_id not in (origin.home_id, origin.user_id or origin.home_id):
            raise HomeMismatch("user_id is not the caller", field="user_id")
        at = time_of(
            sent.timestamp,
            default=home_now,
            latest=max(received_at, home_now) + MAX_AHEAD,
            field="ts" if sent.ts is not None else "timestamp",
        )
        device_id = await self._device_of(sent, event_type, origin)
        metadata = sent.metadata or _PLAIN
        if origin.source in _SIMULATED and not metadata.is_simulated:
            metadata = EnvelopeMetadata(metadata.firmware_version, metadata.signal_strength, True)
        event_id = sent.event_id or new_id()
        envelope = Envelope(
            event_id=event_id,
            home_id=origin.home_id,
            device_id=device_id,
            user_id=sent.user_id or origin.user_id,
            event_type=event_type,
            timestamp=iso(at),
            payload=sent.payload,
            metadata=metadata,
        )
        lane = EVENT_TYPES[event_type].lane
        shared = headers.get(lane)
        if shared is None:
            shared = headers[lane] = headers_of(
                received_at=received_at, source=origin.source, trust=origin.trust, lane=lane
            )
        return event_id, seal(envelope, shared)

    async def _device_of(self, sent: Sent, event_type: str, origin: Origin) -> str:
        device_id = sent.device_id or origin.device_id
        if not device_id:
            if event_type in _NEEDS_NO_DEVICE or origin.trust == "core":
                return ""
            raise InvalidInput("device_id is missing", field="device_id")
        if origin.device_id and device_id != origin.device_id:
            raise _no_device(device_id)
        known = self._known.get(origin.home_id)
        if known is None:
            known = await self._fill(origin.home_id)
        if device_id in known:
            return device_id
        # It may have joined since the cache was filled.
        if await self._devices.get(origin.home_id, device_id) is None:
            if not origin.may_create_devices:
                raise _no_device(device_id)
            await self._devices.put([_device_from(origin, device_id, event_type, self._clock.now())])
        known.add(device_id)
        return device_id

    async def _fill(self, home_id: str) -> set[str]:
        before = self._forgotten
        known = _ids(await self._devices.of_home(home_id))
        # What was read while somebody forgot may be what they forgot: it serves this item only.
        if before == self._forgotten:
            while len(self._known) >= MAX_CACHED_HOMES:
                del self._known[next(iter(self._known))]
            self._known[home_id] = known
        return known


def _ids(devices: Iterable[Device]) -> set[str]:
    return {device.id for device in devices}


def _no_device(device_id: str) -> DeviceNotFound:
    return DeviceNotFound(f"this home has no device '{device_id[:100]}'", field="device_id", device_id=device_id[:100])


def _rejection(index: int, error: HomeGuardError) -> Rejection:
    return Rejection(index=index, code=error.code, message=error.message, field=str(error.details.get("field", "")))


def _device_from(origin: Origin, device_id: str, event_type: str, now: datetime) -> Device:
    device_type = _TYPE_OF_EVENT.get(event_type, "sensor")
    return Device(
        home_id=origin.home_id,
        id=device_id,
        name=device_id.replace("_", " ").replace("-", " ").title(),
        type=device_type,
        capabilities=DEVICE_TYPES[device_type].capabilities,
        is_simulated=origin.source in _SIMULATED,
        created_at=now,
    )
