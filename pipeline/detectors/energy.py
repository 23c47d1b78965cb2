"""What stored readings and events say about energy: use per device, hours of presence, set points. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final, Literal

from homeguard.model import Event, Reading, Window

#: A power reading stands for the time until the next one, but for no longer than this: behind it nobody measured.
MAX_GAP: Final = timedelta(minutes=30)
#: Somebody is taken to be there for this long after a motion.
PRESENCE: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one device used. `measured_s` is the time that readings cover; `kwh` speaks of that time only."""

    device_id: str
    kwh: float
    measured_s: float
    source: Literal["counter", "power"]
    average_w: float
    peak_w: float | None = None


def use_from_power(
    device_id: str, readings: Sequence[Reading], *, end: datetime, max_gap: timedelta = MAX_GAP
) -> Use | None:
    """Power (W) integrated over time by the trapezoid rule; None without two readings that belong together.

    Between readings further apart than `max_gap` the first one is taken to hold for `max_gap`, then nothing is known.
    The last one holds until `end`, at most for `max_gap`.
    """
    points = sorted((r.at, r.value) for r in readings if math.isfinite(r.value))
    joules, seconds = [], []
    for (at, watts), (next_at, next_watts) in pairwise(points):
        gap = next_at - at
        if gap <= max_gap:
            seconds.append(gap.total_seconds())
            joules.append((watts + next_watts) / 2 * seconds[-1])
        else:
            seconds.append(max_gap.total_seconds())
            joules.append(watts * seconds[-1])
    if not joules:
        return None
    last_at, last_watts = points[-1]
    tail = min(max(end - last_at, timedelta()), max_gap).total_seconds()
    total, span = math.fsum([*joules, last_watts * tail]), math.fsum([*seconds, tail])
    if span <= 0:
        return None
    return Use(
        device_id=device_id, kwh=total / 3.6e6, measured_s=span, source="power",
        average_w=total / span, peak_w=max(watts for _, watts in points),
    )  # fmt: skip


def use_from_windows(device_id: str, windows: Sequence[Window], every: timedelta) -> Use | None:
    """The same from hourly or minute averages of power: each window that has readings counts in full."""
    usable = [w for w in windows if w.count > 0 and math.isfinite(w.average)]
    if not usable:
        return None
    hours = every.total_seconds() / 3600
    kwh = math.fsum(w.average for w in usable) * hours / 1000
    return Use(
        device_id=device_id, kwh=kwh, measured_s=every.total_seconds() * len(usable), source="power",
        average_w=kwh * 1000 / (hours * len(usable)), peak_w=max(w.maximum for w in usable),
    )  # fmt: skip


def use_from_counter(device_id: str, readings: Sequence[Reading]) -> Use | None:
    """A meter's counter (kWh) differenced; a fall is a reset, after which it counts from zero. None below two."""
    points = sorted((r.at, r.value) for r in readings if math.isfinite(r.value))
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return None
    steps = [(b - a) if b >= a else b for (_, a), (_, b) in pairwise(points)]
    kwh = math.fsum(steps)
    span = (points[-1][0] - points[0][0]).total_seconds()
    return Use(device_id=device_id, kwh=kwh, measured_s=span, source="counter", average_w=kwh * 3.6e6 / span)


def hourly_kwh(windows: Sequence[Window], zone: tzinfo) -> list[float]:
    """Average kWh in each hour of the day (24 values, local hours) from hourly windows of power; 0 where none."""
    by_hour: list[list[float]] = [[] for _ in range(24)]
    for window in windows:
        if math.isfinite(window.average):
            by_hour[window.start.astimezone(zone).hour].append(window.average / 1000)
    return [math.fsum(values) / len(values) if values else 0.0 for values in by_hour]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """`hours` in which somebody was noticed, by the day's local hour (24 values: share of the days with motion).

    `occupied` are the spans themselves, oldest first, merged.
    """

    days: int
    share_by_hour: tuple[float, ...]
    occupied: tuple[tuple[datetime, datetime], ...]

    @property
    def occupied_hours(self) -> float:
        return sum((b - a).total_seconds() for a, b in self.occupied) / 3600


def presence(events: Sequence[Event], *, start: datetime, end: datetime, zone: tzinfo) -> Presence | None:
    """When the home was lived in, by its motion events in any order; None without a single one."""
    times = sorted(e.at for e in events if e.event_type == "motion_detected" and start <= e.at < end)
    if not times:
        return None
    spans: list[tuple[datetime, datetime]] = []
    for at in times:
        until = min(at + PRESENCE, end)
        if spans and at <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(until, spans[-1][1]))
        else:
            spans.append((at, until))
    local = {(t.date(), t.hour) for t in (at.astimezone(zone) for at in times)}
    days = len({day for day, _ in local})
    share = tuple(sum(1 for _, h in local if h == hour) / days for hour in range(24))
    return Presence(days=days, share_by_hour=share, occupied=tuple(spans))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPoint:
    """How a thermostat was set: the time-weighted mean of its target, and of it while nobody was noticed."""

    device_id: str
    average_c: float
    hours: float
    away_average_c: float | None
    away_hours: float


def set_point(
    device_id: str, targets: Sequence[Reading], lived: Presence | None, *, start: datetime, end: datetime
) -> SetPoint | None:
    """A target holds until the next one. None when none was set before `end`; `targets` may begin before `start`."""
    points = sorted((r.at, r.value) for r in targets if r.at < end and math.isfinite(r.value))
    total = away = weighted = away_weighted = 0.0
    for i, (at, value) in enumerate(points):
        begin, until = max(at, start), points[i + 1][0] if i + 1 < len(points) else end
        length = (until - begin).total_seconds()
        if length <= 0:
            continue
        empty = length - _overlap(lived.occupied, begin, until) if lived is not None else 0.0
        total, weighted = total + length, weighted + value * length
        away, away_weighted = away + empty, away_weighted + value * empty
    if total <= 0:
        return None
    return SetPoint(
        device_id=device_id,
        average_c=weighted / total,
        hours=total / 3600,
        away_average_c=away_weighted / away if away > 0 else None,
        away_hours=away / 3600,
    )


def _overlap(spans: Sequence[tuple[datetime, datetime]], start: datetime, end: datetime) -> float:
    return sum(max(0.0, (min(b, end) - max(a, start)).total_seconds()) for a, b in spans)


def shares(uses: Sequence[Use]) -> Mapping[str, float]:
    """Each device's part of the sum of kWh, 0..1; empty when nothing was used."""
    total = math.fsum(u.kwh for u in uses)
    return {u.device_id: u.kwh / total for u in uses} if total > 0 else {}
