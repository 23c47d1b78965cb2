"""Who is asking: sign-ins, sessions, and what each kind of token stands for."""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from homeguard.clock import Clock
from homeguard.errors import InvalidInput, NotAllowed, NotFound, NotSignedIn, RateLimited
from homeguard.identity import tokens as kinds
from homeguard.identity.keys import chat_secret
from homeguard.identity.limits import TokenBuckets
from homeguard.identity.passwords import Passwords
from homeguard.identity.tickets import Tickets
from homeguard.identity.tokens import Audience, Tokens, digest
from homeguard.ids import new_id
from homeguard.model import ALL_SCOPES, Home, Member, Principal, Role, Scope, User
from homeguard.ports.users import AccessToken, Session, SessionStore, UserStore

#: What an MCP client may do unless the owner says more.
CLIENT_SCOPES: Final[frozenset[Scope]] = frozenset(("read", "control"))
SERVERS: Final = ("devices", "events", "analytics", "automations", "anomaly")
_GUEST_SCOPES: Final[frozenset[Scope]] = frozenset(("read",))
#: Failed sign-ins a minute: by one person from one place, and by anyone from one place.
_FAILURES_PER_MINUTE: Final = 5
_FAILURES_PER_PLACE: Final = 30

#: Called with (user id, session id) after a session was revoked.
Revoked = Callable[[str, str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One session's tokens. `expires_in` is the access token's life in seconds; `home` is the session's."""

    access_token: str
    refresh_token: str
    expires_in: int
    chat_token: str
    user: User
    home: Home | None
    session_id: str


class Identity:
    """The one place that turns a password, a token or a ticket into a `Principal`."""

    def __init__(
        self,
        *,
        users: UserStore,
        sessions: SessionStore,
        clock: Clock,
        key: bytes,
        passwords: Passwords | None = None,
        wall: Clock | None = None,
    ) -> None:
        """`wall` is the machine's clock, where `clock` is another one."""
        self._users = users
        self._sessions = sessions
        self._clock = clock
        self._tokens = Tokens(key, clock, wall)
        self._passwords = passwords or Passwords()
        self._tickets = Tickets(clock)
        self._by_person = TokenBuckets(clock, per_minute=_FAILURES_PER_MINUTE, burst=_FAILURES_PER_MINUTE)
        self._by_place = TokenBuckets(clock, per_minute=_FAILURES_PER_PLACE, burst=_FAILURES_PER_PLACE)
        self._listeners: list[Revoked] = []
        self._on_change: list[Callable[[], None]] = []
        #: The secret that the chat checks its cookie with.
        self.chat_secret = chat_secret(key)

    def close(self) -> None:
        """Let go of the password threads."""
        self._passwords.close()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener()` called after this process ended a session or a token: what is known of any may be wrong."""
        self._on_change.append(listener)

    def on_revoked(self, listener: Revoked) -> None:
        """Have `listener(user_id, session_id)` awaited after each revocation in this process."""
        self._listeners.append(listener)

    # Sessions

    async def login(self, email: str, password: str, *, remote: str = "") -> SignIn:
        """Open a session. Only failures count against the limit; a full limit delays, it never locks.

        Raises:
            NotSignedIn: no such person or another password: the two look, and take, the same.
            RateLimited: too many failures; `retry_after_s` says when to try again.
            Overloaded: too many people are signing in.
        """
        email = email.strip().lower()
        person = digest(f"{email}\n{remote}")
        self._count(person, remote)
        found = await self._users.user_by_email(email) if _is_plain(email) else None
        verdict = await self._passwords.verify(password, found[1] if found else None)
        if not verdict.good or found is None:
            raise NotSignedIn("the e-mail or the password is not right")
        self._by_person.give_back(person)
        self._by_place.give_back(remote)
        user = found[0]
        if verdict.upgraded:
            await self._users.set_password_hash(user.id, verdict.upgraded)
        now = self._clock.now()
        member = await self._member(user.id)
        session = Session(
            id=new_id(),
            user_id=user.id,
            home_id=member.home_id if member else "",
            refresh_hash="",
            created_at=now,
            expires_at=now + kinds.REFRESH_TTL,
        )
        refresh_token = self._tokens.refresh(session.id)
        await self._sessions.put_session(replace(session, refresh_hash=digest(refresh_token)))
        return await self._sign_in(user, session, member, refresh_token)

    async def refresh(self, refresh_token: str) -> SignIn:
        """New tokens for the session; the refresh token that was given is used up. Using one twice ends the session.

        Raises:
            NotSignedIn: not ours, used before, or the session is over.
        """
        session_id = self._tokens.read_refresh(refresh_token)
        session = await self._live_session(session_id)
        fresh = self._tokens.refresh(session_id)
        expires_at = self._clock.now() + kinds.REFRESH_TTL
        if not await self._sessions.rotate(session_id, digest(refresh_token), digest(fresh), expires_at):
            await self._revoke(session)
            raise NotSignedIn("this refresh token was used before: the session is closed, sign in again")
        user = await self._users.user(session.user_id)
        if user is None:
            raise NotSignedIn("sign in again")
        return await self._sign_in(user, session, await self._member(user.id, session.home_id), fresh)

    async def logout(self, who: Principal | str) -> None:
        """Revoke the session of a principal, or the session of that id. Repeating it changes nothing."""
        session_id = who if isinstance(who, str) else who.session_id
        session = await self._sessions.session(session_id) if session_id else None
        if session is not None and session.revoked_at is None:
            await self._revoke(session)

    # Principals

    async def principal(self, token: str, *, audience: Audience = "api", home_id: str = "") -> Principal:
        """Whom a token stands for, in `home_id` or else in the session's home.

        For the API: an access token, the chat cookie's, a client token, an operator's. For MCP: a client token or
        an operator's. Session, token and membership are read from the store on every call.

        Raises:
            NotSignedIn: the token does not hold.
            NotFound: the person has no such home.
        """
        if kinds.is_client_token(token):
            return await self._client(token, home_id)
        claims = self._tokens.read(token, audience)
        if claims.kind == "operator":
            return await self.as_user(claims.email, home_id=home_id)
        session = await self._live_session(claims.session_id)
        if session.user_id != claims.user_id:
            raise NotSignedIn("sign in again")
        return await self._person(session.user_id, home_id or session.home_id, bool(home_id), session.id)

    async def as_user(self, email: str, *, home_id: str = "") -> Principal:
        """That person, without a password: only for who can read `local.key`.

        Raises:
            NotFound: there is no such person, or no such home of theirs.
        """
        found = await self._users.user_by_email(email.strip())
        if found is None:
            raise NotFound(f"nobody here has the e-mail {email.strip()}")
        return await self._person(found[0].id, home_id, bool(home_id), "")

    def operator_token(self, email: str, *, audience: Audience = "api") -> str:
        """Five minutes as that person, for a command of the operator that talks to a running instance."""
        return self._tokens.operator(email, audience)

    async def is_signed_in(self, principal: Principal) -> bool:
        """Does the session of an open stream still hold (for one without a session: the person and the home)?"""
        try:
            if principal.session_id:
                await self._live_session(principal.session_id)
            else:
                await self._person(principal.user_id, principal.home_id, True, "")
        except (NotSignedIn, NotFound):
            return False
        return True

    def issue_ticket(self, principal: Principal) -> str:
        return self._tickets.issue(principal)

    def redeem_ticket(self, ticket: str) -> Principal:
        """Raises NotSignedIn: unknown, used, or over 30 seconds old."""
        return self._tickets.redeem(ticket)

    # Long-lived tokens

    async def device(self, token: str) -> AccessToken:
        """The row of a device's token: it may only send, and only for its own device.

        Raises:
            NotSignedIn: the token does not hold.
        """
        if not kinds.is_device_token(token):
            raise NotSignedIn("the device token is not valid")
        return await self._token_row(token, "device")

    async def client_token(self, token: str) -> AccessToken:
        """The row of a client's token, with the servers that it is for (none named: all).

        Raises:
            NotSignedIn: the token does not hold.
        """
        return await self._token_row(token, "client")

    async def create_client_token(
        self,
        owner: Principal,
        name: str,
        *,
        scopes: Sequence[str] = (),
        servers: Sequence[str] = (),
        expires_in: timedelta | None = None,
    ) -> tuple[AccessToken, str]:
        """The stored row and the token itself, which is shown this once. No scopes: read and control; no servers: all.

        Raises:
            InvalidInput: an unknown scope or server, or an expiry that is not ahead.
        """
        wrong = sorted(set(scopes) - ALL_SCOPES)
        if wrong:
            raise InvalidInput(f"there is no scope {wrong[0]}", field="scopes", allowed=sorted(ALL_SCOPES))
        wrong = sorted(set(servers) - {*SERVERS, "all"})
        if wrong:
            raise InvalidInput(f"there is no server {wrong[0]}", field="servers", allowed=list(SERVERS))
        token = kinds.new_client_token()
        row = self._row(
            owner.home_id, owner.user_id, name, token, expires_in,
            scopes=tuple(sorted(scopes or CLIENT_SCOPES)), servers=() if "all" in servers else tuple(servers),
        )  # fmt: skip
        await self._sessions.put_token(row)
        return row, token

    async def create_device_token(
        self, owner: Principal, device_id: str, *, name: str = "", expires_in: timedelta | None = None
    ) -> tuple[AccessToken, str]:
        """The stored row and the token itself, which is shown this once."""
        token = kinds.new_device_token()
        row = self._row(owner.home_id, owner.user_id, name or device_id, token, expires_in, device_id=device_id)
        await self._sessions.put_token(row)
        return row, token

    async def list_tokens(self) -> Sequence[AccessToken]:
        """All, newest first, revoked ones too."""
        return await self._sessions.tokens()

    async def revoke_token(self, token_id: str) -> bool:
        """False when there is none of that id."""
        try:
            return await self._sessions.revoke_token(token_id, self._clock.now())
        finally:
            self._changed()

    async def set_password(self, user: User, password: str) -> None:
        """Store the person with a fresh hash of that password (also a new person)."""
        await self._users.put_user(user, await self._passwords.hash(password))

    async def check_password(self, who: Principal, password: str, *, remote: str = "") -> None:
        """Is it that person's password? For what a signed-in person must show it once more; wrong ones count as failed
        sign-ins.

        Raises:
            NotAllowed: it is not (`PASSWORD_WRONG`), or this is no person.
            RateLimited, Overloaded: as `login`.
        """
        user = await self._users.user(who.user_id) if who.caller == "person" else None
        if user is None:
            raise NotAllowed("only a signed-in person can do this")
        person = digest(f"{user.email.strip().lower()}\n{remote}")
        self._count(person, remote)
        found = await self._users.user_by_email(user.email)
        verdict = await self._passwords.verify(password, found[1] if found else None)
        if not verdict.good or found is None:
            raise NotAllowed("the password is not right", code="PASSWORD_WRONG")
        self._by_person.give_back(person)
        self._by_place.give_back(remote)

    # Inside

    def _count(self, person: str, remote: str) -> None:
        for buckets, key in ((self._by_person, person), (self._by_place, remote)):
            wait_s = buckets.take(key)
            if wait_s:
                raise RateLimited("too many failed sign-ins: wait a moment", retry_after_s=_whole(wait_s))

    async def _sign_in(self, user: User, session: Session, member: Member | None, refresh_token: str) -> SignIn:
        role = member.role if member else "guest"
        return SignIn(
            access_token=self._tokens.access(user.id, session.id),
            refresh_token=refresh_token,
            expires_in=int(kinds.ACCESS_TTL.total_seconds()),
            chat_token=self._tokens.chat(user.id, session.id, email=user.email, name=user.name, role=role),
            user=user,
            home=await self._users.home(member.home_id) if member else None,
            session_id=session.id,
        )

    async def _live_session(self, session_id: str) -> Session:
        session, now = await self._sessions.session(session_id), self._clock.now()
        if session is None or session.revoked_at is not None or session.expires_at <= now:
            raise NotSignedIn("the session is over: sign in again")
        # opened or renewed while the clock was far ahead
        if session.expires_at > now + kinds.REFRESH_TTL + kinds.SKEW:
            raise NotSignedIn("the session is over: sign in again")
        return session

    async def _revoke(self, session: Session) -> None:
        try:
            await self._sessions.revoke_session(session.id, self._clock.now())
        finally:
            self._changed()
        for listener in self._listeners:
            await listener(session.user_id, session.id)

    def _changed(self) -> None:
        for listener in self._on_change:
            listener()

    async def _member(self, user_id: str, home_id: str = "") -> Member | None:
        """The place in that home, else in the person's first."""
        homes = await self._users.homes_of(user_id)
        return next((m for m in homes if m.home_id == home_id), homes[0] if homes else None)

    async def _person(self, user_id: str, home_id: str, exactly: bool, session_id: str) -> Principal:
        user = await self._users.user(user_id)
        if user is None:
            raise NotSignedIn("sign in again")
        member = await self._member(user_id, home_id)
        if exactly and (member is None or member.home_id != home_id):
            raise NotFound("there is no such home")
        role: Role = member.role if member else "guest"
        return Principal(
            home_id=member.home_id if member else "",
            user_id=user.id,
            role=role,
            caller="person",
            scopes=_GUEST_SCOPES if role == "guest" else ALL_SCOPES,
            name=user.name,
            session_id=session_id,
        )

    async def _client(self, token: str, home_id: str) -> Principal:
        row = await self._token_row(token, "client")
        if home_id and home_id != row.home_id:
            raise NotFound("there is no such home")
        try:
            person = await self._person(row.user_id, row.home_id, True, "")
        except NotFound as error:
            raise NotSignedIn("the client token is not valid") from error
        return replace(person, caller="client", scopes=person.scopes & frozenset(row.scopes), name=row.name)

    async def _token_row(self, token: str, kind: str) -> AccessToken:
        hashed = digest(token)
        row = await self._sessions.token_by_hash(hashed)
        now = self._clock.now()
        if (
            row is None
            or not hmac.compare_digest(row.token_hash, hashed)
            or row.kind != kind
            or row.revoked_at is not None
            or (row.expires_at is not None and row.expires_at <= now)
        ):
            raise NotSignedIn(f"the {kind} token is not valid")
        return row

    def _row(
        self,
        home_id: str,
        user_id: str,
        name: str,
        token: str,
        expires_in: timedelta | None,
        *,
        scopes: tuple[str, ...] = (),
        servers: tuple[str, ...] = (),
        device_id: str = "",
    ) -> AccessToken:
        if not home_id:
            raise NotAllowed("there is no home for this token")
        if expires_in is not None and expires_in <= timedelta():
            raise InvalidInput("a token expires in the future", field="expires")
        now: datetime = self._clock.now()
        return AccessToken(
            id=new_id(),
            home_id=home_id,
            user_id=user_id,
            kind="device" if device_id else "client",
            name=name,
            token_hash=digest(token),
            scopes=scopes,
            servers=servers,
            device_id=device_id,
            created_at=now,
            expires_at=None if expires_in is None else now + expires_in,
        )


def _whole(seconds: float) -> int:
    return max(1, int(seconds) + (seconds % 1 > 0))


def _is_plain(text: str) -> bool:
    """Can a store hold it? Lone surrogates and NUL belong to no e-mail."""
    return 0 < len(text) <= 320 and "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
