"""A person takes a copy of what is kept about them, or leaves for good with all of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from homeguard.clock import Clock
from homeguard.errors import Conflict, HomeGuardError, NotAllowed, NotSignedIn, StoreUnavailable
from homeguard.identity.identity import Identity
from homeguard.model import Member, Principal, User
from homeguard.ports.personal import Erasure, Subject
from homeguard.ports.stores import Stores

log = logging.getLogger("homeguard")

#: How long what is just being processed may take to end; then what it wrote is erased, too.
_SETTLE_S: Final = 20.0
#: How often an erasure that could not be finished, or that another process began, is gone on with.
EVERY_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """Something that neither a copy nor an erasure reaches: it ends by itself after `span` (None: it does not)."""

    what: str
    span: timedelta | None


#: Of one process on one folder.
LASTING: Final = (
    Lasting(
        what="the log keeps events as they came in, and names people by their id alone", span=timedelta(days=8)
    ),
    Lasting(what="backups that were made by themselves before keep what they have", span=timedelta(days=8)),
    Lasting(what="backups that somebody made keep what they have until they are deleted", span=None),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """`data`: table -> rows. `elsewhere`: what a copy does not reach, and why."""

    person: Mapping[str, Any]
    at: datetime
    data: Mapping[str, list[dict[str, Any]]]
    elsewhere: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """`homes` that went with their only person; `rows`: table -> rows deleted or cleared. `pending`: why it is not
    through; it is gone on with until it is, also after a restart."""

    homes: tuple[str, ...]
    rows: Mapping[str, int]
    pending: tuple[str, ...]
    elsewhere: tuple[str, ...]


class Leaving:
    """For whoever is signed in, about themselves only. `run` takes up what was cut off."""

    def __init__(
        self,
        *,
        stores: Stores,
        identity: Identity,
        forget_turns: Callable[[str], Awaitable[int]],
        settled: Callable[[], Awaitable[None]],
        clock: Clock,
        close_home: Callable[[str], None] | None = None,
        lasting: Sequence[Lasting] = LASTING,
    ) -> None:
        """`settled` returns when what was taken in before is processed; from `close_home` on nothing is taken in for
        that home."""
        self._stores = stores
        self._identity = identity
        self._forget_turns = forget_turns
        self._settled = settled
        self._clock = clock
        self._close_home = close_home
        self._lasting = tuple(lasting)
        self._erasing = asyncio.Lock()

    async def export(self, principal: Principal) -> Copy:
        """Everything about this person, from every store.

        Raises:
            NotAllowed: not a person. StoreUnavailable: a store does not answer now.
        """
        user = await self._person(principal)
        members = await self._stores.users.homes_of(user.id)
        subject = Subject(user_id=user.id, homes=tuple(m.home_id for m in members))
        now = self._clock.now()
        return Copy(
            person={"id": user.id, "email": user.email, "name": user.name},
            at=now,
            data=await self._stores.personal.export(subject),
            elsewhere=self._elsewhere(now),
        )

    async def leave(self, principal: Principal) -> Gone:
        """Erase this person, and the homes that have no other. The caller has had the password shown once more.

        From the moment that it is noted there is no way back: what a crash, or a store that is away, leaves undone is
        done by `run`.

        Raises:
            NotAllowed: not a person.
            Conflict: `LAST_OWNER`: a home with other members would have no owner.
            StoreUnavailable: it could not be noted; nothing was done.
        """
        user = await self._person(principal)
        subject, now = await self._subject(user), self._clock.now()
        erasure = Erasure(subject=subject, begun_at=now)
        await self._stores.erasures.begin(erasure)
        try:
            await self._identity.logout(principal)
        except StoreUnavailable as error:
            log.warning("a session outlives its person until it is erased: %s", error.message)
        rows, pending = await self._carry_out(erasure)
        return Gone(homes=subject.sole_homes, rows=rows, pending=pending, elsewhere=self._elsewhere(now))

    async def go_on(self) -> int:
        """Carry out what was begun and is not finished here; returns how many are finished now."""
        finished = 0
        for erasure in await self._stores.erasures.unfinished():
            if await self._is_another(erasure):
                await self._stores.erasures.finish(erasure.subject.user_id)
                continue
            _, pending = await self._carry_out(erasure)
            finished += not pending
            for reason in pending:
                log.warning("the erasure of %s is not through: %s", erasure.subject.user_id, reason)
        return finished

    async def run(self) -> None:
        """`go_on` at once and every ten seconds, for ever; what fails is tried again."""
        while True:
            try:
                await self.go_on()
            except HomeGuardError as error:
                log.warning("erasures: %s", error.message)
            except Exception:  # whatever it is, the next one is tried
                log.exception("erasures")
            await self._clock.sleep(EVERY_S)

    async def _carry_out(self, erasure: Erasure) -> tuple[Mapping[str, int], tuple[str, ...]]:
        """Rows by table, and why it is not through."""
        stores = self._stores
        rows: dict[str, int] = {}
        pending: dict[str, None] = {}

        async def attempt(step: Callable[[], Awaitable[Any]]) -> Any:
            try:
                return await step()
            except HomeGuardError as error:
                pending[error.message] = None
            except TimeoutError:
                pending["what was on its way has not come through"] = None
            return None

        async def erase() -> None:
            for table, count in (await stores.personal.erase(subject)).items():
                rows[table] = rows.get(table, 0) + count

        async def settle() -> None:
            async with asyncio.timeout(_SETTLE_S):
                await self._settled()

        async with self._erasing:
            subject = await attempt(lambda: self._still_alone(erasure.subject)) or erasure.subject
            if pending:
                return {}, tuple(pending)
            for home_id in subject.sole_homes:
                if self._close_home is not None:
                    self._close_home(home_id)
            await attempt(lambda: self._forget_turns(subject.user_id))
            await attempt(erase)
            # what was on its way when it began
            await attempt(settle)
            await attempt(erase)
            if not pending:
                await attempt(lambda: stores.erasures.finish(subject.user_id))
        return rows, tuple(pending)

    async def _still_alone(self, subject: Subject) -> Subject:
        """Without the homes in which somebody else came to live since it was begun."""
        members = {home_id: await self._stores.users.members(home_id) for home_id in subject.sole_homes}
        alone = [home_id for home_id, there in members.items() if not _others(there, subject.user_id)]
        return replace(subject, sole_homes=tuple(alone))

    async def _is_another(self, erasure: Erasure) -> bool:
        """Somebody of that id came later: the demo's people have the same ids in every installation."""
        user = await self._stores.users.user(erasure.subject.user_id)
        return user is not None and user.created_at > erasure.begun_at

    async def _subject(self, user: User) -> Subject:
        """Raises Conflict: a home with other members would have no owner."""
        homes, sole = await self._stores.users.homes_of(user.id), []
        for member in homes:
            others = _others(await self._stores.users.members(member.home_id), user.id)
            if not others:
                sole.append(member.home_id)
            elif member.role == "owner" and not any(m.role == "owner" for m in others):
                raise Conflict(
                    "you are the only owner of a home in which others live: make one of them its owner first, or have "
                    "them leave",
                    code="LAST_OWNER",
                    home_id=member.home_id,
                )
        return Subject(user_id=user.id, homes=tuple(m.home_id for m in homes), sole_homes=tuple(sole))

    def _elsewhere(self, now: datetime) -> tuple[str, ...]:
        return tuple(
            each.what if each.span is None else f"{each.what}, until {now + each.span:%Y-%m-%d}"
            for each in self._lasting
        )

    async def _person(self, principal: Principal) -> User:
        if principal.caller != "person":
            raise NotAllowed("only a signed-in person can do this, for themselves")
        user = await self._stores.users.user(principal.user_id)
        if user is None:
            raise NotSignedIn("sign in again")
        return user


def _others(members: Sequence[Member], user_id: str) -> list[Member]:
    return [member for member in members if member.user_id != user_id]
