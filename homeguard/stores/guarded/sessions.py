"""Sign-ins and long-lived tokens, on an engine; while it is away, what was seen of them a short while ago."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from homeguard.clock import Clock
from homeguard.errors import StoreUnavailable
from homeguard.ports.users import AccessToken, Session
from homeguard.staleness import note
from homeguard.stores.guarded.codec import decode, encode
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithSessions
from homeguard.stores.guarded.forwarder import Forwarder

V = TypeVar("V")

CONCERN: Final = "revocations"
#: Of sessions and of tokens each.
REMEMBERED: Final = 10_000
OLDEST: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """That a session or a token ended, waiting to be written."""

    at: datetime
    session_id: str = ""
    token_id: str = ""


async def take_revocations(stores: WithSessions, values: Sequence[str]) -> None:
    for value in values:
        ended = decode(Revocation, value)
        if ended.session_id:
            await stores.sessions.revoke_session(ended.session_id, ended.at)
        if ended.token_id:
            await stores.sessions.revoke_token(ended.token_id, ended.at)


class GuardedSessions:
    """A `SessionStore`. Who signed in lately stays so while the engine is away; nobody new does.

    A session that is ended meanwhile is ended in this process at once, and everywhere when the engine is back.
    """

    def __init__(self, engine: GuardedEngine[WithSessions], forwarder: Forwarder, clock: Clock) -> None:
        self._engine = engine
        self._forwarder = forwarder
        self._clock = clock
        self._sessions: _Lately[Session] = _Lately(clock)
        self._tokens: _Lately[AccessToken] = _Lately(clock)
        #: session or token id -> when it ended; what the engine may not know yet.
        self._ended: _Bounded[datetime] = _Bounded()
        #: session id -> (the hash that was good, the one that may be since a rotation that got no answer).
        self._unsure: _Bounded[tuple[str, str]] = _Bounded()

    async def put_session(self, session: Session) -> None:
        await self._engine.call(lambda s: s.sessions.put_session(session))
        self._sessions.keep(session.id, session)

    async def session(self, session_id: str) -> Session | None:
        try:
            found = await self._engine.call(lambda s: s.sessions.session(session_id))
        except StoreUnavailable:
            found = self._sessions.recall(session_id)
            if found is None:
                raise
        else:
            self._sessions.keep(session_id, found)
        ended_at = self._ended.get(session_id)
        if found is not None and found.revoked_at is None and ended_at is not None:
            return replace(found, revoked_at=ended_at)
        return found

    async def rotate(self, session_id: str, old_hash: str, new_hash: str, expires_at: datetime) -> bool:
        """Once only: repeated, it would look like a stolen token."""
        if session_id in self._ended:
            return False
        unsure = self._unsure.get(session_id)
        try:
            done = await self._rotate(session_id, old_hash, new_hash, expires_at)
            if not done and unsure is not None and unsure[0] == old_hash:
                # The engine took a rotation that it could not tell us of; nobody was ever given that token.
                done = await self._rotate(session_id, unsure[1], new_hash, expires_at)
        except StoreUnavailable:
            # The first one may stand, this one too: the older stays, since the newer was tried from it or before it.
            if unsure is None or unsure[0] != old_hash:
                self._unsure.put(session_id, (old_hash, new_hash))
            raise
        self._unsure.pop(session_id)
        found = self._sessions.peek(session_id)
        if done and found is not None:
            self._sessions.keep(session_id, replace(found, refresh_hash=new_hash, expires_at=expires_at))
        return done

    async def revoke_session(self, session_id: str, at: datetime) -> None:
        try:
            await self._engine.call(lambda s: s.sessions.revoke_session(session_id, at))
        except StoreUnavailable:
            self._ended.put(session_id, at)
            await self._forwarder.keep_or_count(CONCERN, [encode(Revocation(at=at, session_id=session_id))])
            raise
        # Remembered as ended too: a look at it that began before may end behind this, and still find it good.
        self._ended.put(session_id, at)
        self._sessions.drop(session_id)

    async def sessions(self) -> list[Session]:
        return await self._engine.call(lambda s: s.sessions.sessions())

    async def put_token(self, token: AccessToken) -> None:
        await self._engine.call(lambda s: s.sessions.put_token(token))
        self._tokens.keep(token.token_hash, token)

    async def token_by_hash(self, token_hash: str) -> AccessToken | None:
        try:
            found = await self._engine.call(lambda s: s.sessions.token_by_hash(token_hash))
        except StoreUnavailable:
            found = self._tokens.recall(token_hash)
            if found is None:
                raise
        else:
            self._tokens.keep(token_hash, found)
        ended_at = None if found is None else self._ended.get(found.id)
        if found is not None and found.revoked_at is None and ended_at is not None:
            return replace(found, revoked_at=ended_at)
        return found

    async def tokens(self) -> Sequence[AccessToken]:
        return await self._engine.call(lambda s: s.sessions.tokens())

    async def revoke_token(self, token_id: str, at: datetime) -> bool:
        try:
            was_there = await self._engine.call(lambda s: s.sessions.revoke_token(token_id, at))
        except StoreUnavailable:
            self._ended.put(token_id, at)
            await self._forwarder.keep_or_count(CONCERN, [encode(Revocation(at=at, token_id=token_id))])
            raise
        if was_there:
            # Memory is by hash, so the id is remembered beside it.
            self._ended.put(token_id, at)
        return was_there

    async def _rotate(self, session_id: str, old_hash: str, new_hash: str, expires_at: datetime) -> bool:
        return await self._engine.call(
            lambda s: s.sessions.rotate(session_id, old_hash, new_hash, expires_at), idempotent=False
        )


class _Bounded(Generic[V]):
    """The last so many, by key."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, V] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def get(self, key: str) -> V | None:
        return self._kept.get(key)

    def put(self, key: str, value: V) -> None:
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)

    def pop(self, key: str) -> None:
        self._kept.pop(key, None)


class _Lately(Generic[V]):
    """What was seen in the last minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: _Bounded[tuple[float, datetime, V]] = _Bounded()

    def keep(self, key: str, value: V | None) -> None:
        if value is None:
            self._seen.pop(key)
        else:
            self._seen.put(key, (self._clock.monotonic(), self._clock.now(), value))

    def drop(self, key: str) -> None:
        self._seen.pop(key)

    def peek(self, key: str) -> V | None:
        """What was seen last; nobody is told of it."""
        found = self._seen.get(key)
        return None if found is None else found[2]

    def recall(self, key: str) -> V | None:
        """None when it was not seen, or too long ago; else noted as stale."""
        found = self._seen.get(key)
        if found is None or self._clock.monotonic() - found[0] > OLDEST.total_seconds():
            return None
        note("sessions", found[1])
        return found[2]
