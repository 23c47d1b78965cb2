"""People, homes and memberships: in `home.db`, and in memory without the password hashes, since all ask for them."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Final

import apsw

from homeguard.errors import Conflict, InvalidInput
from homeguard.model import ArmState, Home, HomeMode, Member, User
from homeguard.ports.users import LONGEST
from homeguard.stores.sqlite.columns import Cell, micros, moment
from homeguard.stores.sqlite.database import Database

_USER: Final = "SELECT id, email, name, role, created_at, password_hash FROM users "
_HOME: Final = "SELECT id, name, time_zone, unit_system, mode, arm_state, latitude, longitude FROM homes "


class SqliteUsers:
    """A `UserStore`. Memory follows the file: it changes when the write is on disk. This process is the only writer.

    `load` comes first.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._users: dict[str, User] = {}
        self._homes: dict[str, Home] = {}
        #: home -> person -> membership
        self._members: dict[str, dict[str, Member]] = {}
        #: person -> home -> membership
        self._homes_of: dict[str, dict[str, Member]] = {}
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read all of them into memory."""
        for row in await self._database.rows(_USER):
            self._keep_user(_user(row))
        for row in await self._database.rows(_HOME):
            self._keep_home(_home(row))
        for home_id, user_id, role in await self._database.rows("SELECT home_id, user_id, role FROM members"):
            self._keep_member(Member(home_id=home_id, user_id=user_id, role=role))

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

        kept = replace(user, created_at=moment(micros(user.created_at)))
        async with self._writing:
            await self._database.write(put, then=lambda _: self._keep_user(kept))

    def _keep_user(self, user: User) -> None:
        self._users[user.id] = user

    async def user(self, user_id: str) -> User | None:
        return self._users.get(user_id)

    async def user_by_email(self, email: str) -> tuple[User, str] | None:
        key = email.casefold()
        row = await self._database.row(_USER + "WHERE email_key = ?", (key,))
        return None if row is None else (_user(row), str(row[5]))

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        sql = "UPDATE users SET password_hash = ? WHERE id = ?"
        await self._database.change(sql, (password_hash, user_id))

    async def users(self) -> list[User]:
        return sorted(self._users.values(), key=lambda user: user.email.casefold())

    async def put_home(self, home: Home) -> None:
        sql = (
            "INSERT INTO homes (id, name, time_zone, unit_system, mode, arm_state, latitude, longitude)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, time_zone = excluded.time_zone,"
            " unit_system = excluded.unit_system, mode = excluded.mode, arm_state = excluded.arm_state,"
            " latitude = excluded.latitude, longitude = excluded.longitude"
        )
        row = (
            home.id, home.name, home.time_zone, home.unit_system, home.mode, home.arm_state, home.latitude,
            home.longitude,
        )  # fmt: skip
        async with self._writing:
            await self._write(sql, row, lambda: self._keep_home(home))

    def _keep_home(self, home: Home) -> None:
        self._homes[home.id] = home

    async def home(self, home_id: str) -> Home | None:
        return self._homes.get(home_id)

    async def homes(self) -> list[Home]:
        return [self._homes[home_id] for home_id in sorted(self._homes)]

    async def set_mode(self, home_id: str, mode: HomeMode, arm_state: ArmState) -> None:
        sql = "UPDATE homes SET mode = ?, arm_state = ? WHERE id = ?"
        async with self._writing:
            home = self._homes.get(home_id)
            if home is None:
                return
            kept = replace(home, mode=mode, arm_state=arm_state)
            await self._write(sql, (mode, arm_state, home_id), lambda: self._keep_home(kept))

    async def put_member(self, member: Member) -> None:
        sql = (
            "INSERT INTO members (home_id, user_id, role) VALUES (?, ?, ?)"
            " ON CONFLICT (home_id, user_id) DO UPDATE SET role = excluded.role"
        )
        async with self._writing:
            row = (member.home_id, member.user_id, member.role)
            await self._write(sql, row, lambda: self._keep_member(member))

    def _keep_member(self, member: Member) -> None:
        self._members.setdefault(member.home_id, {})[member.user_id] = member
        self._homes_of.setdefault(member.user_id, {})[member.home_id] = member

    def let_go(self, user_id: str, homes: Collection[str]) -> None:
        """A person and these homes are gone from the file: memory follows."""
        self._users.pop(user_id, None)
        for home_id in homes:
            self._homes.pop(home_id, None)
            for member in self._members.pop(home_id, {}).values():
                self._homes_of.get(member.user_id, {}).pop(home_id, None)
        for home_id in self._homes_of.pop(user_id, {}):
            self._members.get(home_id, {}).pop(user_id, None)

    async def members(self, home_id: str) -> list[Member]:
        """By user id."""
        return [member for _, member in sorted(self._members.get(home_id, {}).items())]

    async def homes_of(self, user_id: str) -> list[Member]:
        found = self._homes_of.get(user_id, {}).values()
        return sorted(found, key=lambda member: (member.home_id != user_id, member.home_id))

    async def _write(self, sql: str, row: tuple[Cell, ...], keep: Callable[[], None]) -> None:
        def write(c: apsw.Connection) -> None:
            c.execute(sql, row)

        await self._database.write(write, then=lambda _: keep())


def _user(row: Any) -> User:
    id_, email, name, role, created_at, _ = row
    return User(id=id_, email=email, name=name, role=role, created_at=moment(created_at))


def _home(row: Any) -> Home:
    id_, name, time_zone, unit_system, mode, arm_state, latitude, longitude = row
    return Home(
        id=id_, name=name, time_zone=time_zone, unit_system=unit_system, mode=mode, arm_state=arm_state,
        latitude=latitude, longitude=longitude,
    )  # fmt: skip
