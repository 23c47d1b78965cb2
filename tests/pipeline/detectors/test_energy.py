"""Energy, presence and set points against values worked out by hand."""

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from pipeline_fakes import NOW, event

from homeguard.model import Reading, Window
from pipeline.detectors.energy import (
    hourly_kwh,
    presence,
    set_point,
    shares,
    use_from_counter,
    use_from_power,
    use_from_windows,
)

HOUR = timedelta(hours=1)


def readings(*pairs, metric="power_w"):
    return [
        Reading(
            home_id="h1", device_id="plug", metric=metric, value=v, unit="", at=NOW + timedelta(minutes=m),
            event_id=str(m),
        )
        for m, v in pairs
    ]  # fmt: skip


def test_power_is_integrated_by_trapezoids():
    # 0..10 min: 100 -> 200 W is 150 W; 10..30 min: 200 W; then 200 W hold until the end at 40 min.
    use = use_from_power("plug", readings((0, 100), (10, 200), (30, 200)), end=NOW + timedelta(minutes=40))

    assert use.kwh == pytest.approx((150 * 10 + 200 * 20 + 200 * 10) / 60 / 1000)
    assert (use.measured_s, use.peak_w, use.source) == (2400, 200, "power")
    assert use.average_w == pytest.approx(187.5)


def test_a_gap_counts_for_half_an_hour_only():
    use = use_from_power("plug", readings((0, 600), (300, 600), (310, 600)), end=NOW + timedelta(minutes=310))

    assert use.kwh == pytest.approx(600 * (30 + 10) / 60 / 1000)
    assert use.measured_s == 2400


def test_one_reading_is_no_use():
    assert use_from_power("plug", readings((0, 600)), end=NOW) is None
    assert use_from_counter("plug", readings((0, 5))) is None


def test_a_counter_is_differenced_and_a_reset_counts_from_zero():
    use = use_from_counter("plug", readings((0, 100.0), (60, 101.5), (120, 0.25), (180, 1.0)))

    assert use.kwh == pytest.approx(1.5 + 0.25 + 0.75)
    assert use.average_w == pytest.approx(2500 / 3)


def window(hours, average, count=12):
    return Window(start=NOW + hours * HOUR, count=count, average=average, minimum=0, maximum=average * 2)


def test_windows_of_power_add_up_and_fall_into_local_hours():
    windows = [window(0, 1000), window(1, 500), window(24, 2000)]

    use = use_from_windows("plug", windows, HOUR)
    by_hour = hourly_kwh(windows, ZoneInfo("America/New_York"))

    assert (use.kwh, use.measured_s, use.peak_w) == (pytest.approx(3.5), 3 * 3600, 4000)
    # 12:00 UTC is 08:00 in New York on both days.
    assert (by_hour[8], by_hour[9], sum(by_hour)) == (pytest.approx(1.5), pytest.approx(0.5), pytest.approx(2.0))
    assert use_from_windows("plug", [], HOUR) is None
    assert shares([use, use]) == {"plug": 0.5}
    assert shares([]) == {}


def test_presence_merges_motion_and_counts_days_by_hour():
    seen = [event("motion_detected", "hall", at=NOW + timedelta(minutes=m)) for m in (0, 10, 60, 24 * 60)]
    lived = presence(seen, start=NOW, end=NOW + timedelta(days=2), zone=UTC)

    assert lived.occupied == (
        (NOW, NOW + timedelta(minutes=25)),
        (NOW + timedelta(minutes=60), NOW + timedelta(minutes=75)),
        (NOW + timedelta(days=1), NOW + timedelta(days=1, minutes=15)),
    )
    assert lived.occupied_hours == pytest.approx(55 / 60)
    assert (lived.days, lived.share_by_hour[12], lived.share_by_hour[13], lived.share_by_hour[3]) == (2, 1.0, 0.5, 0.0)
    assert presence([], start=NOW, end=NOW + HOUR, zone=UTC) is None


def test_a_set_point_holds_until_the_next_and_empty_hours_are_told_apart():
    seen = [event("motion_detected", "hall", at=NOW + timedelta(minutes=m)) for m in (0, 15, 30, 45)]
    lived = presence(seen, start=NOW, end=NOW + 4 * HOUR, zone=UTC)
    targets = readings((-600, 20.0), (120, 24.0), metric="target_c")

    told = set_point("plug", targets, lived, start=NOW, end=NOW + 4 * HOUR)

    assert told.average_c == pytest.approx(22.0)
    assert (told.hours, told.away_hours) == (pytest.approx(4), pytest.approx(3))
    assert told.away_average_c == pytest.approx((20 * 1 + 24 * 2) / 3)
    assert set_point("plug", [], lived, start=NOW, end=NOW + HOUR) is None
