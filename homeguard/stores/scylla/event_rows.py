"""An event as the rows that it is stored in, and back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from homeguard.ids import device_uuid
from homeguard.model import Event, Metadata
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.scylla.batches import in_partitions
from homeguard.stores.scylla.columns import DAY_MS, date_cell, milliseconds, moment, unless_empty, unless_none
from homeguard.stores.scylla.cql import Batch, Values
from homeguard.stores.scylla.days import day_rows
from homeguard.stores.scylla.ids import bucket

_PUT_BY_DEVICE: Final = (
    "INSERT INTO events_by_device (device_id, event_date, event_time, event_id, event_type, user_id, device, person_id,"
    " received_at, payload, firmware_version, signal_strength, is_simulated, source, trust, lane, cause, traceparent)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_BY_USER: Final = (
    "INSERT INTO events_by_user (user_id, event_date, event_time, event_id, event_type, device_id, device, person_id,"
    " received_at, payload, firmware_version, signal_strength, is_simulated, source, trust, lane, cause, traceparent)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_BY_TYPE: Final = (
    "INSERT INTO events_by_type (user_id, event_type, event_date, event_time, event_id, device_id, device, person_id,"
    " received_at, payload, firmware_version, signal_strength, is_simulated, source, trust, lane, cause, traceparent)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_HEARTBEAT: Final = (
    "INSERT INTO device_heartbeats (user_id, device_id, event_time, device, signal_strength, firmware_version,"
    " is_simulated) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_PUT_ID: Final = "INSERT INTO event_ids (home_id, bucket, id, at) VALUES (?, ?, ?, ?)"
STATEMENTS: Final = (_PUT_BY_DEVICE, _PUT_BY_USER, _PUT_BY_TYPE, _PUT_HEARTBEAT, _PUT_ID)

#: What every table of events gives, in the order that `event` reads.
COLUMNS: Final = (
    "event_time, event_id, event_type, received_at, device, person_id, payload, firmware_version, signal_strength,"
    " is_simulated, source, trust, lane, cause, traceparent"
)

#: Where the payload stands in a row of each of the three.
_PAYLOAD: Final = 9

#: Names of the strands in `days`.
HOME, DEVICE, TYPE, DEVICE_TYPE = "home", "device", "type", "device_type"


def type_of_device(device_id: str, event_type: str) -> str:
    """The name of a device's events of one type among the strands."""
    return f"{device_id}\x1f{event_type}"


def event_batches(events: Sequence[Event]) -> list[Batch]:
    """The events' rows: by device, by home and by type, and what a heartbeat leaves besides."""
    by_device: list[Values] = []
    by_user: list[Values] = []
    by_type: list[Values] = []
    heartbeats: list[Values] = []
    devices: dict[tuple[str, str], UUID] = {}
    for e in events:
        at = milliseconds(e.at)
        day, said = date_cell(at // DAY_MS), e.metadata
        device = None
        if e.device_id:
            device = devices.get((e.home_id, e.device_id)) or device_uuid(e.home_id, e.device_id)
            devices[e.home_id, e.device_id] = device
        rest = (
            unless_empty(e.device_id), unless_empty(e.user_id), milliseconds(e.received_at), json_text(e.payload),
            unless_none(said.firmware_version), unless_none(said.signal_strength), said.is_simulated, e.source, e.trust,
            e.lane, unless_empty(e.cause), unless_empty(e.traceparent),
        )  # fmt: skip
        by_user.append((e.home_id, day, at, e.event_id, e.event_type, unless_none(device), *rest))
        by_type.append((e.home_id, e.event_type, day, at, e.event_id, unless_none(device), *rest))
        if device is not None:
            by_device.append((device, day, at, e.event_id, e.event_type, e.home_id, *rest))
            if e.event_type == "heartbeat":
                heartbeats.append((e.home_id, device, at, e.device_id, rest[5], rest[4], said.is_simulated))
    return [
        *in_partitions(_PUT_BY_DEVICE, 2, by_device, heavy=_PAYLOAD),
        *in_partitions(_PUT_BY_USER, 2, by_user, heavy=_PAYLOAD),
        *in_partitions(_PUT_BY_TYPE, 3, by_type, heavy=_PAYLOAD),
        *in_partitions(_PUT_HEARTBEAT, 2, heartbeats),
    ]


def day_batches(events: Sequence[Event]) -> list[Batch]:
    """The days on which these events lie, for every walk that could meet them."""
    strands: list[tuple[str, str, str, int]] = []
    for e in events:
        day = milliseconds(e.at) // DAY_MS
        strands += ((e.home_id, HOME, "", day), (e.home_id, TYPE, e.event_type, day))
        if e.device_id:
            name = type_of_device(e.device_id, e.event_type)
            strands += ((e.home_id, DEVICE, e.device_id, day), (e.home_id, DEVICE_TYPE, name, day))
    return day_rows(strands)


def id_batches(events: Sequence[Event]) -> list[Batch]:
    """What says that these events are stored."""
    rows = ((e.home_id, bucket(e.event_id), e.event_id, milliseconds(e.at)) for e in events)
    return list(in_partitions(_PUT_ID, 2, rows))


def event(home_id: str, row: Sequence[Any]) -> Event:
    """The event of a row with `COLUMNS`."""
    (
        at, event_id, event_type, received_at, device, person, payload, firmware, signal, simulated, source, trust,
        lane, cause, traceparent,
    ) = row  # fmt: skip
    arrived: datetime = received_at
    return Event(
        home_id=home_id, event_id=event_id, event_type=event_type, at=moment(at), received_at=moment(arrived),
        device_id=device or "", user_id=person or "", payload=json_value(payload),
        metadata=Metadata(firmware_version=firmware, signal_strength=signal, is_simulated=simulated), source=source,
        trust=trust, lane=lane, cause=cause or "", traceparent=traceparent or "",
    )  # fmt: skip
