"""Questions that a person must answer before something happens."""

from typing import Annotated

from fastapi import Path, Response

from api import shapes, wire
from api.access import Controller, Reader
from api.deps import Deps
from api.routing import reply, router
from homeguard.errors import Conflict, NotAllowed
from pipeline.command.show import show_confirmation

routes = router("/confirmations", "confirmations")
CardId = Annotated[str, Path(min_length=1, max_length=128)]


@routes.get("", response_model=wire.Page[wire.ConfirmationView])
async def inbox(principal: Reader, deps: Deps) -> Response:
    """The open questions of the home, oldest first."""
    cards = await deps.commands.inbox(principal)
    return reply({"items": [show_confirmation(c) for c in cards], "next_cursor": None})


@routes.get("/{confirmation_id}", response_model=wire.ConfirmationView)
async def one(confirmation_id: CardId, principal: Reader, deps: Deps) -> Response:
    """One question, open or answered."""
    return reply(show_confirmation(await deps.commands.confirmation(principal, confirmation_id)))


@routes.post("/{confirmation_id}", response_model=wire.Decided)
async def decide(confirmation_id: CardId, body: wire.Decision, principal: Controller, deps: Deps) -> Response:
    """A person's yes or no; the answer says what came of it. A second answer is 409."""
    if principal.caller != "person":
        raise NotAllowed("a person confirms, on a screen of ours: a client's token cannot")
    card = await deps.commands.decide(principal, confirmation_id, approve=body.approve, pin=body.pin)
    if card.state == "expired":
        raise Conflict("this question has expired", code="CONFIRMATION_EXPIRED")
    return reply(shapes.decided(show_confirmation(card)))
