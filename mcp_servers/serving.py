"""MCP over HTTP: `/mcp/<server>` for each of the five and `/mcp` for all, behind tokens, Host and Origin checks."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from homeguard.errors import HomeGuardError
from mcp_servers.catalog import ALL, SERVERS
from mcp_servers.identity import Authenticate, Verifier
from mcp_servers.paths import METADATA, PREFIX, owns
from mcp_servers.server import HomeServer


class McpHttp:
    """An ASGI app for the paths that `mcp_servers.paths` names; enter `lifespan()` once around serving.

    `servers` as `catalog.build_all` gives them. `allowed_hosts` and `allowed_origins` are exact, or end in `:*` for any
    port; a request without an Origin is not from a browser and passes that check.
    """

    def __init__(
        self,
        servers: Mapping[str, HomeServer],
        authenticate: Authenticate,
        *,
        base_url: str,
        allowed_hosts: Sequence[str],
        allowed_origins: Sequence[str],
    ) -> None:
        security = TransportSecuritySettings(allowed_hosts=list(allowed_hosts), allowed_origins=list(allowed_origins))
        self._guard = TransportSecurityMiddleware(security)
        self._servers = servers
        self._apps: dict[str, ASGIApp] = {}
        for name, server in servers.items():
            path = PREFIX if name == ALL else f"{PREFIX}/{name}"
            resource = f"{base_url.rstrip('/')}{path}"
            auth = AuthSettings(
                issuer_url=AnyHttpUrl(base_url),
                resource_server_url=AnyHttpUrl(resource),
                required_scopes=["read"],
                validate_token_resource=True,
            )
            verifier = Verifier(authenticate, name, resource, SERVERS if name == ALL else ())
            app = server.http_app(path, auth, verifier, security)
            self._apps[path] = app
            self._apps[f"{METADATA}{path}"] = app

    def in_front_of(self, app: ASGIApp) -> ASGIApp:
        """Both in one: our paths here, all others (and lifespan) to `app`."""

        async def both(scope: Scope, receive: Receive, send: Send) -> None:
            mine = scope["type"] == "http" and owns(scope["path"])
            await (self if mine else app)(scope, receive, send)

        return both

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Runs the sessions of all servers. Once per object."""
        async with AsyncExitStack() as stack:
            for server in self._servers.values():
                await stack.enter_async_context(server.session_manager.run())
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refused = await self._guard.validate_request(Request(scope))
        if refused is not None:
            await refused(scope, receive, send)
            return
        path = scope["path"].rstrip("/")
        app = self._apps.get(path)
        if app is None:
            await _error(404, "NOT_FOUND", f"MCP servers are {PREFIX} and {PREFIX}/{'|'.join(SERVERS)}")(
                scope, receive, send
            )
            return
        inner = {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}
        try:
            await app(inner, receive, send)
        except HomeGuardError as error:  # only while the token is looked up: tools turn theirs into results
            await _error(error.status, error.code, error.message)(scope, receive, send)


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
