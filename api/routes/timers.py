"""Timers of the person who asks."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Path, Response

from api import wire_time
from api.access import Controller, Reader
from api.deps import Deps
from api.routes.memory import done
from api.routing import reply, router
from api.tool_context import context_of
from tools.timers import cancel_timer, change_timer, list_timers, set_timer

routes = router("/timers", "timers")
TimerId = Annotated[str, Path(min_length=1, max_length=128)]


@routes.get("", response_model=wire_time.Timers)
async def timers(principal: Reader, deps: Deps) -> Response:
    """The person's own, soonest first, paused ones last."""
    told = await list_timers(context_of(principal, deps))
    return reply({"items": [asdict(line) for line in told.timers]})


@routes.post("", status_code=201, response_model=wire_time.TimerView)
async def begin(body: wire_time.NewTimer, principal: Controller, deps: Deps) -> Response:
    """Set a timer; its end is a message to the person."""
    context = context_of(principal, deps)
    told = await set_timer(context, minutes=body.minutes, at=body.at, label=body.label)
    return reply(_shown(done(told)), 201)


@routes.patch("/{timer_id}", response_model=wire_time.TimerView)
async def change(timer_id: TimerId, body: wire_time.ChangedTimer, principal: Controller, deps: Deps) -> Response:
    """Add time, hold it, or let it go on."""
    context = context_of(principal, deps)
    told = await change_timer(context, timer_id=timer_id, add_minutes=body.add_minutes, paused=body.paused)
    return reply(_shown(done(told)))


@routes.delete("/{timer_id}", response_model=wire_time.CancelledTimer)
async def cancel(timer_id: TimerId, principal: Controller, deps: Deps) -> Response:
    """Call it off."""
    done(await cancel_timer(context_of(principal, deps), timer_id=timer_id))
    return reply({"id": timer_id, "cancelled": True})


def _shown(told: dict[str, Any]) -> dict[str, Any]:
    return {("id" if name == "timer_id" else name): value for name, value in told.items()}
