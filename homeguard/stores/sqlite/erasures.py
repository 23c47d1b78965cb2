"""Who is being erased, in `home.db`."""

from typing import Any, Final

from homeguard.ports.personal import Erasure, Subject
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import micros, moment
from homeguard.stores.sqlite.database import Database

_BEGIN: Final = (
    "INSERT INTO erasures (user_id, homes, sole_homes, begun_at) VALUES (?, ?, ?, ?) ON CONFLICT (user_id) DO NOTHING"
)
_UNFINISHED: Final = (
    "SELECT user_id, homes, sole_homes, begun_at FROM erasures WHERE finished_at IS NULL ORDER BY begun_at, user_id"
)
_REMEMBER: Final = "UPDATE erasures SET finished_at = begun_at WHERE user_id = ?"
_FORGET: Final = "DELETE FROM erasures WHERE user_id = ?"


class SqliteErasures:
    """An `Erasures`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, erasure: Erasure) -> None:
        subject = erasure.subject
        row = (subject.user_id, json_text(subject.homes), json_text(subject.sole_homes), micros(erasure.begun_at))
        await self._database.change(_BEGIN, row)

    async def unfinished(self) -> list[Erasure]:
        return [_erasure(row) for row in await self._database.rows(_UNFINISHED)]

    async def finish(self, user_id: str, *, remembered: bool = False) -> None:
        await self._database.change(_REMEMBER if remembered else _FORGET, (user_id,))


def _erasure(row: Any) -> Erasure:
    user_id, homes, sole_homes, begun_at = row
    subject = Subject(user_id=user_id, homes=tuple(json_value(homes)), sole_homes=tuple(json_value(sole_homes)))
    return Erasure(subject=subject, begun_at=moment(begun_at))
