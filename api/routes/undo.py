"""Putting back what a person did last."""

from typing import Any

from fastapi import Response

from api import wire
from api.access import Controller
from api.deps import Deps
from api.routing import reply, router
from api.tool_context import context_of
from pipeline.command.show import show_confirmation
from tools.answers import CommandAnswer
from tools.undo import undo

routes = router("/undo", "devices")


@routes.post("", response_model=wire.Undone)
async def put_back(body: wire.Undo, principal: Controller, deps: Deps) -> Response:
    """What this person (`of` home, for the owner: anyone) did last within 24 hours, put back through the gate. What was
    moved since is left alone; what lowers the guard comes as a question, and is put back by the press."""
    told = await undo(context_of(principal, deps), whole_home=body.of == "home")

    async def shown(answer: CommandAnswer) -> dict[str, Any]:
        row: dict[str, Any] = {
            "command_id": answer.command_id, "outcome": answer.outcome, "device": answer.device_id,
            "device_name": answer.device, "command": answer.command, "set": dict(answer.set),
            "reason": answer.reason, "confirmation": None,
        }  # fmt: skip
        if answer.confirmation is not None:
            row["confirmation"] = show_confirmation(await deps.commands.confirmation(principal, answer.confirmation.id))
        return row

    return reply(
        {
            "batch": told.batch,
            "done_at": told.done_at,
            "results": [await shown(a) for a in told.results],
            "left_alone": [{"device": a.device_id, "name": a.name, "reason": a.reason} for a in told.left_alone],
            "text": told.text,
        }
    )
