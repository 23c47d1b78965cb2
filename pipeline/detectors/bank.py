"""Every series that is judged, by home, device and metric: judging is tried first and kept after, so it can repeat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from homeguard.ids import derived_id
from homeguard.model import Anomaly, Reading
from homeguard.ports.readings import ReadingStore
from homeguard.units import unit_of
from pipeline.detectors.zscore import (
    STALE_AFTER,
    WINDOW,
    Score,
    Series,
    floor_of,
    is_judged,
    judge,
    learn,
    ordinary,
    sigma_floor,
)

Key = tuple[str, str, str]

#: Series in memory; beyond it the longest silent ones go.
MAX_SERIES: Final = 50_000
_NEW: Final = Series()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A reading that is strange, and how."""

    reading: Reading
    score: Score

    @property
    def anomaly(self) -> Anomaly:
        """The same id from every judge of the same reading, so that it is stored and told once."""
        reading, score = self.reading, self.score
        unit = unit_of(reading.metric)
        side = "above" if score.z > 0 else "below"
        return Anomaly(
            id=derived_id("anomaly", reading.home_id, reading.device_id, reading.event_id, reading.metric),
            home_id=reading.home_id,
            device_id=reading.device_id,
            at=reading.at,
            kind="reading",
            score=score.strangeness,
            severity=score.severity or "low",
            explanation=(
                f"{reading.metric} was {reading.value:g}{unit and ' ' + unit}, {abs(score.z):.1f} sigmas {side} "
                f"its usual {score.low:.4g} to {score.high:.4g}"
            ),
            event_id=reading.event_id,
            metric=reading.metric,
            value=reading.value,
            expected_low=score.low,
            expected_high=score.high,
        )


class SeriesBank:
    """Judges readings. `judge` changes nothing until `keep`: a handler that fails in between can start over."""

    def __init__(self) -> None:
        self._series: dict[Key, Series] = {}

    def judge(self, readings: Sequence[Reading]) -> tuple[list[Finding], Mapping[Key, Series]]:
        """The strange ones among them, in order, and what to give to `keep`."""
        staged: dict[Key, Series] = {}
        findings: list[Finding] = []
        known = self._series
        for reading in readings:
            metric = reading.metric
            if not is_judged(metric):
                continue
            key = (reading.home_id, reading.device_id, metric)
            series = staged.get(key) or known.get(key) or _NEW
            after = ordinary(series, reading.value, reading.at, floor_of(metric))
            if after is None:
                score, after = judge(series, reading.value, reading.at, sigma_floor(metric, series.mean))
                if score is not None and score.is_anomaly:
                    findings.append(Finding(reading=reading, score=score))
            staged[key] = after
        return findings, staged

    def keep(self, staged: Mapping[Key, Series]) -> None:
        self._series.update(staged)
        if len(self._series) > MAX_SERIES:
            oldest = sorted(self._series, key=lambda key: _last(self._series[key]))
            for key in oldest[: MAX_SERIES // 10]:
                del self._series[key]

    def take_over(self, other: "SeriesBank") -> None:
        """Know what another bank knows, of the series of which nothing is known here."""
        self._series = {**other._series, **self._series}

    async def warm(self, readings: ReadingStore, home_ids: Sequence[str], now: datetime) -> int:
        """Learn each series from the last day of stored readings, where nothing is known yet; returns how many.

        Raises:
            StoreUnavailable: the store did not answer; what was learned by then stays.
        """
        learned = 0
        for home_id in home_ids:
            for device_id, metric, _ in await readings.metrics(home_id):
                key = (home_id, device_id, metric)
                if not is_judged(metric) or key in self._series or len(self._series) >= MAX_SERIES:
                    continue
                stored = await readings.raw(
                    home_id, device_id, metric, start=now - STALE_AFTER, end=now + timedelta(seconds=1), limit=WINDOW
                )
                # A live reading may have come while the store was asked: that series goes on from itself.
                if stored and key not in self._series:
                    floor = sigma_floor(metric, stored[0].value)
                    self._series[key] = learn([(r.at, r.value) for r in stored], floor)
                    learned += 1
        return learned


def _last(series: Series) -> float:
    return series.last_at.timestamp() if series.last_at is not None else 0.0
