"""Why something is as it is."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Query, Response

from api import wire
from api.access import Reader
from api.deps import Deps
from api.routing import reply, router
from api.tool_context import context_of
from tools.explain import explain

routes = router("/explain", "events")


@routes.get("", response_model=wire.Explanation)
async def why(
    principal: Reader,
    deps: Deps,
    device_id: Annotated[str, Query(max_length=200)] = "",
    event_id: Annotated[str, Query(max_length=200)] = "",
    at: Annotated[str, Query(max_length=40, description="ISO 8601; the newest change until then")] = "",
    attribute: Annotated[str, Query(max_length=64, description="only changes of this one, or mode, arm_state")] = "",
) -> Response:
    """The newest change of a device until `at`, or one event, with its causes back to the root and what it set off."""
    told = await explain(
        context_of(principal, deps), device_id=device_id, event_id=event_id, at=at, attribute=attribute
    )
    return reply(asdict(told))
