"""Who may pass: the caller of a request or a socket, from its headers; scopes; how often."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Generic, Literal, TypeVar
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.deps import ApiDeps
from homeguard.clock import Clock
from homeguard.errors import NotAllowed, NotSignedIn, RateLimited, StoreUnavailable
from homeguard.identity.limits import MemoryRateLimits
from homeguard.model import Principal, Scope
from homeguard.ports.limits import RateLimits

T = TypeVar("T")

COOKIE: Final = "homeguard_session"
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and how they showed it. `token` is kept for streams of clients, which are asked again."""

    principal: Principal
    by: Literal["bearer", "cookie", "ticket"]
    token: str = ""


async def authenticate(connection: HTTPConnection, deps: ApiDeps) -> Caller:
    """The caller by bearer token, by one-time `?ticket=` (WebSockets only), or by the session cookie.

    A cookie is only believed for reading, or when the page that sends it is ours (`Origin`).

    Raises:
        NotSignedIn: nothing that holds was shown.
        NotAllowed: a foreign page is asking.
        NotFound: `X-Home-Id` names no home of the caller.
    """
    is_socket = connection.scope["type"] == "websocket"
    home_id = connection.headers.get("x-home-id", "")[:200]
    if is_socket and not is_ours(connection, deps):
        raise NotAllowed("this page may not open a stream here", code="FOREIGN_ORIGIN")
    shown = connection.headers.getlist("authorization")
    if shown:
        scheme, _, token = shown[0].partition(" ")
        if len(shown) != 1 or scheme.lower() != "bearer":
            raise NotSignedIn("show the token as: Authorization: Bearer ...")
        token = token.strip()
        return Caller(principal=await deps.identity.principal(token, home_id=home_id), by="bearer", token=token)
    ticket = connection.query_params.get("ticket") if is_socket else None
    if ticket is not None:
        return Caller(principal=deps.identity.redeem_ticket(ticket), by="ticket")
    cookie = connection.cookies.get(COOKIE)
    if not cookie:
        raise NotSignedIn("sign in first")
    principal = await deps.identity.principal(cookie, home_id=home_id)
    if not is_socket and connection.scope["method"] not in _SAFE and not is_ours(connection, deps):
        raise NotAllowed("this page may not do that here", code="FOREIGN_ORIGIN")
    return Caller(principal=principal, by="cookie", token=cookie)


async def still_holds(caller: Caller, deps: ApiDeps) -> bool:
    """May a stream that was opened by this caller go on?"""
    if caller.principal.caller == "client" and caller.token:
        try:
            await deps.identity.principal(caller.token)
        except NotSignedIn:
            return False
        return True
    return await deps.identity.is_signed_in(caller.principal)


def is_ours(connection: HTTPConnection, deps: ApiDeps) -> bool:
    """Does the request come from a page of ours, or from no page at all?

    Browsers send `Origin` with every socket and every request that changes something; a program sends none.
    """
    if connection.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    try:
        place = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    ours = {connection.headers.get("host", "").lower(), urlsplit(deps.settings.base_url).netloc.lower()}
    return bool(place) and place in ours


class Recent(Generic[T]):
    """Answers about who shows what, worth believing for less than a second: so a revocation acts within one.

    At most `keys` are kept; when there are more, all go.
    """

    _BELIEVED_S: Final = 0.9

    def __init__(self, clock: Clock, *, keys: int = 1_000) -> None:
        self._clock = clock
        self._keys = keys
        self._kept: dict[tuple[str, ...], tuple[float, T]] = {}
        self._forgotten_at = -math.inf
        #: Gone as soon as nobody holds it.
        self._asking: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()

    def get(self, shown: tuple[str, ...]) -> T | None:
        kept = self._kept.get(shown)
        return kept[1] if kept is not None and self._clock.monotonic() - kept[0] < self._BELIEVED_S else None

    def asking(self, shown: tuple[str, ...]) -> asyncio.Lock:
        """Held by who works out the answer; the others wait for it."""
        return self._asking.setdefault(shown, asyncio.Lock())

    def keep(self, shown: tuple[str, ...], asked_at: float, answer: T) -> None:
        """`asked_at` is the clock's `monotonic` from before the stores were asked."""
        if asked_at < self._forgotten_at:
            return
        if len(self._kept) >= self._keys:
            self._kept.clear()
        self._kept[shown] = (asked_at, answer)

    def forget(self) -> None:
        """Something was revoked: believe nothing that was asked until now."""
        self._kept.clear()
        self._forgotten_at = math.nextafter(self._clock.monotonic(), math.inf)


class Limits:
    """Requests a minute: for one person over everything, for one person at one endpoint, for one place without a
    person (RES-12..18)."""

    _ENDPOINTS: Final[Mapping[str, int]] = {
        "POST /api/v1/devices/{device_id}/command": 10,
        "POST /api/v1/ai/chat": 20,
        "POST /api/v1/ai/chat/stream": 20,
        "GET /api/v1/events": 60,
        "GET /api/v1/events/stream": 5,
        "WS /api/v1/events/stream": 5,
    }

    #: How long a store that was away is not asked again: nobody should wait for it twice.
    _LEFT_ALONE_S: Final = 2.0

    def __init__(self, clock: Clock, *, on: bool, shared: RateLimits | None = None) -> None:
        """`shared` counts for all processes; without it, and while it is away, this process counts for itself."""
        self._on = on
        self._clock = clock
        self._shared = shared
        self._own = MemoryRateLimits(clock)
        self._ask_again_at = -math.inf

    async def check_place(self, remote: str) -> None:
        """Raises RateLimited."""
        if self._on:
            _refuse(await self._take(f"place {remote}", 100, 100 + 20))

    async def check_person(self, principal: Principal, endpoint: str) -> None:
        """`endpoint` is `METHOD /path/template`. Raises RateLimited."""
        if not self._on:
            return
        _refuse(await self._take(principal.user_id, 100, 100 + 20))
        limit = self._ENDPOINTS.get(endpoint)
        if limit is not None:
            # The chat's two forms share one allowance, as do the two forms of the stream.
            place = endpoint.partition(" ")[2].removesuffix("/stream" if "/ai/" in endpoint else "")
            _refuse(await self._take(f"{principal.user_id} {place}", limit, limit))

    async def _take(self, key: str, per_minute: float, burst: float) -> float:
        """An outage of the store neither stops everyone nor lets everything pass."""
        if self._shared is not None and self._clock.monotonic() >= self._ask_again_at:
            try:
                return await self._shared.take(key, per_minute=per_minute, burst=burst)
            except StoreUnavailable:
                self._ask_again_at = self._clock.monotonic() + self._LEFT_ALONE_S
        return await self._own.take(key, per_minute=per_minute, burst=burst)


def _refuse(wait_s: float) -> None:
    if wait_s:
        raise RateLimited("too many requests: wait a moment", retry_after_s=math.ceil(wait_s))


def remote_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


def caller_of(connection: HTTPConnection) -> Caller:
    """The caller that the route found before its body was read."""
    caller = connection.scope["state"]["caller"]
    assert isinstance(caller, Caller)
    return caller


async def _signed_in(connection: HTTPConnection) -> Principal:
    return caller_of(connection).principal


def require(principal: Principal, scope: Scope) -> Principal:
    """Raises NotAllowed: the caller lacks the scope."""
    if scope not in principal.scopes:
        raise NotAllowed(
            "a guest may look and not touch" if principal.role == "guest" else f"this token lacks the scope {scope}",
            scope=scope,
        )
    return principal


# Coroutines, because the framework runs a plain function in a thread.
async def _reader(connection: HTTPConnection) -> Principal:
    return require(caller_of(connection).principal, "read")


async def _controller(connection: HTTPConnection) -> Principal:
    return require(caller_of(connection).principal, "control")


#: A signed-in person or client, whatever they may do.
SignedIn = Annotated[Principal, Depends(_signed_in)]
#: One who may read this home.
Reader = Annotated[Principal, Depends(_reader)]
#: One who may act in this home; the gate still judges every act.
Controller = Annotated[Principal, Depends(_controller)]
