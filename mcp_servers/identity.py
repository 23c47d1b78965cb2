"""Who calls, as the transport says: a verified bearer token over HTTP, a task's own principal in process."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Annotated, Any, Final

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from pydantic import SkipValidation

from homeguard.errors import NotAllowed, NotSignedIn
from homeguard.model import Principal, Scope

#: Checks a token for one server (`devices`, ..., `all`). Raises NotSignedIn (unknown, expired, wrong audience) or
#: NotAllowed (good, but not for this server).
Authenticate = Callable[[str, str], Awaitable[Principal]]

_acting: ContextVar[Principal | None] = ContextVar("homeguard_mcp_principal", default=None)


class HomeToken(AccessToken):
    """A verified token with the person behind it; `servers` are those that it opens."""

    principal: Annotated[Principal, SkipValidation]
    servers: frozenset[str] = frozenset()


def set_principal(principal: Principal | None) -> None:
    """For the current task and what it starts: the tools that it calls in process act for this principal."""
    _acting.set(principal)


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """The same for the length of a block."""
    before = _acting.set(principal)
    try:
        yield
    finally:
        _acting.reset(before)


def current_principal() -> Principal:
    """The caller of the current request.

    Raises:
        NotSignedIn: nobody is behind it.
    """
    token = get_access_token()
    principal = token.principal if isinstance(token, HomeToken) else _acting.get()
    if principal is None:
        raise NotSignedIn("nobody is signed in here")
    return principal


def opens(server: str) -> bool:
    """Whether the current caller may use this server (in process: every one)."""
    token = get_access_token()
    return not isinstance(token, HomeToken) or server in token.servers


def require(scope: Scope) -> Principal:
    """The caller, who must have this scope.

    Raises:
        NotSignedIn, NotAllowed: nobody is behind the request, or the token lacks the scope.
    """
    principal = current_principal()
    if scope not in principal.scopes:
        raise NotAllowed(f"this needs a token with the scope '{scope}'", scope=scope)
    return principal


def state_owner(_: Any) -> str | None:
    """Whose request state it is: sealed state is good only for the same person in the same home."""
    try:
        principal = current_principal()
    except NotSignedIn:
        return None
    return f"{principal.home_id}\x1f{principal.user_id}"


#: Rights that no client program ever has, whatever token it brings.
_NEVER: Final[frozenset[Scope]] = frozenset(("manage",))


class Verifier:
    """The SDK's token verifier for one server (`all`: for those of `parts` that the token opens)."""

    def __init__(self, authenticate: Authenticate, server: str, resource: str, parts: tuple[str, ...] = ()) -> None:
        self._authenticate = authenticate
        self._server = server
        self._resource = resource
        self._parts = parts

    async def verify_token(self, token: str) -> AccessToken | None:
        """None: not one of ours (401). Without scopes: one of ours, but not for this server (403)."""
        if not 0 < len(token) <= 4096:
            return None
        try:
            principal, servers = await self._look(token)
        except NotSignedIn:
            return None
        except NotAllowed:
            return AccessToken(token=token, client_id="refused", scopes=[], resource=self._resource)
        caller = principal.caller if principal.caller == "agent" else "client"
        principal = replace(principal, caller=caller, scopes=principal.scopes - _NEVER, turn=None)
        return HomeToken(
            token=token,
            client_id=f"{principal.home_id}/{principal.session_id or principal.name or 'client'}",
            subject=principal.user_id,
            scopes=sorted(principal.scopes),
            resource=self._resource,
            principal=principal,
            servers=servers,
        )

    async def _look(self, token: str) -> tuple[Principal, frozenset[str]]:
        try:
            principal = await self._authenticate(token, self._server)
        except NotAllowed:
            if not self._parts:
                raise
        else:
            return principal, frozenset((self._server, *self._parts))
        found: list[tuple[str, Principal]] = []
        for part in self._parts:
            try:
                found.append((part, await self._authenticate(token, part)))
            except NotAllowed:
                continue
        if not found:
            raise NotAllowed("this token opens none of the servers")
        return found[0][1], frozenset((self._server, *(name for name, _ in found)))
