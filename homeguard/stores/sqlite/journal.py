"""Every command and what came of it, in `home.db`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import apsw

from homeguard.model import Command, Outcome
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import Cell, micros, micros_or_none, moment, moment_or_none
from homeguard.stores.sqlite.database import Database

_COLUMNS: Final = (
    "id, home_id, device_id, command, parameters, sets, was, tier, caller, user_id, cause, requested_at, not_after,"
    " outcome, reason, finished_at, grant_id"
)
#: Also how an approval writes its commands (`confirmations`): a command that is already there is a conflict.
INSERT_COMMAND: Final = f"INSERT INTO commands ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - literals
_SELECT: Final = f"SELECT {_COLUMNS} FROM commands "  # noqa: S608 - literals
_FINISH: Final = (
    "UPDATE commands SET outcome = :outcome, reason = :reason, finished_at = :at WHERE home_id = :home AND id = :id"  # noqa: S608 - literals
    " AND (outcome = 'pending' OR (outcome = 'sent' AND :outcome = 'confirmed'))"
    f" RETURNING {_COLUMNS}"
)
_SINCE: Final = _SELECT + "WHERE home_id = ? AND requested_at >= ? ORDER BY requested_at DESC, id DESC LIMIT ?"
_SINCE_BY_DEVICE: Final = (
    _SELECT + "WHERE home_id = ? AND device_id = ? AND requested_at >= ? ORDER BY requested_at DESC, id DESC LIMIT ?"
)
_ADOPT: Final = INSERT_COMMAND + (
    " ON CONFLICT (home_id, id) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,"
    " finished_at = excluded.finished_at WHERE outcome = 'pending' AND excluded.outcome <> 'pending'"
)
_EXECUTED: Final = (
    "SELECT count(*) FROM commands WHERE home_id = ? AND tier = ? AND caller = ? AND requested_at >= ?"
    " AND outcome NOT IN ('refused', 'failed')"
)


class SqliteJournal:
    """A `Journal`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, command: Command) -> bool:
        sql = INSERT_COMMAND + " ON CONFLICT (home_id, id) DO NOTHING"
        return await self._database.change(sql, command_row(command, "pending")) == 1

    async def finish(
        self, home_id: str, command_id: str, outcome: Outcome, reason: str, at: datetime
    ) -> Command | None:
        given = {"home": home_id, "id": command_id, "outcome": outcome, "reason": reason, "at": micros(at)}
        rows: list[Any] = await self._database.write(lambda c: c.execute(_FINISH, given).fetchall())
        return _command(rows[0]) if rows else None

    async def command(self, home_id: str, command_id: str) -> Command | None:
        row = await self._database.row(_SELECT + "WHERE home_id = ? AND id = ?", (home_id, command_id))
        return None if row is None else _command(row)

    async def commands(self, home_id: str, *, since: datetime, device_id: str = "", limit: int = 100) -> list[Command]:
        sql, given = (
            (_SINCE_BY_DEVICE, (home_id, device_id, micros(since), limit))
            if device_id
            else (_SINCE, (home_id, micros(since), limit))
        )
        return [_command(row) for row in await self._database.rows(sql, given)]

    async def pending(self) -> list[Command]:
        """Oldest first."""
        rows = await self._database.rows(_SELECT + "WHERE outcome = 'pending' ORDER BY requested_at, id")
        return [_command(row) for row in rows]

    async def adopt(self, commands: Sequence[Command]) -> int:
        def adopt(c: apsw.Connection) -> int:
            taken = set()
            for command in commands:
                c.execute(_ADOPT, command_row(command, command.outcome))
                if c.changes():
                    taken.add((command.home_id, command.id))
            return len(taken)

        return await self._database.write(adopt)

    async def executed_since(self, home_id: str, tier: int, caller: str, since: datetime) -> int:
        (count,) = await self._database.row(_EXECUTED, (home_id, tier, caller, micros(since)))
        return int(count)


def command_row(command: Command, outcome: Outcome) -> tuple[Cell, ...]:
    """What `INSERT_COMMAND` takes."""
    return (
        command.id, command.home_id, command.device_id, command.command, json_text(command.parameters),
        json_text(command.set), json_text(command.before), command.tier, command.caller, command.user_id,
        command.cause, micros(command.requested_at), micros(command.not_after), outcome, command.reason,
        micros_or_none(command.finished_at), command.grant_id,
    )  # fmt: skip


def _command(row: Any) -> Command:
    (
        id_, home_id, device_id, command, parameters, sets, was, tier, caller, user_id, cause, requested_at, not_after,
        outcome, reason, finished_at, grant_id,
    ) = row  # fmt: skip
    return Command(
        id=id_, home_id=home_id, device_id=device_id, command=command, parameters=json_value(parameters),
        set=json_value(sets), before=json_value(was), tier=tier, caller=caller, user_id=user_id, cause=cause,
        requested_at=moment(requested_at), not_after=moment(not_after), outcome=outcome, reason=reason,
        finished_at=moment_or_none(finished_at), grant_id=grant_id,
    )  # fmt: skip
