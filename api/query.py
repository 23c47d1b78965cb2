"""Query parameters that several routes share: limits, cursors, times; and waiting for the past to be written."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar

from fastapi import Query

from api.deps import ApiDeps
from homeguard.clock import parse_time
from homeguard.errors import InvalidInput, StoreUnavailable

MAX_LIMIT: Final = 1000
T = TypeVar("T")

#: 1 to 1000; more is clamped.
Limit = Annotated[int, Query(ge=1, description="1 to 1000; more is clamped to 1000")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the answer before")]
Moment = Annotated[str | None, Query(max_length=40, description="ISO 8601, epoch seconds or epoch milliseconds")]


def clamp(limit: int) -> int:
    return min(limit, MAX_LIMIT)


def moment(text: str | None, name: str) -> datetime | None:
    """A query's time as aware UTC; a `+` of an offset that arrived as a blank is understood.

    Raises:
        InvalidInput: it is no time.
    """
    if text is None or not text:
        return None
    try:
        return (
            parse_time(float(text)) if _is_number(text) else parse_time(text.replace(" ", "+") if "T" in text else text)
        )
    except ValueError as error:
        raise InvalidInput(f"{name} is no time: use ISO 8601, or seconds since 1970", field=name) from error


def _is_number(text: str) -> bool:
    return text.isascii() and text.lstrip("-").replace(".", "", 1).isdigit()


def interval(start: str | None, end: str | None, now: datetime, *, default: timedelta) -> tuple[datetime, datetime]:
    """`[from, to)`; without them the time up to now.

    Raises:
        InvalidInput: one is no time, or it ends before it starts.
    """
    until = moment(end, "to") or now + timedelta(seconds=1)
    since = moment(start, "from") or max(until - default, datetime(1970, 1, 1, tzinfo=UTC))
    if until <= since:
        raise InvalidInput("the interval is empty: from lies before to", field="from")
    return since, until


def page(items: Sequence[T], key: Callable[[T], str], limit: int, cursor: str | None) -> tuple[list[T], str | None]:
    """A part of a list that is in memory: what comes behind the item that the cursor names.

    Raises:
        InvalidInput: the cursor is not one of ours, or its item is gone.
    """
    first = 0
    if cursor:
        last = _unpack(cursor)
        first = next((i + 1 for i, item in enumerate(items) if key(item) == last), -1)
        if first < 0:
            raise _bad_cursor()
    part = list(items[first : first + limit])
    more = first + limit < len(items)
    return part, _pack(key(part[-1])) if more and part else None


def _pack(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()


def _unpack(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise _bad_cursor() from error


def _bad_cursor() -> InvalidInput:
    return InvalidInput("the cursor is not one of this list", field="cursor")


async def the_past(deps: ApiDeps) -> None:
    """Wait, bounded, until the history of a new home is written.

    Raises:
        StoreUnavailable: it still is not; try again.
    """
    if deps.history_ready.is_set():
        return
    try:
        async with asyncio.timeout(deps.history_wait_s):
            await deps.history_ready.wait()
    except TimeoutError as error:
        raise StoreUnavailable("the home's history is still being written", retry_after_s=5) from error
