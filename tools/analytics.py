"""What was measured: one number at a time, windows over a span, and what the energy readings say."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from homeguard.clock import iso
from homeguard.errors import InvalidInput
from homeguard.model import Home
from homeguard.units import unit_of, value_text
from homeguard.vocabulary import MEASUREMENTS
from tools.context import ToolContext, the_device, the_home, the_past
from tools.shapes import SHAPE
from tools.text import bounded, clean, moment

MAX_WINDOWS: Final = 500
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
