"""Who may pass: the caller of a request or a socket, from its headers; scopes; how often."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import Scope as Asked

from api.deps import ApiDeps
from api.headers import all_of, first_of
from api.recent import Recent
from homeguard.clock import Clock
from homeguard.errors import NotAllowed, NotSignedIn, RateLimited, StoreUnavailable
from homeguard.identity.limits import MemoryRateLimits
from homeguard.identity.tokens import digest
from homeguard.model import Principal, Scope
from homeguard.ports.limits import RateLimits

COOKIE: Final = "homeguard_session"
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and how they showed it. `token` is kept for streams of clients, which are asked again."""

    principal: Principal
    by: Literal["bearer", "cookie", "ticket"]
    token: str = ""


class Callers:
    """Finds out who asks. What a token stands for is believed for less than a second after it was looked up."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._recent: Recent[Principal] = Recent(deps.clock)

    async def of(self, asked: Asked) -> Caller:
        """The caller by bearer token, by one-time `?ticket=` (WebSockets only), or by the session cookie.

        A cookie is only believed for reading, or when the page that sends it is ours (`Origin`).

        Raises:
            NotSignedIn: nothing that holds was shown.
            NotAllowed: a foreign page is asking.
            NotFound: `X-Home-Id` names no home of the caller.
        """
        is_socket = asked["type"] == "websocket"
        home_id = first_of(asked, b"x-home-id")[:200]
        if is_socket and not is_ours(asked, self._deps):
            raise NotAllowed("this page may not open a stream here", code="FOREIGN_ORIGIN")
        shown = all_of(asked, b"authorization")
        if shown:
            scheme, _, token = shown[0].partition(" ")
            if len(shown) != 1 or scheme.lower() != "bearer":
                raise NotSignedIn("show the token as: Authorization: Bearer ...")
            token = token.strip()
            return Caller(principal=await self._principal(token, home_id), by="bearer", token=token)
        connection = HTTPConnection(asked)
        ticket = connection.query_params.get("ticket") if is_socket else None
        if ticket is not None:
            return Caller(principal=self._deps.identity.redeem_ticket(ticket), by="ticket")
        cookie = connection.cookies.get(COOKIE)
        if not cookie:
            raise NotSignedIn("sign in first")
        principal = await self._principal(cookie, home_id)
        if not is_socket and asked["method"] not in _SAFE and not is_ours(asked, self._deps):
            raise NotAllowed("this page may not do that here", code="FOREIGN_ORIGIN")
        return Caller(principal=principal, by="cookie", token=cookie)

    def forget(self) -> None:
        """Something was revoked: look everyone up again."""
        self._recent.forget()

    async def _principal(self, token: str, home_id: str) -> Principal:
        shown = (digest(token), home_id)
        principal = self._recent.get(shown)
        if principal is None:
            principal = await self._recent.find(shown, lambda: self._deps.identity.principal(token, home_id=home_id))
        return principal


async def still_holds(caller: Caller, deps: ApiDeps) -> bool:
    """May a stream that was opened by this caller go on?"""
    if caller.principal.caller == "client" and caller.token:
        try:
            await deps.identity.principal(caller.token)
        except NotSignedIn:
            return False
        return True
    return await deps.identity.is_signed_in(caller.principal)


def is_ours(asked: Asked, deps: ApiDeps) -> bool:
    """Does the request come from a page of ours, or from no page at all?

    Browsers send `Origin` with every socket and every request that changes something; a program sends none.
    """
    site = all_of(asked, b"sec-fetch-site")
    if site and site[0] not in ("same-origin", "none"):
        return False
    origin = all_of(asked, b"origin")
    if not origin:
        return True
    try:
        place = urlsplit(origin[0]).netloc.lower()
    except ValueError:
        return False
    ours = {first_of(asked, b"host").lower(), urlsplit(deps.settings.base_url).netloc.lower()}
    return bool(place) and place in ours


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
