"""What a person allowed beforehand: listed in words, given by a card, taken back at once."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Response

from api import shapes, wire
from api.access import Controller, Reader
from api.deps import Deps
from api.query import Cursor, Limit, clamp, page
from api.routing import reply, router
from homeguard.clock import iso, parse_time
from homeguard.errors import InvalidInput, NotFound
from homeguard.model import Effect, Home
from homeguard.named import home_named
from homeguard.permissions import Evidence, Permission
from pipeline.command.standing import asked_permission, described

routes = router("/permissions", "permissions")


@routes.get("", response_model=wire.Page[wire.PermissionView])
async def permissions(principal: Reader, deps: Deps, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """All that was ever allowed beforehand in this home, oldest first, with how often it was used."""
    home = await home_named(deps.users, principal.home_id)
    names = {device.id: device.name for device in await deps.devices.of_home(home.id)}
    part, more = page(await deps.permissions.of_home(home.id), lambda p: p.id, clamp(limit), cursor)
    now = deps.clocks.now(home.id)
    return reply({"items": [_shown(p, home, names, now) for p in part], "next_cursor": more})


@routes.post("", status_code=202, response_model=wire.Asked, responses={200: {"model": wire.CommandAnswer}})
async def ask(body: wire.NewPermission, principal: Controller, deps: Deps) -> Response:
    """Ask for a permission. Nothing is allowed until a person of the home has pressed its card."""
    home = await home_named(deps.users, principal.home_id)
    effect = asked_permission(
        home,
        await deps.devices.of_home(home.id),
        name=body.name,
        kind=body.kind,
        device_ids=body.device_ids,
        valid_from=_time(body.valid_from, "valid_from"),
        valid_until=_time(body.valid_until, "valid_until"),
        evidence=Evidence(
            sources=body.sources, when_away=body.when_away, person=body.person, code_id=body.code_id,
            confidence=body.confidence,
        ),
        now=deps.clocks.now(home.id),
    )  # fmt: skip
    result = await deps.commands.act(principal, effect)
    if result.outcome == "asked":
        return reply(shapes.asked(result), 202)
    return reply(shapes.command(result))


@routes.delete("/{permission_id}", response_model=wire.CommandAnswer)
async def take_back(
    permission_id: Annotated[str, Path(min_length=1, max_length=128)], principal: Controller, deps: Deps
) -> Response:
    """Take a permission back. It stays in the list, so that what it allowed can be explained."""
    found = await deps.permissions.get(principal.home_id, permission_id)
    if found is None:
        raise NotFound("there is no such permission in this home", code="PERMISSION_NOT_FOUND")
    effect = Effect(kind="revoke_permission", parameters={"id": found.id, "name": found.name})
    return reply(shapes.command(await deps.commands.act(principal, effect)))


def _time(text: str, field: str) -> datetime | None:
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise InvalidInput(f"{field}: {error}", field=field) from error


def _state(permission: Permission, now: datetime) -> str:
    if permission.revoked_at is not None:
        return "revoked"
    if permission.valid_until is not None and now >= permission.valid_until:
        return "over"
    return "waiting" if permission.valid_from is not None and now < permission.valid_from else "active"


def _shown(permission: Permission, home: Home, names: dict[str, str], now: datetime) -> dict[str, Any]:
    def at(moment: datetime | None) -> str | None:
        return iso(moment) if moment is not None else None

    return {
        "id": permission.id,
        "name": permission.name,
        "kind": permission.kind,
        "text": described(permission, home, names),
        "state": _state(permission, now),
        "device_ids": list(permission.device_ids),
        "valid_from": at(permission.valid_from),
        "valid_until": at(permission.valid_until),
        "created_by": permission.created_by,
        "created_at": iso(permission.created_at),
        "revoked_by": permission.revoked_by,
        "revoked_at": at(permission.revoked_at),
        "uses": permission.uses,
        "last_used_at": at(permission.last_used_at),
    }
