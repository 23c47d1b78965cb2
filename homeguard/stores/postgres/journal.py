"""Every command and what came of it, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from homeguard.model import Command, Outcome
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.postgres.columns import by_column
from homeguard.stores.postgresql import Pool

_INSERT: Final = (
    "INSERT INTO commands (id, home_id, device_id, command, parameters, sets, was, tier, caller, user_id, cause,"
    " requested_at, not_after, outcome, reason, finished_at, grant_id) "
)
#: Also how an approval writes its commands (`confirmations`): a command that is already there is a conflict.
INSERT_COMMAND: Final = _INSERT + "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
_BEGIN: Final = INSERT_COMMAND + " ON CONFLICT (home_id, id) DO NOTHING"
_GIVEN: Final = (
    "SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::json[], $6::json[], $7::json[],"
    " $8::integer[], $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[], $14::text[],"
    " $15::text[], $16::timestamptz[], $17::text[])"
)
_GO_ON: Final = (
    " ON CONFLICT (home_id, id) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,"
    " finished_at = excluded.finished_at WHERE commands.outcome = 'pending' AND excluded.outcome <> 'pending'"
)
_ADOPT: Final = _INSERT + _GIVEN + _GO_ON
_SELECT: Final = (
    "SELECT id, home_id, device_id, command, parameters, sets, was, tier, caller, user_id, cause, requested_at,"
    " not_after, outcome, reason, finished_at, grant_id FROM commands "
)
_ONE: Final = _SELECT + "WHERE home_id = $1 AND id = $2"
_FINISH: Final = """
UPDATE commands SET outcome = $3, reason = $4, finished_at = $5
WHERE home_id = $1 AND id = $2 AND (outcome = 'pending' OR (outcome = 'sent' AND $3 = 'confirmed'))
RETURNING id, home_id, device_id, command, parameters, sets, was, tier, caller, user_id, cause, requested_at,
    not_after, outcome, reason, finished_at, grant_id
"""
_SINCE: Final = _SELECT + "WHERE home_id = $1 AND requested_at >= $2 ORDER BY requested_at DESC, id DESC LIMIT $3"
_SINCE_BY_DEVICE: Final = (
    _SELECT
    + "WHERE home_id = $1 AND device_id = $2 AND requested_at >= $3 ORDER BY requested_at DESC, id DESC LIMIT $4"
)
_PENDING: Final = _SELECT + "WHERE outcome = 'pending' ORDER BY requested_at, id"
_EXECUTED: Final = """
SELECT count(*) FROM commands
WHERE home_id = $1 AND tier = $2 AND caller = $3 AND requested_at >= $4 AND outcome NOT IN ('refused', 'failed')
"""


class PostgresJournal:
    """A `Journal`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, command: Command) -> bool:
        return await self._pool.change(_BEGIN, *command_row(command, "pending")) == 1

    async def finish(
        self, home_id: str, command_id: str, outcome: Outcome, reason: str, at: datetime
    ) -> Command | None:
        row = await self._pool.fetchrow(_FINISH, home_id, command_id, outcome, reason, at)
        return None if row is None else _command(row)

    async def command(self, home_id: str, command_id: str) -> Command | None:
        row = await self._pool.fetchrow(_ONE, home_id, command_id)
        return None if row is None else _command(row)

    async def commands(self, home_id: str, *, since: datetime, device_id: str = "", limit: int = 100) -> list[Command]:
        rows = (
            await self._pool.fetch(_SINCE_BY_DEVICE, home_id, device_id, since, limit)
            if device_id
            else await self._pool.fetch(_SINCE, home_id, since, limit)
        )
        return [_command(row) for row in rows]

    async def pending(self) -> list[Command]:
        """Oldest first."""
        return [_command(row) for row in await self._pool.fetch(_PENDING)]

    async def adopt(self, commands: Sequence[Command]) -> int:
        # One statement may touch a row once: of several of one id, the first that is no longer pending counts.
        given: dict[tuple[str, str], Command] = {}
        for command in commands:
            known = given.setdefault((command.home_id, command.id), command)
            if known.outcome == "pending":
                given[command.home_id, command.id] = command
        if not given:
            return 0
        # In the order of their keys, so that two that adopt the same do not wait for each other in a circle.
        rows = [command_row(command, command.outcome) for _, command in sorted(given.items(), key=lambda item: item[0])]
        return await self._pool.change(_ADOPT, *by_column(rows))

    async def executed_since(self, home_id: str, tier: int, caller: str, since: datetime) -> int:
        return int(await self._pool.fetchval(_EXECUTED, home_id, tier, caller, since))


def command_row(command: Command, outcome: Outcome) -> tuple[object, ...]:
    """What `INSERT_COMMAND` takes."""
    return (
        command.id, command.home_id, command.device_id, command.command, json_text(command.parameters),
        json_text(command.set), json_text(command.before), command.tier, command.caller, command.user_id,
        command.cause, command.requested_at, command.not_after, outcome, command.reason, command.finished_at,
        command.grant_id,
    )  # fmt: skip


def _command(row: Any) -> Command:
    (
        id_, home_id, device_id, command, parameters, sets, was, tier, caller, user_id, cause, requested_at, not_after,
        outcome, reason, finished_at, grant_id,
    ) = row  # fmt: skip
    return Command(
        id=id_, home_id=home_id, device_id=device_id, command=command, parameters=json_value(parameters),
        set=json_value(sets), before=json_value(was), tier=tier, caller=caller, user_id=user_id, cause=cause,
        requested_at=requested_at, not_after=not_after, outcome=outcome, reason=reason, finished_at=finished_at,
        grant_id=grant_id,
    )  # fmt: skip
