"""Questions to people and their single answers, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from homeguard.errors import HomeMismatch
from homeguard.model import Command, Confirmation, Effect, Json
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.postgres.columns import by_column
from homeguard.stores.postgres.journal import INSERT_COMMAND, command_row
from homeguard.stores.postgresql import Pool

_COLUMNS: Final = (
    "id, home_id, user_id, text, detail, tier, effects, created_at, expires_at, caller, state, thread_id, turn_id,"
    " cause, decided_by, decided_at, outcome, link"
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM confirmations "  # noqa: S608 - literals
_ONE: Final = _SELECT + "WHERE home_id = $1 AND id = $2"
_INSERT: Final = f"INSERT INTO confirmations ({_COLUMNS}) "
#: A question that was answered may be asked again under its id: the new one takes its place.
_ASK: Final = (
    _INSERT + "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
    " ON CONFLICT (home_id, id) DO UPDATE SET user_id = excluded.user_id, text = excluded.text,"
    " detail = excluded.detail, tier = excluded.tier, effects = excluded.effects, created_at = excluded.created_at,"
    " expires_at = excluded.expires_at, caller = excluded.caller, state = excluded.state,"
    " thread_id = excluded.thread_id, turn_id = excluded.turn_id, cause = excluded.cause,"
    " decided_by = excluded.decided_by, decided_at = excluded.decided_at, outcome = excluded.outcome,"
    " link = excluded.link WHERE confirmations.state <> 'open' RETURNING id"
)
_GIVEN: Final = (
    "SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::json[],"
    " $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],"
    " $15::text[], $16::timestamptz[], $17::json[], $18::text[])"
)
_ADOPT: Final = _INSERT + _GIVEN + " ON CONFLICT (home_id, id) DO NOTHING"
_OPEN: Final = _SELECT + "WHERE home_id = $1 AND state = 'open' AND expires_at > $2 ORDER BY created_at, id"
_ALL: Final = _SELECT + "WHERE home_id = $1 ORDER BY created_at, id"
_DECIDE: Final = (
    "UPDATE confirmations SET state = $3, decided_by = $4, decided_at = $5"  # noqa: S608 - literals
    f" WHERE home_id = $1 AND id = $2 AND state = 'open' AND expires_at > $5 RETURNING {_COLUMNS}"
)
_SETTLE: Final = "UPDATE confirmations SET outcome = $3 WHERE home_id = $1 AND id = $2 AND state = 'approved'"
_EXPIRE: Final = (
    f"UPDATE confirmations SET state = 'expired' WHERE state = 'open' AND expires_at <= $1 RETURNING {_COLUMNS}"  # noqa: S608 - literals
)


class PostgresConfirmations:
    """A `Confirmations`. The lock on the question's row makes one winner of any number of answers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ask(self, confirmation: Confirmation) -> Confirmation:
        async with self._pool.transaction() as connection:
            if await connection.fetchval(_ASK, *_row(confirmation)) is not None:
                return confirmation
            # The statement above holds the row, so that nobody answers the question before it is read.
            return _confirmation(await connection.fetchrow(_ONE, confirmation.home_id, confirmation.id))

    async def get(self, home_id: str, confirmation_id: str) -> Confirmation | None:
        row = await self._pool.fetchrow(_ONE, home_id, confirmation_id)
        return None if row is None else _confirmation(row)

    async def open(self, home_id: str, now: datetime) -> list[Confirmation]:
        return [_confirmation(row) for row in await self._pool.fetch(_OPEN, home_id, now)]

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
        state = "approved" if approve else "denied"
        async with self._pool.transaction() as connection:
            decided = await connection.fetchrow(_DECIDE, home_id, confirmation_id, state, by, now)
            if decided is None:
                return None
            if approve:
                await connection.executemany(INSERT_COMMAND, [command_row(command, "pending") for command in commands])
        return _confirmation(decided)

    async def settle(self, home_id: str, confirmation_id: str, outcome: Sequence[Mapping[str, Json]]) -> None:
        await self._pool.execute(_SETTLE, home_id, confirmation_id, json_text(outcome))

    async def expire(self, now: datetime) -> list[Confirmation]:
        """Oldest first."""
        rows = await self._pool.fetch(_EXPIRE, now)
        return sorted((_confirmation(row) for row in rows), key=lambda found: (found.created_at, found.id))

    async def all(self, home_id: str) -> list[Confirmation]:
        return [_confirmation(row) for row in await self._pool.fetch(_ALL, home_id)]

    async def adopt(self, confirmations: Sequence[Confirmation]) -> int:
        # In the order of their keys, so that two that adopt the same do not wait for each other in a circle.
        rows = [_row(found) for found in sorted(confirmations, key=lambda found: (found.home_id, found.id))]
        return await self._pool.change(_ADOPT, *by_column(rows)) if rows else 0


def _row(confirmation: Confirmation) -> tuple[object, ...]:
    return (
        confirmation.id, confirmation.home_id, confirmation.user_id, confirmation.text, confirmation.detail,
        confirmation.tier, json_text(confirmation.effects), confirmation.created_at, confirmation.expires_at,
        confirmation.caller, confirmation.state, confirmation.thread_id, confirmation.turn_id, confirmation.cause,
        confirmation.decided_by, confirmation.decided_at, json_text(confirmation.outcome),
        confirmation.link,
    )  # fmt: skip


def _confirmation(row: Any) -> Confirmation:
    (
        id_, home_id, user_id, text, detail, tier, effects, created_at, expires_at, caller, state, thread_id, turn_id,
        cause, decided_by, decided_at, outcome, link,
    ) = row  # fmt: skip
    return Confirmation(
        id=id_, home_id=home_id, user_id=user_id, text=text, detail=detail, tier=tier,
        effects=tuple(_effect(effect) for effect in json_value(effects)), created_at=created_at,
        expires_at=expires_at, caller=caller, state=state, thread_id=thread_id, turn_id=turn_id, cause=cause,
        decided_by=decided_by, decided_at=decided_at, outcome=tuple(json_value(outcome)), link=link,
    )  # fmt: skip


def _effect(given: dict[str, Any]) -> Effect:
    return Effect(**{**given, "contains": tuple(_effect(inner) for inner in given["contains"])})
