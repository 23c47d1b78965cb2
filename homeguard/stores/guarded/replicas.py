"""Keeps the local copies in step with their engines, so that reflexes need to ask nobody else."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence, Set
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from homeguard.clock import Clock, pause
from homeguard.errors import Conflict, HomeGuardError
from homeguard.model import Automation, Device, Home, Member, User
from homeguard.ports.automations import AutomationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.users import UserStore
from homeguard.stores.guarded.background import beside
from homeguard.stores.guarded.copies import LocalCopy
from homeguard.stores.guarded.engine import GuardedEngine, Opened
from homeguard.stores.guarded.faces import WithAutomations, WithDevices, WithUsers

log = logging.getLogger("homeguard.engines")

EVERY_S: Final = 5.0
GONE_ROUNDS: Final = 12
#: Password hashes cannot be listed, so they are asked for one by one, and less often.
HASHES_EVERY_S: Final = 60.0

Homes = Callable[[], Awaitable[Sequence[Home]]]
S = TypeVar("S", bound=DeviceStore | AutomationStore)
T = TypeVar("T", bound=Device | Automation)


class Replica(Protocol):
    """One concern that is copied."""

    @property
    def concern(self) -> str: ...

    @property
    def engine(self) -> GuardedEngine[Opened]: ...

    @property
    def synced_at(self) -> datetime | None:
        """When the copy was last the same as the engine's; None: not yet since the start."""
        ...

    async def catch_up(self, now: datetime) -> None:
        """Make the copy the same.

        Raises:
            StoreUnavailable: the engine is away; the copy may have a part.
        """
        ...


@asynccontextmanager
async def replicate(replicas: Sequence[Replica], clock: Clock) -> AsyncIterator["Replicas"]:
    """Copies at once, then every five seconds and when one of their engines returns, for the length of the block.

    `replicas` in an order in which each finds what it needs: users (and homes) first. The first round is over when the
    block begins; engines that are away do not hold it up.
    """
    work = Replicas(replicas, clock)
    for replica in replicas:
        replica.engine.on_return(work._wake.set)
    await work.catch_up()
    async with beside(work._run()):
        yield work


class Replicas:
    """Made by `replicate`."""

    def __init__(self, replicas: Sequence[Replica], clock: Clock) -> None:
        self._replicas = tuple(replicas)
        self._clock = clock
        self._wake = asyncio.Event()

    def synced_at(self) -> dict[str, datetime | None]:
        """By concern."""
        return {replica.concern: replica.synced_at for replica in self._replicas}

    async def catch_up(self) -> None:
        """One round over all; what is away is left out."""
        for replica in self._replicas:
            try:
                await replica.catch_up(self._clock.now())
            except HomeGuardError as error:
                log.debug("%s are not copied now: %s", replica.concern, error.message)
            except Exception:
                log.exception("%s are not copied now", replica.concern)

    async def _run(self) -> None:
        while True:
            await pause(self._clock, EVERY_S, until=self._wake)
            self._wake.clear()
            await self.catch_up()


class UsersReplica:
    """People, homes and members. None of them is ever deleted by a port, so none is here."""

    def __init__(self, engine: GuardedEngine[WithUsers], copy: LocalCopy[UserStore]) -> None:
        self._engine = engine
        self._copy = copy
        self._hashes_at: datetime | None = None

    @property
    def concern(self) -> str:
        return self._copy.concern

    @property
    def engine(self) -> GuardedEngine[Opened]:
        return self._engine

    @property
    def synced_at(self) -> datetime | None:
        return self._copy.synced_at

    async def catch_up(self, now: datetime) -> None:
        copy, version = self._copy, self._copy.version
        users = await self._engine.call(lambda s: s.users.users())
        homes = await self._engine.call(lambda s: s.users.homes())
        members = {home.id: await self._members(home.id) for home in homes}
        known_users = {user.id: user for user in await copy.store.users()}
        all_hashes = self._hashes_at is None or (now - self._hashes_at).total_seconds() >= HASHES_EVERY_S
        wanted = [user for user in users if all_hashes or known_users.get(user.id) != user]
        with_hash = [await self._with_hash(user.email) for user in wanted]
        async with copy.lock:
            if copy.version != version:
                return
            for user, password_hash in filter(None, with_hash):
                if await copy.store.user_by_email(user.email) != (user, password_hash):
                    await self._put_user(user, password_hash)
            known_homes = {home.id: home for home in await copy.store.homes()}
            for home in homes:
                if known_homes.get(home.id) != home:
                    await copy.store.put_home(home)
                known_members = await copy.store.members(home.id)
                for member in members[home.id]:
                    if member not in known_members:
                        await copy.store.put_member(member)
            copy.synced_at = now
            if all_hashes:
                self._hashes_at = now

    async def _members(self, home_id: str) -> list[Member]:
        return await self._engine.call(lambda s: s.users.members(home_id))

    async def _with_hash(self, email: str) -> tuple[User, str] | None:
        return await self._engine.call(lambda s: s.users.user_by_email(email))

    async def _put_user(self, user: User, password_hash: str) -> None:
        try:
            await self._copy.store.put_user(user, password_hash)
        except Conflict:
            # Two people changed their addresses crosswise: a later round gets through, or the copy keeps the old one.
            log.warning("person %s is not copied: another one here has that e-mail address", user.id)


class HomesReplica(Generic[S, T]):
    """What each home has of one kind: its devices, or its rules."""

    def __init__(
        self,
        engine: GuardedEngine[Any],
        copy: LocalCopy[S],
        homes: Homes,
        ask: Callable[[Any, str], Awaitable[list[T]]],
        put: Callable[[S, Sequence[T]], Awaitable[None]],
        gone: Callable[[str, str], Awaitable[None]] | None = None,
    ) -> None:
        """`homes` lists the homes, from the local copy; `ask` lists what the engine has of one; `gone` is told of each
        that went."""
        self._engine = engine
        self._copy = copy
        self._homes = homes
        self._ask = ask
        self._put = put
        self._gone = gone
        #: Those that went -> rounds for which it is told again: their last words may still be on their way.
        self._went: dict[tuple[str, str], int] = {}
        self._seen: set[tuple[str, str]] = set()

    @property
    def concern(self) -> str:
        return self._copy.concern

    @property
    def engine(self) -> GuardedEngine[Opened]:
        return self._engine

    @property
    def synced_at(self) -> datetime | None:
        return self._copy.synced_at

    async def catch_up(self, now: datetime) -> None:
        copy, version = self._copy, self._copy.version
        there: dict[str, list[T]] = {}
        for home in await self._homes():
            there[home.id] = await self._of_home(home.id)
        if not there:
            # No home is known yet, so nobody was asked.
            return
        is_followed, own = any(there.values()) and copy.concern in copy.followed, 0
        async with copy.lock:
            if copy.version != version:
                return
            for home_id, items in there.items():
                here = {item.id: item for item in await copy.store.of_home(home_id)}
                changed = [item for item in items if here.pop(item.id, None) != item]
                if changed:
                    await self._put(copy.store, changed)
                self._seen.update((home_id, item.id) for item in items)
                for item_id in here:
                    if may_go((home_id, item_id), self._seen, is_followed):
                        await copy.store.delete(home_id, item_id)
                        self._seen.discard((home_id, item_id))
                        self._went[home_id, item_id] = GONE_ROUNDS
                    else:
                        own += 1
            copy.synced_at = now
            _note_own(copy, self._engine.name, own)
        await self._tell_gone({(home_id, item.id) for home_id, items in there.items() for item in items})

    async def _tell_gone(self, there: Set[tuple[str, str]]) -> None:
        for key, rounds in list(self._went.items()):
            if self._gone is not None and key not in there:
                await self._gone(*key)
            self._went[key] = rounds - 1
            if rounds <= 1 or key in there:
                del self._went[key]

    async def _of_home(self, home_id: str) -> list[T]:
        return await self._engine.call(lambda s: self._ask(s, home_id))


def devices_replica(
    engine: GuardedEngine[WithDevices],
    copy: LocalCopy[DeviceStore],
    homes: Homes,
    gone: Callable[[str, str], Awaitable[None]] | None = None,
) -> HomesReplica[DeviceStore, Device]:
    """The devices of all homes."""

    def ask(stores: WithDevices, home_id: str) -> Awaitable[list[Device]]:
        return stores.devices.of_home(home_id)

    async def put(store: DeviceStore, devices: Sequence[Device]) -> None:
        await store.put(devices)

    return HomesReplica(engine, copy, homes, ask, put, gone)


def automations_replica(
    engine: GuardedEngine[WithAutomations], copy: LocalCopy[AutomationStore], homes: Homes
) -> HomesReplica[AutomationStore, Automation]:
    """The rules of all homes."""

    def ask(stores: WithAutomations, home_id: str) -> Awaitable[list[Automation]]:
        return stores.automations.of_home(home_id)

    async def put(store: AutomationStore, rules: Sequence[Automation]) -> None:
        for rule in rules:
            await store.put(rule)

    return HomesReplica(engine, copy, homes, ask, put)


def may_go(key: tuple[str, str], seen: Set[tuple[str, str]], is_followed: bool) -> bool:
    """Whether something that only the copy has may be deleted from it: when the engine had it in this run, or when the
    copy followed that engine before. Else it is part of a home that was not moved there yet.

    An engine that is empty in all homes takes only what it was seen with.
    """
    return key in seen or is_followed


def _note_own(copy: LocalCopy[Any], engine: str, own: int) -> None:
    """So many things of the copy are in no engine."""
    if not own:
        copy.followed.add(copy.concern)
    elif not copy.is_own_told:
        copy.is_own_told = True
        log.warning("%d %s of this folder are not on %s: `homeguard migrate` moves them", own, copy.concern, engine)
