"""Sunrise and sunset against published tables, and where the sun does neither."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeguard.sun import solar_noon, stays_up, sun_at

#: Place, zone, latitude, longitude, date, sunrise, sunset: as almanacs print them, to the minute of the local clock.
TABLE = [
    ("New York", "America/New_York", 40.7128, -74.0060, (2024, 6, 21), "05:25", "20:31"),
    ("New York", "America/New_York", 40.7128, -74.0060, (2024, 12, 21), "07:17", "16:32"),
    ("London", "Europe/London", 51.5074, -0.1278, (2024, 6, 21), "04:43", "21:21"),
    ("London", "Europe/London", 51.5074, -0.1278, (2024, 12, 21), "08:04", "15:53"),
    ("Sydney", "Australia/Sydney", -33.8688, 151.2093, (2024, 6, 21), "07:00", "16:54"),
    ("Sydney", "Australia/Sydney", -33.8688, 151.2093, (2024, 12, 21), "05:41", "20:05"),
    ("Reykjavik", "Atlantic/Reykjavik", 64.1466, -21.9426, (2024, 6, 21), "02:55", "00:03"),
    ("Reykjavik", "Atlantic/Reykjavik", 64.1466, -21.9426, (2024, 12, 21), "11:22", "15:29"),
    ("Tokyo", "Asia/Tokyo", 35.6895, 139.6917, (2024, 3, 20), "05:45", "17:53"),
    ("Auckland", "Pacific/Auckland", -36.8485, 174.7633, (2024, 12, 21), "05:58", "20:39"),
]


@pytest.mark.parametrize(("place", "zone", "latitude", "longitude", "day", "rise", "set_"), TABLE)
def test_it_is_the_published_time_to_two_minutes(place, zone, latitude, longitude, day, rise, set_):
    noon = datetime(*day, 12, tzinfo=ZoneInfo(zone))
    for event, printed in (("sunrise", rise), ("sunset", set_)):
        at = sun_at(event, noon, latitude, longitude)
        assert at is not None
        hour, minute = map(int, printed.split(":"))
        wanted = noon.replace(hour=hour, minute=minute)
        # the sun of a northern midsummer sets behind midnight
        wanted += timedelta(days=1) if event == "sunset" and hour < 12 else timedelta()
        assert abs(at - wanted) <= timedelta(minutes=2), (place, event, at.astimezone(ZoneInfo(zone)))


@pytest.mark.parametrize(("month", "up"), [(6, True), (12, False)])
def test_in_the_far_north_it_neither_rises_nor_sets(month, up):
    noon = datetime(2024, month, 21, 12, tzinfo=ZoneInfo("Europe/Oslo"))

    assert sun_at("sunrise", noon, 69.65, 18.96) is None
    assert sun_at("sunset", noon, 69.65, 18.96) is None
    assert stays_up(noon, 69.65) is up
    assert stays_up(noon, -89.9) is not up


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
    st.floats(-60, 60),
    st.floats(-180, 180),
)
def test_between_the_circles_it_rises_before_noon_and_sets_after_it_every_day(at, latitude, longitude):
    noon = solar_noon(at, longitude)
    rise, set_ = (sun_at(event, at, latitude, longitude) for event in ("sunrise", "sunset"))

    assert rise is not None
    assert set_ is not None
    assert abs(noon - at) <= timedelta(hours=12, minutes=1)
    assert timedelta(hours=2, minutes=30) < noon - rise < timedelta(hours=9, minutes=40)
    assert abs((set_ - noon) - (noon - rise)) < timedelta(minutes=4)
