"""The REST API as one ASGI app: routes over the ports that it is given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from api import errors
from api.access import Callers, Limits, require
from api.deps import ApiDeps
from api.device_list import DeviceList, DeviceTexts
from api.edge import Edge
from api.headers import all_of, first_of
from api.hub import Hub
from api.live import publish_revocation
from api.openapi import documented
from api.recent import Recent
from api.routes import (
    analytics,
    auth,
    automations,
    chat,
    confirmations,
    devices,
    events,
    explain,
    household,
    lists,
    memory,
    operations,
    pages,
    permissions,
    personal,
    pin,
    stream,
    timers,
    undo,
    users,
)
from homeguard.errors import NotAllowed, NotSignedIn
from homeguard.identity.tokens import digest
from homeguard.ids import new_id
from pipeline.intake.http import IntakeEndpoint
from pipeline.intake.intake import Origin

__all__ = ["ApiDeps", "create_app", "routed"]

_TITLE: Final = "HomeGuard"
_VERSION: Final = "1.0.0"
#: Figures are kept here and asked for at /metrics; nothing is sent anywhere, whatever the environment says.
_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False}
_ROUTERS: Final = (
    auth.public, auth.routes, users.routes, devices.routes, confirmations.routes, permissions.routes,
    pin.routes, stream.routes, stream.sockets,
    undo.routes, explain.routes, memory.routes, household.routes, personal.routes,
    events.routes, events.alerts, analytics.routes, automations.routes, timers.routes, lists.routes,
    chat.routes, operations.routes, pages.routes,
)  # fmt: skip


def create_app(deps: ApiDeps) -> FastAPI:
    """The app, with MCP and chat mounted in front of its routes. Nothing runs until it is served."""
    app = routed(deps)
    app.state.deps = deps
    app.state.limits = Limits(deps.clock, on=deps.settings.rate_limits, shared=deps.limits)
    app.state.callers = Callers(deps)
    app.state.hub = Hub(deps)
    app.state.device_texts = DeviceTexts()

    origins = _Origins(deps)

    def forget() -> None:
        origins.recent.forget()
        app.state.callers.forget()

    async def tell(user_id: str, session_id: str) -> None:
        await publish_revocation(deps, user_id, session_id)

    deps.identity.on_change(forget)
    deps.identity.on_revoked(tell)
    intake = IntakeEndpoint(deps.intake, origins, lambda error: errors.error_response(error, new_id()))
    app.add_middleware(
        Edge,
        devices=DeviceList(deps, app.state.callers, app.state.limits, app.state.device_texts),
        intake=intake,
        mounts=deps.extra_mounts,
        metrics=deps.metrics,
        clock=deps.clock,
        limited=deps.settings.rate_limits,
        stands=app.stand_before,
    )
    return app


class _App(FastAPI):
    """The routes, with the edge before the framework's own layers where it answers by itself: what comes most often
    need not pay for them."""

    _edge: Edge | None = None

    def stand_before(self, edge: Edge) -> None:
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._edge is not None and self._edge.answers(scope):
            await self._edge(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def routed(deps: ApiDeps | None = None) -> _App:
    """The routes and their document; without `deps` nothing of it can be called."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if deps is not None and deps.on_close is not None:
            await deps.on_close()

    app = _App(
        title=_TITLE, version=_VERSION, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan,
        telemetry=_TELEMETRY,
    )  # fmt: skip
    errors.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=pages.STATIC, check_dir=False))
    app.mount("/reference", StaticFiles(directory=pages.REFERENCE, check_dir=False))
    app.openapi = documented(app, _TITLE, _VERSION)  # type: ignore[method-assign]
    return app


class _Origins:
    """Who delivers to the intake: a device by its own token, or a person of the home by theirs.

    Devices speak often, so what was found is believed for less than a second.
    """

    def __init__(self, deps: ApiDeps) -> None:
        self._identity = deps.identity
        self.recent: Recent[Origin] = Recent(deps.clock)

    async def __call__(self, scope: Scope) -> Origin:
        """Raises NotSignedIn, NotAllowed or NotFound."""
        tokens = all_of(scope, b"x-device-token")
        device_token = tokens[0] if tokens else None
        if device_token is not None:
            # It alone decides, also when it is empty.
            shown: tuple[str, ...] = ("device", digest(device_token))
            authorization = home_id = ""
        else:
            authorization, home_id = first_of(scope, b"authorization"), first_of(scope, b"x-home-id")[:200]
            shown = ("bearer", digest(authorization), home_id)
        origin = self.recent.get(shown)
        if origin is None:
            origin = await self.recent.find(shown, lambda: self._ask(device_token, authorization, home_id))
        return origin

    async def _ask(self, device_token: str | None, authorization: str, home_id: str) -> Origin:
        if device_token is not None:
            row = await self._identity.device(device_token)
            return Origin(home_id=row.home_id, source="http", device_id=row.device_id)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise NotSignedIn("send X-Device-Token, or Authorization: Bearer ...")
        principal = await self._identity.principal(token.strip(), home_id=home_id)
        require(principal, "control")
        if not principal.home_id:
            raise NotAllowed("you have no home here yet")
        return Origin(home_id=principal.home_id, source="http", user_id=principal.user_id)
