"""What detectors found, what people were told, and when a battery will be empty."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from homeguard.clock import iso
from homeguard.model import Device, Reading, Window
from pipeline.detectors.battery import days_until
from tools.context import ToolContext, check_identity, the_device, the_past
from tools.shapes import SHAPE
from tools.text import bounded, clean

#: A battery is called empty here: below it most devices stop answering reliably.
EMPTY_PCT: Final = 10.0
#: How much of the past a forecast looks at.
BATTERY_PAST: Final = timedelta(days=90)
MAX_FORECASTS: Final = 200
_REASONS: Final = {"flat_or_rising": "flat or rising", "not_enough_data": "not enough data", "falling": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyLine:
    __pydantic_config__: ClassVar = SHAPE
    id: str
    at: str
    device_id: str
    device: str
    kind: str
    score: float
    """0..1, higher is stranger"""
    severity: str
    """low, medium, high or critical"""
    explanation: str
    metric: str
    """Empty when it is not about a number"""
    value: float | None
    expected_low: float | None
    expected_high: float | None
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    __pydantic_config__: ClassVar = SHAPE
    id: str
    at: str
    kind: str
    severity: str
    title: str
    text: str
    device_id: str
    state: str
    """open, acknowledged or resolved"""
    is_simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomalies:
    __pydantic_config__: ClassVar = SHAPE
    anomalies: tuple[AnomalyLine, ...]
    """Findings of the detectors, newest first"""
    alerts: tuple[AlertLine, ...]
    """What the people of the home were told in the same span, newest first"""
    start: str
    end: str
    truncated: bool
    """There may be more of one of the two than were returned"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryLine:
    __pydantic_config__: ClassVar = SHAPE
    device_id: str
    device: str
    level_pct: float | None
    """As it last said"""
    days_left: float | None
    """Days from now until the battery is at 10 %, by the straight line through its readings; null: see reason"""
    empty_at: str | None
    slope_pct_per_day: float | None
    reason: str
    """Why there is no number: 'flat or rising' or 'not enough data'; empty when there is one"""
    readings: int
    """How many measurements (hourly means where there are many) the line goes through"""
    since: str | None
    """The first of them: the last time the battery was replaced or charged, or the start of the data"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    __pydantic_config__: ClassVar = SHAPE
    batteries: tuple[BatteryLine, ...]
    """Soonest empty first; devices without a battery are not listed"""
    basis: str


async def get_anomalies(
    context: ToolContext, *, hours: int = 24, device_id: str = "", limit: int = 100, user_id: str = ""
) -> Anomalies:
    """Findings and alerts of the last `hours` (1..720), at most `limit` (1..500) of each.

    Raises:
        DeviceNotFound: no such device. HomeMismatch: `user_id` is another's.
    """
    check_identity(context, user_id)
    hours, limit = bounded(hours, 1, 720, "hours"), bounded(limit, 1, 500, "limit")
    if device_id:
        await the_device(context, device_id)
    await the_past(context)
    end = context.clocks.now(context.home_id) + timedelta(minutes=1)
    start = end - timedelta(hours=hours, minutes=1)
    found = await context.anomalies.query(context.home_id, start=start, end=end, device_id=device_id, limit=limit)
    told = await context.alerts.query(context.home_id, start=start, end=end, limit=limit)
    names = {d.id: clean(d.name) for d in await context.devices.of_home(context.home_id)}
    return Anomalies(
        anomalies=tuple(
            AnomalyLine(
                id=a.id,
                at=iso(a.at),
                device_id=a.device_id,
                device=names.get(a.device_id, ""),
                kind=a.kind,
                score=round(a.score, 4),
                severity=a.severity,
                explanation=clean(a.explanation, 300),
                metric=a.metric,
                value=a.value,
                expected_low=a.expected_low,
                expected_high=a.expected_high,
                event_id=clean(a.event_id),
            )
            for a in found
        ),
        alerts=tuple(
            AlertLine(
                id=a.id,
                at=iso(a.at),
                kind=a.kind,
                severity=a.severity,
                title=clean(a.title),
                text=clean(a.text, 300),
                device_id=a.device_id,
                state=a.state,
                is_simulated=a.is_simulated,
            )
            for a in told
            if not device_id or a.device_id == device_id
        ),
        start=iso(start),
        end=iso(end),
        truncated=len(found) >= limit or len(told) >= limit,
    )


async def get_predictions(context: ToolContext, *, device_id: str = "", user_id: str = "") -> Predictions:
    """When each battery (or this one) will be at 10 %, from the stored hourly means of up to 90 days.

    Raises:
        DeviceNotFound: no such device. HomeMismatch: `user_id` is another's.
    """
    check_identity(context, user_id)
    if device_id:
        devices = [await the_device(context, device_id)]
    else:
        devices = await context.devices.of_home(context.home_id)
    await the_past(context)
    measured = {d for d, metric, _ in await context.readings.metrics(context.home_id) if metric == "battery_pct"}
    powered = [d for d in devices if d.id in measured or "battery" in d.capabilities][:MAX_FORECASTS]
    lines = [await _battery(context, d) for d in powered]
    return Predictions(
        batteries=tuple(sorted(lines, key=lambda b: (b.days_left is None, b.days_left or 0.0, b.device))),
        basis="least squares over hourly means of battery_pct since the last replacement, followed to 10 %",
    )


async def _battery(context: ToolContext, device: Device) -> BatteryLine:
    now = context.clocks.now(context.home_id)
    windows = await context.readings.windows(
        context.home_id, device.id, "battery_pct", start=now - BATTERY_PAST, end=now, every=timedelta(hours=1)
    )
    points = _as_readings(device, windows, now)
    if all(w.count == 1 for w in windows):  # so few that each one's own moment matters
        points = await context.readings.raw(
            context.home_id, device.id, "battery_pct", start=now - BATTERY_PAST, end=now + timedelta(milliseconds=1)
        )
    forecast = days_until(points, threshold_pct=EMPTY_PCT, now=now)
    state = await context.live.get(context.home_id, device.id)
    level = forecast.level_pct if state is None else state.attributes.get("battery_pct", forecast.level_pct)
    return BatteryLine(
        device_id=device.id,
        device=clean(device.name),
        level_pct=round(level, 1) if isinstance(level, int | float) and not isinstance(level, bool) else None,
        days_left=round(forecast.days, 1) if forecast.days is not None else None,
        empty_at=_iso(forecast.at),
        slope_pct_per_day=round(forecast.slope_pct_per_day, 4) if forecast.slope_pct_per_day is not None else None,
        reason=_REASONS[forecast.status],
        readings=forecast.readings,
        since=_iso(forecast.since),
    )


def _as_readings(device: Device, windows: Sequence[Window], now: datetime) -> list[Reading]:
    """Each hourly mean as one reading, in the middle of its hour (the running hour: in the middle of what was)."""
    readings = []
    for window in windows:
        end = min(window.start + timedelta(hours=1), now)
        readings.append(
            Reading(
                home_id=device.home_id,
                device_id=device.id,
                metric="battery_pct",
                value=window.average,
                unit="%",
                at=window.start + (end - window.start) / 2,
                event_id="",
            )
        )
    return readings


def _iso(at: datetime | None) -> str | None:
    return iso(at) if at is not None else None
