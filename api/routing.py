"""The two kinds of route, open to all and for who is signed in: identity first, then limits, then the body."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from api.access import Callers, Limits, remote_of
from api.errors import encode
from api.strict import read_strictly

API: Final = "/api/v1"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class SignedInRoute(APIRoute):
    """Answers 401 without a caller. The caller is found before the body is read."""

    is_public = False

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            limits: Limits = request.app.state.limits
            if self.is_public:
                await limits.check_place(remote_of(request))
            else:
                callers: Callers = request.app.state.callers
                caller = await callers.of(request.scope)
                await limits.check_person(caller.principal, f"{request.method} {self.path}")
                request.state.caller = caller
            return await handle(await read_strictly(request) if self.body_field else request)

        return checked


class PublicRoute(SignedInRoute):
    """Open to everyone; limited by place."""

    is_public = True


def router(path: str, tag: str) -> APIRouter:
    """Routes under `/api/v1<path>` for who is signed in."""
    return APIRouter(prefix=f"{API}{path}", tags=[tag], route_class=SignedInRoute)


def public_router(path: str, tag: str) -> APIRouter:
    """Routes under `/api/v1<path>` for everyone."""
    return APIRouter(prefix=f"{API}{path}", tags=[tag], route_class=PublicRoute)


def reply(data: object, status: int = 200) -> Response:
    """JSON, encoded once, without a second look by the framework: its shape is the route's documented one."""
    return Response(encode(data), status_code=status, media_type="application/json")
