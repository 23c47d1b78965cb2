"""Rules of a home: what is read, what is refused and where, and when a rule fires."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeguard.automation import compile, conditions_hold, evaluate, in_time_range, parse, version_hash
from homeguard.errors import DeviceNotFound, InvalidInput
from homeguard.mode import ARM_STATES, MODES, alarm_of, arm_state_of, can_follow, lowers, severity_of
from homeguard.model import Device, Effect, Event, Home, LiveState
from homeguard.occurrences import next_after
from homeguard.triggers import settled

NEW_YORK = ZoneInfo("America/New_York")
NOTIFY = {"type": "notification", "message": "hello"}
TRIGGER = {"type": "device_event", "device_id": "door", "event_type": "door_open"}


def body(**changes):
    made = {"name": "Night watch", "trigger": TRIGGER, "actions": [NOTIFY], **changes}
    return {k: v for k, v in made.items() if v is not ...}


def read(**changes):
    return parse(body(**changes), home_id="h1", automation_id="a1")


def happened(event_type="door_open", device_id="door", **payload):
    at = datetime(2026, 3, 10, tzinfo=UTC)
    return Event(
        home_id="h1", event_id="e1", event_type=event_type, at=at, received_at=at, device_id=device_id, payload=payload
    )


def fires(automation, *, event=None, local=datetime(2026, 3, 10, 23, 0), mode="home", arm_state="disarmed", **states):
    home = Home(id="h1", name="Home", mode=mode, arm_state=arm_state)
    live = {d: LiveState(home_id="h1", device_id=d, attributes=a) for d, a in states.items()}
    return evaluate(automation, event or happened(), live, home, local)


def test_a_rule_is_read_into_its_normal_form():
    automation = read(
        trigger={**TRIGGER, "conditions": {"time_range": {"start": "22:00", "end": "06:00"}, "arm_state": "armed"}},
        actions=[{"type": "device_command", "device_id": "lamp", "command": "turn_on"}, NOTIFY],
    )

    assert automation.trigger == {
        "type": "device_event",
        "event_type": "door_open",
        "device_id": "door",
        "conditions": {"time_range": {"start": "22:00", "end": "06:00"}, "arm_state": "armed"},
    }
    assert automation.actions == (
        {"type": "device_command", "device_id": "lamp", "command": "turn_on", "parameters": {}},
        {"type": "notification", "channel": "app", "message": "hello"},
    )
    assert automation.version == version_hash(automation)
    assert automation.enabled


BAD = [
    (body(name=...), "name"),
    (body(name=""), "name"),
    (body(name="x" * 101), "name"),
    (body(name="a\u202eb"), "name"),
    (body(enabled=1), "enabled"),
    (body(colour="red"), "colour"),
    (body(trigger=...), "trigger"),
    (body(trigger=[]), "trigger"),
    (body(trigger={**TRIGGER, "type": "schedule"}), "trigger.type"),
    (body(trigger={**TRIGGER, "type": ["x"]}), "trigger.type"),
    (body(trigger={**TRIGGER, "event_type": "earthquake"}), "trigger.event_type"),
    (body(trigger={**TRIGGER, "event_type": "automation_ran"}), "trigger.event_type"),
    (body(trigger={**TRIGGER, "event_type": ["door_open"]}), "trigger.event_type"),
    (body(trigger={**TRIGGER, "device_id": 5}), "trigger.device_id"),
    (body(trigger={**TRIGGER, "conditions": {"weather": 1}}), "trigger.conditions.weather"),
    (body(trigger={**TRIGGER, "conditions": {"mode": "asleep"}}), "trigger.conditions.mode"),
    (
        body(trigger={**TRIGGER, "conditions": {"time_range": {"start": "25:00", "end": "06:00"}}}),
        "trigger.conditions.time_range.start",
    ),
    (body(trigger={"type": "time"}), "trigger.at"),
    (body(trigger={"type": "time", "at": "7:00"}), "trigger.at"),
    (body(trigger={"type": "time", "at": "07:00", "days": []}), "trigger.days"),
    (body(trigger={"type": "time", "at": "07:00", "days": ["monday"]}), "trigger.days"),
    (body(trigger={"type": "time", "at": "07:00", "event_type": "door_open"}), "trigger.event_type"),
    (body(trigger={"type": "sun", "event": "noon"}), "trigger.event"),
    (body(trigger={"type": "sun", "event": "sunset", "offset_minutes": 181}), "trigger.offset_minutes"),
    (body(trigger={"type": "sun", "event": "sunset", "offset_minutes": True}), "trigger.offset_minutes"),
    (body(trigger={"type": "once"}), "trigger.at"),
    (body(trigger={"type": "once", "at": "2026-05-01T07:00Z", "in_minutes": 5}), "trigger.at"),
    (body(trigger={"type": "once", "at": "tomorrow"}), "trigger.at"),
    (body(trigger={"type": "once", "at": "2026-05-01T07:00"}), "trigger.at"),  # in which zone?
    (body(trigger={"type": "once", "in_minutes": 0}), "trigger.in_minutes"),
    (body(trigger={"type": "once", "in_minutes": float("inf")}), "trigger.in_minutes"),
    (body(trigger={"type": "once", "in_minutes": 10**9}), "trigger.in_minutes"),
    (body(trigger={"type": "home_state"}), "trigger.mode"),
    (body(trigger={"type": "home_state", "mode": "asleep"}), "trigger.mode"),
    (body(trigger={"type": "home_state", "arm_state": []}), "trigger.arm_state"),
    (body(conditions=[{"type": "days", "days": "someday"}]), "conditions[0].days"),
    (body(conditions=[{"type": "sun"}]), "conditions[0].after"),
    (body(conditions=[{"type": "sun", "after": "dusk"}]), "conditions[0].after"),
    (
        body(
            trigger={"type": "time", "at": "07:00"},
            conditions=[{"type": "value_compare", "field": "x", "operator": "gt", "value": 1}],
        ),
        "conditions[0].type",
    ),
    (body(actions=[{"type": "delay", "seconds": 0}, NOTIFY]), "actions[0].seconds"),
    (body(actions=[{"type": "delay", "seconds": 86_401}, NOTIFY]), "actions[0].seconds"),
    (body(actions=[{"type": "delay", "minutes": 1}, NOTIFY]), "actions[0].minutes"),
    (body(conditions={}), "conditions"),
    (body(conditions=["x"]), "conditions[0]"),
    (body(conditions=[{"type": "moon"}]), "conditions[0].type"),
    (body(conditions=[{"type": "time_range", "start": "9:00", "end": "10:00"}]), "conditions[0].start"),
    (body(conditions=[{"type": "time_range", "start": "09:00"}]), "conditions[0].end"),
    (body(conditions=[{"type": "mode", "mode": []}]), "conditions[0].mode"),
    (body(conditions=[{"type": "arm_state", "arm_state": 3}]), "conditions[0].arm_state"),
    (body(conditions=[{"type": "device_state", "attribute": "on", "value": True}]), "conditions[0].device_id"),
    (
        body(conditions=[{"type": "device_state", "device_id": "d", "attribute": "on", "value": {}}]),
        "conditions[0].value",
    ),
    (
        body(conditions=[{"type": "value_compare", "field": "x", "operator": "like", "value": 1}]),
        "conditions[0].operator",
    ),
    (body(conditions=[{"type": "value_compare", "field": "x", "operator": "gt", "value": "1"}]), "conditions[0].value"),
    (
        body(conditions=[{"type": "value_compare", "field": "x", "operator": "gt", "value": 10**400}]),
        "conditions[0].value",
    ),
    (body(actions=...), "actions"),
    (body(actions=[]), "actions"),
    (body(actions=[NOTIFY] * 21), "actions"),
    (body(actions=[{"type": "webhook", "url": "http://x"}]), "actions[0].type"),
    (body(actions=[NOTIFY, {"type": "delay", "seconds": 5}]), "actions[1].type"),
    (body(actions=[{"type": "notification"}]), "actions[0].message"),
    (body(actions=[{**NOTIFY, "channel": "sms"}]), "actions[0].channel"),
    (body(actions=[{"type": "device_command", "device_id": "lamp"}]), "actions[0].command"),
    (
        body(actions=[{"type": "device_command", "device_id": "l", "command": "c", "parameters": {"a": {}}}]),
        "actions[0].parameters.a",
    ),
]


@pytest.mark.parametrize(("bad", "field"), BAD, ids=range(len(BAD)))
def test_a_bad_shape_is_refused_with_the_path_of_the_part(bad, field):
    with pytest.raises(InvalidInput) as refused:
        parse(bad, home_id="h1", automation_id="a1")
    assert refused.value.details["field"] == field


HERE = Home(id="h1", name="Home", time_zone="America/New_York", latitude=40.7128, longitude=-74.006)


def test_rules_by_the_clock_are_read_into_their_normal_form():
    def trigger(given):
        now = datetime(2026, 5, 1, 12, tzinfo=NEW_YORK)
        return parse(body(trigger=given), home_id="h1", automation_id="a1", home=HERE, home_now=now).trigger

    at = {"type": "time", "at": "07:00"}
    assert trigger(at) == at
    assert trigger({**at, "days": ["sun", "fri", "fri"]}) == {**at, "days": ["fri", "sun"]}
    assert trigger({**at, "days": ["weekdays"]}) == {**at, "days": ["mon", "tue", "wed", "thu", "fri"]}
    assert trigger({**at, "days": ["weekend", "weekdays"]}) == at
    sun = {"type": "sun", "event": "sunset"}
    assert trigger({**sun, "offset_minutes": 0}) == sun
    assert trigger({**sun, "offset_minutes": -30.0}) == {**sun, "offset_minutes": -30}
    once = {"type": "once", "at": "2026-05-01T21:00:00.000Z"}
    assert trigger({"type": "once", "at": "2026-05-01T17:00"}) == once
    assert trigger({"type": "once", "at": "2026-05-01T23:00:00+02:00"}) == once
    assert trigger({"type": "once", "in_minutes": 10}) == {"type": "once", "in_minutes": 10}
    assert trigger({"type": "home_state", "mode": ["away"]}) == {"type": "home_state", "mode": ["away"]}


@pytest.mark.parametrize("at", ["2026-05-01T12:00", "2026-05-01T11:59", "2027-06-01T12:00"])
def test_a_moment_lies_ahead_and_not_farther_than_a_year(at):
    given = body(trigger={"type": "once", "at": at})
    with pytest.raises(InvalidInput) as refused:
        parse(given, home_id="h1", automation_id="a1", home=HERE, home_now=datetime(2026, 5, 1, 12, tzinfo=NEW_YORK))
    assert refused.value.details["field"] == "trigger.at"


def test_minutes_that_are_to_pass_become_a_moment():
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert settled({"type": "once", "in_minutes": 0.5}, now) == {"type": "once", "at": "2026-05-01T12:00:30.000Z"}
    assert settled(TRIGGER, now) is TRIGGER


def test_the_mode_that_the_home_comes_to_sets_it_off():
    rule = read(trigger={"type": "home_state", "mode": ["away", "vacation"], "arm_state": "armed"})

    def became(mode, arm_state):
        return fires(rule, event=happened("mode_changed", "", mode=mode, arm_state=arm_state))

    assert became("away", "armed_away")
    assert became("vacation", "armed_night")
    assert not became("away", "disarmed")
    assert not became("sleep", "armed_night")
    assert not became("away", "nonsense")
    assert not fires(rule)


@pytest.mark.parametrize(
    ("condition", "local", "holds"),
    [
        ({"after": "sunset", "before": "sunrise"}, "2026-05-01T23:00", True),
        ({"after": "sunset", "before": "sunrise"}, "2026-05-01T04:00", True),
        ({"after": "sunset", "before": "sunrise"}, "2026-05-01T12:00", False),
        ({"after": "sunset"}, "2026-05-01T19:50", False),  # the sun sets at 19:52
        ({"after": "sunset"}, "2026-05-01T19:55", True),
        ({"after": "sunset", "offset_minutes": -30}, "2026-05-01T19:30", True),
        ({"after": "sunrise", "before": "sunset"}, "2026-05-01T12:00", True),
        ({"before": "sunrise"}, "2026-05-01T06:10", False),
        ({"before": "sunrise"}, "2026-05-01T05:30", True),
    ],
)
def test_where_the_sun_stands(condition, local, holds):
    rule = read(trigger={"type": "time", "at": "07:00"}, conditions=[{"type": "sun", **condition}])
    there = datetime.fromisoformat(local).replace(tzinfo=NEW_YORK)
    assert conditions_hold(rule, {}, HERE, there) is holds
    assert not conditions_hold(rule, {}, replace(HERE, latitude=None), there)


@pytest.mark.parametrize(("month", "is_night"), [(6, False), (12, True)])
def test_where_it_neither_rises_nor_sets_it_is_all_day_or_all_night(month, is_night):
    north = replace(HERE, time_zone="Europe/Oslo", latitude=69.65, longitude=18.96)
    noon = datetime(2026, month, 21, 12, tzinfo=ZoneInfo("Europe/Oslo"))
    night = read(conditions=[{"type": "sun", "after": "sunset", "before": "sunrise"}])
    day = read(conditions=[{"type": "sun", "after": "sunrise", "before": "sunset"}])
    assert conditions_hold(night, {}, north, noon) is is_night
    assert conditions_hold(day, {}, north, noon) is not is_night


def test_days_are_those_of_the_home():
    weekend = read(conditions=[{"type": "days", "days": ["weekend"]}])
    assert fires(weekend, local=datetime(2026, 5, 2, 0, 0))
    assert not fires(weekend, local=datetime(2026, 5, 1, 23, 59))


def test_what_comes_later_is_refused_with_these_words():
    with pytest.raises(InvalidInput, match="'webhook' comes later"):
        read(actions=[{"type": "webhook", "url": "https://example.com"}])


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


PARTS = st.sampled_from(["at", "days", "event", "offset_minutes", "in_minutes", "mode", "arm_state", "after", "before"])
SAID = ANY | st.sampled_from(["07:00", "sunset", "weekdays", "2026-05-01T07:00", "9999-12-31T23:59:59-14:00", 10**400])


@given(st.sampled_from(["time", "sun", "once", "home_state"]), st.dictionaries(PARTS, SAID, max_size=3), st.booleans())
def test_whatever_is_said_of_a_time_is_read_or_refused(kind, said, with_home):
    known = {"home": HERE, "home_now": datetime(2026, 4, 1, tzinfo=UTC)} if with_home else {}
    given_ = body(trigger={"type": kind, **said}, conditions=[{"type": "sun", **said}, {"type": "days", **said}])
    for wanted in (given_, {**given_, "conditions": []}):
        try:
            automation = parse(wanted, home_id="h1", automation_id="a1", **known)
        except InvalidInput:
            continue
        json.dumps(automation.trigger, allow_nan=False)
        if kind != "home_state":
            now = datetime(2026, 4, 1, tzinfo=UTC)
            next_after(settled(automation.trigger, now), now, HERE)


@given(
    st.dictionaries(st.sampled_from(["name", "trigger", "conditions", "actions", "enabled"]), ANY)
    | st.builds(lambda c, a: body(conditions=[{"type": "value_compare", **c}], actions=[{**NOTIFY, **a}]),
                st.dictionaries(st.sampled_from(["field", "operator", "value"]), ANY),
                st.dictionaries(st.sampled_from(["type", "message", "channel"]), ANY))
)  # fmt: skip
def test_any_object_is_read_or_is_invalid_input(given_body):
    try:
        automation = parse(given_body, home_id="h1", automation_id="a1")
    except InvalidInput:
        return
    fires(automation)


def test_the_version_follows_what_a_rule_does_not_what_it_is_called():
    one = read()
    assert read(name="Other", enabled=False).version == one.version
    assert read(actions=[{**NOTIFY, "message": "bye"}]).version != one.version
    assert len(one.version) == 16
    assert json.loads(json.dumps(one.trigger)) == one.trigger


def test_a_rule_waits_for_its_event_of_its_device_while_it_is_enabled():
    assert fires(read())
    assert not fires(read(enabled=False))
    assert not fires(read(), event=happened("door_closed"))
    assert not fires(read(), event=happened(device_id="window"))
    assert fires(read(trigger={"type": "device_event", "event_type": "door_open"}), event=happened(device_id="any"))


@pytest.mark.parametrize(
    ("clock", "inside"),
    [("21:59", False), ("22:00", True), ("23:59", True), ("00:00", True), ("05:59", True), ("06:00", False)],
)
def test_a_range_across_midnight_holds_its_start_and_not_its_end(clock, inside):
    hour, minute = map(int, clock.split(":"))
    night = read(conditions=[{"type": "time_range", "start": "22:00", "end": "06:00"}])

    assert fires(night, local=datetime(2026, 3, 10, hour, minute, 59)) is inside
    assert in_time_range("06:00", "22:00", datetime(2026, 3, 10, hour, minute)) is not inside
    assert in_time_range("08:00", "08:00", datetime(2026, 3, 10, hour, minute))


def test_a_range_is_on_the_wall_clock_on_the_days_when_it_is_changed():
    early = read(conditions=[{"type": "time_range", "start": "02:00", "end": "03:30"}])

    def at(*utc):
        return datetime(*utc, tzinfo=UTC).astimezone(NEW_YORK)

    # 8 March 2026: 01:59 EST is followed by 03:00 EDT.
    assert not fires(early, local=at(2026, 3, 8, 6, 59))
    assert fires(early, local=at(2026, 3, 8, 7, 0))
    assert not fires(early, local=at(2026, 3, 8, 7, 30))
    # 1 November 2026: 01:30 comes twice, at 05:30 and at 06:30 UTC.
    twice = read(conditions=[{"type": "time_range", "start": "01:00", "end": "02:00"}])
    assert [fires(twice, local=at(2026, 11, 1, hour, 30)) for hour in (4, 5, 6, 7)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("eq", 21, True), ("eq", 21.5, False), ("ne", 20, True), ("gt", 20.9, True), ("gt", 21, False),
        ("lt", 21, False), ("gte", 21, True), ("lte", 21, True), ("eq", True, False), ("eq", "21", False),
    ],
)  # fmt: skip
def test_numbers_are_compared_by_value_and_never_with_other_kinds(operator, value, holds):
    rule = read(conditions=[{"type": "value_compare", "field": "level", "operator": operator, "value": value}])
    assert fires(rule, event=happened(level=21)) is holds


@pytest.mark.parametrize(
    ("payload", "condition", "holds"),
    [
        ({"who": "Mom and Dad"}, {"field": "who", "operator": "contains", "value": "mom"}, True),
        ({"tags": ["a", "b"]}, {"field": "tags", "operator": "contains", "value": "b"}, True),
        ({"tags": 5}, {"field": "tags", "operator": "contains", "value": 5}, False),
        ({"a": {"b": {"c": 1}}}, {"field": "a.b.c", "value": 1}, True),
        ({"metrics": {"temperature": 30}}, {"field": "temperature", "operator": "gt", "value": 25}, True),
        ({}, {"field": "absent", "operator": "ne", "value": 1}, False),
        ({"on": 1}, {"field": "on", "value": True}, False),
    ],
)
def test_fields_of_the_event_are_found_by_path(payload, condition, holds):
    rule = read(conditions=[{"type": "value_compare", **condition}])
    assert fires(rule, event=happened(**payload)) is holds


def test_states_modes_and_arm_states_must_all_hold():
    rule = read(
        conditions=[
            {"type": "device_state", "device_id": "lamp", "attribute": "on", "value": False},
            {"type": "mode", "mode": ["away", "vacation"]},
            {"type": "arm_state", "arm_state": "armed"},
        ]
    )
    good = {"mode": "away", "arm_state": "armed_away", "lamp": {"on": False}}

    assert fires(rule, **good)
    assert not fires(rule, **{**good, "lamp": {"on": True}})
    assert not fires(rule, **{**good, "lamp": {}})
    assert not fires(rule, **{**good, "mode": "home"})
    assert not fires(rule, **{**good, "arm_state": "disarmed"})
    assert not fires(rule, mode="away", arm_state="armed_away")


LAMP = Device(home_id="h1", id="lamp", name="Lamp", type="light", capabilities=("on_off", "brightness"), area="Hall")
DOOR = Device(home_id="h1", id="door", name="Door", type="contact", capabilities=("contact",))


def test_a_rule_compiles_to_the_effects_of_its_commands():
    dim = {"type": "device_command", "device_id": "lamp", "command": "set_brightness"}
    rule = read(actions=[NOTIFY, {**dim, "parameters": {"brightness_pct": 30}}])

    assert compile(rule, [LAMP, DOOR]) == (
        Effect(
            kind="device",
            device_id="lamp",
            device_name="Lamp",
            device_type="light",
            area="Hall",
            command="set_brightness",
            parameters={"brightness_pct": 30},
            set={"brightness_pct": 30, "on": True},
        ),
    )


def test_a_rule_about_what_the_home_lacks_does_not_compile():
    fly = {"type": "device_command", "device_id": "lamp", "command": "fly"}
    with pytest.raises(DeviceNotFound) as absent:
        compile(read(), [LAMP])
    with pytest.raises(InvalidInput) as wrong:
        compile(read(actions=[NOTIFY, fly]), [LAMP, DOOR])

    assert absent.value.details["field"] == "trigger.device_id"
    assert (wrong.value.code, wrong.value.details["field"]) == ("COMMAND_NOT_SUPPORTED", "actions[1].command")


def test_modes_bring_their_arm_state_and_lowering_is_seen():
    assert {m: arm_state_of(m) for m in MODES} == {
        "home": "disarmed", "away": "armed_away", "vacation": "armed_away", "party": "armed_home",
        "sleep": "armed_night",
    }  # fmt: skip
    assert lowers("armed_away", "disarmed")
    assert lowers("armed_away", "armed_home")
    assert lowers("triggered", "disarmed")
    assert not lowers("disarmed", "armed_away")
    assert not lowers("armed_night", "armed_away")
    for now in ARM_STATES:
        assert can_follow(now, now)
        assert can_follow(now, "disarmed")
        assert not lowers(now, now)
    assert not can_follow("disarmed", "pending")


@pytest.mark.parametrize(
    ("event_type", "arm_state", "mode", "kind"),
    [
        ("smoke_detected", "disarmed", "home", "smoke"),
        ("glass_break", "disarmed", "party", "glass_break"),
        ("door_open", "disarmed", "home", None),
        ("door_open", "armed_night", "sleep", "door_open"),
        ("window_open", "armed_home", "party", "window_open"),
        ("door_open", "armed_home", "party", None),
        ("garage_open", "armed_away", "away", "door_open"),
        ("motion_detected", "armed_away", "vacation", "motion"),
        ("motion_detected", "armed_night", "sleep", None),
        ("motion_detected", "disarmed", "away", None),
        ("door_open", "arming", "away", None),
        ("door_closed", "armed_away", "away", None),
        ("smoke_cleared", "armed_away", "away", None),
    ],
)
def test_what_is_an_alarm_depends_on_the_homes_state(event_type, arm_state, mode, kind):
    assert alarm_of(event_type, arm_state, mode) == kind


def test_a_faint_glass_break_is_graver_once_another_device_confirms_it():
    assert severity_of("glass_break", strength=0.3) == "high"
    assert severity_of("glass_break", strength=0.92) == "critical"
    assert severity_of("glass_break") == "critical"
    assert severity_of("motion") == "high"
    assert severity_of("motion", is_corroborated=True) == "critical"
    assert severity_of("water_leak", is_corroborated=True) == "high"
