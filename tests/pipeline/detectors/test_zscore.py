"""The z-score on constant, noisy, stepping and silent series; the bank that keeps them."""

import math
import random
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_fakes import NOW

from homeguard.model import Reading
from pipeline.detectors.bank import SeriesBank
from pipeline.detectors.zscore import (
    MIN_READINGS,
    SHIFT_AFTER,
    WINDOW,
    Series,
    floor_of,
    is_judged,
    judge,
    learn,
    ordinary,
    sigma_floor,
)

EVERY = timedelta(minutes=5)


def run(values, floor=0.5, every=EVERY, series=None):
    series, scores = series or Series(), []
    start = series.last_at + every if series.last_at is not None else NOW
    for i, value in enumerate(values):
        score, series = judge(series, value, start + i * every, floor)
        scores.append(score)
    return scores, series


def test_nothing_is_judged_before_there_are_ten_readings():
    scores, _ = run([20.0] * MIN_READINGS + [99.0])

    assert scores[:MIN_READINGS] == [None] * MIN_READINGS
    assert scores[-1].severity == "high"


def test_mean_and_variance_are_those_of_numpy_while_the_window_fills():
    values = [math.sin(i) * 3 + 20 for i in range(WINDOW)]
    _, series = run(values, floor=10.0)

    assert series.mean == pytest.approx(np.mean(values), rel=1e-12)
    assert series.variance == pytest.approx(np.var(values), rel=1e-12)


def test_large_offsets_do_not_destroy_the_variance():
    values = [1e9 + (i % 2) for i in range(100)]
    _, series = run(values, floor=10.0)

    assert series.variance == pytest.approx(0.25, rel=1e-6)


@pytest.mark.parametrize(
    ("step", "severity"), [(1.4, None), (1.6, "low"), (2.1, "medium"), (2.6, "high"), (-2.6, "high")]
)
def test_a_change_from_a_long_constant_is_judged_by_the_floor(step, severity):
    _, series = run([21.0] * 200)
    (score,), _ = run([21.0 + step], series=series)

    assert score.severity == severity
    assert score.z == pytest.approx(step / 0.5)
    assert (score.low, score.high) == pytest.approx((19.5, 22.5))


def test_noise_is_rarely_strange_and_a_planted_spike_always_is():
    rng = random.Random(7)
    values = [21 + rng.gauss(0, 1) for _ in range(5_000)]
    planted = range(500, 5_000, 500)
    for i in planted:
        values[i] = 21 + 8
    scores, _ = run(values)

    assert all(scores[i].severity == "high" for i in planted)
    strange = [i for i, s in enumerate(scores) if s is not None and s.is_anomaly and i not in planted]
    assert len(strange) < 0.008 * len(values)


def test_spikes_do_not_widen_what_is_normal():
    quiet = [21 + 0.6 * math.sin(i) for i in range(300)]
    _, before = run(quiet)
    (_, second), _ = run([80.0, 80.0], series=before)

    assert second.severity == "high"
    assert not second.is_onset


def test_a_lasting_step_is_normal_again_and_alerts_once():
    _, series = run([20.0] * 100)
    scores, series = run([30.0] * 40, series=series)

    assert sum(s.is_onset for s in scores) == 1
    assert not any(s.is_anomaly for s in scores[SHIFT_AFTER:])
    assert series.mean == pytest.approx(30.0, abs=0.5)


def test_a_slow_day_and_night_swing_is_not_strange():
    day = [20 + 4 * math.sin(2 * math.pi * i / 288) for i in range(288 * 3)]
    scores, _ = run(day)

    assert sum(s.is_anomaly for s in scores if s is not None) == 0


def test_a_series_that_was_silent_for_a_day_starts_anew():
    _, series = run([20.0] * 50)
    score, after = judge(series, 35.0, series.last_at + timedelta(hours=25), 0.5)

    assert score is None
    assert after.count == 1


def test_older_and_unreal_readings_change_nothing():
    _, series = run([20.0] * 50)
    for value, at in ((99.0, NOW), (math.nan, NOW + timedelta(days=1)), (math.inf, NOW + timedelta(days=1))):
        assert judge(series, value, at, 0.5) == (None, series)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=12, max_size=60))
def test_any_finite_series_gives_finite_scores(values):
    scores, series = run(values, floor=sigma_floor("x", 0.0))

    for score in scores:
        assert score is None or (math.isfinite(score.z) and 0 <= score.strangeness <= 1)
    assert not math.isnan(series.mean)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(), st.floats(-60, 60), st.sampled_from([20.0, 20.5, -0.0, 1e100, 1e101])),
            st.integers(-3_600, 90_000),
        ),
        max_size=60,
    ),
    st.sampled_from(["temperature_c", "soil_moisture", "power_w"]),
    st.floats(-1e3, 1e3),
)
def test_what_is_ordinary_is_what_the_judge_has_nothing_to_say_on(readings, metric, start):
    """The short way and the long way end in the same series, bit by bit, and the short one never hides a finding."""
    series, at = run([start] * 12)[1], NOW + timedelta(hours=1)
    for value, seconds in readings:
        at += timedelta(seconds=seconds)
        score, after = judge(series, value, at, sigma_floor(metric, series.mean))
        short = ordinary(series, value, at, floor_of(metric))
        if short is not None:
            assert score is not None
            assert not score.is_anomaly
            assert repr(short) == repr(after)
        series = after


def test_nearly_every_reading_of_a_calm_series_goes_the_short_way():
    series = run([20.0] * MIN_READINGS)[1]
    for i in range(1_000):
        series = ordinary(series, 20 + math.sin(i), series.last_at + EVERY, floor_of("temperature_c"))
        assert series is not None
    assert ordinary(series, 30.0, series.last_at + EVERY, floor_of("temperature_c")) is None


def test_settings_counters_and_radio_figures_are_not_judged():
    assert is_judged("temperature_c")
    assert is_judged("soil_moisture")
    assert not is_judged("target_c")
    assert not is_judged("energy_kwh")
    assert not is_judged("battery_pct")


def reading(i, value, metric="temperature_c", event_id=""):
    return Reading(
        home_id="h1", device_id="d", metric=metric, value=value, unit="°C", at=NOW + i * EVERY,
        event_id=event_id or f"e{i}",
    )  # fmt: skip


def test_judging_again_before_keeping_gives_the_same_findings():
    bank = SeriesBank()
    _, staged = bank.judge([reading(i, 21.0) for i in range(20)])
    bank.keep(staged)
    first, staged = bank.judge([reading(20, 40.0)])
    again, _ = bank.judge([reading(20, 40.0)])
    bank.keep(staged)
    after, _ = bank.judge([reading(21, 40.0)])

    assert [f.anomaly for f in first] == [f.anomaly for f in again]
    assert [f.score.is_onset for f in first + after] == [True, False]


def test_a_finding_tells_what_was_expected():
    bank = SeriesBank()
    (finding,), _ = bank.judge([reading(i, 21.0) for i in range(20)] + [reading(20, 31.0)])

    anomaly = finding.anomaly
    assert (anomaly.metric, anomaly.value, anomaly.severity) == ("temperature_c", 31.0, "high")
    assert (anomaly.expected_low, anomaly.expected_high) == pytest.approx((19.5, 22.5))
    assert anomaly.score == pytest.approx(20 / 23)
    assert anomaly.explanation == "temperature_c was 31 °C, 20.0 sigmas above its usual 19.5 to 22.5"
    assert 0 < anomaly.score < 1


async def test_a_bank_is_warmed_from_stored_readings(stores):
    await stores.readings.append([reading(i, 21.0) for i in range(20)])
    bank = SeriesBank()

    assert await bank.warm(stores.readings, ["h1"], NOW + 20 * EVERY) == 1
    assert await bank.warm(stores.readings, ["h1"], NOW + 20 * EVERY) == 0

    (finding,), _ = bank.judge([reading(20, 31.0)])
    assert finding.score.severity == "high"
    assert learn([], 0.5) == Series()


def test_a_bank_takes_over_what_another_one_knows_and_keeps_what_it_knows_itself():
    one, other = SeriesBank(), SeriesBank()
    for bank, metric, value in ((one, "temperature_c", 21.0), (other, "temperature_c", 40.0), (other, "power_w", 9.0)):
        bank.keep(bank.judge([reading(i, value, metric) for i in range(20)])[1])

    one.take_over(other)

    assert len(one.judge([reading(20, 40.0), reading(20, 9.0, "power_w")])[0]) == 1
    assert one.judge([reading(21, 21.0), reading(21, 9.0, "power_w")])[0] == []
