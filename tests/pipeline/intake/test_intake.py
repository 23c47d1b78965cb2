"""What may come in: every bound with its code, nothing written for what is refused, batches item by item."""

import contextlib
import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipeline_fakes import NOW, ManualClock, MemoryLog, device, event, furnish

from homeguard.clock import HomeClocks, iso
from homeguard.errors import DeviceNotFound, HomeGuardError, HomeMismatch, InvalidInput, Overloaded, PayloadTooLarge
from homeguard.ports.log import ALERTS, DEAD_LETTERS, EVENTS, HEARTBEATS, Record
from pipeline.envelope import decode, encode
from pipeline.intake.bounds import MAX_BODY_BYTES, check
from pipeline.intake.intake import Intake, Origin
from pipeline.topics import topic_of

HTTP = Origin(home_id="h1", source="http", user_id="u1")


class OneHome:
    """A device store of one home, in memory; `asked` counts the questions."""

    def __init__(self, *device_ids: str) -> None:
        self.devices = {d: device(d, "motion") for d in device_ids}
        self.asked = 0

    async def put(self, devices):
        self.devices.update({d.id: d for d in devices})

    async def get(self, home_id, device_id):
        self.asked += 1
        return self.devices.get(device_id) if home_id == "h1" else None

    async def of_home(self, home_id):
        self.asked += 1
        return list(self.devices.values()) if home_id == "h1" else []

    async def delete(self, home_id, device_id):
        return self.devices.pop(device_id, None) is not None

    async def by_device_id(self, device_id):
        return [d for d in self.devices.values() if d.id == device_id]


@pytest.fixture
def devices() -> OneHome:
    return OneHome("hall_motion", "door")


@pytest.fixture
def intake(log: MemoryLog, devices: OneHome, clock: ManualClock, clocks: HomeClocks) -> Intake:
    return Intake(log=log, devices=devices, clock=clock, clocks=clocks)


def sent(**changes: object) -> dict[str, object]:
    body = {
        "event_id": "e1",
        "device_id": "hall_motion",
        "event_type": "motion_detected",
        "timestamp": iso(NOW),
        "payload": {"intensity": 0.85},
    }
    body.update(changes)
    return {k: v for k, v in body.items() if v is not ...}


def raw(**changes: object) -> bytes:
    return json.dumps(sent(**changes)).encode()


def deep(levels: int) -> object:
    node: object = 1
    for _ in range(levels):
        node = [node]
    return node


BAD = [
    (b"", "INVALID_INPUT", "body"),
    (b"null", "INVALID_INPUT", "body"),
    (b"7", "INVALID_INPUT", "body"),
    (b"{", "INVALID_INPUT", "body"),
    (b"[{]", "INVALID_INPUT", "body"),
    (b"\xff\xfe", "INVALID_INPUT", "body"),
    (b'{"a": "\xff"}', "INVALID_INPUT", "body"),
    (raw() + b"x", "INVALID_INPUT", "body"),
    (b"[" * 100_000, "INVALID_INPUT", "body"),
    (raw(payload={"n": "NUMBER"}).replace(b'"NUMBER"', b"NaN"), "INVALID_INPUT", "body"),
    (raw(payload={"n": "NUMBER"}).replace(b'"NUMBER"', b"Infinity"), "INVALID_INPUT", "body"),
    (raw(payload={"n": "NUMBER"}).replace(b'"NUMBER"', b"1e999"), "INVALID_INPUT", "body"),
    (raw(payload={"n": "NUMBER"}).replace(b'"NUMBER"', b"-1e999"), "INVALID_INPUT", "body"),
    (raw(payload={"n": 10**400}), "INVALID_INPUT", "payload"),
    (raw(payload={"n": "a\0b"}), "INVALID_INPUT", "payload"),
    (raw(payload={"a\0b": 1}), "INVALID_INPUT", "payload"),
    (raw(payload={"n": "\ud800"}), "INVALID_INPUT", "body"),
    (raw(payload={"n": "\udc00"}), "INVALID_INPUT", None),
    (raw(payload={"n": deep(31)}), "INVALID_INPUT", "payload"),
    (raw(payload={"n": "DEEP"}).replace(b'"DEEP"', b"[" * 9000 + b"]" * 9000), "INVALID_INPUT", "body"),
    (raw(payload={f"k{i}": i for i in range(252)}), "INVALID_INPUT", "payload"),
    (raw(payload={"n": "x" * 65536}), "PAYLOAD_TOO_LARGE", None),
    (b" " * (MAX_BODY_BYTES + 1), "PAYLOAD_TOO_LARGE", None),
    (raw(surprise=1), "INVALID_INPUT", "surprise"),
    (raw(metadata={"surprise": 1}), "INVALID_INPUT", "metadata.surprise"),
    (raw(metadata={"signal_strength": "strong"}), "INVALID_INPUT", "metadata.signal_strength"),
    (raw(metadata={"firmware_version": "9" * 129}), "INVALID_INPUT", "metadata.firmware_version"),
    (raw(payload=[]), "INVALID_INPUT", "payload"),
    (raw(payload=None), "INVALID_INPUT", "payload"),
    (raw(payload="x"), "INVALID_INPUT", "payload"),
    (raw(event_id=1), "INVALID_INPUT", "event_id"),
    (raw(event_id=""), "INVALID_INPUT", "event_id"),
    (raw(event_id="x" * 129), "INVALID_INPUT", "event_id"),
    (raw(event_id="a\u202eb"), "INVALID_INPUT", "event_id"),
    (raw(device_id=1), "INVALID_INPUT", "device_id"),
    (raw(device_id=...), "INVALID_INPUT", "device_id"),
    (raw(device_id=""), "INVALID_INPUT", "device_id"),
    (raw(device_id="nobody"), "DEVICE_NOT_FOUND", "device_id"),
    (raw(event_type=...), "INVALID_INPUT", "event_type"),
    (raw(event_type="earthquake"), "INVALID_INPUT", "event_type"),
    (raw(event_type="alert_raised"), "INVALID_INPUT", "event_type"),
    (raw(event_type="arm_state_changed"), "INVALID_INPUT", "event_type"),
    (raw(home_id="h2"), "HOME_MISMATCH", "home_id"),
    (raw(user_id="u2"), "HOME_MISMATCH", "user_id"),
    (raw(timestamp="yesterday"), "INVALID_INPUT", "timestamp"),
    (raw(timestamp=True), "INVALID_INPUT", "timestamp"),
    (raw(timestamp={}), "INVALID_INPUT", "timestamp"),
    (raw(timestamp=1e300), "INVALID_INPUT", "timestamp"),
    (raw(timestamp=-(10**14)), "INVALID_INPUT", "timestamp"),
    (raw(timestamp=10**40), "INVALID_INPUT", "timestamp"),
    (raw(timestamp=iso(NOW + timedelta(hours=24, milliseconds=1))), "OUT_OF_RANGE", "timestamp"),
    (raw(ts=1), "INVALID_INPUT", "ts"),
    (raw(metrics={"temperature": 20}), "INVALID_INPUT", "metrics"),
    (raw(metrics={"temperature": 20}, payload=...), "INVALID_INPUT", "event_type"),
    (raw(metrics=[1], payload=..., event_type=...), "INVALID_INPUT", "metrics"),
    (raw(metrics={}, payload=..., event_type=..., ts=1), "INVALID_INPUT", "ts"),
]


@pytest.mark.parametrize(("body", "code", "field"), BAD, ids=range(len(BAD)))
async def test_what_is_out_of_bounds_is_refused_with_its_code_and_nothing_is_written(intake, log, body, code, field):
    with pytest.raises(HomeGuardError) as refused:
        await intake.receive(body, HTTP)

    assert refused.value.code == code
    assert 400 <= refused.value.status < 500
    if field is not None:
        assert refused.value.details["field"] == field
    assert not log.topics


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": {"n": deep(30)}},
        {"payload": {f"k{i}": i for i in range(251)}},
        {"payload": {"n": "x" * 65_000}},
        {"payload": {"n": 1e308, "m": -0.0, "k": 2**63}},
        {"payload": {"n": "\U0001f600 \u00e9"}},
        {"payload": ...},
        {"event_id": ...},
        {"event_id": "x" * 128},
        {"home_id": "h1"},
        {"user_id": "u1"},
        {"user_id": "h1"},
        {"timestamp": ...},
        {"timestamp": iso(NOW + timedelta(hours=24))},
        {"timestamp": "2011-11-28T02:27:59"},
        {"timestamp": 0},
        {"metadata": None},
    ],
)
async def test_what_is_just_within_the_bounds_is_taken(intake, log, changes):
    receipt = await intake.receive(raw(**changes), HTTP)

    assert (receipt.accepted, receipt.rejected, receipt.is_single) == (1, (), True)
    assert [decode(r).event_id for r in log.topics[EVENTS]] == list(receipt.event_ids)


async def test_a_sent_event_is_the_event_that_comes_out_of_the_log(intake, log):
    body = raw(metadata={"firmware_version": "1.2.3", "signal_strength": -45, "is_simulated": True})

    await intake.receive(body, HTTP)

    (record,) = log.topics[EVENTS]
    assert record.key == "h1/hall_motion"
    got = decode(record)
    assert (got.event_id, got.home_id, got.user_id, got.device_id) == ("e1", "h1", "u1", "hall_motion")
    assert (got.at, got.received_at, got.source, got.trust, got.lane) == (NOW, NOW, "http", "device", "state")
    assert got.payload == {"intensity": 0.85}
    assert (got.metadata.firmware_version, got.metadata.signal_strength) == ("1.2.3", -45)
    assert got.metadata.is_simulated


async def test_the_payload_stays_in_the_log_byte_for_byte(intake, log):
    payload = b'{ "b":1.10,  "a" : "\\u00e9", "a":2e0 }'

    await intake.receive(raw(payload="P").replace(b'"P"', payload), HTTP)

    assert payload in log.topics[EVENTS][0].value


@pytest.mark.parametrize(
    "ts", [NOW.timestamp(), NOW.timestamp() * 1000, iso(NOW), "2026-03-10T08:00:00-04:00", "2026-03-10T12:00:00"]
)
async def test_times_are_iso_seconds_or_milliseconds(intake, log, ts):
    await intake.receive(raw(timestamp=ts), HTTP)

    assert decode(log.topics[EVENTS][0]).at == NOW


async def test_the_short_form_of_a_telemetry_becomes_a_telemetry_event(intake, log):
    body = {"device_id": "door", "ts": int(NOW.timestamp() * 1000), "metrics": {"temperature": 21.5, "humidity": 40}}

    await intake.receive(json.dumps(body).encode(), HTTP)

    got = decode(log.topics[EVENTS][0])
    assert (got.event_type, got.at, got.lane) == ("telemetry", NOW, "bulk")
    assert got.payload == {"metrics": {"temperature": 21.5, "humidity": 40}}


async def test_a_batch_is_judged_item_by_item(intake, log):
    items = [sent(event_id="a"), sent(device_id="nobody"), 7, sent(event_id="b", home_id="h2"), sent(event_id="c")]

    receipt = await intake.receive(json.dumps(items).encode(), HTTP)

    assert receipt.accepted == 2
    assert receipt.event_ids == ("a", "c")
    assert not receipt.is_single
    assert [(r.index, r.code, r.field) for r in receipt.rejected] == [
        (1, "DEVICE_NOT_FOUND", "device_id"),
        (2, "INVALID_INPUT", "body"),
        (3, "HOME_MISMATCH", "home_id"),
    ]
    assert [decode(r).event_id for r in log.topics[EVENTS]] == ["a", "c"]


async def test_a_batch_of_which_nothing_is_good_is_still_answered(intake, log):
    receipt = await intake.receive(b"[1, 2]", HTTP)

    assert (receipt.accepted, len(receipt.rejected)) == (0, 2)
    assert not log.topics


async def test_each_line_of_ndjson_is_an_item_and_a_broken_line_is_one_rejection(intake):
    body = raw(event_id="a") + b"\n\n{broken\n" + raw(event_id="b") + b"\r\n"

    receipt = await intake.receive(body, HTTP, ndjson=True)

    assert receipt.event_ids == ("a", "b")
    assert [(r.index, r.code) for r in receipt.rejected] == [(1, "INVALID_INPUT")]
    assert not receipt.is_single


async def test_more_than_ten_thousand_items_are_too_many(intake, log):
    with pytest.raises(PayloadTooLarge):
        await intake.receive(b"[" + b",".join([b"1"] * 10_001) + b"]", HTTP)
    assert not log.topics


async def test_nothing_is_taken_when_the_log_is_full(intake, log):
    log.fails = [Overloaded("full", retry_after_s=1)]

    with pytest.raises(Overloaded):
        await intake.receive(raw(), HTTP)
    assert not log.topics


async def test_a_device_token_speaks_for_its_device_only_and_needs_not_name_it(intake, log):
    mine = Origin(home_id="h1", source="http", device_id="door")

    await intake.receive(raw(device_id=..., event_type="door_open"), mine)
    with pytest.raises(DeviceNotFound):
        await intake.receive(raw(device_id="hall_motion"), mine)

    assert [decode(r).device_id for r in log.topics[EVENTS]] == ["door"]


async def test_a_home_that_is_not_the_callers_stays_foreign_even_with_its_device_id(intake):
    with pytest.raises(DeviceNotFound):
        await intake.receive(raw(), Origin(home_id="h2", source="http"))
    with pytest.raises(HomeMismatch):
        await intake.receive(raw(home_id="h1"), Origin(home_id="h2", source="http"))


async def test_known_devices_are_asked_for_once_and_forgotten_on_demand(intake, devices):
    for _ in range(5):
        await intake.receive(raw(), HTTP)
    assert devices.asked == 1

    await devices.delete("h1", "hall_motion")
    intake.forget_devices("h1")
    with pytest.raises(DeviceNotFound):
        await intake.receive(raw(), HTTP)


async def test_a_device_that_joined_later_is_found(intake, devices, log):
    await intake.receive(raw(), HTTP)
    await devices.put([device("new_one", "motion")])

    await intake.receive(raw(device_id="new_one"), HTTP)

    assert len(log.topics[EVENTS]) == 2


async def test_a_replay_creates_the_devices_that_it_speaks_of(intake, devices):
    replay = Origin(home_id="h1", source="replay", may_create_devices=True)

    await intake.receive(raw(device_id="attic_door", event_type="door_open"), replay)

    made = devices.devices["attic_door"]
    assert (made.type, made.name, made.home_id) == ("contact", "Attic Door", "h1")


async def test_what_a_scenario_injects_is_marked_simulated(intake, log):
    await intake.receive(raw(), Origin(home_id="h1", source="scenario"))

    assert decode(log.topics[EVENTS][0]).metadata.is_simulated


async def test_the_future_is_judged_by_the_later_of_the_two_clocks(intake, clocks):
    clocks.set("h1", NOW - timedelta(days=600))
    await intake.receive(raw(), HTTP)
    clocks.set("h1", NOW + timedelta(days=600))
    await intake.receive(raw(timestamp=iso(NOW + timedelta(days=600))), HTTP)


async def test_events_go_to_their_topics(intake, log):
    await intake.receive(raw(event_type="heartbeat"), HTTP)
    await intake.submit([event("alert_raised", "door", source="core", trust="core")])

    assert {name: len(records) for name, records in log.topics.items()} == {HEARTBEATS: 1, ALERTS: 1}
    assert topic_of("door_open") == EVENTS


async def test_a_dead_letter_keeps_the_bytes_and_the_reason(intake, log):
    await intake.dead_letter(origin=HTTP, topic="zigbee2mqtt/x", body=b"\xff{", reason="not JSON")

    (letter,) = log.topics[DEAD_LETTERS]
    assert letter.value == b"\xff{"
    assert (letter.headers["reason"], letter.headers["topic"]) == ("not JSON", "zigbee2mqtt/x")


@given(st.binary(max_size=300))
def test_any_bytes_pass_the_bounds_or_are_invalid_input(body):
    with contextlib.suppress(InvalidInput):
        check(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["event_id", "home_id", "user_id", "device_id", "event_type", "timestamp", "payload", "metadata", "ts", "metrics"]
)
EVENTS_LIKE = st.fixed_dictionaries(
    {}, optional={"event_type": st.just("telemetry"), "device_id": st.just("door"), "payload": JSON, "metrics": JSON}
) | st.dictionaries(KEYS, JSON, max_size=6)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=EVENTS_LIKE.map(lambda d: json.dumps(d).encode()) | st.binary(max_size=200), ndjson=st.booleans())
async def test_any_body_is_taken_or_refused_and_what_is_taken_can_be_read(intake, log, body, ndjson):
    log.topics.clear()
    try:
        receipt = await intake.receive(body, HTTP, ndjson=ndjson)
    except (InvalidInput, DeviceNotFound, HomeMismatch):
        assert not log.topics
        return
    records = [r for topic in log.topics.values() for r in topic]
    assert [decode(r).event_id for r in records] == list(receipt.event_ids)


@given(
    event_id=st.text(min_size=1, max_size=20),
    payload=st.dictionaries(st.text(max_size=8), st.integers(-(2**62), 2**62) | st.text(max_size=20), max_size=5),
    at=st.datetimes(),
)
def test_encoding_and_decoding_an_event_gives_the_event(event_id, payload, at):
    at = NOW + timedelta(milliseconds=at.microsecond // 1000)
    made = event("state_changed", "door", at=at, event_id=event_id, payload=payload, cause="c1", source="simulator")
    record = encode(made)

    read = Record(
        topic=record.topic, partition=0, offset=1, key=record.key, value=record.value,
        headers=record.headers, appended_at=NOW,
    )  # fmt: skip
    assert decode(read) == made


async def test_intake_writes_to_the_real_log(stores, clock, clocks):
    await furnish(stores, device("hall_motion", "motion"))
    intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)

    await intake.receive(raw(), HTTP)

    (record,) = await stores.log.read("test", [EVENTS], limit=10, wait_s=1)
    assert decode(record).event_id == "e1"
