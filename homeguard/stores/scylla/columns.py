"""How our values lie in a column: times as milliseconds and days since 1970 (UTC)."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cassandra.query import UNSET_VALUE

DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
#: All times that a `datetime` can hold.
FIRST_MS: Final = -62_135_596_800_000
LAST_MS: Final = 253_402_300_799_999
#: CQL counts the days of a `date` from -5877641-06-23.
_DATE_OFFSET: Final = 2**31


def milliseconds(at: datetime) -> int:
    """Milliseconds since 1970; what is finer is cut off. `at` is aware."""
    return (at - _EPOCH) // _MILLISECOND


def first_millisecond(at: datetime) -> int:
    """The first whole millisecond that is not before `at`."""
    return -((_EPOCH - at) // _MILLISECOND)


def moment(value: datetime) -> datetime:
    """The aware UTC time of a column: the driver gives a naive one, by way of a float."""
    micro = value.microsecond
    if micro % 1000 == 0:
        return value.replace(tzinfo=UTC)
    return value.replace(microsecond=0, tzinfo=UTC) + timedelta(milliseconds=round(micro / 1000))


def date_cell(day: int) -> int:
    """A day since 1970 as the driver takes it for a `date`."""
    return day + _DATE_OFFSET


def unless_empty(value: Any) -> Any:
    """The value, or nothing at all for `None` and `""`: a null would be written as a tombstone."""
    return UNSET_VALUE if value is None or value == "" else value


def unless_none(value: Any) -> Any:
    return UNSET_VALUE if value is None else value
