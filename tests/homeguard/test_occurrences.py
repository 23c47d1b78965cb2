"""When a rule that goes by the clock is next due, against an oracle that walks through every minute."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeguard.errors import InvalidInput
from homeguard.model import Home
from homeguard.occurrences import DAYS, local_moment, next_after, sun_on

#: Zones that change their clocks by an hour, by half an hour, at midnight, southwards, twice a year over Ramadan; that
#: never do; and one that once left a whole day out.
ZONES = (
    "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "America/Santiago", "Asia/Tehran",
    "Africa/Casablanca", "Africa/Cairo", "Asia/Kolkata", "Pacific/Apia", "America/St_Johns", "UTC",
)  # fmt: skip
MINUTE = timedelta(minutes=1)


def home(zone="America/New_York", **changed):
    return Home(id="h1", name="Home", time_zone=zone, **changed)


def at(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def oracle(clock: str, days, after: datetime, zone: ZoneInfo) -> datetime:
    """The first minute behind `after` at which a wall clock that is watched all the time comes to, or passes, it."""
    moment = after.replace(second=0, microsecond=0)
    # what the clock showed already today does not come again when it is put back
    seen = set()
    past = moment - timedelta(hours=30)
    while past <= moment:
        seen |= passed(past, zone)
        past += MINUTE
    while True:
        moment += MINUTE
        for day, shown in sorted(passed(moment, zone) - seen):
            seen.add((day, shown))
            if shown == clock and (days is None or DAYS[day.weekday()] in days):
                return moment


def passed(moment: datetime, zone: ZoneInfo) -> set[tuple[date, str]]:
    """The times of day that the clock comes to in this minute: one, none new, or all that a change leaves out."""
    now = moment.astimezone(zone).replace(tzinfo=None)
    before = (moment - MINUTE).astimezone(zone).replace(tzinfo=None)
    if now - before > timedelta(hours=23):  # a day that is left out
        return {(now.date(), f"{now:%H:%M}")}
    steps = int((now - before) / MINUTE)
    told = [now - MINUTE * n for n in range(max(steps, 1))]
    return {(t.date(), f"{t:%H:%M}") for t in told}


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    after=st.datetimes(datetime(2005, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC)),
    clock=st.times().map(lambda t: f"{t:%H:%M}"),
    days=st.none() | st.sets(st.sampled_from(DAYS), min_size=4).map(sorted),
)
def test_it_is_what_somebody_who_watches_the_wall_clock_sees(zone, after, clock, days):
    trigger = {"type": "time", "at": clock} | ({"days": days} if days is not None else {})

    found = next_after(trigger, after.replace(second=0, microsecond=0), home(zone))

    assert found == oracle(clock, days, after, ZoneInfo(zone))


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES[:9]),
    year=st.integers(2005, 2030),
    clock=st.sampled_from(["00:00", "00:30", "01:00", "01:59", "02:00", "02:15", "02:30", "03:00", "23:59"]),
)
def test_every_day_of_every_year_has_exactly_one(zone, year, clock):
    moment, days = datetime(year, 1, 1, tzinfo=ZoneInfo(zone)) - MINUTE, []
    while True:
        moment = next_after({"type": "time", "at": clock}, moment, home(zone))
        local = moment.astimezone(ZoneInfo(zone))
        if local.year > year:
            break
        days.append(local.date())
    assert days == [date(year, 1, 1) + timedelta(days=n) for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]


@pytest.mark.parametrize(
    ("zone", "clock", "after", "wanted"),
    [
        ("America/New_York", "02:30", "2026-03-08T00:00-05:00", "2026-03-08T03:00-04:00"),  # left out: the gap's end
        ("America/New_York", "01:30", "2026-11-01T00:00-04:00", "2026-11-01T01:30-04:00"),  # twice: the first
        ("America/New_York", "01:30", "2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"),  # and not once more
        ("Australia/Lord_Howe", "02:15", "2026-10-04T00:00+10:30", "2026-10-04T02:30+11:00"),  # half an hour
        ("America/Havana", "00:30", "2026-03-07T12:00-05:00", "2026-03-08T01:00-04:00"),  # midnight itself is left out
        ("Pacific/Apia", "07:00", "2011-12-29T08:00-10:00", "2011-12-31T07:00+14:00"),  # there was no 30 December
        ("UTC", "07:00", "2026-05-01T07:00+00:00", "2026-05-02T07:00+00:00"),  # behind, never at
    ],
)
def test_where_the_clocks_change(zone, clock, after, wanted):
    assert next_after({"type": "time", "at": clock}, at(after), home(zone)) == at(wanted)


def test_a_time_in_a_gap_is_its_end_to_the_second():
    assert local_moment(date(2026, 3, 29), time(2, 1), ZoneInfo("Europe/Berlin")) == at("2026-03-29T01:00+00:00")
    assert local_moment(date(2011, 12, 30), time(7), ZoneInfo("Pacific/Apia")) is None


def test_only_on_its_days():
    trigger = {"type": "time", "at": "07:00", "days": ["mon", "fri"]}
    friday = next_after(trigger, at("2026-05-01T06:00-04:00"), home())
    assert friday == at("2026-05-01T07:00-04:00")
    assert next_after(trigger, friday, home()) == at("2026-05-04T07:00-04:00")


def test_a_single_moment_comes_once():
    trigger = {"type": "once", "at": "2026-05-01T07:00:00.000Z"}
    assert next_after(trigger, at("2026-05-01T06:59:59+00:00"), home()) == at("2026-05-01T07:00+00:00")
    assert next_after(trigger, at("2026-05-01T07:00+00:00"), home()) is None


def test_half_an_hour_before_sunset_on_saturdays():
    trigger = {"type": "sun", "event": "sunset", "offset_minutes": -30, "days": ["sat"]}
    new_york = home(latitude=40.7128, longitude=-74.006)

    found = next_after(trigger, at("2026-05-01T12:00-04:00"), new_york)

    assert found is not None
    assert found.astimezone(ZoneInfo("America/New_York")).strftime("%a %H:%M") == "Sat 19:23"
    assert found == sun_on("sunset", date(2026, 5, 2), new_york) - timedelta(minutes=30)


def test_after_the_polar_night_the_sun_rises_again():
    tromso = home("Europe/Oslo", latitude=69.65, longitude=18.96)
    found = next_after({"type": "sun", "event": "sunrise"}, at("2025-12-01T12:00+01:00"), tromso)
    assert found is not None
    assert date(2026, 1, 13) <= found.date() <= date(2026, 1, 17)


def test_without_a_place_it_says_how_to_set_one():
    with pytest.raises(InvalidInput, match="latitude") as refused:
        next_after({"type": "sun", "event": "sunset"}, at("2026-05-01T12:00-04:00"), home())
    assert refused.value.code == "HOME_PLACE_UNKNOWN"
