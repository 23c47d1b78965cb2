"""Devices: what they are, how they are, and commands to them."""

from typing import Annotated

from fastapi import Header, Path, Response

from api import shapes, wire
from api.access import Controller, Reader
from api.deps import ApiDeps, Deps
from api.device_list import PAGE
from api.query import Cursor, Limit, clamp, page
from api.routing import reply, router
from homeguard.errors import DeviceNotFound
from homeguard.ids import derived_id
from homeguard.model import Device
from pipeline.command.words import DeviceRequest

routes = router("/devices", "devices")
DeviceId = Annotated[str, Path(min_length=1, max_length=200)]


@routes.get("", response_model=wire.Page[wire.DeviceView])
async def devices(principal: Reader, deps: Deps, limit: Limit = PAGE, cursor: Cursor = None) -> Response:
    """The devices of the home, by name."""
    known = await deps.devices.of_home(principal.home_id)
    part, more = page(known, lambda d: d.id, clamp(limit), cursor)
    states = await deps.live.all(principal.home_id)
    return reply({"items": [shapes.device(d, states.get(d.id)) for d in part], "next_cursor": more})


@routes.get("/{device_id}", response_model=wire.DeviceView)
async def device(device_id: DeviceId, principal: Reader, deps: Deps) -> Response:
    """One device."""
    found = await the_device(deps, principal.home_id, device_id)
    return reply(shapes.device(found, await deps.live.get(principal.home_id, found.id)))


@routes.post(
    "/{device_id}/command",
    response_model=wire.CommandAnswer,
    responses={202: {"model": wire.Asked, "description": "a person must say yes first"}},
)
async def command(
    device_id: DeviceId,
    body: wire.DeviceCommand,
    principal: Controller,
    deps: Deps,
    idempotency_key: Annotated[str | None, Header(max_length=200, description="the same key acts once")] = None,
) -> Response:
    """Tell a device to do something. What came of it, or 202 with the question that a person must answer."""
    found = await the_device(deps, principal.home_id, device_id)
    command_id = ""
    if idempotency_key:
        command_id = derived_id("rest", principal.home_id, principal.user_id, found.id, idempotency_key)
    request = DeviceRequest(device_id=found.id, command=body.command, parameters=body.parameters, command_id=command_id)
    [result] = await deps.commands.perform(principal, [request])
    if result.outcome == "asked":
        return reply(shapes.asked(result), 202)
    return reply(shapes.command(result))


async def the_device(deps: ApiDeps, home_id: str, device_id: str) -> Device:
    """A device of this home. Raises DeviceNotFound: absent, or someone else's; the two answer the same."""
    found = await deps.devices.get(home_id, device_id) if "\0" not in device_id else None
    if found is None:
        raise DeviceNotFound("there is no such device in this home", field="device_id")
    return found
