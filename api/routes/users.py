"""The person who is signed in."""

from fastapi import Response

from api import shapes, wire
from api.access import SignedIn
from api.deps import ApiDeps, Deps
from api.routing import reply, router
from homeguard.errors import NotSignedIn
from homeguard.model import Principal, User

routes = router("/users", "users")


@routes.get("/me", response_model=wire.Me)
async def me(principal: SignedIn, deps: Deps) -> Response:
    """Who I am, the home that I am looking at, and all my homes."""
    person, homes = await homes_of(principal, deps)
    here = next((h for h in homes if h["id"] == principal.home_id), None)
    return reply({**shapes.user(person), "home": here, "homes": homes})


async def homes_of(principal: Principal, deps: ApiDeps) -> tuple[User, list[shapes.Shown]]:
    """The person and their homes as shown."""
    person = await deps.users.user(principal.user_id)
    if person is None:
        raise NotSignedIn("sign in again")
    shown = []
    for member in await deps.users.homes_of(person.id):
        place = await deps.users.home(member.home_id)
        if place is not None:
            shown.append(shapes.home(place, member))
    return person, shown
