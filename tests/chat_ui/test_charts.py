"""Which answers get a chart, and what the chart shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_ui.charts import Window, Wish, bars_props, line_props, marks, ticks, windows_of, wish
from chat_ui.languages import words_in

EN = words_in("en")
NOW = datetime(2026, 3, 10, 17, 0, tzinfo=UTC)
HOME = {"time_zone": "America/New_York", "unit_system": "us"}


def history(status: str = "ok", **arguments: Any) -> dict[str, Any]:
    asked = {"device_id": "thermostat", "metric": "temperature_c", **arguments}
    return {"tool": "get_device_history", "arguments": asked, "status": status}


def window(hour: int, value: float) -> Window:
    return Window(start=NOW + timedelta(hours=hour), average=value, minimum=value - 1, maximum=value + 1)


def line(windows: list[Window], **home: Any) -> dict[str, Any] | None:
    wanted = Wish(kind="line", device_id="thermostat", metric="temperature_c", start=NOW - timedelta(hours=24), end=NOW,
                  every_minutes=60)  # fmt: skip
    return line_props(wanted, windows, device="Thermostat", unit="°C", home=HOME | home, words=EN)


def test_a_span_of_measurements_is_worth_a_chart() -> None:
    found = wish([history(start="2026-03-09T17:00:00Z", end="2026-03-10T17:00:00Z", every_minutes=1440)], NOW)

    assert found == Wish(kind="line", device_id="thermostat", metric="temperature_c", start=NOW - timedelta(hours=24),
                         end=NOW, every_minutes=30)  # fmt: skip


@pytest.mark.parametrize(
    "call",
    [
        history(at="2026-03-10T05:00:00Z"),
        history("error"),
        history(start="2026-03-10T16:45:00Z", end="2026-03-10T17:00:00Z"),
        history(start="2020-01-01T00:00:00Z", end="2026-01-01T00:00:00Z"),
        history(start="yesterday", at="x"),
        history(device_id=""),
        {"tool": "get_home_summary", "arguments": {}, "status": "ok"},
        {"tool": "get_energy_insights", "arguments": {"period_days": 365}, "status": "ok"},
        {"tool": "get_energy_insights", "arguments": {"period_days": "7"}, "status": "ok"},
    ],
)
def test_most_answers_are_words_alone(call: dict[str, Any]) -> None:
    assert wish([call], NOW) is None


def test_energy_is_shown_by_day_of_the_home() -> None:
    wanted = wish([{"tool": "get_energy_insights", "arguments": {"period_days": 7}, "outcome": "ok"}], NOW)
    assert wanted is not None
    # 04:00 UTC is midnight in New York in summer time: one hour before and one after are two days
    meter = [window(11, 1000.0), window(10, 2000.0), window(-3, 500.0)]

    props = bars_props(wanted, [meter, [window(10, 1000.0)]], home=HOME, words=EN)

    assert props is not None
    assert props["points"] == [{"label": "Tue 10", "value": 3.5}, {"label": "Wed 11", "value": 1.0}]
    assert props["text"].startswith("4.5 kWh on 2 days, most on Tue 10 with 3.5 kWh.")


def test_a_line_is_in_the_units_and_the_hours_of_the_home_and_says_so_in_words() -> None:
    props = line([window(-3, 20.0), window(-2, 21.0), window(-1, 22.0)])

    assert props is not None
    assert props["unit"] == "°F"
    assert [p["value"] for p in props["points"]] == [68.0, 69.8, 71.6]
    assert [p["label"] for p in props["points"]] == ["10:00 AM", "11:00 AM", "12:00 PM"]
    assert props["text"] == (
        "Temperature of Thermostat from 1:00 PM to 1:00 PM: between 66.2 °F (at 10:00 AM) and 73.4 °F (at 12:00 PM), "
        "69.8 °F on average."
    )
    celsius = line([window(-3, 20.0), window(-2, 21.0), window(-1, 22.0)], unit_system="si")
    assert celsius is not None
    assert (celsius["unit"], celsius["points"][0]["label"]) == ("°C", "10:00")


@pytest.mark.parametrize(
    ("hours", "home", "labels"),
    [
        (1, {}, ["12:00 PM", "1:00 PM"]),
        (6, {}, ["7:00 AM", "8:00 AM", "9:00 AM", "10:00 AM", "11:00 AM", "12:00 PM", "1:00 PM"]),
        (24, {}, ["3:00 PM", "6:00 PM", "9:00 PM", "12:00 AM", "3:00 AM", "6:00 AM", "9:00 AM", "12:00 PM"]),
        (24, {"unit_system": "si", "time_zone": "UTC"}, ["18:00", "21:00", "0:00", "3:00", "6:00", "9:00", "12:00",
                                                         "15:00"]),
        (48, {}, ["Mon 9", "Tue 10"]),
        (24 * 7, {}, ["Wed 4", "Thu 5", "Fri 6", "Sat 7", "Sun 8", "Mon 9", "Tue 10"]),
        (24 * 30, {}, ["02-12", "02-16", "02-20", "02-24", "02-28", "03-04", "03-08"]),
    ],
)  # fmt: skip
def test_marks_stand_at_full_hours_and_at_midnights_of_the_home(
    hours: int, home: dict[str, Any], labels: list[str]
) -> None:
    found = marks(NOW - timedelta(hours=hours), NOW, HOME | home, EN)

    assert [mark["label"] for mark in found] == labels
    assert [mark["at"] for mark in found] == sorted({mark["at"] for mark in found})


def test_too_little_to_see_is_no_chart() -> None:
    assert line([window(-2, 20.0), window(-1, 21.0)]) is None


def test_windows_that_cannot_be_read_are_left_out() -> None:
    good = {"start": "2026-03-10T10:00:00Z", "average": 1.0, "minimum": 0.5, "maximum": 2}
    bad = [{**good, "average": None}, {**good, "start": "never"}, {**good, "maximum": float("nan")}, {}]

    assert [w.maximum for w in windows_of({"items": [good, *bad]})] == [2]


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_are_few_in_order_and_hold_every_value(low: float, span: float) -> None:
    found = ticks(low, low + span)

    assert 2 <= len(found) <= 8
    assert found == sorted(set(found))
    room = 1e-6 * max(1, abs(low), span)
    assert found[0] <= low + room
    assert found[-1] >= low + span - room
