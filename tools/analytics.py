"""What was measured: one number at a time, windows over a span, and what the energy readings say."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from homeguard.clock import iso
from homeguard.errors import InvalidInput
from homeguard.model import Device, Event, Home, Reading
from homeguard.units import temperature_text, unit_of, value_text
from homeguard.vocabulary import MEASUREMENTS
from pipeline.detectors.energy import (
    Presence,
    SetPoint,
    hourly_kwh,
    presence,
    set_point,
    use_from_counter,
    use_from_windows,
)
from tools.context import ToolContext, check_identity, the_device, the_home, the_past
from tools.energy import MIN_DAYS, Metered, Recommendation, Thermostat, habits, recommend, use_shares
from tools.shapes import SHAPE
from tools.text import bounded, clean, moment, zone_of

MAX_WINDOWS: Final = 500
#: Pages of 1000 motions that one look at presence reads.
MAX_MOTION_PAGES: Final = 20
#: (device_id, metric, unit)
Metrics = Sequence[tuple[str, str, str]]
#: Window lengths that a long span is widened to, in minutes.
_STEPS: Final = (1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 43200)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredValue:
    __pydantic_config__: ClassVar = SHAPE
    value: float
    at: str
    """When it was measured (UTC): the last measurement at or before the asked time"""
    text: str
    """As people of this home read it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryWindow:
    __pydantic_config__: ClassVar = SHAPE
    start: str
    count: int
    average: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHistory:
    __pydantic_config__: ClassVar = SHAPE
    device_id: str
    device: str
    metric: str
    unit: str
    value_at: MeasuredValue | None
    """The value at the asked time (without `at`: now); null when nothing was measured until then"""
    windows: tuple[HistoryWindow, ...]
    """Oldest first; windows without a measurement are left out"""
    start: str
    end: str
    every_minutes: int
    """Length of a window; longer than asked when the span is long"""


async def get_device_history(
    context: ToolContext,
    *,
    device_id: str,
    metric: str,
    at: str = "",
    start: str = "",
    end: str = "",
    every_minutes: int = 60,
) -> DeviceHistory:
    """One metric of one device: the value at a time, and windows over `[start, end)` (default: the last day).

    With `at` and no span, no windows are made. At most 500 windows: a longer span gets longer windows.

    Raises:
        DeviceNotFound, InvalidInput: no such device, it never measured that, or a time cannot be read.
    """
    device = await the_device(context, device_id)
    home = await the_home(context)
    await the_past(context)
    name, unit = await _metric(context, device_id, metric)
    now = context.clocks.now(home.id)
    until = moment(end, home.time_zone, "end") if end else now
    since = moment(start, home.time_zone, "start") if start else until - timedelta(hours=24)
    if since >= until:
        raise InvalidInput("start is before end", field="start")
    asked = moment(at, home.time_zone, "at") if at else until
    every = _every(until - since, bounded(every_minutes, 1, _STEPS[-1], "every_minutes"))
    windows = []
    if start or end or not at:
        windows = await context.readings.windows(
            home.id, device_id, name, start=since, end=until, every=timedelta(minutes=every)
        )
    last = await context.readings.latest(home.id, device_id, name, before=asked + timedelta(milliseconds=1))
    return DeviceHistory(
        device_id=device.id,
        device=clean(device.name),
        metric=name,
        unit=unit,
        value_at=_value_at(name, last.value, iso(last.at), home) if last is not None else None,
        windows=tuple(
            HistoryWindow(
                start=iso(w.start),
                count=w.count,
                average=round(w.average, 4),
                minimum=round(w.minimum, 4),
                maximum=round(w.maximum, 4),
            )
            for w in windows[-MAX_WINDOWS - 1 :]
        ),
        start=iso(since),
        end=iso(until),
        every_minutes=every,
    )


async def _metric(context: ToolContext, device_id: str, metric: str) -> tuple[str, str]:
    """(metric, unit) as stored, from the name that was asked for."""
    measured = {m: u for d, m, u in await context.readings.metrics(context.home_id) if d == device_id}
    word = metric.strip().lower().replace(" ", "_")
    for name in (metric, MEASUREMENTS.get(word, word)):
        if name in measured:
            return name, measured[name] or unit_of(name)
    allowed = sorted(clean(m, 64) for m in measured)[:60]
    hint = (
        f"it measured {', '.join(allowed)}" if allowed else "it measured no numbers; get_recent_events tells the rest"
    )
    raise InvalidInput(f"this device never measured '{clean(metric, 64)}': {hint}", field="metric", allowed=allowed)


def _value_at(metric: str, value: float, at: str, home: Home) -> MeasuredValue:
    return MeasuredValue(value=round(value, 4), at=at, text=value_text(metric, value, home.unit_system))


def _every(span: timedelta, asked_minutes: int) -> int:
    minutes = span.total_seconds() / 60
    if minutes / asked_minutes <= MAX_WINDOWS:
        return asked_minutes
    return next(
        (s for s in _STEPS if s >= asked_minutes and minutes / s <= MAX_WINDOWS), int(minutes / MAX_WINDOWS) + 1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UseLine:
    __pydantic_config__: ClassVar = SHAPE
    device_id: str
    device: str
    kwh: float
    average_w: float
    peak_w: float | None
    measured_hours: float
    """Hours of the period that its readings cover; kwh speaks of these only"""
    share_pct: float
    """Of everything that was measured here"""
    source: str
    """counter: its own meter; power: integrated from watts"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThermostatLine:
    __pydantic_config__: ClassVar = SHAPE
    device_id: str
    device: str
    average_target_c: float
    """Time-weighted set point, Celsius"""
    average_target_text: str
    """The same as people of this home read it"""
    away_average_target_c: float | None
    """The same while no motion was noticed, Celsius"""
    away_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyInsights:
    __pydantic_config__: ClassVar = SHAPE
    period_days: int
    start: str
    end: str
    total_kwh: float | None
    """Sum over everything that is metered; null when nothing is"""
    devices: tuple[UseLine, ...]
    """Largest use first"""
    kwh_by_hour: tuple[float, ...]
    """Average of each local hour of the day (24 values) from power readings; empty when there are none"""
    thermostats: tuple[ThermostatLine, ...]
    days_with_motion: int
    presence_by_hour_pct: tuple[float, ...]
    """Share of the days with motion, for each local hour of the day (24 values); empty without motion sensors"""
    recommendations: tuple[Recommendation, ...]
    """Largest saving first; nothing is changed until someone asks for it"""
    not_enough_data: tuple[str, ...]
    """What could not be answered, and why"""


async def get_energy_insights(context: ToolContext, *, period_days: int = 30, user_id: str = "") -> EnergyInsights:
    """What the last `period_days` (1..365) of stored readings and motion say about energy.

    Raises:
        HomeMismatch: `user_id` is another's.
    """
    check_identity(context, user_id)
    days = bounded(period_days, 1, 365, "period_days")
    await the_past(context)
    home = await the_home(context)
    zone = zone_of(home.time_zone)
    end = context.clocks.now(home.id)
    start = end - timedelta(days=days)
    devices = {d.id: d for d in await context.devices.of_home(home.id)}
    metrics = await context.readings.metrics(home.id)
    metered = await _metered(context, devices, metrics, start, end)
    thermostats = await _thermostats(context, devices, metrics, start, end)
    motions = await _motions(context, start, end)

    def think() -> tuple[Presence | None, list[Recommendation], list[ThermostatLine]]:
        lived = presence(motions, start=start, end=end, zone=zone)
        advice = recommend(
            empty=habits(motions, start=start, end=end, zone=zone),
            thermostats=thermostats,
            metered=metered,
            start=start,
            end=end,
            zone=zone,
            units=home.unit_system,
        )
        held = [(t.device, set_point(t.device.id, t.targets, lived, start=start, end=end)) for t in thermostats]
        return lived, advice, [_thermostat_line(device, point, home) for device, point in held if point is not None]

    # a month of readings is a second of arithmetic: not on the loop that carries alarms
    lived, advice, points = await asyncio.to_thread(think)
    share = use_shares(metered)
    lines = [_use_line(m, share) for m in metered]
    hourly = [hourly_kwh(m.hourly, zone) for m in metered if m.hourly]
    return EnergyInsights(
        period_days=days,
        start=iso(start),
        end=iso(end),
        total_kwh=round(sum(m.use.kwh for m in metered), 3) if metered else None,
        devices=tuple(sorted(lines, key=lambda u: (-u.kwh, u.device))),
        kwh_by_hour=tuple(round(sum(values), 4) for values in zip(*hourly, strict=True)),
        thermostats=tuple(points),
        days_with_motion=lived.days if lived is not None else 0,
        presence_by_hour_pct=tuple(round(100 * s, 1) for s in lived.share_by_hour) if lived is not None else (),
        recommendations=tuple(advice),
        not_enough_data=tuple(_gaps(metered, thermostats, lived)),
    )


async def _metered(
    context: ToolContext, devices: Mapping[str, Device], metrics: Metrics, start: datetime, end: datetime
) -> list[Metered]:
    """Every device that counts or draws, once: a counter is believed before its own watts."""
    home_id, hour = context.home_id, timedelta(hours=1)
    found: dict[str, Metered] = {}
    for device_id, metric, _ in sorted(metrics, key=lambda m: m[1] != "power_w"):
        device = devices.get(device_id)
        if device is None or metric not in ("power_w", "energy_kwh"):
            continue
        if metric == "power_w":
            windows = await context.readings.windows(home_id, device_id, metric, start=start, end=end, every=hour)
            use = use_from_windows(device_id, windows, hour)
            if use is not None:
                found[device_id] = Metered(device=device, use=use, hourly=windows)
        else:
            use = use_from_counter(
                device_id, await context.readings.raw(home_id, device_id, metric, start=start, end=end)
            )
            if use is not None:
                hourly = found[device_id].hourly if device_id in found else ()
                found[device_id] = Metered(device=device, use=use, hourly=hourly)
    return list(found.values())


async def _thermostats(
    context: ToolContext, devices: Mapping[str, Device], metrics: Metrics, start: datetime, end: datetime
) -> list[Thermostat]:
    found = []
    for device_id, metric, _ in metrics:
        device = devices.get(device_id)
        if device is None or metric != "target_c":
            continue
        before = await context.readings.latest(context.home_id, device_id, metric, before=start)
        targets = await context.readings.raw(context.home_id, device_id, metric, start=start, end=end)
        state = await context.live.get(context.home_id, device_id)
        mode = str(state.attributes.get("hvac_mode", "")) if state is not None else ""
        held = _changes([*([before] if before is not None else []), *targets])
        found.append(Thermostat(device=device, targets=held, hvac_mode=mode))
    return found


def _changes(targets: Sequence[Reading]) -> list[Reading]:
    """A set point holds until the next one, so a repetition says nothing: a month of reports is a few changes."""
    return [r for i, r in enumerate(targets) if i == 0 or r.value != targets[i - 1].value]


async def _motions(context: ToolContext, start: datetime, end: datetime) -> list[Event]:
    events: list[Event] = []
    cursor: str | None = None
    for _ in range(MAX_MOTION_PAGES):
        page = await context.events.query(
            context.home_id, start=start, end=end, event_types=("motion_detected",), limit=1000, cursor=cursor
        )
        events.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    return events


def _use_line(metered: Metered, share: Mapping[str, float]) -> UseLine:
    use = metered.use
    return UseLine(
        device_id=use.device_id,
        device=clean(metered.device.name),
        kwh=round(use.kwh, 3),
        average_w=round(use.average_w, 1),
        peak_w=round(use.peak_w, 1) if use.peak_w is not None else None,
        measured_hours=round(use.measured_s / 3600, 1),
        share_pct=share.get(use.device_id, 0.0),
        source=use.source,
    )


def _thermostat_line(device: Device, point: SetPoint, home: Home) -> ThermostatLine:
    away = point.away_average_c
    return ThermostatLine(
        device_id=device.id,
        device=clean(device.name),
        average_target_c=round(point.average_c, 2),
        average_target_text=temperature_text(point.average_c, home.unit_system),
        away_average_target_c=round(away, 2) if away is not None else None,
        away_hours=round(point.away_hours, 1),
    )


def _gaps(metered: Sequence[Metered], thermostats: Sequence[Thermostat], lived: Presence | None) -> list[str]:
    gaps = []
    if not metered:
        gaps.append("no device here measures power or energy, so there are no kilowatt-hours")
    if not any(t.targets for t in thermostats):
        gaps.append("no thermostat set points are stored, so heating and cooling cannot be judged")
    if lived is None:
        gaps.append("no motion is stored, so it is not known when the home is empty")
    elif lived.days < MIN_DAYS:
        gaps.append(f"not enough data: {lived.days} days with motion; habits need {MIN_DAYS}")
    return gaps
