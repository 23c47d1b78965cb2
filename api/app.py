"""The REST API as one ASGI app: routes over the ports that it is given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from api import errors
from api.access import Limits, Recent, require
from api.deps import ApiDeps
from api.edge import Edge
from api.live import Frames, publish_revocation
from api.openapi import documented
from api.routes import (
    analytics,
    auth,
    automations,
    chat,
    confirmations,
    devices,
    events,
    operations,
    pages,
    stream,
    users,
)
from homeguard.errors import HomeGuardError, NotAllowed, NotSignedIn
from homeguard.ids import new_id
from pipeline.intake.http import IntakeEndpoint
from pipeline.intake.intake import Origin

__all__ = ["ApiDeps", "create_app", "routed"]

_TITLE: Final = "HomeGuard"
_VERSION: Final = "1.0.0"
_ROUTERS: Final = (
    auth.public, auth.routes, users.routes, devices.routes, confirmations.routes, stream.routes, stream.sockets,
    events.routes, events.alerts, analytics.routes, automations.routes, chat.routes, operations.routes, pages.routes,
)  # fmt: skip


def create_app(deps: ApiDeps) -> FastAPI:
    """The app, with MCP and chat mounted in front of its routes. Nothing runs until it is served."""
    app = routed(deps)
    app.state.deps = deps
    app.state.limits = Limits(deps.clock, on=deps.settings.rate_limits, shared=deps.limits)
    app.state.frames = Frames()

    origins = _Origins(deps)

    async def tell(user_id: str, session_id: str) -> None:
        origins.recent.forget()
        await publish_revocation(deps, user_id, session_id)

    deps.identity.on_revoked(tell)
    app.add_middleware(
        Edge,
        intake=IntakeEndpoint(deps.intake, origins, _intake_error),
        mounts=deps.extra_mounts,
        metrics=deps.metrics,
        clock=deps.clock,
        limited=deps.settings.rate_limits,
    )
    return app


def routed(deps: ApiDeps | None = None) -> FastAPI:
    """The routes and their document; without `deps` nothing of it can be called."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if deps is not None and deps.on_close is not None:
            await deps.on_close()

    app = FastAPI(
        title=_TITLE, version=_VERSION, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan
    )
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
        self._clock = deps.clock
        self.recent: Recent[Origin] = Recent(deps.clock)

    async def __call__(self, headers: Headers) -> Origin:
        """Raises NotSignedIn, NotAllowed or NotFound."""
        device_token = headers.get("x-device-token")
        authorization, home_id = headers.get("authorization", ""), headers.get("x-home-id", "")[:200]
        # A device's token alone decides, also when it is empty.
        shown = ("bearer", authorization, home_id) if device_token is None else ("device", device_token)
        origin = self.recent.get(shown)
        if origin is not None:
            return origin
        # What many connections of one caller ask at the same time is asked once.
        async with self.recent.asking(shown):
            origin = self.recent.get(shown)
            if origin is None:
                asked_at = self._clock.monotonic()
                origin = await self._ask(device_token, authorization, home_id)
                self.recent.keep(shown, asked_at, origin)
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


def _intake_error(error: HomeGuardError) -> Response:
    return errors.error_response(error, new_id())
