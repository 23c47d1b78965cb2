"""One sent event, decoded: the strict envelope, and the short form of a telemetry message."""

import re
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homeguard.clock import parse_time
from homeguard.errors import InvalidInput
from homeguard.vocabulary import EVENT_TYPES
from pipeline.envelope import EnvelopeMetadata
from pipeline.intake.bounds import MAX_ID

#: How far a device's clock may run ahead before what it says is refused.
MAX_AHEAD: Final = timedelta(hours=24)

_EMPTY: Final = msgspec.Raw(b"")
_NO_PAYLOAD: Final = msgspec.Raw(b"{}")
_PLACE: Final = re.compile(r"`\$\.?([^`]*)`$")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]*)`")


class Sent(msgspec.Struct, forbid_unknown_fields=True):
    """What a caller may write. `ts` and `metrics` are the short form; the others are the envelope."""

    event_id: str | None = None
    home_id: str | None = None
    user_id: str | None = None
    device_id: str | None = None
    event_type: str | None = None
    timestamp: str | int | float | None = None
    payload: msgspec.Raw = _EMPTY
    metadata: EnvelopeMetadata | None = None
    ts: str | int | float | None = None
    metrics: msgspec.Raw = _EMPTY


_SENT: Final = msgspec.json.Decoder(Sent)


def read(item: bytes) -> Sent:
    """A sent event in either form, checked for shape, with the short form turned into the envelope.

    Raises:
        InvalidInput: an unknown key, a wrong type, an unknown event type, a text that is too long or not printable.
    """
    try:
        sent = _SENT.decode(item)
    except ValueError as error:
        raise _shape_error(str(error)) from error
    if sent.metrics is not _EMPTY:
        _unfold_metrics(sent)
    elif sent.ts is not None:
        raise InvalidInput("ts goes with metrics; an envelope has timestamp", field="ts")
    if sent.payload is _EMPTY:
        sent.payload = _NO_PAYLOAD
    elif bytes(sent.payload)[:1] != b"{":
        raise InvalidInput("payload is an object", field="payload")
    if sent.event_type is None:
        raise InvalidInput("event_type is missing", field="event_type")
    if sent.event_type not in EVENT_TYPES:
        raise InvalidInput(f"'{sent.event_type[:64]}' is not an event type of HomeGuard", field="event_type")
    for name, text in (("event_id", sent.event_id), ("device_id", sent.device_id)):
        if text is not None and not (0 < len(text) <= MAX_ID and text.isprintable()):
            raise InvalidInput(f"{name} is a text of 1 to {MAX_ID} printable characters", field=name)
    if sent.metadata is not None and len(sent.metadata.firmware_version or "") > MAX_ID:
        raise InvalidInput(f"firmware_version has at most {MAX_ID} characters", field="metadata.firmware_version")
    return sent


def time_of(value: str | float | None, *, default: datetime, latest: datetime, field: str) -> datetime:
    """When it happened: `default` when nothing is said. However old is fine.

    Raises:
        InvalidInput: it cannot be read (INVALID_INPUT) or lies behind `latest` (OUT_OF_RANGE).
    """
    if value is None:
        return default
    try:
        at = parse_time(value)
    except ValueError as error:
        raise InvalidInput(f"{field} cannot be read: {str(error)[:120]}", field=field) from error
    if at > latest:
        raise InvalidInput(f"{field} is more than 24 hours ahead", code="OUT_OF_RANGE", field=field)
    return at


def _unfold_metrics(sent: Sent) -> None:
    if sent.payload is not _EMPTY:
        raise InvalidInput("metrics and payload exclude each other", field="metrics")
    if sent.event_type not in (None, "telemetry"):
        raise InvalidInput("metrics belong to an event of type telemetry", field="event_type")
    if sent.ts is not None and sent.timestamp is not None:
        raise InvalidInput("ts and timestamp exclude each other", field="ts")
    metrics = bytes(sent.metrics)
    if metrics[:1] != b"{":
        raise InvalidInput("metrics is an object", field="metrics")
    sent.event_type = "telemetry"
    sent.payload = msgspec.Raw(b'{"metrics":' + metrics + b"}")
    sent.timestamp = sent.ts if sent.ts is not None else sent.timestamp


def _shape_error(text: str) -> InvalidInput:
    unknown = _UNKNOWN.search(text)
    place = _PLACE.search(text)
    where = place.group(1) if place else ""
    if unknown:
        name = ".".join(filter(None, (where, unknown.group(1)[:64])))
        return InvalidInput(f"an event has no '{name}'", field=name)
    return InvalidInput(text[:200], field=where or "body")
