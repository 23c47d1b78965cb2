"""A bridge's payload read the quick way is what the careful way reads, whatever it holds."""

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.vendors.zigbee2mqtt import topics
from pipeline.vendors.zigbee2mqtt.topics import read_json

SEED = int(os.environ.get("HOMEGUARD_SEED", "20261121"))
COUNT = 1_000_000 if os.environ.get("HOMEGUARD_LONG") == "1" else 20_000
_SEEDS = (
    b'{"temperature":20.1,"humidity":45,"occupancy":true,"color":{"x":0.31,"y":-1e-3},"a":[1,null,"x"]}',
    b'{"state":"ON","last_seen":"2026-01-01T00:00:00Z","brightness":1e2,"n":-0,"m":-0.0,"i":12345678901234567890}',
    b'[1,2,{"a":{"b":[[[]]]}}]',
)
_PUT_IN = (
    b"\xff", b'"', b"{", b"}", b"[", b"e999", b"NaN", b"Infinity", b"\\u0000", b"\\ud800", b"\x00", b"9" * 20, b"0",
    b"-", b".", b" ", b"\n", b",", b":", b"e", b"\\n", b"\\x", b"\xc3\xa9", b"\xed\xa0\x80", b"true", b"\xef\xbb\xbf",
    b"[" * 40,
)  # fmt: skip


def told(read: Callable[[bytes], Any], body: bytes) -> str:
    try:
        return repr(read(body))
    except ValueError as error:
        return f"refused: {error}"


def reads_alike(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(SEED)
    bodies = []
    for _ in range(count):
        body = bytearray(rng.choice(_SEEDS))
        for _ in range(rng.randrange(4)):
            place = rng.randrange(len(body) + 1)
            body[place : place + rng.choice((0, 0, 1, 4))] = rng.choice(_PUT_IN) if rng.random() < 0.7 else b""
        bodies.append(bytes(body))
    quickly = [told(read_json, body) for body in bodies]
    monkeypatch.setattr(topics, "_is_plain", lambda body: False)
    carefully = [told(read_json, body) for body in bodies]
    assert sum(text.startswith("refused") for text in carefully) in range(count // 10, count)
    for body, quick, careful in zip(bodies, quickly, carefully, strict=True):
        assert quick == careful, f"seed {SEED}: {body!r}"


@pytest.mark.timeout(600 if COUNT > 20_000 else 60)
def test_both_ways_read_the_same_and_refuse_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    reads_alike(COUNT, monkeypatch)


def test_a_screen_that_lets_everything_pass_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_is_plain", lambda body: True)
    with pytest.raises(AssertionError, match="seed"):
        reads_alike(5_000, monkeypatch)
