"""How our values lie in a document: keys, times, and JSON of any shape.

A time is kept twice: as microseconds since 1970, which is what we read and sort by, and as a date (milliseconds), which
is what people and their queries read. JSON of any shape is kept as text, since servers differ in the field names,
nesting and numbers that they take; beside it goes a copy of what every server can keep, to be searched.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import bson

from homeguard.errors import PayloadTooLarge

Document: TypeAlias = dict[str, Any]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INT64: Final = range(-(2**63), 2**63)
#: Servers take documents that are 100 deep; the fields around a copy and its driver need some of that.
_DEPTH: Final = 50
_LEFT_OUT: Final = object()
#: A document has at most 16 MiB; some of that is left to the fields that a server or an update adds.
_SIZE: Final = 16_000_000


def key(*parts: str) -> str:
    """One `_id` for these ids in their order; different ids give different keys, whatever is in them."""
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def micros(at: datetime) -> int:
    """Microseconds since 1970; exact. `at` is aware."""
    span = at - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def moment(value: int) -> datetime:
    """The aware UTC time of `micros`."""
    return _EPOCH + timedelta(microseconds=value)


def moment_or_none(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


def times(**given: datetime | None) -> Document:
    """`created=at` as the fields `created_at` (a date) and `created_us`; both null for None."""
    fields: Document = {}
    for name, at in given.items():
        fields[f"{name}_at"] = None if at is None else at.astimezone(UTC)
        fields[f"{name}_us"] = None if at is None else micros(at)
    return fields


def fitting(row: Document) -> Document:
    """The same document.

    Raises:
        PayloadTooLarge: it is more than one document can hold (a server would only close the connection).
    """
    if len(bson.encode(row)) > _SIZE:
        raise PayloadTooLarge("this is more than MongoDB keeps in one document (16 MB)")
    return row


def searchable(value: object) -> Any:
    """A copy of JSON without what some server cannot keep: fields whose names are empty or hold `.`, `$` or NUL, arrays
    in arrays, numbers beyond 64 bits or not finite, and what lies deeper than 50."""
    copy = _copied(value, in_array=False, depth=_DEPTH)
    return None if copy is _LEFT_OUT else copy


def _copied(value: object, *, in_array: bool, depth: int) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if value in _INT64 else _LEFT_OUT
    if isinstance(value, float):
        return value if math.isfinite(value) else _LEFT_OUT
    if depth == 0:
        return _LEFT_OUT
    if isinstance(value, Mapping):
        fields = {
            name: _copied(part, in_array=False, depth=depth - 1)
            for name, part in value.items()
            if isinstance(name, str) and name and not any(sign in name for sign in ".$\0")
        }
        return {name: part for name, part in fields.items() if part is not _LEFT_OUT}
    if isinstance(value, Sequence) and not in_array:
        parts = [_copied(part, in_array=True, depth=depth - 1) for part in value]
        return [part for part in parts if part is not _LEFT_OUT]
    return _LEFT_OUT
