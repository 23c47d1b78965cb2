"""Questions to people and their single answers, in `home.db`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import apsw

from homeguard.errors import HomeMismatch
from homeguard.model import Command, Confirmation, Effect, Json
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import Cell, micros, micros_or_none, moment, moment_or_none
from homeguard.stores.sqlite.database import Database
from homeguard.stores.sqlite.journal import INSERT_COMMAND, command_row

_COLUMNS: Final = (
    "id, home_id, user_id, text, detail, tier, effects, created_at, expires_at, caller, state, thread_id, turn_id,"
    " cause, decided_by, decided_at, outcome, link"
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM confirmations "  # noqa: S608 - literals
_ONE: Final = _SELECT + "WHERE home_id = ? AND id = ?"
_ALL: Final = _SELECT + "WHERE home_id = ? ORDER BY created_at, id"
_ADOPT: Final = (
    f"INSERT OR IGNORE INTO confirmations ({_COLUMNS})"  # noqa: S608 - literals
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT: Final = (
    f"INSERT OR REPLACE INTO confirmations ({_COLUMNS})"  # noqa: S608 - literals
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OPEN: Final = _SELECT + "WHERE home_id = ? AND state = 'open' AND expires_at > ? ORDER BY created_at, id"
_DECIDE: Final = (
    "UPDATE confirmations SET state = :state, decided_by = :by, decided_at = :now WHERE home_id = :home AND id = :id"  # noqa: S608 - literals
    f" AND state = 'open' AND expires_at > :now RETURNING {_COLUMNS}"
)
_SETTLE: Final = "UPDATE confirmations SET outcome = ? WHERE home_id = ? AND id = ? AND state = 'approved'"
_EXPIRE: Final = (
    f"UPDATE confirmations SET state = 'expired' WHERE state = 'open' AND expires_at <= ? RETURNING {_COLUMNS}"  # noqa: S608 - literals
)


class SqliteConfirmations:
    """A `Confirmations`. The writer's single thread makes one winner of any number of answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, confirmation: Confirmation) -> Confirmation:
        row = _row(confirmation)

        def ask(c: apsw.Connection) -> Any:
            there: Any = c.execute(_ONE, (confirmation.home_id, confirmation.id)).fetchone()
            if there is not None and there[10] == "open":
                return there
            c.execute(_PUT, row)
            return None

        there = await self._database.write(ask)
        return confirmation if there is None else _confirmation(there)

    async def get(self, home_id: str, confirmation_id: str) -> Confirmation | None:
        row = await self._database.row(_ONE, (home_id, confirmation_id))
        return None if row is None else _confirmation(row)

    async def open(self, home_id: str, now: datetime) -> list[Confirmation]:
        return [_confirmation(row) for row in await self._database.rows(_OPEN, (home_id, micros(now)))]

    async def decide(
        self, home_id: str, confirmation_id: str, *, approve: bool, by: str, now: datetime, commands: Sequence[Command]
    ) -> Confirmation | None:
        """As the port says.

        Raises:
            Conflict: one of the commands is in the journal already; the question stays as it was.
            HomeMismatch: one of the commands is another home's.
        """
        if any(command.home_id != home_id for command in commands):
            raise HomeMismatch("a command names another home")
        rows = [command_row(command, "pending") for command in commands] if approve else []
        given: dict[str, Cell] = {
            "home": home_id, "id": confirmation_id, "state": "approved" if approve else "denied", "by": by,
            "now": micros(now),
        }  # fmt: skip

        def decide(c: apsw.Connection) -> list[Any]:
            decided = c.execute(_DECIDE, given).fetchall()
            if decided:
                for row in rows:
                    c.execute(INSERT_COMMAND, row)
            return decided

        decided = await self._database.write(decide)
        return _confirmation(decided[0]) if decided else None

    async def settle(self, home_id: str, confirmation_id: str, outcome: Sequence[Mapping[str, Json]]) -> None:
        await self._database.change(_SETTLE, (json_text(outcome), home_id, confirmation_id))

    async def expire(self, now: datetime) -> list[Confirmation]:
        """Oldest first."""
        rows: list[Any] = await self._database.write(lambda c: c.execute(_EXPIRE, (micros(now),)).fetchall())
        return sorted((_confirmation(row) for row in rows), key=lambda found: (found.created_at, found.id))

    async def all(self, home_id: str) -> list[Confirmation]:
        return [_confirmation(row) for row in await self._database.rows(_ALL, (home_id,))]

    async def adopt(self, confirmations: Sequence[Confirmation]) -> int:
        rows = [_row(confirmation) for confirmation in confirmations]

        def adopt(c: apsw.Connection) -> int:
            before = c.total_changes()
            c.executemany(_ADOPT, rows).fetchall()
            return c.total_changes() - before

        return await self._database.write(adopt)


def _row(confirmation: Confirmation) -> tuple[Cell, ...]:
    return (
        confirmation.id, confirmation.home_id, confirmation.user_id, confirmation.text, confirmation.detail,
        confirmation.tier, json_text(confirmation.effects), micros(confirmation.created_at),
        micros(confirmation.expires_at), confirmation.caller, confirmation.state, confirmation.thread_id,
        confirmation.turn_id, confirmation.cause, confirmation.decided_by, micros_or_none(confirmation.decided_at),
        json_text(confirmation.outcome), confirmation.link,
    )  # fmt: skip


def _confirmation(row: Any) -> Confirmation:
    (
        id_, home_id, user_id, text, detail, tier, effects, created_at, expires_at, caller, state, thread_id, turn_id,
        cause, decided_by, decided_at, outcome, link,
    ) = row  # fmt: skip
    return Confirmation(
        id=id_, home_id=home_id, user_id=user_id, text=text, detail=detail, tier=tier,
        effects=tuple(_effect(effect) for effect in json_value(effects)), created_at=moment(created_at),
        expires_at=moment(expires_at), caller=caller, state=state, thread_id=thread_id, turn_id=turn_id, cause=cause,
        decided_by=decided_by, decided_at=moment_or_none(decided_at), outcome=tuple(json_value(outcome)),
        link=link,
    )  # fmt: skip


def _effect(given: dict[str, Any]) -> Effect:
    return Effect(**{**given, "contains": tuple(_effect(inner) for inner in given["contains"])})
