"""When a battery will be empty: a straight line through its readings since it was last replaced."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from homeguard.model import Reading

#: A rise of this many points is a new (or recharged) battery: what came before says nothing about it.
REPLACED_PCT: Final = 20.0
MIN_SPAN: Final = timedelta(days=1)
#: A slower fall (percent a day) reaches the threshold after more than a decade: that is flat.
FLAT_PCT_PER_DAY: Final = 0.02
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryForecast:
    """`days` from now until the threshold, 0 when it is reached; None unless `status` is `falling`.

    `status` `flat_or_rising`: no replacement is expected. `slope_pct_per_day` is negative for a falling battery.
    """

    status: Literal["falling", "flat_or_rising", "not_enough_data"]
    days: float | None = None
    at: datetime | None = None
    slope_pct_per_day: float | None = None
    level_pct: float | None = None
    readings: int = 0
    since: datetime | None = None


def days_until(readings: Sequence[Reading], *, threshold_pct: float = 10.0, now: datetime) -> BatteryForecast:
    """The ordinary least-squares line through the readings since the last jump up, followed to the threshold.

    Order of the readings does not matter; values that are not percentages are left out. Fewer than two distinct
    times, or less than a day between the first and the last, is not enough data.
    """
    points = sorted((r.at, r.value) for r in readings if math.isfinite(r.value) and 0 <= r.value <= 100)
    points = _since_replaced(points)
    if not points:
        return BatteryForecast(status="not_enough_data")
    level = points[-1][1]
    if points[-1][0] - points[0][0] < MIN_SPAN:
        return BatteryForecast(status="not_enough_data", level_pct=level, readings=len(points), since=points[0][0])
    # Days relative to now: the line's value at 0 is its level now, which also keeps the sums small.
    days = [(at - now).total_seconds() / _DAY_S for at, _ in points]
    mean_day, mean_level = math.fsum(days) / len(days), math.fsum(v for _, v in points) / len(points)
    spread = math.fsum((d - mean_day) ** 2 for d in days)
    together = math.fsum((d - mean_day) * (v - mean_level) for d, (_, v) in zip(days, points, strict=True))
    slope = together / spread
    if slope > -FLAT_PCT_PER_DAY:
        left: float | None = None
    else:
        left = max(0.0, (threshold_pct - mean_level) / slope + mean_day)
    if level <= threshold_pct:
        left = 0.0
    return BatteryForecast(
        status="flat_or_rising" if left is None else "falling",
        days=left,
        at=None if left is None else now + timedelta(days=left),
        slope_pct_per_day=slope,
        level_pct=level,
        readings=len(points),
        since=points[0][0],
    )


def _since_replaced(points: list[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    """The points from the last rise of `REPLACED_PCT` or more on, also when it took a few readings."""
    start, lowest = 0, math.inf
    for i, (_, level) in enumerate(points):
        if level - lowest >= REPLACED_PCT:
            start, lowest = i, level
        lowest = min(lowest, level)
    return points[start:]
