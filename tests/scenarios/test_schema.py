"""A scenario file is checked before anything happens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homeguard.errors import InvalidInput, NotFound
from scenarios.schema import Given, library, load_scenario, read_scenario, span, starts_at


def story(**change: Any) -> dict[str, Any]:
    return {
        "name": "s",
        "duration": "10s",
        "events": [{"at": "1s", "type": "door_open", "device": "d"}],
        **change,
    }


def test_break_in_is_the_story_as_it_was_written() -> None:
    story = load_scenario("break_in")
    assert story.duration == timedelta(seconds=30)
    assert [(b.at.total_seconds(), b.type, b.device) for b in story.beats] == [
        (0, "glass_break", "back_window_sensor"),
        (2, "motion_detected", "bedroom_motion"),
        (5, "motion_detected", "hallway_motion"),
        (8, "door_open", "back_door"),
        (10, "motion_stopped", "hallway_motion"),
    ]
    assert story.beats[1].payload == {"zone": "bedroom", "confidence": 0.88, "signature": "human"}
    assert story.flags == {
        "should_alert": True,
        "should_notify_monitoring": True,
        "should_document_incident": True,
    }


def test_every_story_of_the_library_can_be_read() -> None:
    assert [load_scenario(name).name for name in library()] == library()
    with pytest.raises(NotFound, match="break_in"):
        load_scenario("../homes/john")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"duration": "soon"}, "span"),
        ({"events": [{"at": "11s", "type": "door_open", "device": "d"}]}, "after the end"),
        ({"events": [{"at": "1s", "type": "explosion", "device": "d"}]}, "no 'explosion'"),
        ({"events": [{"at": "1s", "type": "mode_changed", "device": "d"}]}, "no 'mode_changed'"),
        ({"events": [{"at": "1s", "type": "door_open"}]}, "names no device"),
        ({"given": {"mode": "asleep"}}, "no mode"),
        ({"given": {"weather": "rain"}}, "unknown key"),
        ({"expected_agent_behavior": [{"should": 1}]}, "true or false"),
        ({"name": "A story"}, "small letters"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_scenario(story(**change))


def test_beats_come_in_the_order_of_their_times() -> None:
    beats = [{"at": at, "type": "door_open", "device": device} for at, device in ((5, "b"), ("2s", "a"), (5, "c"))]
    assert [b.device for b in read_scenario(story(events=beats)).beats] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), ("250ms", 0.25), (7, 7), ("1.5", 1.5)]
)
def test_spans_are_read(text: Any, seconds: float) -> None:
    assert span(text, "x").total_seconds() == seconds


def test_a_time_of_day_is_the_last_time_that_it_was_that_time() -> None:
    now = datetime(2026, 5, 6, 18, 0, tzinfo=UTC)  # 14:00 in New York
    assert starts_at(Given(), "America/New_York", now) == now
    assert starts_at(Given(clock="02:00"), "America/New_York", now) == datetime(2026, 5, 6, 6, 0, tzinfo=UTC)
    assert starts_at(Given(clock="23:00"), "America/New_York", now) == datetime(2026, 5, 6, 3, 0, tzinfo=UTC)
    with pytest.raises(InvalidInput):
        starts_at(Given(clock="tea time"), "UTC", now)
