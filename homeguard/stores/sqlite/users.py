"""People, homes and memberships in `home.db`."""

from typing import Any, Final

import apsw

from homeguard.errors import Conflict, InvalidInput
from homeguard.model import ArmState, Home, HomeMode, Member, User
from homeguard.ports.users import LONGEST
from homeguard.stores.sqlite.columns import micros, moment
from homeguard.stores.sqlite.database import Database

_USER: Final = "SELECT id, email, name, role, created_at, password_hash FROM users "
_HOME: Final = "SELECT id, name, time_zone, unit_system, mode, arm_state FROM homes "


class SqliteUsers:
    """A `UserStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_user(self, user: User, password_hash: str) -> None:
        for field, text in (("email", user.email), ("name", user.name), ("password_hash", password_hash)):
            if len(text) > LONGEST:
                raise InvalidInput(f"{field} is longer than {LONGEST} characters", field=field)

        def put(c: apsw.Connection) -> None:
            key = user.email.casefold()
            taken = c.execute("SELECT 1 FROM users WHERE email_key = ? AND id <> ?", (key, user.id)).fetchone()
            if taken:
                raise Conflict("another person has this e-mail address", field="email")
            c.execute(
                "INSERT INTO users (id, email, email_key, name, role, password_hash, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET email = excluded.email,"
                " email_key = excluded.email_key, name = excluded.name, role = excluded.role,"
                " password_hash = excluded.password_hash, created_at = excluded.created_at",
                (user.id, user.email, key, user.name, user.role, password_hash, micros(user.created_at)),
            )

        await self._database.write(put)

    async def user(self, user_id: str) -> User | None:
        row = await self._database.row(_USER + "WHERE id = ?", (user_id,))
        return None if row is None else _user(row)

    async def user_by_email(self, email: str) -> tuple[User, str] | None:
        key = email.casefold()
        row = await self._database.row(_USER + "WHERE email_key = ?", (key,))
        return None if row is None else (_user(row), str(row[5]))

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        sql = "UPDATE users SET password_hash = ? WHERE id = ?"
        await self._database.change(sql, (password_hash, user_id))

    async def users(self) -> list[User]:
        rows = await self._database.rows(_USER + "ORDER BY email_key")
        return [_user(row) for row in rows]

    async def put_home(self, home: Home) -> None:
        sql = (
            "INSERT INTO homes (id, name, time_zone, unit_system, mode, arm_state) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, time_zone = excluded.time_zone,"
            " unit_system = excluded.unit_system, mode = excluded.mode, arm_state = excluded.arm_state"
        )
        row = (home.id, home.name, home.time_zone, home.unit_system, home.mode, home.arm_state)
        await self._database.change(sql, row)

    async def home(self, home_id: str) -> Home | None:
        row = await self._database.row(_HOME + "WHERE id = ?", (home_id,))
        return None if row is None else _home(row)

    async def homes(self) -> list[Home]:
        rows = await self._database.rows(_HOME + "ORDER BY id")
        return [_home(row) for row in rows]

    async def set_mode(self, home_id: str, mode: HomeMode, arm_state: ArmState) -> None:
        sql = "UPDATE homes SET mode = ?, arm_state = ? WHERE id = ?"
        await self._database.change(sql, (mode, arm_state, home_id))

    async def put_member(self, member: Member) -> None:
        sql = (
            "INSERT INTO members (home_id, user_id, role) VALUES (?, ?, ?)"
            " ON CONFLICT (home_id, user_id) DO UPDATE SET role = excluded.role"
        )
        await self._database.change(sql, (member.home_id, member.user_id, member.role))

    async def members(self, home_id: str) -> list[Member]:
        """By user id."""
        sql = "SELECT home_id, user_id, role FROM members WHERE home_id = ? ORDER BY user_id"
        rows = await self._database.rows(sql, (home_id,))
        return [Member(home_id=row[0], user_id=row[1], role=row[2]) for row in rows]

    async def homes_of(self, user_id: str) -> list[Member]:
        sql = "SELECT home_id, user_id, role FROM members WHERE user_id = ? ORDER BY home_id <> user_id, home_id"
        rows = await self._database.rows(sql, (user_id,))
        return [Member(home_id=row[0], user_id=row[1], role=row[2]) for row in rows]


def _user(row: Any) -> User:
    id_, email, name, role, created_at, _ = row
    return User(id=id_, email=email, name=name, role=role, created_at=moment(created_at))


def _home(row: Any) -> Home:
    id_, name, time_zone, unit_system, mode, arm_state = row
    return Home(id=id_, name=name, time_zone=time_zone, unit_system=unit_system, mode=mode, arm_state=arm_state)
