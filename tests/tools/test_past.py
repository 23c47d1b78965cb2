"""Events, history, findings, predictions and energy, from stored data."""

import asyncio
from datetime import timedelta

import pytest
from house_for_tools import NOW, House, say

from homeguard.errors import DeviceNotFound, InvalidInput, StoreUnavailable
from homeguard.model import Alert, Anomaly
from tools import analytics, anomaly, context, events

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def test_recent_events_are_newest_first_with_names_and_a_cursor_that_goes_on(house: House) -> None:
    for i in range(7):
        await house.happened("motion_detected", "hall_motion", NOW - i * HOUR, number=i)
    first = await events.get_recent_events(house.ann(), limit=5)
    assert [e.payload["number"] for e in first.events] == [0, 1, 2, 3, 4]
    assert (first.truncated, first.events[0].device) == (True, "Hall Motion")
    assert first.next_cursor is not None
    rest = await events.get_recent_events(house.ann(), limit=5, cursor=first.next_cursor)
    assert [e.payload["number"] for e in rest.events] == [5, 6]
    assert (rest.next_cursor, rest.truncated) == (None, False)


async def test_hours_and_limits_are_clamped_and_type_and_device_filter(house: House) -> None:
    await house.happened("door_open", "kitchen_window", NOW - 29 * DAY)
    await house.happened("window_open", "kitchen_window", NOW - HOUR)
    await house.happened("motion_detected", "hall_motion", NOW - HOUR)
    found = await events.get_recent_events(house.ann(), hours=10**9, limit=10**9, device_id="kitchen_window")
    assert [e.event_type for e in found.events] == ["window_open", "door_open"]
    found = await events.get_recent_events(house.ann(), hours=0, limit=-5, event_type="motion_detected")
    assert [e.event_type for e in found.events] == ["motion_detected"]


async def test_payload_texts_are_cleaned_and_large_ones_cut(house: House) -> None:
    deep = {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}
    note = "a\u202eb\x07" + "x" * 900
    await house.happened("state_changed", "lamp", NOW, note=note, many=list(range(5000)), deep=deep)
    (event,) = (await events.get_recent_events(house.ann())).events
    assert event.shortened
    assert len(str(event.payload)) < 1200
    assert "\u202e" not in str(event.payload)
    assert len(str(event.payload["note"])) <= 200


async def test_an_unknown_event_type_names_near_ones_and_a_foreign_device_is_absent(house: House) -> None:
    with pytest.raises(InvalidInput) as caught:
        await events.get_recent_events(house.ann(), event_type="door_opened")
    assert "door_open" in caught.value.details["allowed"]
    with pytest.raises(DeviceNotFound):
        await events.get_recent_events(house.ann(), device_id="bobs_lock")


async def test_no_event_of_another_home_is_ever_told(house: House) -> None:
    await house.happened("door_unlocked", "bobs_lock", NOW)
    bob = house.context(house.ann().principal.__class__(home_id="bob", user_id="bob", role="owner", caller="client"))
    assert (await events.get_recent_events(bob)).events == ()


async def test_questions_about_the_past_wait_for_history_and_give_up_bounded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.history_ready.clear()
    waiting = asyncio.create_task(events.get_recent_events(house.ann()))
    await asyncio.sleep(0)
    house.history_ready.set()
    assert (await waiting).events == ()
    house.history_ready.clear()
    monkeypatch.setattr(context, "HISTORY_WAIT_S", 0.01)
    with pytest.raises(StoreUnavailable):
        await events.get_recent_events(house.ann())


async def test_the_value_at_a_local_time_is_the_last_one_before_it(house: House) -> None:
    # 12:00 UTC is 08:00 in New York; 05:00 there is 09:00 UTC
    await house.measured("thermostat", "temperature_c", "°C", [(NOW - 4 * HOUR, 18.0), (NOW - 2 * HOUR, 21.0)])
    history = await analytics.get_device_history(
        house.ann(), device_id="thermostat", metric="temperature", at="2026-06-15T05:00:00"
    )
    assert history.value_at is not None
    assert (history.value_at.value, history.value_at.at, history.value_at.text) == (
        18.0, "2026-06-15T08:00:00.000Z", "64°F",
    )  # fmt: skip
    assert (history.windows, history.unit, history.metric) == ((), "°C", "temperature_c")


async def test_windows_hold_average_and_extremes_and_leave_out_empty_ones(house: House) -> None:
    await house.measured(
        "thermostat", "temperature_c", "°C",
        [(NOW - 3 * HOUR, 10.0), (NOW - 3 * HOUR + timedelta(minutes=30), 20.0), (NOW - HOUR, 30.0)],
    )  # fmt: skip
    history = await analytics.get_device_history(house.ann(), device_id="thermostat", metric="temperature_c")
    assert [(w.start, w.count, w.average, w.minimum, w.maximum) for w in history.windows] == [
        ("2026-06-15T09:00:00.000Z", 2, 15.0, 10.0, 20.0),
        ("2026-06-15T11:00:00.000Z", 1, 30.0, 30.0, 30.0),
    ]


async def test_a_long_span_gets_longer_windows(house: House) -> None:
    await house.measured(
        "thermostat", "temperature_c", "°C", [(NOW - 300 * DAY + i * 6 * HOUR, 20.0) for i in range(1200)]
    )
    history = await analytics.get_device_history(
        house.ann(), device_id="thermostat", metric="temperature", start="2025-08-01T00:00:00Z", every_minutes=1
    )
    assert history.every_minutes >= 60
    assert 0 < len(history.windows) <= 501


async def test_a_metric_that_was_never_measured_names_those_that_were(house: House) -> None:
    await house.measured("thermostat", "humidity_pct", "%", [(NOW, 40.0)])
    with pytest.raises(InvalidInput) as caught:
        await analytics.get_device_history(house.ann(), device_id="thermostat", metric="pressure")
    assert caught.value.details["allowed"] == ["humidity_pct"]


@pytest.mark.parametrize("at", ["yesterday", "9" * 400, "2026-13-45", "0001-01-01T00:00:00"])
async def test_a_time_that_cannot_be_read_names_its_field(house: House, at: str) -> None:
    await house.measured("thermostat", "humidity_pct", "%", [(NOW, 40.0)])
    with pytest.raises(InvalidInput) as caught:
        await analytics.get_device_history(house.ann(), device_id="thermostat", metric="humidity", at=at)
    assert caught.value.details["field"] == "at"


async def test_findings_and_alerts_of_the_span_are_told_newest_first(house: House) -> None:
    odd = Anomaly(
        id="a1", home_id="ann", device_id="lamp", at=NOW - HOUR, kind="reading", score=0.93, severity="medium",
        explanation="power_w was 900 W\u202e", event_id="e1", metric="power_w", value=900.0,
    )  # fmt: skip
    alert = Alert(
        id="l1", home_id="ann", at=NOW - HOUR, kind="smoke", severity="critical", title="Smoke", text="Kitchen"
    )
    await house.stores.anomalies.append([odd])
    await house.stores.alerts.raise_([alert])
    found = await anomaly.get_anomalies(house.ann(), hours=2)
    assert [(a.id, a.device, a.explanation) for a in found.anomalies] == [("a1", "Lamp", "power_w was 900 W")]
    assert [(a.id, a.severity) for a in found.alerts] == [("l1", "critical")]
    assert (await anomaly.get_anomalies(house.ann(), hours=1, device_id="thermostat")).anomalies == ()


async def test_thirty_days_of_one_percent_a_day_give_the_closed_form_answer(house: House) -> None:
    # 80 % thirty days ago, 1 % a day: 50 % now, 10 % in forty days
    await house.measured("front_door_lock", "battery_pct", "%", [(NOW - i * DAY, 50.0 + i) for i in range(31)])
    (battery,) = (await anomaly.get_predictions(house.ann(), device_id="front_door_lock")).batteries
    assert battery.days_left == pytest.approx(40.0, abs=0.05)
    assert battery.slope_pct_per_day == pytest.approx(-1.0, abs=1e-6)
    assert battery.reason == ""


async def test_dense_readings_give_the_same_answer_as_their_hourly_means(house: House) -> None:
    step = timedelta(minutes=5)
    points = [(NOW - i * step, 50.0 + i * step / DAY) for i in range(30 * 288)]
    await house.measured("front_door_lock", "battery_pct", "%", points)
    (battery,) = (await anomaly.get_predictions(house.ann(), device_id="front_door_lock")).batteries
    assert battery.days_left == pytest.approx(40.0, abs=0.2)


async def test_flat_rising_and_missing_batteries_say_why_there_is_no_number(house: House) -> None:
    await house.measured("front_door_lock", "battery_pct", "%", [(NOW - i * DAY, 80.0) for i in range(10)])
    lines = {b.device_id: b for b in (await anomaly.get_predictions(house.ann())).batteries}
    assert (lines["front_door_lock"].days_left, lines["front_door_lock"].reason) == (None, "flat or rising")
    assert (lines["back_door_lock"].reason, lines["back_door_lock"].level_pct) == ("not enough data", 60.0)


async def test_energy_without_data_says_what_is_missing(house: House) -> None:
    insights = await analytics.get_energy_insights(house.ann())
    assert (insights.total_kwh, insights.devices, insights.recommendations) == (None, (), ())
    assert len(insights.not_enough_data) == 3


async def _a_month(house: House, busy_hours: range, days: int = 30) -> None:
    """Motion every half hour in these local hours of each day; 70 °F all day; a lamp that draws 40 W always."""
    zone_offset = 4  # New York in June is UTC-4
    midnight = NOW.replace(hour=zone_offset, minute=0)
    for day in range(1, days + 1):
        for hour in busy_hours:
            at = midnight - day * DAY + hour * HOUR
            await house.happened("motion_detected", "hall_motion", at)
    await house.measured("thermostat", "target_c", "°C", [(NOW - days * DAY, 21.1)])
    await house.measured("lamp", "power_w", "W", [(NOW - i * HOUR, 40.0) for i in range(1, days * 24)])


async def test_a_home_that_is_empty_by_day_gets_a_setback_with_its_evidence(house: House) -> None:
    await _a_month(house, range(17, 22))
    await say(house.stores, "ann", "thermostat", NOW, hvac_mode="heat")
    insights = await analytics.get_energy_insights(house.ann())
    kinds = [r.kind for r in insights.recommendations]
    assert kinds.count("setback_away") == 1
    assert len(insights.recommendations) >= 2
    away = next(r for r in insights.recommendations if r.kind == "setback_away")
    assert away.title == "Set Thermostat to 62°F from 06:00 to 17:00, when nobody is there"
    assert "of 30 days with motion, at most 0% had any" in away.evidence
    assert away.saving_pct == pytest.approx(8 * 11 / 8)
    assert insights.total_kwh == pytest.approx(40 * (30 * 24 - 1) / 1000)
    lamp = next(r for r in insights.recommendations if r.kind == "switch_off_when_empty")
    assert lamp.saving_kwh is not None
    assert 0 < lamp.saving_kwh < insights.total_kwh


async def test_weekdays_that_are_empty_are_found_under_weekends_that_are_not(house: House) -> None:
    await _a_month(house, range(18, 22))
    midnight = NOW.replace(hour=4, minute=0)
    for day in range(1, 31):
        if (midnight - day * DAY).weekday() >= 5:
            for hour in range(7, 18):
                await house.happened("motion_detected", "hall_motion", midnight - day * DAY + hour * HOUR)
    insights = await analytics.get_energy_insights(house.ann())
    away = next(r for r in insights.recommendations if r.kind == "setback_away")
    assert away.title == "Set Thermostat to 62°F from 06:00 to 18:00 on weekdays, when nobody is there"
    assert away.saving_pct == pytest.approx(8 * 12 / 8 * 5 / 7, abs=0.05)


async def test_a_home_that_is_lived_in_all_day_gets_no_setback_by_day(house: House) -> None:
    await _a_month(house, range(24))
    insights = await analytics.get_energy_insights(house.ann())
    assert insights.recommendations == ()
    assert insights.days_with_motion == 30


async def test_five_days_of_data_are_not_enough_and_say_so(house: House) -> None:
    await _a_month(house, range(17, 22), days=5)
    insights = await analytics.get_energy_insights(house.ann())
    assert insights.recommendations == ()
    assert any("not enough data" in gap for gap in insights.not_enough_data)
