"""Messages to people that wait for their delivery, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from homeguard.model import Notice
from homeguard.stores.postgres.columns import by_column
from homeguard.stores.postgresql import Pool

_SELECT: Final = "SELECT id, home_id, at, channel, recipient, priority, title, text, cause, delivered_at FROM outbox "
_PUT: Final = """
INSERT INTO outbox (id, home_id, at, channel, recipient, priority, title, text, cause, delivered_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::timestamptz[])
ON CONFLICT (home_id, id) DO NOTHING RETURNING home_id, id
"""
_DELIVERED: Final = "UPDATE outbox SET delivered_at = coalesce(delivered_at, $3) WHERE home_id = $1 AND id = $2"
_UNDELIVERED: Final = _SELECT + "WHERE delivered_at IS NULL ORDER BY at, id"
_QUERY: Final = _SELECT + "WHERE home_id = $1 AND at >= $2 AND at < $3 ORDER BY at DESC, id DESC LIMIT $4"


class PostgresOutbox:
    """An `Outbox`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, notices: Sequence[Notice]) -> list[Notice]:
        """In the order given; of several with one id the first."""
        given: dict[tuple[str, str], Notice] = {}
        for notice in notices:
            given.setdefault((notice.home_id, notice.id), notice)
        if not given:
            return []
        # In the order of their keys, so that two that put the same do not wait for each other in a circle.
        rows = [_row(given[key]) for key in sorted(given)]
        new = {(row[0], row[1]) for row in await self._pool.fetch(_PUT, *by_column(rows))}
        return [notice for key, notice in given.items() if key in new]

    async def delivered(self, home_id: str, notice_id: str, at: datetime) -> None:
        """The first time counts."""
        await self._pool.execute(_DELIVERED, home_id, notice_id, at)

    async def undelivered(self) -> list[Notice]:
        return [_notice(row) for row in await self._pool.fetch(_UNDELIVERED)]

    async def query(self, home_id: str, *, start: datetime, end: datetime, limit: int = 100) -> list[Notice]:
        return [_notice(row) for row in await self._pool.fetch(_QUERY, home_id, start, end, limit)]


def _row(notice: Notice) -> tuple[object, ...]:
    return (
        notice.id, notice.home_id, notice.at, notice.channel, notice.recipient, notice.priority, notice.title,
        notice.text, notice.cause, notice.delivered_at,
    )  # fmt: skip


def _notice(row: Any) -> Notice:
    id_, home_id, at, channel, recipient, priority, title, text, cause, delivered_at = row
    return Notice(
        id=id_, home_id=home_id, at=at, channel=channel, recipient=recipient, priority=priority, title=title,
        text=text, cause=cause, delivered_at=delivered_at,
    )  # fmt: skip
