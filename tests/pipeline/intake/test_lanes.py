"""How urgent an event is: by its type, by what a report says, and by what the home makes of it just now."""

import itertools
import json
from datetime import timedelta

import pytest
from pipeline_fakes import NOW, ManualClock, MemoryLog, device, event

from homeguard.clock import HomeClocks
from homeguard.errors import StoreUnavailable
from homeguard.mode import ARM_STATES, MODES, alarm_of
from homeguard.model import Home
from homeguard.ports.log import ALERTS, EVENTS, HEARTBEATS
from homeguard.vocabulary import EVENT_TYPES
from pipeline.intake.intake import Intake, Origin
from pipeline.intake.lanes import HomeLanes, lanes_in

HTTP = Origin(home_id="h1", source="http")
AT_HOME, LEFT, NIGHT = ("disarmed", "home"), ("armed_away", "away"), ("armed_night", "sleep")

TABLE = [
    (AT_HOME, "smoke_detected", {}, "safety"),
    (AT_HOME, "glass_break", {"intensity": 0.1}, "safety"),
    (AT_HOME, "co_detected", {}, "safety"),
    (AT_HOME, "gas_detected", {}, "safety"),
    (AT_HOME, "heat_anomaly", {}, "safety"),
    (AT_HOME, "water_leak_detected", {}, "safety"),
    (AT_HOME, "tamper_detected", {}, "safety"),
    (AT_HOME, "alert_raised", {}, "safety"),
    (AT_HOME, "door_open", {}, "state"),
    (AT_HOME, "motion_detected", {}, "state"),
    (AT_HOME, "heartbeat", {}, "bulk"),
    (AT_HOME, "telemetry", {"metrics": {"temperature": 20}}, "bulk"),
    (AT_HOME, "telemetry", {"metrics": {"smoke": True}}, "safety"),
    (AT_HOME, "telemetry", {"measurements": {"water_leak": True}}, "safety"),
    (AT_HOME, "telemetry", {"co": True, "co2": 700}, "safety"),
    (AT_HOME, "telemetry", {"smoke": False}, "bulk"),
    (AT_HOME, "telemetry", {"smoke": "true"}, "bulk"),
    (AT_HOME, "telemetry", {"metrics": {"a": 1}, "smoke": True}, "bulk"),
    (AT_HOME, "heartbeat", {"tamper": True}, "safety"),
    (AT_HOME, "device_online", {"glass_break": True}, "safety"),
    (AT_HOME, "state_changed", {"attributes": {"gas": True}}, "safety"),
    (AT_HOME, "state_changed", {"heat": True, "on": False}, "safety"),
    (AT_HOME, "state_changed", {"open": True, "motion": True}, "state"),
    (AT_HOME, "doorbell_pressed", {"smoke": True}, "state"),
    (LEFT, "door_open", {}, "safety"),
    (LEFT, "window_open", {}, "safety"),
    (LEFT, "motion_detected", {}, "safety"),
    (LEFT, "person_detected", {}, "safety"),
    (LEFT, "state_changed", {"open": True}, "safety"),
    (LEFT, "telemetry", {"metrics": {"motion": True}}, "safety"),
    (LEFT, "state_changed", {"open": False, "motion": False}, "state"),
    (LEFT, "telemetry", {"metrics": {"temperature": 20}}, "bulk"),
    (NIGHT, "door_open", {}, "safety"),
    (NIGHT, "motion_detected", {}, "state"),
    (NIGHT, "state_changed", {"motion": True}, "state"),
    # at a party the guests' door is no alarm, but a contact may be at a window
    (("armed_home", "party"), "door_open", {}, "safety"),
]


@pytest.mark.parametrize(("home", "event_type", "payload", "lane"), TABLE)
def test_the_lane_of_an_event(home, event_type, payload, lane):
    assert lanes_in(*home).lane(event_type, payload) == lane


def test_in_every_state_what_is_an_alarm_is_urgent():
    for arm_state, mode in itertools.product(ARM_STATES, MODES):
        lanes = lanes_in(arm_state, mode)
        for event_type in EVENT_TYPES:
            if alarm_of(event_type, arm_state, mode) is not None:
                assert lanes.lane(event_type, {}) == "safety", (event_type, arm_state, mode)


class Homes:
    """Answers for `h1`; `asked` counts."""

    def __init__(self) -> None:
        self.home = Home(id="h1", name="Home")
        self.asked = 0
        self.fails = False

    async def __call__(self, home_id):
        self.asked += 1
        if self.fails:
            raise StoreUnavailable("away")
        return self.home if home_id == "h1" else None


@pytest.fixture
def homes() -> Homes:
    return Homes()


@pytest.fixture
def intake(log: MemoryLog, clock: ManualClock, clocks: HomeClocks, homes: Homes) -> Intake:
    class Devices:
        async def of_home(self, home_id):
            return [device("door", "contact")]

        async def get(self, home_id, device_id):
            return None

    return Intake(log=log, devices=Devices(), clock=clock, clocks=clocks, lanes=HomeLanes(homes, clock))


def body(event_type: str, **payload: object) -> bytes:
    return json.dumps({"device_id": "door", "event_type": event_type, "payload": payload}).encode()


def lanes_of(log: MemoryLog) -> list[str]:
    return [r.headers["lane"] for topic in (EVENTS, HEARTBEATS, ALERTS) for r in log.topics[topic]]


async def test_a_home_that_was_armed_is_known_to_be_within_a_second_and_asked_once_in_it(intake, log, homes, clock):
    for _ in range(3):
        await intake.receive(body("door_open"), HTTP)
    homes.home = Home(id="h1", name="Home", mode="away", arm_state="armed_away")
    clock.advance(timedelta(seconds=1))
    for _ in range(3):
        await intake.receive(body("door_open"), HTTP)

    assert lanes_of(log) == ["state"] * 3 + ["safety"] * 3
    assert homes.asked == 2


async def test_when_the_home_cannot_be_asked_it_counts_as_armed(intake, log, homes):
    homes.fails = True
    await intake.receive(body("door_open"), HTTP)

    assert lanes_of(log) == ["safety"]


async def test_what_our_own_rooms_submit_goes_to_its_lane_too_and_none_is_lowered(intake, log, homes):
    homes.home = Home(id="h1", name="Home", mode="away", arm_state="armed_away")
    await intake.submit(
        [
            event("state_changed", "door", payload={"open": True}, event_id="a"),
            event("state_changed", "door", payload={"open": False}, event_id="b"),
            event("telemetry", "door", payload={"temperature": 1}, lane="bulk", event_id="c"),
            event("canary", lane="safety", event_id="d"),
            event("alert_raised", "door", event_id="e"),
        ]
    )

    assert lanes_of(log) == ["safety", "state", "bulk", "safety", "safety"]


async def test_a_recording_is_never_urgent(intake, log):
    await intake.receive(body("smoke_detected"), Origin(home_id="h1", source="replay"))

    assert lanes_of(log) == ["bulk"]


async def test_each_sender_of_many_is_judged_by_its_own_home(intake, log, homes):
    homes.home = Home(id="h1", name="Home", mode="away", arm_state="armed_away")
    mine = Origin(home_id="h1", source="mqtt:x", device_id="door")
    other = Origin(home_id="h2", source="mqtt:x", device_id="door")

    rejected = await intake.receive_each(
        [(mine, body("door_open")), (other, body("door_open")), (mine, b"[1]"), (mine, body("motion_stopped"))]
    )

    assert [(r.index, r.code) for r in rejected] == [(2, "INVALID_INPUT")]
    assert [(r.key, r.headers["lane"]) for r in log.topics[EVENTS]] == [
        ("h1/door", "safety"), ("h2/door", "state"), ("h1/door", "state"),
    ]  # fmt: skip
    assert all(r.appended_at == NOW for r in log.topics[EVENTS])
