"""The record of an event: the envelope that the log keeps, to and from `Event`."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, cast

import msgspec

from homeguard.clock import HomeClocks, iso
from homeguard.errors import InvalidInput
from homeguard.model import Event, Lane, Metadata, Trust
from homeguard.ports.log import NewRecord, Record
from pipeline.topics import topic_of

#: An event this much older than its home's clock sets off no reflex.
LATE_AFTER: Final = timedelta(minutes=15)
SCHEMA: Final = "1"


class EnvelopeMetadata(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a device says of itself with an event."""

    firmware_version: str | None = None
    signal_strength: int | None = None
    is_simulated: bool = False


class Envelope(msgspec.Struct, frozen=True):
    """The JSON of a record. `timestamp` is ISO 8601 with milliseconds; `payload` is a JSON object, byte for byte."""

    event_id: str
    home_id: str
    device_id: str
    user_id: str
    event_type: str
    timestamp: str
    payload: msgspec.Raw
    metadata: EnvelopeMetadata


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Envelope)
_PAYLOAD: Final = msgspec.json.Decoder(dict[str, Any])


def seal(envelope: Envelope, headers: Mapping[str, str]) -> NewRecord:
    """The record to append for an envelope; its key keeps the events of one device in order."""
    return NewRecord(
        topic=topic_of(envelope.event_type),
        key=f"{envelope.home_id}/{envelope.device_id}",
        value=_ENCODER.encode(envelope),
        headers=headers,
    )


def headers_of(
    *, received_at: datetime, source: str, trust: Trust, lane: Lane, cause: str = "", traceparent: str = ""
) -> Mapping[str, str]:
    """What a record says beside its envelope. Records that came together may share one."""
    headers = {"schema": SCHEMA, "received_at": iso(received_at), "source": source, "trust": trust, "lane": lane}
    if cause:
        headers["cause"] = cause
    if traceparent:
        headers["traceparent"] = traceparent
    return headers


def encode(event: Event) -> NewRecord:
    """The record of an event. Times keep their milliseconds."""
    metadata = event.metadata
    return seal(
        Envelope(
            event_id=event.event_id,
            home_id=event.home_id,
            device_id=event.device_id,
            user_id=event.user_id,
            event_type=event.event_type,
            timestamp=iso(event.at),
            payload=msgspec.Raw(_ENCODER.encode(event.payload)),
            metadata=EnvelopeMetadata(metadata.firmware_version, metadata.signal_strength, metadata.is_simulated),
        ),
        headers_of(
            received_at=event.received_at,
            source=event.source,
            trust=event.trust,
            lane=event.lane,
            cause=event.cause,
            traceparent=event.traceparent,
        ),
    )


def decode(record: Record) -> Event:
    """The event of a record.

    Raises:
        InvalidInput: it is not an envelope of ours.
    """
    headers = record.headers
    try:
        envelope = _DECODER.decode(record.value)
        payload = _PAYLOAD.decode(envelope.payload)
        at = datetime.fromisoformat(envelope.timestamp)
        received = headers.get("received_at")
        received_at = _moment(received) if received else record.appended_at
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the record is not an envelope: {error}") from error
    if at.tzinfo is None or received_at.tzinfo is None:
        raise InvalidInput("the record is not an envelope: a time of it has no zone")
    said = envelope.metadata
    return Event(
        home_id=envelope.home_id,
        event_id=envelope.event_id,
        event_type=envelope.event_type,
        at=at,
        received_at=received_at,
        device_id=envelope.device_id,
        user_id=envelope.user_id,
        payload=payload,
        metadata=_metadata(said.firmware_version, said.signal_strength, said.is_simulated),
        source=headers.get("source", "core"),
        trust=cast("Trust", headers.get("trust", "device")),
        lane=cast("Lane", headers.get("lane", "state")),
        cause=headers.get("cause", ""),
        traceparent=headers.get("traceparent", ""),
    )


@lru_cache(maxsize=256)
def _moment(text: str) -> datetime:
    """Records that came together were received at the same time."""
    return datetime.fromisoformat(text)


@lru_cache(maxsize=1024)
def _metadata(firmware_version: str | None, signal_strength: int | None, is_simulated: bool) -> Metadata:
    return Metadata(firmware_version=firmware_version, signal_strength=signal_strength, is_simulated=is_simulated)


class OneMoment:
    """The time of each home, read once: a batch is judged by one clock, and asking it for every event costs more."""

    def __init__(self, clocks: HomeClocks) -> None:
        self._clocks = clocks
        self._read: dict[str, datetime] = {}

    def __call__(self, home_id: str) -> datetime:
        now = self._read.get(home_id)
        if now is None:
            now = self._read[home_id] = self._clocks.now(home_id)
        return now


def is_late(event: Event, now: datetime) -> bool:
    """Older than 15 minutes by its home's clock: it is stored, and sets off nothing."""
    return event.at < now - LATE_AFTER


def sets_off_reflexes(event: Event, now: datetime) -> bool:
    """It happens now, and is no recording: automations, alerts and notices may follow from it."""
    return event.source != "replay" and not is_late(event, now)
