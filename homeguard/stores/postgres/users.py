"""People, homes and memberships in PostgreSQL."""

from typing import Any, Final

from homeguard.clock import Clock
from homeguard.errors import Conflict, InvalidInput
from homeguard.model import ArmState, Home, HomeMode, Member, User
from homeguard.ports.users import LONGEST
from homeguard.stores.postgresql import Pool

_USER: Final = "SELECT id, email, name, role, created_at, password_hash FROM users "
_HOME: Final = "SELECT id, name, time_zone, unit_system, mode, arm_state, latitude, longitude FROM homes "
_PUT_USER: Final = """
INSERT INTO users (id, email, email_key, name, role, password_hash, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET email = excluded.email, email_key = excluded.email_key, name = excluded.name,
    role = excluded.role, password_hash = excluded.password_hash, created_at = excluded.created_at,
    updated_at = excluded.updated_at
"""
_SET_PASSWORD: Final = "UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1"  # noqa: S105 - a statement
_PUT_HOME: Final = """
INSERT INTO homes (id, name, time_zone, unit_system, mode, arm_state, latitude, longitude)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, time_zone = excluded.time_zone,
    unit_system = excluded.unit_system, mode = excluded.mode, arm_state = excluded.arm_state,
    latitude = excluded.latitude, longitude = excluded.longitude
"""
_SET_MODE: Final = "UPDATE homes SET mode = $2, arm_state = $3 WHERE id = $1"
_PUT_MEMBER: Final = """
INSERT INTO home_members (home_id, user_id, role) VALUES ($1, $2, $3)
ON CONFLICT (home_id, user_id) DO UPDATE SET role = excluded.role
"""
_MEMBERS: Final = "SELECT home_id, user_id, role FROM home_members WHERE home_id = $1 ORDER BY user_id"
_HOMES_OF: Final = (
    "SELECT home_id, user_id, role FROM home_members WHERE user_id = $1 ORDER BY home_id <> user_id, home_id"
)


class PostgresUsers:
    """A `UserStore`."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def put_user(self, user: User, password_hash: str) -> None:
        for field, text in (("email", user.email), ("name", user.name), ("password_hash", password_hash)):
            if len(text) > LONGEST:
                raise InvalidInput(f"{field} is longer than {LONGEST} characters", field=field)
        row = (user.id, user.email, user.email.casefold(), user.name, user.role, password_hash, user.created_at)
        try:
            await self._pool.execute(_PUT_USER, *row, self._clock.now())
        except Conflict as error:
            raise Conflict("another person has this e-mail address", field="email") from error

    async def user(self, user_id: str) -> User | None:
        row = await self._pool.fetchrow(_USER + "WHERE id = $1", user_id)
        return None if row is None else _user(row)

    async def user_by_email(self, email: str) -> tuple[User, str] | None:
        row = await self._pool.fetchrow(_USER + "WHERE email_key = $1", email.casefold())
        return None if row is None else (_user(row), str(row[5]))

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        await self._pool.execute(_SET_PASSWORD, user_id, password_hash, self._clock.now())

    async def users(self) -> list[User]:
        return [_user(row) for row in await self._pool.fetch(_USER + "ORDER BY email_key")]

    async def put_home(self, home: Home) -> None:
        row = (
            home.id, home.name, home.time_zone, home.unit_system, home.mode, home.arm_state, home.latitude,
            home.longitude,
        )  # fmt: skip
        await self._pool.execute(_PUT_HOME, *row)

    async def home(self, home_id: str) -> Home | None:
        row = await self._pool.fetchrow(_HOME + "WHERE id = $1", home_id)
        return None if row is None else _home(row)

    async def homes(self) -> list[Home]:
        return [_home(row) for row in await self._pool.fetch(_HOME + "ORDER BY id")]

    async def set_mode(self, home_id: str, mode: HomeMode, arm_state: ArmState) -> None:
        await self._pool.execute(_SET_MODE, home_id, mode, arm_state)

    async def put_member(self, member: Member) -> None:
        await self._pool.execute(_PUT_MEMBER, member.home_id, member.user_id, member.role)

    async def members(self, home_id: str) -> list[Member]:
        """By user id."""
        return [_member(row) for row in await self._pool.fetch(_MEMBERS, home_id)]

    async def homes_of(self, user_id: str) -> list[Member]:
        return [_member(row) for row in await self._pool.fetch(_HOMES_OF, user_id)]


def _user(row: Any) -> User:
    id_, email, name, role, created_at, _ = row
    return User(id=id_, email=email, name=name, role=role, created_at=created_at)


def _home(row: Any) -> Home:
    id_, name, time_zone, unit_system, mode, arm_state, latitude, longitude = row
    return Home(
        id=id_, name=name, time_zone=time_zone, unit_system=unit_system, mode=mode, arm_state=arm_state,
        latitude=latitude, longitude=longitude,
    )  # fmt: skip


def _member(row: Any) -> Member:
    home_id, user_id, role = row
    return Member(home_id=home_id, user_id=user_id, role=role)
