"""A record of Kafka taken apart by hand, as far as the bare side's rows need it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


class _Said(msgspec.Struct):
    firmware_version: str | None = None
    signal_strength: int | None = None
    is_simulated: bool = False


class _Envelope(msgspec.Struct):
    event_id: str
    home_id: str
    device_id: str
    user_id: str
    event_type: str
    timestamp: str
    payload: msgspec.Raw
    metadata: _Said


class _Payload(msgspec.Struct):
    metrics: dict[str, float] = {}
    intensity: float = 0.0


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_PAYLOAD: Final = msgspec.json.Decoder(_Payload)


@dataclass(slots=True)
class Heard:
    """A record, taken apart as far as the rows need it; `at` is in milliseconds."""

    envelope: _Envelope
    said: _Payload
    headers: Mapping[str, str]
    moment: datetime
    at: int
    received_at: int
    offset: int


def heard(messages: Iterable[Any]) -> list[Heard]:
    found = []
    for message in messages:
        envelope = _ENVELOPE.decode(message.value)
        headers = {name: value.decode() for name, value in message.headers}
        moment = datetime.fromisoformat(envelope.timestamp)
        received = datetime.fromisoformat(headers["received_at"])
        found.append(
            Heard(
                envelope, _PAYLOAD.decode(envelope.payload), headers, moment, (moment - EPOCH) // MILLISECOND,
                (received - EPOCH) // MILLISECOND, message.offset,
            )
        )  # fmt: skip
    return found
