"""Every decoder of bytes from outside: it reads, or refuses with its own error; nothing else ever comes out of it.

The long form (HOMEGUARD_LONG=1) tries 1,000,000 mutations and prints what became of them.
"""

import base64
import contextlib
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from corpus import cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutate import mutations

from api.query import interval, moment, page
from api.routes.stream import _names, _read
from homeguard.clock import SystemClock, iso, parse_time
from homeguard.errors import InvalidInput, NotSignedIn, StartRefused, StoreUnavailable
from homeguard.event_cursor import place_of
from homeguard.identity.tokens import Tokens
from homeguard.ports.log import NewRecord, Record
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite import segments
from pipeline.envelope import decode
from pipeline.intake.bounds import check, split
from pipeline.intake.wire import MAX_AHEAD, read, time_of
from pipeline.mqtt.address import parse_address
from pipeline.vendors.zigbee2mqtt.discovery import discover
from pipeline.vendors.zigbee2mqtt.report import observe
from pipeline.vendors.zigbee2mqtt.topics import classify, read_availability, read_list, read_state

IS_LONG = os.environ.get("HOMEGUARD_LONG") == "1"
#: Mutations over all decoders, and where they come from.
COUNT, SEED = (1_000_000 if IS_LONG else 8_000), 20261121
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TOKENS = Tokens(b"k" * 32, SystemClock())

pytestmark = pytest.mark.timeout(3_600 if IS_LONG else 60)


def _event(raw: bytes) -> None:
    """What is taken keeps every promise of the bounds, and can be read again from the log."""
    sent, said = read(raw)
    check(raw)
    assert isinstance(said, dict)
    assert msgspec.json.decode(bytes(sent.payload)) == said
    at = time_of(sent.timestamp, default=NOW, latest=NOW + MAX_AHEAD, field="timestamp")
    assert iso(datetime.fromisoformat(at)) == at
    json_text(said).encode()


def _body(raw: bytes) -> None:
    for ndjson in (False, True):
        items, is_single = split(raw, ndjson=ndjson)
        assert not is_single or len(items) == 1


def _bounds(raw: bytes) -> None:
    check(raw)
    tree = msgspec.json.decode(raw)
    assert isinstance(tree, dict)
    json.dumps(tree, allow_nan=False).encode()


def _envelope(raw: bytes) -> None:
    record = Record(
        topic="device.events", partition=0, offset=0, key="h/d", value=raw,
        headers={"received_at": raw[:30].decode("latin-1")} if raw[:1] == b"2" else {}, appended_at=NOW,
    )  # fmt: skip
    assert decode(record).at.tzinfo is not None


def _socket_message(raw: bytes) -> None:
    for form in (raw, raw.decode("utf-8", "replace")):
        asked = _read(form)
        if asked.get("action") in ("subscribe", "unsubscribe"):
            _names(asked)


def _cursor(raw: bytes) -> None:
    text = raw.decode("latin-1")
    at, event_id = place_of(text)
    assert isinstance(at, int)
    assert isinstance(event_id, str)


def _page_cursor(raw: bytes) -> None:
    page(["a", "b"], str, 1, raw.decode("latin-1"))


def _moment(raw: bytes) -> None:
    text = raw.decode("latin-1")[:40]
    found = moment(text, "from")
    assert found is None or found.tzinfo is not None
    interval(text, None, NOW, default=timedelta(days=1))


def _time(raw: bytes) -> None:
    text = raw.decode("latin-1")
    assert 1970 <= parse_time(text).year <= 9998
    time_of(text, default=NOW, latest=NOW + MAX_AHEAD, field="timestamp")


def _token(raw: bytes) -> None:
    """Only what we made ourselves passes, to the last character."""
    TOKENS.read(raw.decode("latin-1"), "api")
    assert raw in DECODERS["token"].seeds


def _refresh(raw: bytes) -> None:
    TOKENS.read_refresh(raw.decode("latin-1"))
    assert raw in DECODERS["refresh token"].seeds


def _address(raw: bytes) -> None:
    assert parse_address(raw.decode("latin-1")).port > 0


def _state(raw: bytes) -> None:
    state = read_state(raw)
    json.dumps(state, allow_nan=False).encode()
    for device in _FOUND.devices:
        attributes, _ = observe(device, state, None)
        assert all(isinstance(v, bool | int | float | str) for v in attributes.values())


def _devices(raw: bytes) -> None:
    for device in discover(read_list(raw), home_id="h", base="z").devices:
        json_text(device.config).encode()


def _availability(raw: bytes) -> None:
    assert read_availability(raw) in (True, False)


def _topic(raw: bytes) -> None:
    classify(raw.decode("utf-8", "replace"), "zigbee2mqtt")


_BRIDGE = json.dumps(
    [
        {
            "ieee_address": "0x01",
            "type": "EndDevice",
            "friendly_name": "lamp/left",
            "interview_completed": True,
            "definition": {
                "vendor": "V",
                "model": "M",
                "description": "Bulb",
                "exposes": [
                    {
                        "type": "light",
                        "features": [
                            {
                                "type": "binary",
                                "name": "state",
                                "property": "state",
                                "access": 7,
                                "value_on": "ON",
                                "value_off": "OFF",
                            },
                            {
                                "type": "numeric",
                                "name": "brightness",
                                "property": "brightness",
                                "access": 7,
                                "value_min": 0,
                                "value_max": 254,
                            },
                            {
                                "type": "composite",
                                "name": "color_xy",
                                "property": "color",
                                "features": [{"type": "numeric", "name": "x", "property": "x", "access": 7}],
                            },
                        ],
                    },
                    {"type": "numeric", "name": "temperature", "property": "temperature", "unit": "°C", "access": 1},
                    {"type": "numeric", "name": "battery", "property": "battery", "unit": "%", "access": 1},
                    {
                        "type": "enum",
                        "name": "action",
                        "property": "action",
                        "access": 1,
                        "values": ["single", "double"],
                    },
                    {
                        "type": "binary",
                        "name": "smoke",
                        "property": "smoke",
                        "access": 1,
                        "value_on": True,
                        "value_off": False,
                    },
                ],
            },
        }
    ]
).encode()
_FOUND = discover(json.loads(_BRIDGE), home_id="h", base="z")
_EVENTS = [case.body for case in cases("d", "r") if len(case.body) < 2_000]
_CURSOR = base64.urlsafe_b64encode(b'[1790000000000000,"event-1"]').rstrip(b"=")
_TIMES = [
    b"2026-11-21T08:00:00Z", b"2026-11-21T08:00:00.123+01:00", b"1790000000", b"1790000000123", b"-1", b"20261121",
    b"2026-W47-6", b"nan", b"1e5",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decoder:
    """`refuses`: the errors that say that it is not to be read."""

    read: Callable[[bytes], None]
    refuses: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]


DECODERS = {
    "event": Decoder(_event, (InvalidInput,), tuple(_EVENTS)),
    "bounds": Decoder(_bounds, (InvalidInput,), tuple(_EVENTS)),
    "body": Decoder(_body, (InvalidInput,), (*_EVENTS, b"[{}, {}]", b"{}\n{}\n", b"[[]]")),
    "envelope": Decoder(
        _envelope,
        (InvalidInput,),
        (
            b'{"event_id":"e","home_id":"h","device_id":"d","user_id":"","event_type":"telemetry",'
            b'"timestamp":"2026-11-21T08:00:00.000Z","payload":{"a":1},"metadata":{"is_simulated":false}}',
        ),
    ),
    "socket message": Decoder(
        _socket_message,
        (InvalidInput,),
        (b'{"action": "subscribe", "channels": ["events", "alerts"]}', b'{"action": "ping"}'),
    ),
    "cursor of events": Decoder(_cursor, (InvalidInput,), (_CURSOR, b"W10", b"WzEsMl0")),
    "cursor of a list": Decoder(_page_cursor, (InvalidInput,), (b"YQ", b"Yg", b"_-8")),
    "moment": Decoder(_moment, (InvalidInput,), tuple(_TIMES)),
    "time": Decoder(_time, (ValueError, InvalidInput), tuple(_TIMES)),
    "token": Decoder(
        _token, (NotSignedIn,), (TOKENS.operator("a@b", "api").encode(), TOKENS.access("u", "s").encode())
    ),
    "refresh token": Decoder(_refresh, (NotSignedIn,), (TOKENS.refresh("s").encode(),)),
    "broker address": Decoder(
        _address, (StartRefused,), (b"mqtt://u:p@h:1883?base=a,b&version=5", b"mqtts://[::1]:8883", b"ssl://h")
    ),
    "zigbee state": Decoder(
        _state,
        (ValueError,),
        (
            b'{"state":"ON","brightness":200,"color":{"x":0.3,"y":0.3},"temperature":21.5,"battery":80,"smoke":false,'
            b'"action":"single"}',
        ),
    ),
    "zigbee devices": Decoder(_devices, (ValueError,), (_BRIDGE,)),
    "zigbee availability": Decoder(_availability, (ValueError,), (b"online", b'{"state":"offline"}')),
    "zigbee topic": Decoder(
        _topic, (), (b"zigbee2mqtt/lamp/left", b"zigbee2mqtt/bridge/devices", b"zigbee2mqtt/a/set")
    ),
}


def outcome(decoder: Decoder, raw: bytes) -> str:
    """`read`, `refused`, or what came out instead."""
    try:
        decoder.read(raw)
    except decoder.refuses:
        return "refused"
    except Exception as error:  # whatever it is, it is the finding
        return f"{type(error).__name__}: {error}"
    return "read"


def test_mutated_bytes_are_read_or_refused_by_every_decoder() -> None:
    told: dict[str, Counter[str]] = {}
    for number, (name, decoder) in enumerate(DECODERS.items()):
        counts = told[name] = Counter()
        for raw in mutations(decoder.seeds, COUNT // len(DECODERS), SEED + number):
            found = outcome(decoder, raw)
            counts[found] += 1
            assert found in ("read", "refused"), f"{name}, seed {SEED + number}: {found}: {raw[:300]!r}"
    if IS_LONG:
        print(f"\n{'decoder':24} {'tried':>9} {'read':>9} {'refused':>9} other")
        for name, counts in told.items():
            print(f"{name:24} {counts.total():9,} {counts['read']:9,} {counts['refused']:9,}     0")
    # both ways are trodden, or the mutations are worth nothing
    for name, counts in told.items():
        assert counts["read"] > 0 or name.endswith("token"), name
        assert counts["refused"] > 0 or name == "zigbee topic", name


@pytest.mark.parametrize("name", DECODERS)
def test_the_seeds_themselves_are_read_or_refused(name: str) -> None:
    decoder = DECODERS[name]
    found = Counter(outcome(decoder, raw) for raw in decoder.seeds)
    assert set(found) <= {"read", "refused"}
    assert found["read"]


@settings(max_examples=5_000 if IS_LONG else 150, deadline=None, suppress_health_check=list(HealthCheck))
@given(raw=st.one_of(st.binary(max_size=400), st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass"))))
@pytest.mark.parametrize("name", DECODERS)
def test_any_bytes_are_read_or_refused(name: str, raw: bytes) -> None:
    assert outcome(DECODERS[name], raw) in ("read", "refused")


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=5)
    ),
    max_leaves=30,
)


@settings(max_examples=20_000 if IS_LONG else 300, deadline=None)
@given(value=_JSON)
def test_json_that_a_store_writes_is_read_back_the_same(value: Any) -> None:
    assert repr(json_value(json_text(value))) == repr(value)


@settings(max_examples=20_000 if IS_LONG else 300, deadline=None)
@given(payload=st.dictionaries(st.text(max_size=10), _JSON, max_size=5))
def test_any_payload_within_the_bounds_is_taken_as_it_is(payload: dict[str, Any]) -> None:
    try:
        raw = json.dumps({"device_id": "d", "event_type": "telemetry", "payload": payload}).encode()
        sent, said = read(raw)
    except InvalidInput:
        text = json.dumps(payload)
        assert "\\ud" in text or "\\u0000" in text or text.count(":") > 200 or text.count("[") + text.count("{") > 25
        return
    assert repr(said) == repr(payload)
    assert json.loads(bytes(sent.payload)) == payload


RECORDS = [
    NewRecord(
        topic="device.events", key=f"h/{i}", value=b'{"n":%d}' % i * (i + 1), headers={"lane": "state"} if i % 2 else {}
    )
    for i in range(12)
]


def _walk(path: Path, raw: bytes) -> list[bytes]:
    """The values of the records that a reader gets out of a file with these bytes."""
    path.write_bytes(raw)
    segment = segments.Segment(0, path)
    found = segments.scan(segment)
    assert 0 <= found.good <= found.size == len(raw)
    values: list[bytes] = []
    place = segments.Place(segment, 0, 0)
    while place.offset < found.count:
        records, after = segments.read_from(place, end=found.count, wanted=None, limit=100, chunk=1 << 16)
        if after == place:
            break
        values += [record.value for record in records]
        place = after
    with contextlib.suppress(StoreUnavailable):
        segments.last_of(segment, "device.events", found.count, 5)
    segments.first_since(segment, 1)
    segments.starts_at(segment)
    segments.locate(segment, 5)
    return values


def test_a_damaged_log_file_gives_records_that_were_written_or_says_that_it_is_damaged(tmp_path: Path) -> None:
    good = b"".join(segments.encode(RECORDS[i : i + 3], 1_000 + i) for i in range(0, 12, 3))
    written = [bytes(record.value) for record in RECORDS]
    assert _walk(tmp_path / "0.log", good) == written
    count = 50_000 if IS_LONG else 600
    shorter = 0
    for raw in mutations([good], count, SEED):
        try:
            values = _walk(tmp_path / "0.log", raw)
        except StoreUnavailable:
            continue
        shorter += len(values) < len(written)
        # a piece that was copied whole is sound; what was never written is not
        assert set(values) <= set(written)
    assert shorter > count / 4


def test_a_signed_token_has_one_spelling_only() -> None:
    token = TOKENS.access("u", "s")
    assert TOKENS.read(token, "api").user_id == "u"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = alphabet.index(token[-1])
    # its last letter has two bits that say nothing
    for other in [token[:-1] + alphabet[place + n] for n in (1, 2, 3)] + [token + "=", token + "\n"]:
        with pytest.raises(NotSignedIn):
            TOKENS.read(other, "api")


def test_an_envelope_whose_time_has_no_zone_is_refused() -> None:
    [seed] = DECODERS["envelope"].seeds
    assert outcome(DECODERS["envelope"], seed) == "read"
    assert outcome(DECODERS["envelope"], seed.replace(b"08:00:00.000Z", b"08:00:00.000")) == "refused"


def test_a_decoder_that_lets_its_own_errors_out_is_found() -> None:
    """The planted defect: the library's decoder, as it is."""
    planted = Decoder(lambda raw: json.loads(raw)["event_type"], (json.JSONDecodeError,), tuple(_EVENTS))
    found = Counter(outcome(planted, raw).partition(":")[0] for raw in mutations(planted.seeds, 2_000, SEED))
    assert found.keys() & {"KeyError", "TypeError", "UnicodeDecodeError", "RecursionError"}
    takes_nan = Decoder(
        lambda raw: json.dumps(json.loads(raw), allow_nan=False), (ValueError, RecursionError), (b'{"a": NaN}',)
    )
    assert outcome(takes_nan, b'{"a": NaN}') == "refused"
