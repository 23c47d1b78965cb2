"""What goes into the spool comes out the same."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeguard.model import (
    Alert,
    Automation,
    Command,
    Confirmation,
    Device,
    Effect,
    Hardware,
    LiveState,
    Message,
    Notice,
)
from homeguard.stores.guarded.audit import Line
from homeguard.stores.guarded.codec import decode, encode
from homeguard.stores.guarded.conversations import Said

texts = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
values = st.booleans() | numbers | texts
plain = st.recursive(
    st.none() | values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
objects = st.dictionaries(texts, plain, max_size=4)
attributes = st.dictionaries(texts, values, max_size=4)
times = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
maybe_times = st.none() | times
ids = st.lists(texts, max_size=3).map(tuple)

leaves = st.builds(
    Effect, kind=texts, parameters=objects, set=attributes, before=attributes, device_id=texts, contains=st.just(())
)
effects = st.recursive(
    leaves, lambda inner: st.builds(Effect, kind=texts, contains=st.lists(inner, max_size=2).map(tuple))
)
commands = st.builds(
    Command, id=texts, home_id=texts, device_id=texts, command=texts, parameters=objects, set=attributes,
    before=attributes, tier=st.integers(0, 4), caller=st.just("agent"), user_id=texts, cause=texts, requested_at=times,
    not_after=times, outcome=st.sampled_from(["pending", "confirmed"]), reason=texts, finished_at=maybe_times,
    grant_id=texts,
)  # fmt: skip
confirmations = st.builds(
    Confirmation, id=texts, home_id=texts, user_id=texts, text=texts, detail=texts, tier=st.just(3),
    effects=st.lists(effects, max_size=2).map(tuple), created_at=times, expires_at=times, caller=st.just("person"),
    decided_at=maybe_times, outcome=st.lists(objects, max_size=2).map(tuple),
)  # fmt: skip
messages = st.builds(
    Message, id=texts, home_id=texts, user_id=texts, thread_id=texts, turn_id=texts, role=st.just("user"), text=texts,
    at=times, calls=st.lists(objects, max_size=2).map(tuple), commands=st.just(()), confirmations=ids,
)  # fmt: skip
devices = st.builds(
    Device, home_id=texts, id=texts, name=texts, type=texts, capabilities=ids, aliases=ids,
    hardware=st.none() | st.builds(Hardware, id=texts, vendor=texts), config=objects, binding=objects,
    created_at=maybe_times,
)  # fmt: skip
automations = st.builds(
    Automation, id=texts, home_id=texts, name=texts, trigger=objects, actions=st.lists(objects, max_size=2).map(tuple),
    approved=ids, created_at=maybe_times,
)  # fmt: skip
alerts = st.builds(
    Alert, id=texts, home_id=texts, at=times, kind=texts, severity=st.just("high"), title=texts, text=texts,
    event_ids=ids, is_simulated=st.booleans(),
)  # fmt: skip
notices = st.builds(
    Notice, id=texts, home_id=texts, at=times, channel=texts, recipient=texts, priority=st.just("high"), title=texts,
    text=texts, delivered_at=maybe_times,
)  # fmt: skip
states = st.builds(
    LiveState, home_id=texts, device_id=texts, attributes=attributes,
    changed_at=st.dictionaries(texts, times, max_size=3), available=st.booleans(), last_seen_at=maybe_times,
)  # fmt: skip
lines = st.builds(Line, home_id=texts, at=times, actor=texts, action=texts, decision=texts, rule=texts, detail=objects)
sayings = st.builds(
    Said, home_id=texts, messages=st.lists(messages, max_size=2).map(tuple), clear=st.booleans(), user_id=texts,
    thread_id=texts,
)  # fmt: skip


def shape(value):
    """The value with the types of everything in it: `1 == 1.0 == True`, but they are three things."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [shape(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return type(value), {name: shape(getattr(value, name)) for name in value.__dataclass_fields__}
    return type(value), value


@given(
    st.one_of(alerts, automations, commands, confirmations, devices, effects, lines, messages, notices, sayings, states)
)
def test_every_value_comes_back_the_same_to_the_last_type(value):
    text = encode(value)
    text.encode("ascii")
    assert shape(decode(type(value), text)) == shape(value)


def test_a_time_of_another_zone_comes_back_as_the_same_moment_in_utc():
    at = datetime(2026, 3, 29, 3, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    line = Line(home_id="h", at=at, actor="a", action="b", decision="c", rule="d", detail={})
    back = decode(Line, encode(line))
    assert back.at == at
    assert back.at.tzinfo is UTC


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_refused_rather_than_changed(number):
    with pytest.raises(ValueError):
        encode(LiveState(home_id="h", device_id="d", attributes={"x": number}))


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), {1: "one"}])
def test_what_is_not_ours_is_refused(value):
    with pytest.raises(TypeError):
        encode({"a": value} if not isinstance(value, dict) else value)


def test_fields_of_a_newer_program_are_passed_over_and_absent_ones_have_their_defaults():
    text = '{"home_id":"h","device_id":"d","colour":"red"}'
    assert decode(LiveState, text) == LiveState(home_id="h", device_id="d")
