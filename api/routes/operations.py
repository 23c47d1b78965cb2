"""Is it well: for people, for orchestrators, for Prometheus."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from api import wire
from api.access import Callers
from api.deps import Deps
from api.errors import encode, error_body, trace_id_of
from api.routing import reply
from homeguard.clock import iso
from homeguard.errors import HomeGuardError
from homeguard.telemetry import CONTENT_TYPE

routes = APIRouter(tags=["operations"])


@routes.get("/health", response_model=wire.HealthView)
async def health(deps: Deps) -> Response:
    """The process answers."""
    return reply({"status": "healthy", "version": deps.version, "timestamp": iso(deps.clock.now())})


@routes.get("/live", response_model=wire.LiveView, responses={503: {"model": wire.ErrorBody}})
async def live(request: Request, deps: Deps) -> Response:
    """Events come through: the canary of HomeGuard's own was seen within its last three turns. 503 names the stage
    that stands still; a restart is then worth trying."""
    canary = deps.health().get("canary", {})
    if not canary.get("ok", True) and not canary.get("tolerated"):
        stages = {"stages": list(canary["missing"])}
        body = error_body("NOT_ALIVE", str(canary["reason"]), stages, trace_id_of(request))
        return Response(encode({"status": "stuck", **body}), 503, media_type="application/json")
    return reply({"status": "alive", "timestamp": iso(deps.clock.now())})


@routes.get("/ready", response_model=wire.ReadyView, responses={503: {"model": wire.ErrorBody}})
async def ready(request: Request, deps: Deps) -> Response:
    """Every part works, or HomeGuard goes on without it (`degraded`); 503 names what it cannot do without."""
    may_know = await _may_know_places(request)
    checks = {name: dict(check) if may_know else _without_places(check) for name, check in deps.health().items()}
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


async def _may_know_places(request: Request) -> bool:
    """An owner or the operator has shown who it is. Whoever runs a probe shows nothing."""
    if "authorization" not in request.headers:
        return False
    callers: Callers = request.app.state.callers
    try:
        principal = (await callers.of(request.scope)).principal
    except HomeGuardError:
        return False
    return principal.role in ("owner", "admin") and "read" in principal.scopes


def _without_places(check: Mapping[str, Any]) -> dict[str, Any]:
    """What anybody may know: how a part is, not where its server or files are, nor which version runs there."""
    told = {name: value for name, value in check.items() if name != "version"}
    if check.get("reason") and "engine" in check:
        told["reason"] = f"{check['engine']}: not well; homeguard doctor, or an owner's token here, says why"
    return told


@routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(deps: Deps) -> Response:
    """Every figure, in Prometheus' text format."""
    return Response(deps.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})
