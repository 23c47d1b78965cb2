"""What waits for an engine that is away, in `spool.db`."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import apsw

from homeguard.clock import Clock
from homeguard.errors import Overloaded
from homeguard.ports.spool import Backlog, Entry, Waiting
from homeguard.stores.json_text import json_text
from homeguard.stores.sqlite.columns import micros, moment
from homeguard.stores.sqlite.database import Database, open_database

#: For each engine. Of both, so much more may be used by what must not be lost.
ROW_LIMIT: Final = 100_000
BYTE_LIMIT: Final = 128 * 1024 * 1024
RESERVE: Final = 0.25
#: Rows set aside that are kept for each engine.
ASIDE_LIMIT: Final = 1_000
#: What a row costs beside its text.
ROW_BYTES: Final = 100
RETRY_AFTER_S: Final = 5

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_SELECT: Final = "SELECT number, engine, concern, value, kept_at, tries, reason FROM waiting "
_PUT: Final = "INSERT INTO waiting (engine, concern, value, kept_at) VALUES (?, ?, ?, ?)"
_SIZES: Final = (
    "SELECT engine, concern, count(*), sum(length(CAST(value AS BLOB))) FROM waiting WHERE is_aside = 0"
    " GROUP BY engine, concern"
)
_TRIM_ASIDE: Final = (
    "DELETE FROM waiting WHERE engine = ?1 AND is_aside = 1 AND number NOT IN"
    " (SELECT number FROM waiting WHERE engine = ?1 AND is_aside = 1 ORDER BY number DESC LIMIT ?2)"
)
_FORGET_ASIDE: Final = (
    "DELETE FROM waiting WHERE engine = ? AND is_aside = 1 AND concern <> ?"
    " AND EXISTS (SELECT 1 FROM json_each(?) AS text WHERE text.value <> '' AND instr(waiting.value, text.value) > 0)"
)
#: What was handed over is gone from the file, too.
_SECURE: Final = "PRAGMA secure_delete = ON"
_BACKLOGS: Final = (
    "SELECT engine, sum(1 - is_aside), min(CASE WHEN is_aside = 0 THEN kept_at END), sum(is_aside) FROM waiting"
    " GROUP BY engine ORDER BY engine"
)


@asynccontextmanager
async def open_spool(
    path: Path, clock: Clock, *, row_limit: int = ROW_LIMIT, byte_limit: int = BYTE_LIMIT
) -> AsyncIterator["SqliteSpool"]:
    """The spool in that file. Both limits hold for each engine.

    Raises:
        StartRefused: the file is no spool, or newer than this program.
    """
    migrations = [file.read_text(encoding="utf-8") for file in sorted(_MIGRATIONS.glob("spool_[0-9]*.sql"))]
    async with open_database(path, migrations) as database:
        spool = SqliteSpool(database, clock, row_limit=row_limit, byte_limit=byte_limit)
        await spool.load()
        yield spool


class SqliteSpool:
    """A `Spool`. Counts are in memory and follow the file; this process is its only writer. `load` comes first."""

    def __init__(self, database: Database, clock: Clock, *, row_limit: int, byte_limit: int) -> None:
        self._database = database
        self._clock = clock
        self._row_limit = row_limit
        self._byte_limit = byte_limit
        #: (engine, concern) -> rows; engine -> rows and bytes; and what is being written just now.
        self._rows: Counter[tuple[str, str]] = Counter()
        self._total: Counter[str] = Counter()
        self._size: Counter[str] = Counter()
        self._coming_rows: Counter[str] = Counter()
        self._coming_size: Counter[str] = Counter()

    async def load(self) -> None:
        """Count what waits."""
        await self._database.write(lambda c: c.execute(_SECURE).fetchall())
        for counts in (self._rows, self._total, self._size):
            counts.clear()
        for engine, concern, rows, size in await self._database.rows(_SIZES):
            self._rows[engine, concern] += rows
            self._total[engine] += rows
            self._size[engine] += size + rows * ROW_BYTES

    async def put(self, engine: str, entries: Sequence[Entry], *, reserved: bool = False) -> None:
        if not entries:
            return
        room = 1 + RESERVE if reserved else 1.0
        size = sum(_size(entry) for entry in entries)
        if (
            self._total[engine] + self._coming_rows[engine] + len(entries) > self._row_limit * room
            or self._size[engine] + self._coming_size[engine] + size > self._byte_limit * room
        ):
            raise Overloaded(
                f"{engine} is away and what may wait for it here is full ({self._total[engine]} rows,"
                f" {self._size[engine]:,} bytes); nothing was kept, try again in {RETRY_AFTER_S} s",
                engine=engine, retry_after_s=RETRY_AFTER_S,
            )  # fmt: skip
        kept_at = micros(self._clock.now())
        rows = [(engine, entry.concern, entry.value, kept_at) for entry in entries]
        self._coming_rows[engine] += len(entries)
        self._coming_size[engine] += size
        try:
            await self._database.write(
                lambda c: c.executemany(_PUT, rows).fetchall(), then=lambda _: self._count(engine, entries, 1)
            )
        finally:
            self._coming_rows[engine] -= len(entries)
            self._coming_size[engine] -= size

    async def next(self, engine: str, *, limit: int = 100) -> list[Waiting]:
        sql = _SELECT + "WHERE engine = ? AND is_aside = 0 ORDER BY number LIMIT ?"
        return [_waiting(row) for row in await self._database.rows(sql, (engine, limit))]

    async def taken(self, engine: str, numbers: Sequence[int]) -> None:
        def take(c: apsw.Connection) -> list[Entry]:
            gone = []
            for number in numbers:
                sql = "DELETE FROM waiting WHERE engine = ? AND number = ? AND is_aside = 0 RETURNING concern, value"
                found: Any = c.execute(sql, (engine, number)).fetchone()
                if found is not None:
                    gone.append(Entry(concern=found[0], value=found[1]))
            return gone

        await self._database.write(take, then=lambda gone: self._count(engine, gone, -1))

    async def refused(self, engine: str, number: int, reason: str) -> int:
        def refuse(c: apsw.Connection) -> int:
            sql = "UPDATE waiting SET tries = tries + 1, reason = ? WHERE engine = ? AND number = ? RETURNING tries"
            found: Any = c.execute(sql, (reason[:500], engine, number)).fetchone()
            return 0 if found is None else int(found[0])

        return await self._database.write(refuse)

    async def set_aside(self, engine: str, number: int) -> None:
        def put_aside(c: apsw.Connection) -> list[Entry]:
            sql = (
                "UPDATE waiting SET is_aside = 1 WHERE engine = ? AND number = ? AND is_aside = 0"
                " RETURNING concern, value"
            )
            moved: Any = c.execute(sql, (engine, number)).fetchall()
            c.execute(_TRIM_ASIDE, (engine, ASIDE_LIMIT))
            return [Entry(concern=concern, value=value) for concern, value in moved]

        await self._database.write(put_aside, then=lambda moved: self._count(engine, moved, -1))

    async def put_back(self, engine: str) -> int:
        def put_back(c: apsw.Connection) -> list[Entry]:
            sql = (
                "UPDATE waiting SET is_aside = 0, tries = 0 WHERE engine = ? AND is_aside = 1 RETURNING concern, value"
            )
            rows: Any = c.execute(sql, (engine,)).fetchall()
            return [Entry(concern=concern, value=value) for concern, value in rows]

        moved = await self._database.write(put_back, then=lambda moved: self._count(engine, moved, 1))
        return len(moved)

    async def aside(self, engine: str) -> list[Waiting]:
        sql = _SELECT + "WHERE engine = ? AND is_aside = 1 ORDER BY number"
        return [_waiting(row) for row in await self._database.rows(sql, (engine,))]

    async def forget_aside(self, engine: str, texts: Collection[str], *, but: str = "") -> int:
        return await self._database.change(_FORGET_ASIDE, (engine, but, json_text(sorted(texts))))

    def count(self, engine: str, concern: str = "") -> int:
        return self._rows[engine, concern] if concern else self._total[engine]

    async def backlogs(self) -> list[Backlog]:
        return [
            Backlog(
                engine=engine, rows=rows, size=self._size[engine],
                oldest_at=None if oldest is None else moment(oldest), aside=aside,
            )
            for engine, rows, oldest, aside in await self._database.rows(_BACKLOGS)
        ]  # fmt: skip

    def _count(self, engine: str, entries: Sequence[Entry], sign: int) -> None:
        for entry in entries:
            self._rows[engine, entry.concern] += sign
            self._total[engine] += sign
            self._size[engine] += sign * _size(entry)


def _size(entry: Entry) -> int:
    return len(entry.value.encode()) + ROW_BYTES


def _waiting(row: Any) -> Waiting:
    number, engine, concern, value, kept_at, tries, reason = row
    return Waiting(
        number=number, engine=engine, entry=Entry(concern=concern, value=value), kept_at=moment(kept_at),
        tries=tries, reason=reason,
    )  # fmt: skip
