"""The outermost layer: trace ids, aliases, mounts, security headers, figures, the global limit, the last resort."""

import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import error_response, internal_error_response
from api.routing import API
from homeguard.clock import Clock, iso
from homeguard.errors import Overloaded
from homeguard.identity.limits import TokenBuckets
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
_UNLIMITED: Final = frozenset(("/health", "/live", "/ready", "/metrics"))
_INTAKE: Final = frozenset((("POST", "/telemetry"), ("POST", f"{API}/events")))
_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
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
    """Wraps the app. Intake goes straight to its endpoint, mounts to theirs, the rest to the routes."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        intake: ASGIApp,
        mounts: Sequence[tuple[str, ASGIApp]],
        metrics: Metrics,
        clock: Clock,
        limited: bool,
    ) -> None:
        self._app = app
        self._intake = intake
        self._mounts = sorted(((p.rstrip("/"), a) for p, a in mounts), key=lambda m: -len(m[0]))
        self._metrics = metrics
        self._clock = clock
        self._limited = limited
        self._all = TokenBuckets(clock, per_minute=_GLOBAL_PER_SECOND * 60, burst=_GLOBAL_PER_SECOND, keys=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["trace_id"] = _trace_id(scope)
        mounted = self._mount_of(scope["path"])
        if mounted is None:
            path = canonical(scope["path"])
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
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if mounted is None:
                    headers.setdefault("Content-Security-Policy", _POLICY)
                headers["X-Trace-Id"] = trace_id
                if stale:
                    headers["X-HomeGuard-Stale-Since"] = ", ".join(f"{c}={iso(at)}" for c, at in sorted(stale.items()))
                labels = (
                    SERVICE,
                    scope["method"] if scope["method"] in _METHODS else "OTHER",
                    _endpoint(mounted, scope),
                )
                self._metrics.http_requests.labels(*labels, str(status)).inc()
                self._metrics.http_seconds.labels(*labels).observe(self._clock.monotonic() - started)
            await send(message)

        try:
            with collect() as stale:
                await self._pass(mounted, scope, receive, answered)
        except Exception:
            _log.exception("trace %s: %s failed", trace_id, _endpoint(mounted, scope))
            if status:
                raise
            await internal_error_response(trace_id)(scope, receive, answered)

    async def _pass(self, mounted: tuple[str, ASGIApp] | None, scope: Scope, receive: Receive, send: Send) -> None:
        if mounted is not None:
            await _enter(*mounted, scope, receive, send)
        elif scope["type"] == "http" and (scope["method"], scope["path"]) in _INTAKE:
            await self._intake(scope, receive, send)
        elif self._is_over(scope):
            error = Overloaded("HomeGuard is busy: try again in a moment", retry_after_s=1)
            await error_response(error, scope["state"]["trace_id"])(scope, receive, send)
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
        if scope["type"] == "http" and "text/html" in Headers(scope=scope).get("accept", ""):
            answer: Response = RedirectResponse(f"{prefix}/", 307)
            await answer(scope, receive, send)
            return
        path = f"{prefix}/"
    inner = {**scope, "path": path, "root_path": scope.get("root_path", "") + prefix}
    await app(inner, receive, send)


def _endpoint(mounted: tuple[str, ASGIApp] | None, scope: Scope) -> str:
    """The route's template, never the address itself: figures must not grow with what callers make up."""
    if mounted is not None:
        return mounted[0]
    if (scope["method"], scope["path"]) in _INTAKE:
        return str(scope["path"])
    return str(getattr(scope.get("route"), "path", "unmatched"))


def _trace_id(scope: Scope) -> str:
    given = _TRACEPARENT.fullmatch(Headers(scope=scope).get("traceparent", ""))
    return given[1] if given else secrets.token_hex(16)
