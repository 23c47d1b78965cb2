"""How our values lie in a column: times as microseconds since 1970 (UTC)."""

from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

#: What a column of ours holds.
Cell: TypeAlias = str | int | float | bytes | None

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Microseconds since 1970; exact. `at` is aware."""
    span = at - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def micros_or_none(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def moment(value: int) -> datetime:
    """The aware UTC time of `micros`."""
    return _EPOCH + value * _MICROSECOND


def moment_or_none(value: int | None) -> datetime | None:
    return None if value is None else moment(value)
