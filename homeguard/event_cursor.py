"""Where a page of events ended, as text for an address: the same on every store, so that it outlives a move."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from homeguard.errors import InvalidInput
from homeguard.model import Event

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LIMIT: Final = 2**62


def cursor_of(event: Event) -> str:
    """The cursor behind this event."""
    place = ((event.at - _EPOCH) // timedelta(microseconds=1), event.event_id)
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(cursor: str) -> tuple[int, str]:
    """The event that the page ended with: (microseconds since 1970, event_id).

    Raises:
        InvalidInput: the cursor is not one of ours.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, event_id = msgspec.json.decode(text, type=tuple[int, str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise InvalidInput("the cursor is not one that a page gave", field="cursor") from error
    if abs(at) >= _LIMIT:
        raise InvalidInput("the cursor is not one that a page gave", field="cursor")
    return at, event_id
