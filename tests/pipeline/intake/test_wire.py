"""An event is decoded once and its bounds are guessed from its bytes: the judgement is that of the full check.

`HOMEGUARD_LONG=1` tries a hundred times as many.
"""

import os
import random
from datetime import UTC, datetime

import pytest

from homeguard.errors import InvalidInput
from pipeline.intake import wire
from pipeline.intake.bounds import check
from pipeline.intake.wire import read, time_of

CASES = 200_000 if os.environ.get("HOMEGUARD_LONG") else 2_000
SEED = 20261121

ODD = [
    b"1e999", b"-1e400", b"1e308", b"1.8e308", b"1" + b"0" * 299, b"1" + b"0" * 310, b"-" + b"9" * 5000, b"NaN",
    b"-Infinity", b"9" * 220 + b"e99", b"0." + b"1" * 400, b"01", b"1.", b"true", b"null", b"-0.0", b'""',
    b'"\\ud800"', b'"\\udc00x"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\\u00e9"', b'"\x00"', b'"\x1f"', b'"\\x"',
    '"é日本"'.encode(), b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"%b"' % (b"x" * 400), b'"%b"' % (b"x" * 65_600),
    *[b"[" * n + b"1" + b"]" * n for n in (1, 29, 30, 31, 32, 33, 900)],
    *[b'{"a":' * n + b"1" + b"}" * n for n in (1, 29, 30, 31, 32, 33, 9000)],
    *[b"{" + b",".join(b'"%d":0' % i for i in range(n)) + b"}" for n in (3, 239, 240, 247, 250, 255, 256, 300)],
    b'{"\\u0000":1}', b'{"\\ud800":1}', b'{"\xff":1}', b'{"a":1,"a":1e999}', b'{"a":1,}', b"[1,]", b"{1:2}", b"{", b"",
]  # fmt: skip
PLAIN = [b"1", b"21.5", b'"on"', b"true", b"[1,2]", b'{"x":1}', b"-3e2", b'"' + b"y" * 80 + b'"']
FIELDS = [
    b"event_id", b"device_id", b"event_type", b"timestamp", b"payload", b"metadata", b"ts", b"metrics", b"home_id",
    b"surprise", b"user_id",
]  # fmt: skip


def items(count: int):
    """Events that are sound but for an odd thing here and there, or broken in their bytes."""
    rng = random.Random(SEED)

    def value() -> bytes:
        return rng.choice(ODD if rng.random() < 0.25 else PLAIN)

    def thing() -> bytes:
        return b"{" + b",".join(b'"k%d":%b' % (i, value()) for i in range(rng.randrange(5))) + b"}"

    for _ in range(count):
        fields = {b"device_id": b'"door"', b"event_type": b'"telemetry"', b"timestamp": b'"2026-03-10T12:00:00.000Z"'}
        if rng.random() < 0.7:
            fields[b"payload"] = thing()
        if rng.random() < 0.2:
            fields[b"metrics"] = thing()
        if rng.random() < 0.3:
            fields[b"metadata"] = b'{"signal_strength":%b}' % value()
        if rng.random() < 0.3:
            fields[rng.choice(FIELDS)] = value()
        item = b"{" + b", ".join(b'"%b": %b' % field for field in fields.items()) + b"}"
        if rng.random() < 0.1:
            place = rng.randrange(len(item))
            item = item[:place] + rng.choice([b"", b"\xff", b"\\", b'"', b"}", b"\x00"]) + item[place + 1 :]
        yield item


def error_of(judge, item: bytes) -> tuple[str, object, str] | None:
    try:
        judge(item)
    except InvalidInput as error:
        return error.code, error.details.get("field"), error.message
    return None


def misjudged(count: int) -> list[bytes]:
    """Items that the full check refuses and `read` takes, or refuses in other words."""
    found = []
    for item in items(count):
        expected = error_of(check, item)
        if expected is not None and error_of(read, item) != expected:
            found.append(item)
    return found


@pytest.mark.timeout(600)
def test_whatever_the_full_check_refuses_is_refused_in_the_same_words():
    assert misjudged(CASES) == []


def test_the_run_tries_what_is_refused_and_what_is_taken():
    refused = [error_of(check, item) is not None for item in items(300)]
    taken = [error_of(read, item) is None for item in items(300)]

    assert sum(refused) > 30
    assert sum(taken) > 30


@pytest.mark.parametrize("screen", ["_may_be_out_of_bounds", "_is_beyond"])
def test_the_same_run_finds_a_screen_that_sees_nothing(monkeypatch, screen):
    monkeypatch.setattr(wire, screen, lambda *_: False)

    assert misjudged(2_000)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-03-10T11:59:59.123Z", "2026-03-10T11:59:59.123Z"),
        ("2026-03-10T11:59:59Z", "2026-03-10T11:59:59.000Z"),
        ("2026-03-10T11:59:59.123456Z", "2026-03-10T11:59:59.123Z"),
        ("2026-03-10T11:59:59,123Z", "2026-03-10T11:59:59.123Z"),
        ("2026-03-10 11:59:59.123Z", "2026-03-10T11:59:59.123Z"),
        ("20260310T115959.123456Z", "2026-03-10T11:59:59.123Z"),
        ("2026-03-10T06:59:59.5-05", "2026-03-10T11:59:59.500Z"),
        ("2026-03-10T11:59:59.123", "2026-03-10T11:59:59.123Z"),
    ],
)
def test_a_time_is_written_in_the_one_form_however_it_came(text, written):
    assert time_of(text, default=datetime.now(UTC), latest=datetime(2026, 4, 1, tzinfo=UTC), field="t") == written


@pytest.mark.parametrize(
    "text",
    ["1969-12-31T23:59:59.999Z", "9999-01-01T00:00:00.000Z", "2026-02-30T00:00:00.000Z", "2026-03-10T24:00:00.000Z"],
)
def test_a_time_that_is_none_is_refused_in_our_own_form_too(text):
    with pytest.raises(InvalidInput):
        time_of(text, default=datetime.now(UTC), latest=datetime.max.replace(tzinfo=UTC), field="t")
