"""People, homes and memberships, on an engine with a local copy."""

from homeguard.model import ArmState, Home, HomeMode, Member, User
from homeguard.ports.users import UserStore
from homeguard.stores.guarded.copies import LocalCopy, engine_first
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithUsers


class GuardedUsers:
    """A `UserStore`. Written to the engine, then to the copy; while the engine is away nothing is written."""

    def __init__(self, engine: GuardedEngine[WithUsers], copy: LocalCopy[UserStore]) -> None:
        self._engine = engine
        self._copy = copy

    async def put_user(self, user: User, password_hash: str) -> None:
        await self._engine.call(lambda s: s.users.put_user(user, password_hash))
        await self._copy.follow(lambda users: users.put_user(user, password_hash))

    async def user(self, user_id: str) -> User | None:
        return await engine_first(
            self._engine, self._copy, lambda s: s.users.user(user_id), lambda users: users.user(user_id)
        )

    async def user_by_email(self, email: str) -> tuple[User, str] | None:
        return await engine_first(
            self._engine, self._copy, lambda s: s.users.user_by_email(email), lambda users: users.user_by_email(email)
        )

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        await self._engine.call(lambda s: s.users.set_password_hash(user_id, password_hash))
        await self._copy.follow(lambda users: users.set_password_hash(user_id, password_hash))

    async def users(self) -> list[User]:
        return await engine_first(self._engine, self._copy, lambda s: s.users.users(), lambda users: users.users())

    async def put_home(self, home: Home) -> None:
        await self._engine.call(lambda s: s.users.put_home(home))
        await self._copy.follow(lambda users: users.put_home(home))

    async def home(self, home_id: str) -> Home | None:
        return await engine_first(
            self._engine, self._copy, lambda s: s.users.home(home_id), lambda users: users.home(home_id)
        )

    async def homes(self) -> list[Home]:
        return await engine_first(self._engine, self._copy, lambda s: s.users.homes(), lambda users: users.homes())

    async def set_mode(self, home_id: str, mode: HomeMode, arm_state: ArmState) -> None:
        await self._engine.call(lambda s: s.users.set_mode(home_id, mode, arm_state))
        await self._copy.follow(lambda users: users.set_mode(home_id, mode, arm_state))

    async def put_member(self, member: Member) -> None:
        await self._engine.call(lambda s: s.users.put_member(member))
        await self._copy.follow(lambda users: users.put_member(member))

    async def members(self, home_id: str) -> list[Member]:
        return await engine_first(
            self._engine, self._copy, lambda s: s.users.members(home_id), lambda users: users.members(home_id)
        )

    async def homes_of(self, user_id: str) -> list[Member]:
        return await engine_first(
            self._engine, self._copy, lambda s: s.users.homes_of(user_id), lambda users: users.homes_of(user_id)
        )
