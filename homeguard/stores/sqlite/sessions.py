"""Sign-ins and long-lived tokens in `home.db`; of secrets only hashes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from homeguard.ports.users import AccessToken, Session
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import micros, micros_or_none, moment, moment_or_none
from homeguard.stores.sqlite.database import Database

_SESSION = "SELECT id, user_id, home_id, refresh_hash, created_at, expires_at, revoked_at FROM sessions "
_SELECT = (
    "SELECT id, home_id, user_id, kind, name, token_hash, scopes, servers, device_id, created_at, expires_at,"
    " revoked_at FROM tokens "
)


class SqliteSessions:
    """A `SessionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_session(self, session: Session) -> None:
        sql = (
            "INSERT INTO sessions (id, user_id, home_id, refresh_hash, created_at, expires_at, revoked_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id,"
            " home_id = excluded.home_id, refresh_hash = excluded.refresh_hash, created_at = excluded.created_at,"
            " expires_at = excluded.expires_at, revoked_at = excluded.revoked_at"
        )
        row = (
            session.id, session.user_id, session.home_id, session.refresh_hash, micros(session.created_at),
            micros(session.expires_at), micros_or_none(session.revoked_at),
        )  # fmt: skip
        await self._database.change(sql, row)

    async def session(self, session_id: str) -> Session | None:
        row = await self._database.row(_SESSION + "WHERE id = ?", (session_id,))
        return None if row is None else _session(row)

    async def sessions(self) -> list[Session]:
        return [_session(row) for row in await self._database.rows(_SESSION + "ORDER BY id")]

    async def rotate(self, session_id: str, old_hash: str, new_hash: str, expires_at: datetime) -> bool:
        sql = (
            "UPDATE sessions SET refresh_hash = ?, expires_at = ?"
            " WHERE id = ? AND refresh_hash = ? AND revoked_at IS NULL"
        )
        row = (new_hash, micros(expires_at), session_id, old_hash)
        return await self._database.change(sql, row) == 1

    async def revoke_session(self, session_id: str, at: datetime) -> None:
        """The first time counts."""
        sql = "UPDATE sessions SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?"
        await self._database.change(sql, (micros(at), session_id))

    async def put_token(self, token: AccessToken) -> None:
        sql = (
            "INSERT INTO tokens (id, home_id, user_id, kind, name, token_hash, scopes, servers, device_id, created_at,"
            " expires_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET home_id = excluded.home_id, user_id = excluded.user_id,"
            " kind = excluded.kind, name = excluded.name, token_hash = excluded.token_hash, scopes = excluded.scopes,"
            " servers = excluded.servers, device_id = excluded.device_id, created_at = excluded.created_at,"
            " expires_at = excluded.expires_at, revoked_at = excluded.revoked_at"
        )
        row = (
            token.id, token.home_id, token.user_id, token.kind, token.name, token.token_hash, json_text(token.scopes),
            json_text(token.servers), token.device_id, micros(token.created_at), micros_or_none(token.expires_at),
            micros_or_none(token.revoked_at),
        )  # fmt: skip
        await self._database.change(sql, row)

    async def token_by_hash(self, token_hash: str) -> AccessToken | None:
        row = await self._database.row(_SELECT + "WHERE token_hash = ?", (token_hash,))
        return None if row is None else _token(row)

    async def tokens(self) -> Sequence[AccessToken]:
        rows = await self._database.rows(_SELECT + "ORDER BY created_at DESC, id DESC")
        return [_token(row) for row in rows]

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        """The first time counts."""
        sql = "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?"
        return await self._database.change(sql, (micros(at), token_id)) == 1


def _session(row: Any) -> Session:
    return Session(
        id=row[0], user_id=row[1], home_id=row[2], refresh_hash=row[3], created_at=moment(row[4]),
        expires_at=moment(row[5]), revoked_at=moment_or_none(row[6]),
    )  # fmt: skip


def _token(row: Any) -> AccessToken:
    (id_, home_id, user_id, kind, name, token_hash, scopes, servers, device_id, created_at, expires_at, revoked_at) = (
        row
    )
    return AccessToken(
        id=id_, home_id=home_id, user_id=user_id, kind=kind, name=name, token_hash=token_hash,
        scopes=tuple(json_value(scopes)), servers=tuple(json_value(servers)), device_id=device_id,
        created_at=moment(created_at), expires_at=moment_or_none(expires_at), revoked_at=moment_or_none(revoked_at),
    )  # fmt: skip
