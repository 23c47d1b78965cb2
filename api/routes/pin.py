"""The PIN of a home, which its owner sets, with the password once more."""

from fastapi import Request, Response

from api import wire
from api.access import Controller, Reader, remote_of
from api.deps import Deps
from api.routing import reply, router

routes = router("/pin", "confirmations")


@routes.get("", response_model=wire.PinView)
async def is_set(principal: Reader, deps: Deps) -> Response:
    """Is one set? Never which."""
    return reply({"set": await deps.pin.is_set(principal.home_id)})


@routes.put("", response_model=wire.PinView)
async def set_pin(body: wire.NewPin, principal: Controller, request: Request, deps: Deps) -> Response:
    """Set the PIN of the home or change it: its owner only. Cards of tier 3 and above then need it."""
    await deps.identity.check_password(principal, body.password, remote=remote_of(request))
    await deps.pin.set(principal, body.pin)
    return reply({"set": True})


@routes.delete("", response_model=wire.PinView)
async def remove_pin(body: wire.Password, principal: Controller, request: Request, deps: Deps) -> Response:
    """Take the PIN away: the home's owner only."""
    await deps.identity.check_password(principal, body.password, remote=remote_of(request))
    await deps.pin.remove(principal)
    return reply({"set": False})
