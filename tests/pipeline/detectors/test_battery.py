"""When a battery will be empty, against the closed form of numpy."""

import math
import random
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_fakes import NOW

from homeguard.model import Reading
from pipeline.detectors.battery import days_until


def levels(pairs):
    return [
        Reading(
            home_id="h1", device_id="lock", metric="battery_pct", value=v, unit="%", at=NOW + timedelta(days=d),
            event_id=str(i),
        )
        for i, (d, v) in enumerate(pairs)
    ]  # fmt: skip


def closed_form(pairs, threshold=10.0):
    slope, level = np.polyfit([d for d, _ in pairs], [v for _, v in pairs], 1)
    return (threshold - level) / slope


@pytest.mark.parametrize("seed", range(50))
def test_the_days_are_those_of_the_closed_form(seed):
    rng = random.Random(seed)
    rate, span = rng.uniform(0.2, 2.0), rng.randint(5, 40)
    start = min(100.0, 15 + rate * span + rng.uniform(0, 30))
    pairs = [(d - span, start - rate * d + rng.gauss(0, 1)) for d in range(span + 1)]
    pairs = [(d, min(100.0, v)) for d, v in pairs if v > 10.5]
    forecast = days_until(levels(pairs), now=NOW)

    assert forecast.status == "falling"
    assert forecast.days == pytest.approx(max(0.0, closed_form(pairs)), abs=0.01)


def test_thirty_days_of_one_percent_a_day_leave_five_days():
    forecast = days_until(levels([(d - 30, 45 - d) for d in range(31)]), now=NOW)

    assert forecast.days == pytest.approx(5.0, abs=1e-9)
    assert forecast.slope_pct_per_day == pytest.approx(-1.0)
    assert (forecast.level_pct, forecast.readings) == (15, 31)
    assert forecast.at == NOW + timedelta(days=5)


def test_the_days_count_from_now_not_from_the_last_reading():
    forecast = days_until(levels([(d - 40, 60 - d) for d in range(31)]), now=NOW)

    assert forecast.days == pytest.approx(10.0)


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_flat_or_rising_needs_no_replacement(rate):
    forecast = days_until(levels([(d - 10, 80 + rate * d) for d in range(11)]), now=NOW)

    assert (forecast.status, forecast.days, forecast.at) == ("flat_or_rising", None, None)


@pytest.mark.parametrize(
    "pairs",
    [[], [(0, 50)], [(0, 50), (0, 40)], [(-0.9, 50), (0, 49)], [(-5, math.nan), (0, 50)], [(-5, 250), (0, 50)]],
)
def test_too_little_is_not_enough_data(pairs):
    forecast = days_until(levels(pairs), now=NOW)

    assert (forecast.status, forecast.days) == ("not_enough_data", None)


def test_only_the_readings_of_the_new_battery_count():
    old = [(d - 40, 40 - d) for d in range(30)]
    new = [(d - 10, 100 - 0.5 * d) for d in range(11)]
    forecast = days_until(levels(old + new), now=NOW)

    assert forecast.days == pytest.approx(closed_form(new), abs=0.01)
    assert forecast.since == NOW - timedelta(days=10)
    assert days_until(levels([*old, (-0.5, 95)]), now=NOW).status == "not_enough_data"


def test_below_the_threshold_nothing_is_left():
    assert days_until(levels([(d - 10, 18 - d) for d in range(11)]), now=NOW).days == 0.0
    assert days_until(levels([(d - 10, 5) for d in range(11)]), now=NOW).days == 0.0


@given(st.lists(st.tuples(st.floats(-400, 0), st.floats(-20, 120)), max_size=40), st.randoms())
def test_any_readings_in_any_order_give_a_number_that_is_not_negative(pairs, rng):
    forecast = days_until(levels(pairs), now=NOW)
    shuffled = levels(pairs)
    rng.shuffle(shuffled)

    assert forecast == days_until(shuffled, now=NOW)
    if forecast.days is not None:
        assert math.isfinite(forecast.days)
        assert forecast.days >= 0
