"""What is kept about me: a copy of it, and an end to it."""

from fastapi import Request, Response

from api import wire, wire_memory
from api.access import SignedIn, remote_of
from api.deps import Deps
from api.routing import reply, router
from homeguard.clock import iso

routes = router("/users/me", "users")


@routes.get("/export", response_model=wire_memory.Export)
async def export(principal: SignedIn, deps: Deps) -> Response:
    """Everything that is kept about me, as JSON; no secret and no hash of one is in it."""
    told = await deps.leaving.export(principal)
    return reply(
        {"person": told.person, "exported_at": iso(told.at), "data": told.data, "elsewhere": list(told.elsewhere)}
    )


@routes.delete("", response_model=wire_memory.Erased)
async def leave(body: wire.Password, principal: SignedIn, request: Request, deps: Deps) -> Response:
    """Erase me, with the password once more, and every home that has nobody else. The only owner of a home with other
    members is refused. 202 when a store does not answer: what it has goes when it is back."""
    await deps.identity.check_password(principal, body.password, remote=remote_of(request))
    gone = await deps.leaving.leave(principal)
    told = {
        "homes": list(gone.homes), "rows": dict(gone.rows), "pending": list(gone.pending),
        "elsewhere": list(gone.elsewhere),
    }  # fmt: skip
    return reply(told, 202 if gone.pending else 200)
