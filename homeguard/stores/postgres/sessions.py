"""Sign-ins and long-lived tokens in PostgreSQL; of secrets only hashes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from homeguard.ports.users import AccessToken, Session
from homeguard.stores.postgresql import Pool

_SESSION: Final = "SELECT id, user_id, home_id, token_hash, created_at, expires_at, revoked_at FROM user_sessions "
_PUT_SESSION: Final = """
INSERT INTO user_sessions (id, user_id, home_id, token_hash, created_at, expires_at, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, home_id = excluded.home_id,
    token_hash = excluded.token_hash, created_at = excluded.created_at, expires_at = excluded.expires_at,
    revoked_at = excluded.revoked_at
"""
_ROTATE: Final = """
UPDATE user_sessions SET token_hash = $3, expires_at = $4 WHERE id = $1 AND token_hash = $2 AND revoked_at IS NULL
"""
_REVOKE_SESSION: Final = "UPDATE user_sessions SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1"
_SELECT: Final = """
SELECT id, home_id, user_id, kind, name, token_hash, scopes, servers, device_id, created_at, expires_at, revoked_at
FROM access_tokens
"""
_PUT: Final = """
INSERT INTO access_tokens (id, home_id, user_id, kind, name, token_hash, scopes, servers, device_id, created_at,
    expires_at, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (id) DO UPDATE SET home_id = excluded.home_id, user_id = excluded.user_id, kind = excluded.kind,
    name = excluded.name, token_hash = excluded.token_hash, scopes = excluded.scopes, servers = excluded.servers,
    device_id = excluded.device_id, created_at = excluded.created_at, expires_at = excluded.expires_at,
    revoked_at = excluded.revoked_at
"""
_REVOKE: Final = "UPDATE access_tokens SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1"


class PostgresSessions:
    """A `SessionStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put_session(self, session: Session) -> None:
        await self._pool.execute(
            _PUT_SESSION, session.id, session.user_id, session.home_id, session.refresh_hash, session.created_at,
            session.expires_at, session.revoked_at,
        )  # fmt: skip

    async def session(self, session_id: str) -> Session | None:
        row = await self._pool.fetchrow(_SESSION + "WHERE id = $1", session_id)
        return None if row is None else _session(row)

    async def sessions(self) -> list[Session]:
        return [_session(row) for row in await self._pool.fetch(_SESSION + "ORDER BY id")]

    async def rotate(self, session_id: str, old_hash: str, new_hash: str, expires_at: datetime) -> bool:
        return await self._pool.change(_ROTATE, session_id, old_hash, new_hash, expires_at) == 1

    async def revoke_session(self, session_id: str, at: datetime) -> None:
        """The first time counts."""
        await self._pool.execute(_REVOKE_SESSION, session_id, at)

    async def put_token(self, token: AccessToken) -> None:
        await self._pool.execute(
            _PUT, token.id, token.home_id, token.user_id, token.kind, token.name, token.token_hash,
            list(token.scopes), list(token.servers), token.device_id, token.created_at, token.expires_at,
            token.revoked_at,
        )  # fmt: skip

    async def token_by_hash(self, token_hash: str) -> AccessToken | None:
        row = await self._pool.fetchrow(_SELECT + "WHERE token_hash = $1", token_hash)
        return None if row is None else _token(row)

    async def tokens(self) -> Sequence[AccessToken]:
        return [_token(row) for row in await self._pool.fetch(_SELECT + "ORDER BY created_at DESC, id DESC")]

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        """The first time counts."""
        return await self._pool.change(_REVOKE, token_id, at) == 1


def _session(row: Any) -> Session:
    id_, user_id, home_id, token_hash, created_at, expires_at, revoked_at = row
    return Session(
        id=id_, user_id=user_id, home_id=home_id, refresh_hash=token_hash, created_at=created_at,
        expires_at=expires_at, revoked_at=revoked_at,
    )  # fmt: skip


def _token(row: Any) -> AccessToken:
    (id_, home_id, user_id, kind, name, token_hash, scopes, servers, device_id, created_at, expires_at, revoked_at) = (
        row
    )
    return AccessToken(
        id=id_, home_id=home_id, user_id=user_id, kind=kind, name=name, token_hash=token_hash, scopes=tuple(scopes),
        servers=tuple(servers), device_id=device_id, created_at=created_at, expires_at=expires_at,
        revoked_at=revoked_at,
    )  # fmt: skip
