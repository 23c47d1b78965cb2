"""What happened, newest first."""

from datetime import timedelta
from typing import Annotated

from fastapi import Query, Response

from api import shapes, wire
from api.access import Reader
from api.deps import Deps
from api.query import Cursor, Limit, Moment, clamp, interval, moment, the_past
from api.routing import reply, router
from homeguard.errors import InvalidInput
from homeguard.vocabulary import EVENT_TYPES

routes = router("/events", "events")
alerts = router("/alerts", "events")
_MONTH = timedelta(days=30)


@routes.get("", response_model=wire.Page[wire.EventView])
async def events(
    principal: Reader,
    deps: Deps,
    limit: Limit = 100,
    cursor: Cursor = None,
    device_id: Annotated[str, Query(max_length=200)] = "",
    event_type: Annotated[str, Query(max_length=1000, description="one or more, comma-separated")] = "",
    since: Annotated[Moment, Query(alias="from")] = None,
    until: Annotated[Moment, Query(alias="to")] = None,
) -> Response:
    """Events of the home with `from <= timestamp < to`, newest first."""
    kinds = tuple(k.strip() for k in event_type.split(",") if k.strip())
    unknown = next((k for k in kinds if k not in EVENT_TYPES), None)
    if unknown is not None:
        raise InvalidInput("there is no such event type", field="event_type", allowed=sorted(EVENT_TYPES))
    start, end = moment(since, "from"), moment(until, "to")
    if start is not None and end is not None and end <= start:
        raise InvalidInput("the interval is empty: from lies before to", field="from")
    await the_past(deps)
    page = await deps.events.query(
        principal.home_id,
        start=start,
        end=end,
        device_id=device_id,
        event_types=kinds,
        limit=clamp(limit),
        cursor=cursor or None,
    )
    return reply({"items": [shapes.event(e) for e in page.items], "next_cursor": page.next_cursor})


@alerts.get("", response_model=wire.Page[wire.AlertView])
async def list_alerts(
    principal: Reader,
    deps: Deps,
    limit: Limit = 100,
    since: Annotated[Moment, Query(alias="from")] = None,
    until: Annotated[Moment, Query(alias="to")] = None,
) -> Response:
    """What a person should know, newest first; the last 30 days without `from`."""
    start, end = interval(since, until, deps.clocks.now(principal.home_id), default=_MONTH)
    found = await deps.alerts.query(principal.home_id, start=start, end=end, limit=clamp(limit))
    return reply({"items": [shapes.alert(a) for a in found], "next_cursor": None})
