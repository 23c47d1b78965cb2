"""Is it well: for people, for orchestrators, for Prometheus."""

from fastapi import APIRouter, Request, Response

from api import wire
from api.deps import Deps
from api.errors import encode, error_body, trace_id_of
from api.routing import reply
from homeguard.clock import iso
from homeguard.telemetry import CONTENT_TYPE

routes = APIRouter(tags=["operations"])


@routes.get("/health", response_model=wire.HealthView)
async def health(deps: Deps) -> Response:
    """The process answers."""
    return reply({"status": "healthy", "version": deps.version, "timestamp": iso(deps.clock.now())})


@routes.get("/live", response_model=wire.LiveView)
async def live(deps: Deps) -> Response:
    """The event loop turns."""
    return reply({"status": "alive", "timestamp": iso(deps.clock.now())})


@routes.get("/ready", response_model=wire.ReadyView, responses={503: {"model": wire.ErrorBody}})
async def ready(request: Request, deps: Deps) -> Response:
    """Every part works, or HomeGuard goes on without it (`degraded`); 503 names what it cannot do without."""
    checks = {name: dict(check) for name, check in deps.health().items()}
    down = {name: str(check.get("reason") or "not ready") for name, check in checks.items() if not check.get("ok")}
    missing = {name: reason for name, reason in down.items() if not checks[name].get("tolerated")}
    if missing:
        message = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        body = error_body("NOT_READY", message, {"reasons": missing, "checks": checks}, trace_id_of(request))
        return Response(
            encode({"status": "not_ready", **body}), 503, headers={"Retry-After": "1"}, media_type="application/json"
        )
    history = "ready" if deps.history_ready.is_set() else "writing"
    return reply(
        {
            "status": "degraded" if down else "ready",
            "checks": checks,
            "history": history,
            "timestamp": iso(deps.clock.now()),
        }
    )


@routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(deps: Deps) -> Response:
    """Every figure, in Prometheus' text format."""
    return Response(deps.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})
