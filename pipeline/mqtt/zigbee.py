"""One Zigbee2MQTT bridge on the link: its devices by topic, and what each of its messages amounts to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from homeguard.clock import Clock, parse_time
from homeguard.model import Attributes, Device, Event, Json, Metadata, Value
from homeguard.ports.devices import DeviceStore
from homeguard.ports.live_state import LiveStateStore
from homeguard.vocabulary import EVENT_TYPES
from pipeline.mqtt.delivery import Delivery
from pipeline.mqtt.said import DeadLetter
from pipeline.vendors.zigbee2mqtt.discovery import VENDOR, discover
from pipeline.vendors.zigbee2mqtt.report import Observation, observe
from pipeline.vendors.zigbee2mqtt.topics import (
    Topic,
    classify,
    read_availability,
    read_json,
    read_list,
    read_state,
)

#: States of devices that `bridge/devices` has not named yet, one a topic.
_MAX_WAITING: Final = 512
_MAX_AHEAD: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one message amounts to. `devices` were found or changed and must be stored before the events."""

    events: tuple[Event, ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    devices: tuple[Device, ...] = ()


class ZigbeeBridge:
    """Keeps the table of friendly names and the last known attributes; writes nothing itself."""

    def __init__(
        self, *, base: str, home_id: str, source: str, clock: Clock, devices: DeviceStore, live: LiveStateStore | None
    ) -> None:
        self.base = base
        self.prefix = f"{base}/"
        self._home_id = home_id
        self._source = source
        self._clock = clock
        self._store = devices
        self._live = live
        self._by_name: dict[str, list[Device]] = {}
        self._other_names: frozenset[str] = frozenset()
        self._last: dict[str, dict[str, Value]] = {}
        self._waiting: dict[str, Delivery] = {}
        self._has_list = False
        self._is_online: bool | None = None

    async def load(self) -> None:
        """The devices of this bridge that are already known, so that states may come before the list."""
        stored = await self._store.of_home(self._home_id)
        self._by_name = {}
        self._index(d for d in stored if d.binding.get("vendor") == VENDOR and d.binding.get("base") == self.base)

    def reconnected(self) -> None:
        """The retained list of devices comes again: until then an unknown name may only be early."""
        self._has_list = False

    async def read(self, delivery: Delivery) -> Meaning | None:
        """What this message amounts to; `None` when its topic is not under this bridge's base."""
        topic = classify(delivery.topic, self.base)
        if topic is None:
            return None
        if topic.kind in ("echo", "bridge_other") or not (delivery.body or topic.kind != "state"):
            return Meaning()  # our own orders, the bridge's log, a retained state that was cleared
        try:
            return await self._read(topic, delivery)
        except ValueError as error:
            return Meaning(dead=(DeadLetter(topic=delivery.topic, body=delivery.body, reason=str(error)),))
        except (TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            # A message that we misjudge must not end the link for all the others.
            reason = f"the message could not be read ({type(error).__name__})"
            return Meaning(dead=(DeadLetter(topic=delivery.topic, body=delivery.body, reason=reason),))

    async def _read(self, topic: Topic, delivery: Delivery) -> Meaning:
        match topic.kind:
            case "devices":
                return await self._discover(delivery)
            case "groups":
                groups = read_list(delivery.body)
                names = (g.get("friendly_name") for g in groups if isinstance(g, Mapping))
                self._other_names |= frozenset(n for n in names if isinstance(n, str))
                return Meaning()
            case "bridge_state":
                return self._bridge_state(delivery, is_online=read_availability(delivery.body))
            case "availability":
                is_online = read_availability(delivery.body)
                kind = "device_online" if is_online else "device_offline"
                return self._each(topic.name, delivery, lambda d: [Observation(event_type=kind)])
            case _:
                return await self._state(topic.name, delivery)

    async def _state(self, name: str, delivery: Delivery) -> Meaning:
        payload = self._one_attribute(name, delivery) if name not in self._by_name else None
        if payload is not None:
            name = name.rpartition("/")[0]
        else:
            payload = read_state(delivery.body)
        for device in self._by_name.get(name, ()):
            if device.id not in self._last:
                state = await self._live.get(self._home_id, device.id) if self._live is not None else None
                if state is not None:
                    self._last[device.id] = dict(state.attributes)
        found = payload

        def said(device: Device) -> list[Observation]:
            previous: Attributes | None = self._last.get(device.id)
            attributes, seen = observe(
                device, found, previous, is_retained=delivery.is_retained, is_repeat=delivery.is_repeat
            )
            self._last.setdefault(device.id, {}).update(attributes)
            return seen

        return self._each(name, delivery, said, at=_last_seen(payload, self._clock.now()))

    def _one_attribute(self, name: str, delivery: Delivery) -> dict[str, Any] | None:
        """Bridges may publish `<name>/<property>` with a bare value: read as a state of that one property."""
        owner, _, prop = name.rpartition("/")
        if owner not in self._by_name:
            return None
        try:
            value = read_json(delivery.body)
        except ValueError:
            value = delivery.body[:200].decode("utf-8", "replace")
        return {prop: value}

    def _each(
        self,
        name: str,
        delivery: Delivery,
        said: Callable[[Device], Sequence[Observation]],
        at: datetime | None = None,
    ) -> Meaning:
        devices = self._by_name.get(name)
        if devices is None:
            if name in self._other_names:
                return Meaning()  # groups, the coordinator, what is disabled
            if not self._has_list and len(self._waiting) < _MAX_WAITING:
                self._waiting[delivery.topic] = delivery
                return Meaning()
            raise ValueError(f"the bridge has named no device '{name[:100]}'")
        events = [event for device in devices for event in self._events(device, said(device), delivery, at)]
        return Meaning(events=tuple(events))

    def _events(
        self, device: Device, seen: Sequence[Observation], delivery: Delivery, at: datetime | None
    ) -> list[Event]:
        now = self._clock.now()
        firmware = device.hardware.firmware if device.hardware else ""
        made = []
        for index, observation in enumerate(seen):
            same = sum(o.event_type == observation.event_type for o in seen[:index])
            made.append(
                Event(
                    home_id=self._home_id,
                    event_id=f"{delivery.token}.{device.id}.{observation.event_type}" + (f".{same}" if same else ""),
                    event_type=observation.event_type,
                    at=at or now,
                    received_at=now,
                    device_id=device.id,
                    payload=observation.payload,
                    metadata=Metadata(firmware_version=firmware or None),
                    source=self._source,
                    lane=EVENT_TYPES[observation.event_type].lane,
                )
            )
        return made

    async def _discover(self, delivery: Delivery) -> Meaning:
        payload = read_list(delivery.body)
        found = discover(payload, home_id=self._home_id, base=self.base)
        known = {d.id: d for d in await self._store.of_home(self._home_id)}
        now = self._clock.now()
        merged = [_merged(device, known.get(device.id), now) for device in found.devices]
        gone = [d for ds in self._by_name.values() for d in ds if d.id not in {m.id for m in merged}]
        self._by_name = {}
        self._index(merged)
        self._other_names |= found.names - set(self._by_name)
        self._has_list = True
        dead = [DeadLetter(topic=delivery.topic, body=b"", reason=problem) for problem in found.problems]
        left: Json = "left the network"
        events = [
            event
            for device in gone
            for event in self._events(
                device, [Observation(event_type="device_offline", payload={"reason": left})], delivery, None
            )
        ]
        waiting, self._waiting = list(self._waiting.values()), {}
        for early in waiting:
            meaning = await self.read(early)
            if meaning is not None:
                events.extend(meaning.events)
                dead.extend(meaning.dead)
        changed = tuple(d for d in merged if known.get(d.id) != d)
        return Meaning(events=tuple(events), dead=tuple(dead), devices=changed)

    def _bridge_state(self, delivery: Delivery, *, is_online: bool) -> Meaning:
        """A bridge that is gone takes its devices with it; they come back with it unless they say otherwise."""
        before, self._is_online = self._is_online, is_online
        if before == is_online or (before is None and is_online):
            return Meaning()
        kind = "device_online" if is_online else "device_offline"
        reason: Json = "the bridge is back" if is_online else "the bridge is offline"
        seen = [Observation(event_type=kind, payload={"reason": reason})]
        devices = [d for ds in self._by_name.values() for d in ds]
        return Meaning(events=tuple(e for d in devices for e in self._events(d, seen, delivery, None)))

    def _index(self, devices: Iterable[Device]) -> None:
        for device in devices:
            self._by_name.setdefault(str(device.binding.get("topic")), []).append(device)


def _merged(found: Device, known: Device | None, now: datetime) -> Device:
    """The bridge's word on what a device is; the person's word on where it stands and how it is called."""
    if known is None:
        return replace(found, created_at=now)
    is_renamed = known.name != known.binding.get("vendor_name", known.name)
    vendor_alias = known.binding.get("vendor_alias")
    own_aliases = tuple(a for a in known.aliases if a != vendor_alias)
    return replace(
        found,
        name=known.name if is_renamed else found.name,
        aliases=tuple(dict.fromkeys((*own_aliases, *found.aliases))),
        area=known.area or found.area,
        floor=known.floor,
        created_at=known.created_at,
    )


def _last_seen(payload: Mapping[str, Any], now: datetime) -> datetime | None:
    """When the device itself last spoke (the bridge may be told to say so): the truth for a message that waited."""
    value = payload.get("last_seen")
    if value is None:
        return None
    try:
        at = parse_time(value)
    except ValueError:
        return None
    return at.astimezone(UTC) if at <= now + _MAX_AHEAD else None
