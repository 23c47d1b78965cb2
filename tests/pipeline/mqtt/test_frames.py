"""Cutting bytes into packets: what the library reads, we read; what is no MQTT is refused; nothing else happens."""

import os
import random
from collections.abc import Callable

import paho.mqtt.client as paho
import pytest
from paho.mqtt import _packet
from paho.mqtt.exception import MalformedPacket
from raw_broker import length, packed, said

from pipeline.mqtt.frames import Frames, Malformed, Publish

SEED = int(os.environ.get("HOMEGUARD_SEED", "20261121"))
IS_LONG = os.environ.get("HOMEGUARD_LONG") == "1"


def cut(data: bytes, pieces: list[int], *, is_v5: bool = True, make: Callable[..., Frames] = Frames) -> list[object]:
    """What comes of these bytes when they arrive in pieces of these lengths, over and over."""
    found: list[object] = []
    frames, at, turn = make(is_v5=is_v5), 0, 0
    while at < len(data):
        size = pieces[turn % len(pieces)]
        found.extend(frames.feed(data[at : at + size]))
        at, turn = at + size, turn + 1
    return found


def some_messages(rng: random.Random, count: int, *, is_v5: bool) -> list[bytes]:
    made = []
    for _ in range(count):
        topic = "/".join(rng.choice(["a", "zigbee2mqtt", "büro", "x" * rng.randrange(1, 300)]) for _ in range(3))
        # user properties: a key and a value, each with its length
        properties = b"".join(b"\x26\x00\x01k\x00\x02vv" for _ in range(rng.choice([0, 0, 1, 40]))) if is_v5 else b""
        body = rng.randbytes(rng.choice([0, 1, 100, 127, 128, 20_000]))
        mid = rng.choice([0, 1, rng.randrange(1, 65_536)])
        made.append(
            said(
                topic.encode(),
                body,
                mid,
                is_v5=is_v5,
                is_repeat=bool(mid) and rng.random() < 0.2,
                properties=properties,
            )
        )
    return made


def as_the_library_reads(packet: bytes, *, is_v5: bool) -> Publish:
    start = 2
    while packet[start - 1] & 0x80:
        start += 1
    read = _packet.decode_publish(packet[0], packet[start:], paho.MQTTv5 if is_v5 else paho.MQTTv311)
    return Publish(read.topic.decode(), bytes(read.payload), read.qos, read.mid, read.retain, read.dup)


def agrees_with_the_library(make: Callable[..., Frames]) -> None:
    rng = random.Random(SEED)
    for is_v5 in (True, False):
        packets = some_messages(rng, 60, is_v5=is_v5)
        packets[20:20] = [b"\xd0\x00", packed(0x90, b"\x00\x01\x00\x01")]
        for pieces in ([1 << 20], [1], [7, 3, 1], [rng.randrange(1, 5_000) for _ in range(30)]):
            expected = [p if p[0] >> 4 != 3 else as_the_library_reads(p, is_v5=is_v5) for p in packets]
            assert cut(b"".join(packets), pieces, is_v5=is_v5, make=make) == expected, f"seed {SEED}"


def test_messages_are_read_as_the_library_reads_them_however_the_bytes_arrive() -> None:
    agrees_with_the_library(Frames)


def test_a_reader_that_forgets_a_piece_is_found_out() -> None:
    class Forgetful(Frames):
        def feed(self, data: bytes):  # type: ignore[no-untyped-def]
            found = super().feed(data)
            self._pieces = self._pieces[-1:] if len(self._pieces) > 2 else self._pieces
            return found

    with pytest.raises((AssertionError, Malformed, IndexError)):
        agrees_with_the_library(Forgetful)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (packed(0x36, b"\x00\x01t\x00\x01\x00"), "QoS 3"),
        (b"\x30\xff\xff\xff\xff\x01", "four bytes"),
        (packed(0x32, b"\x00\x01t\x00"), "too early"),
        (packed(0x32, b"\x00"), "too early"),
        (packed(0x30, b"\xff\xffshort"), "too early"),
        (packed(0x30, b"\x00\x01t\x7f"), "too early"),
        (packed(0x30, b"\x00\x01t\xff\xff\xff\xff"), "four bytes"),
        (packed(0x30, b""), "too early"),
        (packed(0x32, b"\x00\x01t\x00\x00\x00"), "an id"),
        (packed(0x30, b"\x00\x00\x00"), "topic"),
        (b"\x90" + length(20_000_000), "20000000"),
    ],
)
def test_what_is_no_packet_is_refused_with_a_reason(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        Frames(is_v5=True).feed(data)


def test_a_topic_of_full_length_and_one_that_is_not_utf8_are_messages() -> None:
    long = b"t" * 65_535
    first, second = cut(said(long, b"1", 5) + said(b"a/\xff\xfe", b"2", 6), [1000])
    assert isinstance(first, Publish)
    assert isinstance(second, Publish)
    assert (first.topic, first.body) == (long.decode(), b"1")
    assert (second.topic, second.mid) == ("a/\ufffd\ufffd", 6)


def test_a_message_over_the_limit_loses_its_end_and_what_follows_is_read() -> None:
    data = said(b"t", b"x" * 5_000, 9) + said(b"t", b"next", 10)
    for pieces in ([1 << 20], [1], [999], [1024, 3]):
        first, second = cut(data, pieces, make=lambda *, is_v5: Frames(is_v5=is_v5, limit=1_000))
        assert isinstance(first, Publish)
        assert (first.mid, set(first.body)) == (9, {ord("x")})
        assert 980 < len(first.body) <= 1_000
        assert second == Publish("t", b"next", 1, 10, False, False)


def test_whatever_the_bytes_are_they_are_packets_or_refused() -> None:
    rng, refused, read = random.Random(SEED), 0, 0
    for _ in range(1_000_000 if IS_LONG else 20_000):
        is_v5 = rng.random() < 0.5
        data = bytearray(said(b"home/t", rng.randbytes(rng.randrange(40)), rng.randrange(3), is_v5=is_v5))
        for _ in range(rng.randrange(1, 5)):
            place = rng.randrange(len(data))
            match rng.randrange(3):
                case 0:
                    data[place] = rng.randrange(256)
                case 1:
                    del data[place : place + rng.randrange(4)]
                case _:
                    data[place:place] = rng.randbytes(rng.randrange(1, 4))
            if not data:
                data.append(0)
        frames = Frames(is_v5=is_v5)
        try:
            for packet in frames.feed(bytes(data)):
                read += 1
                if isinstance(packet, Publish):
                    assert packet.topic
                    assert packet.qos in (0, 1)
        except Malformed:
            refused += 1
        except Exception as error:
            raise AssertionError(f"seed {SEED}: {bytes(data)!r}") from error
    assert refused > 1_000
    assert read > 1_000


def test_what_we_refuse_the_library_refuses_too_or_it_breaks_a_rule_that_it_does_not_check() -> None:
    rng, both = random.Random(SEED + 1), 0
    for _ in range(3_000):
        packet = bytearray(packed(0x32, b"\x00\x01t\x00\x07\x00body"))
        packet[rng.randrange(2, len(packet))] = rng.randrange(256)
        try:
            [ours] = Frames(is_v5=True).feed(bytes(packet))
        except Malformed as refusal:
            if "a topic or an id" not in str(refusal):
                with pytest.raises((MalformedPacket, UnicodeDecodeError)):
                    as_the_library_reads(bytes(packet), is_v5=True)
                both += 1
        else:
            assert isinstance(ours, Publish)
    assert both > 100
