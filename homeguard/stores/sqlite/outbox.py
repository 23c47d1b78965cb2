"""Messages to people that wait for their delivery, in `home.db`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import apsw

from homeguard.model import Notice
from homeguard.stores.sqlite.columns import micros, micros_or_none, moment, moment_or_none
from homeguard.stores.sqlite.database import Database

_SELECT = "SELECT id, home_id, at, channel, recipient, priority, title, text, cause, delivered_at FROM outbox "
_PUT = (
    "INSERT INTO outbox (id, home_id, at, channel, recipient, priority, title, text, cause, delivered_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (home_id, id) DO NOTHING"
)


class SqliteOutbox:
    """An `Outbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, notices: Sequence[Notice]) -> list[Notice]:
        def put(c: apsw.Connection) -> list[Notice]:
            new = []
            for n in notices:
                c.execute(
                    _PUT,
                    (
                        n.id, n.home_id, micros(n.at), n.channel, n.recipient, n.priority, n.title, n.text, n.cause,
                        micros_or_none(n.delivered_at),
                    ),
                )  # fmt: skip
                if c.changes():
                    new.append(n)
            return new

        return await self._database.write(put)

    async def delivered(self, home_id: str, notice_id: str, at: datetime) -> None:
        """The first time counts."""
        sql = "UPDATE outbox SET delivered_at = coalesce(delivered_at, ?) WHERE home_id = ? AND id = ?"
        await self._database.change(sql, (micros(at), home_id, notice_id))

    async def undelivered(self) -> list[Notice]:
        sql = _SELECT + "WHERE delivered_at IS NULL ORDER BY at, id"
        rows = await self._database.rows(sql)
        return [_notice(row) for row in rows]

    async def query(self, home_id: str, *, start: datetime, end: datetime, limit: int = 100) -> list[Notice]:
        sql = _SELECT + "WHERE home_id = ? AND at >= ? AND at < ? ORDER BY at DESC, id DESC LIMIT ?"
        given = (home_id, micros(start), micros(end), limit)
        rows = await self._database.rows(sql, given)
        return [_notice(row) for row in rows]


def _notice(row: Any) -> Notice:
    id_, home_id, at, channel, recipient, priority, title, text, cause, delivered_at = row
    return Notice(
        id=id_, home_id=home_id, at=moment(at), channel=channel, recipient=recipient, priority=priority, title=title,
        text=text, cause=cause, delivered_at=moment_or_none(delivered_at),
    )  # fmt: skip
