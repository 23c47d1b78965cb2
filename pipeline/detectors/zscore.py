"""How strange a number is for its series: a z-score against a mean and a spread that follow the last readings.

Mean and variance are Welford's for the first `WINDOW` readings and exponentially weighted after (West 1979), so a day
of five-minute readings is remembered. A reading that is judged strange enters them clipped to three sigmas: one spike
does not widen what counts as normal, and a lasting step is normal again after some readings.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

import msgspec

#: Readings that a series is judged against: 24 hours at one each five minutes.
WINDOW: Final = 288
MIN_READINGS: Final = 10
#: |z| above the first is an anomaly; from the others on it is medium, high.
Z_ANOMALY: Final = 3.0
Z_MEDIUM: Final = 4.0
Z_HIGH: Final = 5.0
#: A series that was silent for longer starts anew.
STALE_AFTER: Final = timedelta(hours=24)
#: Strange readings in a row, on one side, after which the series is taken to have moved there.
SHIFT_AFTER: Final = 12

#: Larger numbers are nobody's measurement, and their squares would leave a double's range.
LARGEST: Final = 1e100

#: The smallest sigma by unit suffix: what a sensor's own noise and a house's ordinary life amount to.
_FLOORS: Final[Mapping[str, float]] = {
    "_c": 0.5, "_pct": 2.0, "_hpa": 1.0, "_lx": 25.0, "_ppm": 30.0, "_ppb": 30.0, "_ugm3": 3.0, "_w": 15.0,
    "_v": 2.0, "_a": 0.2, "_hz": 0.1, "_dbm": 4.0,
}  # fmt: skip
#: Settings, counters and radio figures: their changes are somebody's doing, or say nothing of the home.
_NOT_JUDGED: Final = frozenset(
    ("brightness_pct", "hue", "saturation_pct", "color_temperature_k", "position_pct", "tilt_pct", "target_c",
     "speed_pct", "target_humidity_pct", "volume_pct", "battery_pct", "signal_dbm", "link_quality", "density",
     "intensity", "confidence", "energy_kwh", "energy_kwh_a", "energy_kwh_b", "energy_kwh_c")
)  # fmt: skip


class Series(msgspec.Struct, frozen=True):
    """What is remembered of one series: readings seen, mean, variance, the last time, and strange ones in a row."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0
    last_at: datetime | None = None
    #: Strange readings in a row; negative when they lie below.
    run: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The judgement on one reading. `low` and `high` are the range in which it would have been normal.

    `is_onset` says that the reading before was normal: an alert belongs to the onset, not to each that follows.
    """

    z: float
    mean: float
    sigma: float
    low: float
    high: float
    severity: Literal["low", "medium", "high"] | None
    is_onset: bool

    @property
    def is_anomaly(self) -> bool:
        return self.severity is not None

    @property
    def strangeness(self) -> float:
        """0..1, 0.5 at three sigmas."""
        return abs(self.z) / (abs(self.z) + Z_ANOMALY)


def is_judged(metric: str) -> bool:
    """It is a measurement of the home, not a setting, a counter or a radio figure."""
    return metric not in _NOT_JUDGED


def sigma_floor(metric: str, mean: float) -> float:
    """The smallest spread that a series of this metric is judged with, in its own unit."""
    named = floor_of(metric)
    return named if named is not None else max(0.02 * abs(mean), 1e-3)


@lru_cache(maxsize=1024)
def floor_of(metric: str) -> float | None:
    """The floor that follows from the metric's name; None where it follows from the mean."""
    stem = metric[:-2] if metric[-2:] in ("_a", "_b", "_c") and metric.count("_") > 1 else metric
    return next((floor for suffix, floor in _FLOORS.items() if stem.endswith(suffix)), None)


def judge(series: Series, value: float, at: datetime, floor: float) -> tuple[Score | None, Series]:
    """The score of a reading and the series after it; None while there are fewer than ten, or out of order.

    A reading that is older than the last one, or absurdly large or not a number, leaves the series as it was.
    """
    if not abs(value) <= LARGEST or (series.last_at is not None and at < series.last_at):
        return None, series
    if series.last_at is not None and at - series.last_at > STALE_AFTER:
        series = Series()
    if series.count < MIN_READINGS:
        return None, _learned(series, value, at, series.run)
    sigma = max(math.sqrt(max(series.variance, 0.0)), floor)
    z = (value - series.mean) / sigma
    if not math.isfinite(z):
        return None, series
    size = abs(z)
    severity: Literal["low", "medium", "high"] | None = None
    if size > Z_ANOMALY:
        severity = "high" if size >= Z_HIGH else "medium" if size >= Z_MEDIUM else "low"
    score = Score(
        z=z,
        mean=series.mean,
        sigma=sigma,
        low=series.mean - Z_ANOMALY * sigma,
        high=series.mean + Z_ANOMALY * sigma,
        severity=severity,
        is_onset=severity is not None and series.run == 0,
    )
    if severity is None:
        return score, _learned(series, value, at, 0)
    side = 1 if z > 0 else -1
    run = series.run + side if series.run * side >= 0 else side
    if abs(run) >= SHIFT_AFTER:
        # It is no outlier any more: the series lives here now, and what it was says little about what it will be.
        return score, Series(count=MIN_READINGS, mean=value, variance=floor * floor, last_at=at, run=run)
    clipped = series.mean + side * Z_ANOMALY * sigma
    return score, _learned(series, clipped, at, run)


def ordinary(series: Series, value: float, at: datetime, named_floor: float | None) -> Series | None:
    """The series after a reading on which `judge` would have nothing to say, None when it may have: then ask it.

    The same formulas as `judge`, for nearly all readings. `named_floor` as `floor_of` gives it: None when it follows
    from the mean.
    """
    count, mean, variance, last_at = series.count, series.mean, series.variance, series.last_at
    if count < MIN_READINGS or last_at is None or not last_at <= at <= last_at + STALE_AFTER:
        return None
    floor = max(0.02 * abs(mean), 1e-3) if named_floor is None else named_floor
    sigma = math.sqrt(variance) if variance > 0.0 else 0.0
    if sigma < floor:
        sigma = floor
    step = value - mean
    if not -Z_ANOMALY <= step / sigma <= Z_ANOMALY or not -LARGEST <= value <= LARGEST:
        return None
    if count < WINDOW:
        count += 1
    weight = 1 / count
    return Series(count, mean + weight * step, (1 - weight) * (variance + weight * step * step), at, 0)


def learn(values: Sequence[tuple[datetime, float]], floor: float) -> Series:
    """A series warmed with readings of the past, oldest first."""
    series = Series()
    for at, value in values:
        series = ordinary(series, value, at, floor) or judge(series, value, at, floor)[1]
    return series


def _learned(series: Series, value: float, at: datetime, run: int) -> Series:
    count = min(series.count + 1, WINDOW)
    weight = 1 / count
    step = value - series.mean
    mean = series.mean + weight * step
    # With weight 1/n this is Welford's update of the population variance; with a constant weight it is West's.
    variance = (1 - weight) * (series.variance + weight * step * step)
    return Series(count, mean, variance, at, run)
