"""The household: who and what belongs to the home."""

from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Response

from api import wire_memory
from api.access import Controller, Reader
from api.deps import ApiDeps, Deps
from api.routes.memory import done
from api.routing import reply, router
from api.tool_context import context_of
from homeguard.errors import InvalidInput, NotAllowed
from homeguard.model import Principal
from homeguard.ports.memory import SHARED
from memory.items import FIELDS
from tools.context import ToolContext, the_home
from tools.household import get_household, update_household

routes = router("/household", "household")
_LISTS = {"residents": "resident", "pets": "pet", "contacts": "contact", "vehicles": "vehicle"}


@routes.get("", response_model=wire_memory.HouseholdView)
async def household(principal: Reader, deps: Deps) -> Response:
    """Residents, pets, contacts, vehicles, address, time zone and quiet hours, as the members told them."""
    return reply(await _shown(context_of(principal, deps)))


@routes.put("", response_model=wire_memory.HouseholdView)
async def set_household(body: wire_memory.NewHousehold, principal: Controller, deps: Deps) -> Response:
    """Set what is given; a list that is given replaces the one that was."""
    context = context_of(principal, deps)
    if any(part is not None for part in (body.time_zone, body.latitude, body.longitude)):
        await _set_place(body, principal, deps)
    change: dict[str, Any] = {}
    gone: list[str] = []
    kept = await context.memory.of(principal.home_id, SHARED)
    for name, kind in _LISTS.items():
        rows = getattr(body, name)
        if rows is None:
            continue
        change[name] = [{f: getattr(row, f) for f in FIELDS[kind] if getattr(row, f)} for row in rows]
        wanted = {row.name.casefold() for row in rows}
        gone += [m.id for m in kept if m.kind == kind and str(m.value.get("name")).casefold() not in wanted]
    if body.address is not None:
        change["where"] = body.address
        gone += [m.id for m in kept if m.kind == "address"] if not body.address.strip() else []
    if body.quiet_hours is not None:
        change |= {"quiet_from": body.quiet_hours.start, "quiet_to": body.quiet_hours.end}
    elif body.no_quiet_hours:
        gone += [m.id for m in kept if m.kind == "quiet_hours"]
    if gone or any(change.values()):
        done(await update_household(context, remove=gone, **change))
    return reply(await _shown(context))


async def _set_place(body: wire_memory.NewHousehold, principal: Principal, deps: ApiDeps) -> None:
    """The zone and the place by which the home's rules and quiet hours go: the owner's to set, on a screen of ours."""
    if principal.role != "owner" or principal.caller != "person" or "manage" not in principal.scopes:
        raise NotAllowed("only the owner sets the time zone and the place of the home")
    home = await the_home(context_of(principal, deps))
    if body.time_zone is not None:
        try:
            ZoneInfo(body.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise InvalidInput("a time zone is named such as Europe/Berlin", field="time_zone") from error
        home = replace(home, time_zone=body.time_zone)
    if (body.latitude is None) != (body.longitude is None):
        raise InvalidInput("latitude and longitude come together", field="latitude")
    if body.latitude is not None:
        home = replace(home, latitude=body.latitude, longitude=body.longitude)
    await deps.users.put_home(home)
    if deps.planned is not None:
        await deps.planned(home.id)


async def _shown(context: ToolContext) -> dict[str, Any]:
    found = asdict(await get_household(context))
    found.pop("third_party")
    return found
