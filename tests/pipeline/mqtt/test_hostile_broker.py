"""A broker that says what no broker may say: that connection ends, another one is made, and nothing else notices."""

import asyncio
import os
import random
from collections.abc import Sequence
from typing import Any

import pytest
from raw_broker import Session, length, packed, raw_broker, said

from homeguard.errors import DriverFailed
from pipeline.mqtt.address import parse_address
from pipeline.mqtt.connection import Connection, ConnectionRefused
from pipeline.mqtt.delivery import DeliveryNames
from pipeline.mqtt.link import MqttLink

SEED = int(os.environ.get("HOMEGUARD_SEED", "20261121"))
CASES = 5_000 if os.environ.get("HOMEGUARD_LONG") == "1" else 250
_CLOSED = "the broker closed the connection"

#: What is sent, and whether the connection outlives it.
NAMED: dict[str, tuple[bytes, bool]] = {
    "a message cut short": (packed(0x32, b"\x00\x05to"), False),
    "a message without a packet id": (packed(0x32, b"\x00\x01t"), False),
    "packet id 0": (packed(0x32, b"\x00\x01t\x00\x00\x00"), False),
    "no topic": (packed(0x30, b"\x00\x00\x00"), False),
    "QoS 3": (packed(0x36, b"\x00\x01t\x00\x01\x00"), False),
    "a length of five bytes": (b"\x30\xff\xff\xff\xff\x7f", False),
    "an unknown kind of packet": (b"\x00\x00", False),
    "a kind that only clients send": (packed(0x82, b"\x00\x01\x00\x00\x01t\x01"), False),
    "a CONNECT": (packed(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00"), False),
    "a subscription's answer of no length": (packed(0x90, b""), False),
    "a ping's answer that is too long": (packed(0xD0, b"\x01\x02"), False),
    "a disconnect": (packed(0xE0, b"\x8b\x00"), False),
    "a disconnect with a reason that is none": (packed(0xE0, b"\x42\x00"), False),
    "a packet of 256 MiB that is no message": (b"\x90" + length(268_435_455), False),
    "a topic of 65,535 bytes": (said(b"t" * 65_535, b"x", 9), True),
    "a topic that is not UTF-8": (said(b"\xff\xfe", b"x", 9), True),
    "an acknowledgement of nothing": (packed(0x40, b"\x12\x34"), True),
    "an acknowledgement of nothing, with a failure": (packed(0x40, b"\x12\x34\x80"), True),
    "a release of nothing": (packed(0x62, b"\x12\x34"), True),
    "a completion of nothing": (packed(0x70, b"\x12\x34"), True),
    "a ping's answer that nobody asked for": (b"\xd0\x00", True),
    "a message with QoS 2": (packed(0x34, b"\x00\x01t\x00\x09\x00body"), True),
}


def mutated(rng: random.Random) -> bytes:
    """Packets of every kind, with bytes changed, left out, put in, or cut off."""
    seeds = [
        said(b"homeguard/h/d/events", b'{"event_type":"motion_detected"}', 7), said(b"z/lamp", b'{"state":"ON"}'),
        packed(0x20, b"\x00\x00\x03\x21\x00\x14"), packed(0x90, b"\x00\x01\x00\x01"), packed(0x40, b"\x00\x01\x00\x00"),
        packed(0x50, b"\x00\x01"), packed(0x62, b"\x00\x01"), packed(0x70, b"\x00\x01"), packed(0xB0, b"\x00\x01\x00"),
        b"\xd0\x00", packed(0xE0, b"\x00\x00"), packed(0xF0, b"\x18\x00"), rng.randbytes(rng.randrange(1, 60)),
    ]  # fmt: skip
    data = bytearray(b"".join(rng.sample(seeds, rng.randrange(1, 4))))
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[place] = rng.randrange(256)
            case 1:
                del data[place : place + rng.randrange(1, 4)]
            case 2:
                data[place:place] = rng.randbytes(rng.randrange(1, 5))
            case _:
                del data[place + 1 :]
        data = data or bytearray(b"\x00")
    return bytes(data)


async def survived(cases: Sequence[bytes], kind: type[Connection] = Connection, *, limit_s: float = 10) -> list[str]:
    """Each case on a connection of its own, beside one that has nothing to do with it. The answer is how each ended;
    what it did to others is an error.

    Raises:
        AssertionError: something got out of a connection, or its neighbour missed a message.
    """
    loop, escaped = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: escaped.append(context))
    turns: asyncio.Queue[bytes] = asyncio.Queue()
    async with raw_broker() as hostile, raw_broker() as good:

        async def attack(session: Session) -> None:
            await asyncio.sleep(0)
            await session.send(await turns.get() + said(b"mark", b"", 77))
            session.writer.write_eof()

        hostile.plan = attack
        neighbour = Connection(parse_address(good.url), "neighbour", DeliveryNames(), version=5)
        await neighbour.open(["#"])
        reasons = []
        for number, case in enumerate(cases):
            turns.put_nowait(case)
            connection = kind(parse_address(hostile.url), "c", DeliveryNames(), version=5)
            told = f"seed {SEED}, case {number}: {case!r}"
            try:
                async with asyncio.timeout(limit_s):
                    await connection.open([])
                    while not connection.is_lost:
                        connection.acknowledge(await connection.take(1.0))
                reasons.append(connection.reason)
            except ConnectionRefused as error:
                reasons.append(str(error))
            except TimeoutError:
                raise AssertionError(f"{told}: the end was not noticed; {escaped}") from None
            finally:
                await connection.close()
            await (await good.session(0)).send(said(b"n", b"%d" % number, number % 60_000 + 1))
            async with asyncio.timeout(10):
                [heard] = await neighbour.take(5.0)
            neighbour.acknowledge([heard])
            assert heard.body == b"%d" % number, told
            assert not escaped, f"{told}: {escaped}"
        assert not neighbour.is_lost
        await neighbour.close()
    loop.set_exception_handler(None)
    return reasons


@pytest.mark.parametrize("name", NAMED)
async def test_the_named_wrongs_end_the_connection_or_do_not_matter(name: str) -> None:
    data, is_survived = NAMED[name]
    [reason] = await survived([data])
    assert (reason == _CLOSED) == is_survived, reason


async def test_generated_packets_end_a_connection_at_most() -> None:
    rng = random.Random(SEED)
    reasons = await survived([mutated(rng) for _ in range(CASES)])
    print(f"seed {SEED}: {CASES} cases, {sum(r != _CLOSED for r in reasons)} ended by us")
    assert CASES / 5 < sum(r != _CLOSED for r in reasons) < CASES


async def test_a_connection_that_lets_errors_out_is_found_out() -> None:
    class Fragile(Connection):
        def _readable(self) -> None:
            wire = self._wire
            assert wire is not None
            for packet in wire.receive():
                if isinstance(packet, bytes):
                    wire.hand_over(packet)
                    self._client.loop_read()

    with pytest.raises(AssertionError):
        await survived([NAMED["QoS 3"][0]], Fragile, limit_s=0.5)


async def test_a_message_before_the_connection_was_accepted_ends_it() -> None:
    async with raw_broker() as broker:
        broker.accept = said(b"t", b"early", 1)
        connection = Connection(parse_address(broker.url), "c", DeliveryNames(), version=5)
        with pytest.raises(ConnectionRefused, match="before the connection"):
            await connection.open([])
        await connection.close()


async def test_a_refusal_is_told_with_its_reason() -> None:
    async with raw_broker() as broker:
        broker.accept = b"\x20\x03\x00\x87\x00"
        connection = Connection(parse_address(broker.url), "c", DeliveryNames(), version=5)
        with pytest.raises(ConnectionRefused, match="Not authorized") as told:
            await connection.open([])
        assert told.value.spoke
        await connection.close()


async def test_a_subscription_that_is_refused_is_logged_and_the_others_stand(caplog: pytest.LogCaptureFixture) -> None:
    async with raw_broker() as broker:

        async def refuse(session: Session) -> None:
            await session.send(packed(0x90, b"\x00\x01\x00\x87"))

        broker.plan = refuse
        connection = Connection(parse_address(broker.url), "c", DeliveryNames(), version=5)
        await connection.open(["a", "b"])
        async with asyncio.timeout(10):
            await connection.subscribed.wait()
        assert not connection.is_lost
        await connection.close()
    assert "a subscription was refused: Not authorized" in caplog.text


async def test_orders_to_a_broker_that_says_nothing_fail_in_time() -> None:
    async with raw_broker() as broker:
        connection = Connection(parse_address(broker.url), "c", DeliveryNames(), version=5)
        await connection.open([])
        with pytest.raises(DriverFailed, match="did not confirm"):
            await connection.publish("x/set", b"{}", 1, 0.05)
        await connection.close()
        with pytest.raises(DriverFailed, match="not connected"):
            await connection.publish("x/set", b"{}", 1, 0.05)


async def test_the_link_comes_back_after_every_wrong_and_takes_what_follows(home: Any, running: Any) -> None:
    wrongs = [data for name, (data, is_survived) in NAMED.items() if not is_survived][:4]
    await home.stores.devices.put([home.device("d")])
    topic = f"homeguard/{home.id}/d/events".encode()
    async with raw_broker() as broker:

        async def attack(session: Session) -> None:
            turn = len(broker.sessions) - 1
            body = b'{"event_type":"telemetry","payload":{"metrics":{"n":%d}}}' % turn
            await session.send(said(topic, body, turn + 1))
            await session.acknowledgements(1)
            if turn < len(wrongs):
                await session.send(wrongs[turn])

        broker.plan = attack
        async with running(MqttLink(broker.url, home.id, home.intake, home.stores.devices)):
            events = await home.events(len(wrongs) + 1)
            last = await broker.session(len(wrongs))
            assert not last.ended.is_set()
    assert [e["payload"]["metrics"]["n"] for e in events] == list(range(len(wrongs) + 1))
