"""One sent event, decoded: the strict envelope, and the short form of a telemetry message."""

import re
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from homeguard.clock import iso, parse_time
from homeguard.errors import InvalidInput
from homeguard.vocabulary import EVENT_TYPES
from pipeline.envelope import EnvelopeMetadata
from pipeline.intake.bounds import MAX_DEPTH, MAX_EVENT_BYTES, MAX_ID, MAX_KEYS, check

#: How far a device's clock may run ahead before what it says is refused.
MAX_AHEAD: Final = timedelta(hours=24)

_EMPTY: Final = msgspec.Raw(b"")
_NO_PAYLOAD: Final = msgspec.Raw(b"{}")
_PLACE: Final = re.compile(r"`\$\.?([^`]*)`$")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]*)`")
#: So few bytes cannot be nested too deep or hold too many keys; nor, up to the second, a number out of range that the
#: decoder would not refuse itself.
_FLAT_BYTES: Final = 2 * MAX_DEPTH - 1
_SHORT_BYTES: Final = 300
_LARGE: Final = 10**18


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
_ANYTHING: Final = msgspec.json.Decoder()


def read(item: bytes) -> tuple[Sent, dict[str, Any]]:
    """A sent event in either form, within the bounds, checked for shape, with the short form turned into the envelope.
    Also its payload, decoded.

    An event is decoded once, but for what looks odd in its bytes: that is checked whole, as `bounds.check` says.

    Raises:
        PayloadTooLarge, InvalidInput: as `bounds.check`; an unknown key, a wrong type, an unknown event type, a text
            that is too long or not printable.
    """
    # Looking for one byte is far cheaper than for two, and an escape is rare.
    if len(item) > MAX_EVENT_BYTES or b"\\" in item or not item.isascii():
        check(item)
    try:
        sent = _SENT.decode(item)
        is_short_form = sent.metrics is not _EMPTY
        inner = sent.metrics if is_short_form else sent.payload
        # `Raw` was passed over without a look at its numbers.
        said = _ANYTHING.decode(inner) if inner is not _EMPTY else {}
    except (ValueError, RecursionError) as error:
        check(item)
        raise _shape_error(str(error)) from error
    size = len(memoryview(inner))
    has_both = is_short_form and sent.payload is not _EMPTY
    if (size > _FLAT_BYTES and _may_be_out_of_bounds(inner, size)) or has_both or _is_beyond(sent):
        check(item)
    if is_short_form:
        said = _unfold_metrics(sent, said)
    elif sent.ts is not None:
        raise InvalidInput("ts goes with metrics; an envelope has timestamp", field="ts")
    elif not isinstance(said, dict):
        raise InvalidInput("payload is an object", field="payload")
    elif inner is _EMPTY:
        sent.payload = _NO_PAYLOAD
    if sent.event_type is None:
        raise InvalidInput("event_type is missing", field="event_type")
    if sent.event_type not in EVENT_TYPES:
        raise InvalidInput(f"'{sent.event_type[:64]}' is not an event type of HomeGuard", field="event_type")
    if sent.event_id is not None:
        _check_id("event_id", sent.event_id)
    if sent.device_id is not None:
        _check_id("device_id", sent.device_id)
    if sent.metadata is not None and len(sent.metadata.firmware_version or "") > MAX_ID:
        raise InvalidInput(f"firmware_version has at most {MAX_ID} characters", field="metadata.firmware_version")
    return sent, said


def time_of(value: str | float | None, *, default: datetime, latest: datetime, field: str) -> str:
    """When it happened, as `iso` writes it: `default` when nothing is said. However old is fine.

    Raises:
        InvalidInput: it cannot be read (INVALID_INPUT) or lies behind `latest` (OUT_OF_RANGE).
    """
    if value is None:
        return iso(default)
    try:
        written = type(value) is str and _is_written_by_us(value)
        at = datetime.fromisoformat(value) if written else parse_time(value)  # type: ignore[arg-type]
        if written and not 1970 <= at.year <= 9998:
            parse_time(value)
    except ValueError as error:
        raise InvalidInput(f"{field} cannot be read: {str(error)[:120]}", field=field) from error
    if at > latest:
        raise InvalidInput(f"{field} is more than 24 hours ahead", code="OUT_OF_RANGE", field=field)
    return value if written else iso(at)  # type: ignore[return-value]


def _is_written_by_us(text: str) -> bool:
    """It has the form that `iso` gives: what is read from it would be written the same."""
    return (
        len(text) == 24
        and text[23] == "Z"
        and text[19] == "."
        and text[10] == "T"
        and text[4] == text[7] == "-"
        and text[13] == text[16] == ":"
    )


def _may_be_out_of_bounds(inner: msgspec.Raw, size: int) -> bool:
    """Counting bytes gives upper bounds for free; only what could be out of bounds is walked."""
    text = bytes(inner)
    return (
        text.count(b"{") + text.count(b"[") >= MAX_DEPTH
        or (size > 3 * MAX_KEYS and text.count(b":") > MAX_KEYS - 16)
        or size > _SHORT_BYTES
    )


def _is_beyond(sent: Sent) -> bool:
    """A number beside the payload may be out of range."""
    strength = sent.metadata.signal_strength if sent.metadata is not None else None
    return _is_large(strength) or _is_large(sent.timestamp) or _is_large(sent.ts)


def _is_large(value: object) -> bool:
    return type(value) is int and abs(value) > _LARGE


def _check_id(name: str, text: str) -> None:
    if not (0 < len(text) <= MAX_ID and text.isprintable()):
        raise InvalidInput(f"{name} is a text of 1 to {MAX_ID} printable characters", field=name)


def _unfold_metrics(sent: Sent, metrics: object) -> dict[str, Any]:
    if sent.payload is not _EMPTY:
        raise InvalidInput("metrics and payload exclude each other", field="metrics")
    if sent.event_type not in (None, "telemetry"):
        raise InvalidInput("metrics belong to an event of type telemetry", field="event_type")
    if sent.ts is not None and sent.timestamp is not None:
        raise InvalidInput("ts and timestamp exclude each other", field="ts")
    if not isinstance(metrics, dict):
        raise InvalidInput("metrics is an object", field="metrics")
    sent.event_type = "telemetry"
    sent.payload = msgspec.Raw(b'{"metrics":' + bytes(sent.metrics) + b"}")
    sent.timestamp = sent.ts if sent.ts is not None else sent.timestamp
    return {"metrics": metrics}


def _shape_error(text: str) -> InvalidInput:
    unknown = _UNKNOWN.search(text)
    place = _PLACE.search(text)
    where = place.group(1) if place else ""
    if unknown:
        name = ".".join(filter(None, (where, unknown.group(1)[:64])))
        return InvalidInput(f"an event has no '{name}'", field=name)
    return InvalidInput(text[:200], field=where or "body")
