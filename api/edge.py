"""The outermost layer: trace ids, aliases, mounts, security headers, figures, the global limit, the last resort."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.device_list import PATH as DEVICES
from api.errors import answer_to, internal_error_response
from api.headers import all_of, first_of
from api.routing import API
from homeguard.clock import Clock, iso
from homeguard.errors import Overloaded
from homeguard.identity.limits import TokenBuckets
from homeguard.ids import FreshIds
from homeguard.staleness import Stale, collect
from homeguard.telemetry import Metrics

_log = logging.getLogger("homeguard.api")
SERVICE: Final = "api-gateway"
_GLOBAL_PER_SECOND: Final = 1000
#: What `/api/...` and bare paths may leave out of the canonical prefix.
_ALIASED: Final = re.compile(
    r"(?:/api(?!/v1(?:/|\Z)))?"
    r"(/(?:auth|users|devices|events|alerts|analytics|automations|ai|demo|confirmations)(?:/.*)?)",
    re.DOTALL,
)
_PREFIXED: Final = re.compile(r"/api(?:/v1)?(/(?:health|live|ready|metrics|telemetry))")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
#: What needs no second look: no alias, no mount.
_KNOWN: Final = frozenset((DEVICES, "/telemetry", f"{API}/events"))
_TRACE: Final = b"x-trace-id"
_UNLIMITED: Final = frozenset(("/health", "/live", "/ready", "/metrics"))
_INTAKE: Final = frozenset((("POST", "/telemetry"), ("POST", f"{API}/events")))
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_NAMES: Final = frozenset(name for name, _ in _HEADERS)
_POLICY: Final = (
    b"content-security-policy",
    b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    b"form-action 'self'; frame-ancestors 'none'",
)


def canonical(path: str) -> str:
    """`/devices`, `/api/devices` and `/devices/` are `/api/v1/devices`; `/api/v1/health` is `/health`."""
    path = path.removesuffix("/") or "/"
    aliased = _ALIASED.fullmatch(path)
    if aliased:
        return API + aliased[1]
    prefixed = _PREFIXED.fullmatch(path)
    return prefixed[1] if prefixed else path


class Edge:
    """Wraps the app. Intake and the list of devices go straight to their endpoints, mounts to theirs, the rest to the
    routes."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        devices: ASGIApp,
        intake: ASGIApp,
        mounts: Sequence[tuple[str, ASGIApp]],
        metrics: Metrics,
        clock: Clock,
        limited: bool,
        stands: Callable[["Edge"], None],
    ) -> None:
        """`stands` is told once it is made, which the framework does at the first request."""
        stands(self)
        self._app = app
        self._devices = devices
        self._intake = intake
        self._mounts = sorted(((p.rstrip("/"), a) for p, a in mounts), key=lambda m: -len(m[0]))
        self._metrics = metrics
        self._clock = clock
        self._ids = FreshIds()
        self._limited = limited
        self._all = TokenBuckets(clock, per_minute=_GLOBAL_PER_SECOND * 60, burst=_GLOBAL_PER_SECOND, keys=1)

    def answers(self, scope: Scope) -> bool:
        """It does so by itself, without the app behind it."""
        return scope["type"] == "http" and (_is_intake(scope) or _is_device_list(scope))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["trace_id"] = _trace_id(scope, self._ids)
        mounted = None
        if scope["path"] not in _KNOWN:
            mounted = self._mount_of(scope["path"])
            path = canonical(scope["path"]) if mounted is None else scope["path"]
            if path != scope["path"]:
                scope["path"], scope["raw_path"] = path, path.encode("utf-8", errors="replace")
        if scope["type"] == "websocket":
            await self._pass(mounted, scope, receive, send)
            return
        await self._serve(mounted, scope, receive, send)

    async def _serve(self, mounted: tuple[str, ASGIApp] | None, scope: Scope, receive: Receive, send: Send) -> None:
        started, status = self._clock.monotonic(), 0
        stale: Stale = {}
        trace_id = scope["state"]["trace_id"]

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _completed(message.get("headers", ()), trace_id, stale, is_page=mounted is None)
                self._metrics.answered(
                    SERVICE,
                    scope["method"] if scope["method"] in _METHODS else "OTHER",
                    _endpoint(mounted, scope),
                    status,
                    self._clock.monotonic() - started,
                )
            await send(message)

        try:
            with collect() as stale:
                await self._pass(mounted, scope, receive, answered)
        except asyncio.CancelledError:
            # The server ends and waits no longer: nothing is known of what was under way, so it may be asked again.
            if not status:
                error = Overloaded("HomeGuard is ending: ask again in a moment", retry_after_s=5)
                await answer_to(error, scope)(scope, receive, answered)
            raise
        except Exception:
            _log.exception("trace %s: %s failed", trace_id, _endpoint(mounted, scope))
            if status:
                raise
            await internal_error_response(trace_id)(scope, receive, answered)

    async def _pass(self, mounted: tuple[str, ASGIApp] | None, scope: Scope, receive: Receive, send: Send) -> None:
        if mounted is not None:
            await _enter(*mounted, scope, receive, send)
        elif _is_intake(scope):
            await self._intake(scope, receive, send)
        elif self._is_over(scope):
            error = Overloaded("HomeGuard is busy: try again in a moment", retry_after_s=1)
            await answer_to(error, scope)(scope, receive, send)
        elif _is_device_list(scope):
            await self._devices(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _mount_of(self, path: str) -> tuple[str, ASGIApp] | None:
        return next((m for m in self._mounts if path == m[0] or path.startswith(m[0] + "/")), None)

    def _is_over(self, scope: Scope) -> bool:
        if not self._limited or scope["type"] != "http" or scope["path"] in _UNLIMITED:
            return False
        return self._all.take("") > 0


_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


async def _enter(prefix: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a mounted app: it finds its prefix in `root_path`, and the bare prefix as its `/`."""
    path = scope["path"]
    if path == prefix:
        if scope["type"] == "http" and "text/html" in first_of(scope, b"accept"):
            answer: Response = RedirectResponse(f"{prefix}/", 307)
            await answer(scope, receive, send)
            return
        path = f"{prefix}/"
    inner = {**scope, "path": path, "root_path": scope.get("root_path", "") + prefix}
    await app(inner, receive, send)


def _completed(
    given: Iterable[tuple[bytes, bytes]], trace_id: str, stale: Stale, *, is_page: bool
) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with those that every answer has; what the answer says itself is kept."""
    headers = [header for header in given if header[0] != _TRACE]
    names = {header[0] for header in headers}
    if names.isdisjoint(_NAMES):
        headers += _HEADERS
    else:
        headers += [header for header in _HEADERS if header[0] not in names]
    if is_page and _POLICY[0] not in names:
        headers.append(_POLICY)
    headers.append((_TRACE, trace_id.encode()))
    if stale:
        since = ", ".join(f"{c}={iso(at)}" for c, at in sorted(stale.items()))
        headers.append((b"x-homeguard-stale-since", since.encode("latin-1")))
    return headers


def _is_intake(scope: Scope) -> bool:
    return scope["type"] == "http" and (scope["method"], scope["path"]) in _INTAKE


def _is_device_list(scope: Scope) -> bool:
    return bool(
        scope["path"] == DEVICES
        and scope["type"] == "http"
        and scope["method"] == "GET"
        and not scope.get("query_string")
    )


def _endpoint(mounted: tuple[str, ASGIApp] | None, scope: Scope) -> str:
    """The route's template, never the address itself: figures must not grow with what callers make up."""
    if mounted is not None:
        return mounted[0]
    if _is_intake(scope) or _is_device_list(scope):
        return str(scope["path"])
    return str(getattr(scope.get("route"), "path", "unmatched"))


def _trace_id(scope: Scope, ids: FreshIds) -> str:
    given = all_of(scope, b"traceparent")
    matched = _TRACEPARENT.fullmatch(given[0]) if given else None
    return matched[1] if matched else ids().replace("-", "")
