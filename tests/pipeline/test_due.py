"""What a rule that goes by the clock does after any absence: at most one run, and every other time is counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from homeguard.automation import parse
from homeguard.model import Home
from homeguard.occurrences import next_after
from pipeline.due import GRACE, ONCE_GRACE, due_now, made_from

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOME = Home(id="h1", name="Home", time_zone="America/New_York", latitude=40.7, longitude=-74.0)
TRIGGERS = [
    {"type": "time", "at": "02:30"},
    {"type": "time", "at": "07:00", "days": ["mon", "thu"]},
    {"type": "sun", "event": "sunset", "offset_minutes": -20},
]


def rule(trigger):
    body = {"name": "R", "trigger": trigger, "actions": [{"type": "notification", "message": "x"}]}
    return parse(body, home_id="h1", automation_id="a1", home=HOME)


@settings(deadline=None)
@given(st.sampled_from(TRIGGERS), st.integers(0, 200 * 86_400), st.integers(0, 60 * 86_400))
def test_after_any_absence_at_most_one_time_is_run_and_the_others_are_counted(trigger, begin_s, away_s):
    since = next_after(trigger, BEGIN + timedelta(seconds=begin_s), HOME)
    now = since + timedelta(seconds=away_s)
    times, at = [], since
    while at <= now:
        times.append(at)
        at = next_after(trigger, at, HOME)

    due = due_now(rule(trigger), since, now, HOME)

    in_time = now - times[-1] <= GRACE
    assert due.run_at == (times[-1] if in_time else None)
    assert due.missed == len(times) - in_time
    assert due.missed_since == (since if due.missed else None)
    assert due.then == at


def test_years_of_absence_are_not_counted_one_by_one():
    since = next_after(TRIGGERS[0], BEGIN, HOME)
    due = due_now(rule(TRIGGERS[0]), since, since + timedelta(days=20 * 365), HOME)
    assert due.run_at is not None
    assert 1_000 <= due.missed < 1_010


def test_what_happens_once_has_a_quarter_of_an_hour():
    once = rule({"type": "once", "at": "2026-05-01T07:00:00.000Z"})
    at = datetime(2026, 5, 1, 7, tzinfo=UTC)
    assert due_now(once, at, at + ONCE_GRACE, HOME).run_at == at
    late = due_now(once, at, at + ONCE_GRACE + timedelta(seconds=1), HOME)
    assert (late.run_at, late.missed, late.then) == (None, 1, None)


def test_a_time_is_worked_out_anew_when_what_it_hangs_on_changes_and_only_then():
    morning, sunset = rule(TRIGGERS[0]), rule(TRIGGERS[2])
    moved, elsewhere = replace(HOME, time_zone="Europe/Berlin"), replace(HOME, latitude=52.5, longitude=13.4)
    assert made_from(morning, moved) != made_from(morning, HOME)
    assert made_from(morning, elsewhere) == made_from(morning, HOME)
    assert made_from(sunset, elsewhere) != made_from(sunset, HOME)
    assert made_from(replace(morning, name="Other", enabled=False), HOME) == made_from(morning, HOME)
