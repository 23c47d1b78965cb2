"""Figures from what is stored."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import Query, Response

from api import shapes, wire
from api.access import Reader
from api.deps import Deps
from api.query import Moment, interval, the_past
from api.routes.devices import the_device
from api.routing import reply, router
from homeguard.clock import iso
from homeguard.errors import InvalidInput

routes = router("/analytics", "analytics")
_DAY: Final = timedelta(days=1)
_MAX_WINDOWS: Final = 10_000
_EVERY: Final = timedelta(minutes=7 * 24 * 60)


@routes.get("/aggregates", response_model=wire.Aggregates)
async def aggregates(
    principal: Reader,
    deps: Deps,
    device_id: Annotated[str, Query(min_length=1, max_length=200)],
    metric: Annotated[str, Query(min_length=1, max_length=100)],
    since: Annotated[Moment, Query(alias="from")] = None,
    until: Annotated[Moment, Query(alias="to")] = None,
    every: Annotated[int, Query(ge=1, le=10_080, description="minutes in a window")] = 60,
) -> Response:
    """Average, minimum and maximum of one metric by windows, oldest first; the last day without `from`."""
    device = await the_device(deps, principal.home_id, device_id)
    start, end = interval(since, until, deps.clocks.now(principal.home_id), default=_DAY)
    length = timedelta(minutes=every)
    if (end - start) / length > _MAX_WINDOWS:
        raise InvalidInput(f"that is more than {_MAX_WINDOWS} windows: ask for longer ones", field="every")
    await the_past(deps)
    units = {(d, m): unit for d, m, unit in await deps.readings.metrics(principal.home_id)}
    windows = await deps.readings.windows(principal.home_id, device.id, metric, start=start, end=end, every=length)
    return reply(
        {
            "items": [shapes.window(w) for w in windows],
            "next_cursor": None,
            "device_id": device.id,
            "metric": metric,
            "unit": units.get((device.id, metric), ""),
            "every_minutes": every,
        }
    )


@routes.get("/summary", response_model=wire.Summary)
async def summary(principal: Reader, deps: Deps) -> Response:
    """The home in figures, counted now."""
    await the_past(deps)
    home_id, now = principal.home_id, deps.clocks.now(principal.home_id)
    devices = await deps.devices.of_home(home_id)
    states = await deps.live.all(home_id)
    silent = [d.id for d in devices if d.id not in states or not states[d.id].available]
    since = now - _DAY
    alerts = await deps.alerts.query(home_id, start=since, end=now, limit=1000)
    anomalies = await deps.anomalies.query(home_id, start=since, end=now, limit=1000)
    return reply(
        {
            "devices": len(devices),
            "available": len(devices) - len(silent),
            "unavailable": silent,
            "events_total": await deps.events.count(home_id),
            "alerts_24h": len(alerts),
            "anomalies_24h": len(anomalies),
            "metrics": [
                {"device_id": d, "metric": m, "unit": unit} for d, m, unit in await deps.readings.metrics(home_id)
            ],
            "generated_at": iso(now),
        }
    )
