"""People, homes, memberships and sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

from homeguard.model import ArmState, Home, HomeMode, Member, User

#: Characters that an e-mail, a name or a password hash may have: as many as every store keeps.
LONGEST: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in. Access, refresh and chat tokens all name it; revoking it ends them together.

    `refresh_hash` is the SHA-256 of the one refresh token that is good now.
    """

    id: str
    user_id: str
    home_id: str
    refresh_hash: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A long-lived token for an MCP client or a device; only its SHA-256 is kept."""

    id: str
    home_id: str
    user_id: str
    kind: Literal["client", "device"]
    name: str
    token_hash: str
    scopes: tuple[str, ...]
    servers: tuple[str, ...]
    device_id: str = ""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class UserStore(Protocol):
    async def put_user(self, user: User, password_hash: str) -> None:
        """Insert or replace by id.

        Raises:
            Conflict: the e-mail belongs to another.
            InvalidInput: the e-mail, the name or the hash has more than `LONGEST` characters.
        """
        ...

    async def user(self, user_id: str) -> User | None: ...

    async def user_by_email(self, email: str) -> tuple[User, str] | None:
        """The person and their password hash; e-mails are compared without case."""
        ...

    async def set_password_hash(self, user_id: str, password_hash: str) -> None: ...

    async def users(self) -> list[User]:
        """All, by e-mail."""
        ...

    async def put_home(self, home: Home) -> None: ...

    async def home(self, home_id: str) -> Home | None: ...

    async def homes(self) -> list[Home]:
        """All, by id."""
        ...

    async def set_mode(self, home_id: str, mode: HomeMode, arm_state: ArmState) -> None: ...

    async def put_member(self, member: Member) -> None: ...

    async def members(self, home_id: str) -> list[Member]: ...

    async def homes_of(self, user_id: str) -> list[Member]:
        """The person's memberships; the home whose id is the person's own first, then by id."""
        ...


class SessionStore(Protocol):
    async def put_session(self, session: Session) -> None: ...

    async def session(self, session_id: str) -> Session | None: ...

    async def rotate(self, session_id: str, old_hash: str, new_hash: str, expires_at: datetime) -> bool:
        """Compare and set the refresh hash of a session that is not revoked; False when `old_hash` is not the current
        one (the caller then revokes the family)."""
        ...

    async def revoke_session(self, session_id: str, at: datetime) -> None: ...

    async def sessions(self) -> list[Session]:
        """All, by id; revoked and expired ones too."""
        ...

    async def put_token(self, token: AccessToken) -> None: ...

    async def token_by_hash(self, token_hash: str) -> AccessToken | None: ...

    async def tokens(self) -> Sequence[AccessToken]:
        """All, newest first, revoked ones too."""
        ...

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        """False when there is none."""
        ...
