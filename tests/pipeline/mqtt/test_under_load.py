"""More than can be done: what is urgent is stored, the rest waits unacknowledged, the broker keeps what follows."""

import asyncio
import json
import os
import random
from typing import Any

import pytest
from raw_broker import RawBroker, Session, raw_broker, said

from homeguard.clock import SystemClock
from homeguard.errors import Overloaded
from homeguard.ports.log import DEAD_LETTERS, EVENTS
from pipeline.intake.admission import Admission, limits_of
from pipeline.mqtt.address import parse_address
from pipeline.mqtt.connection import RECEIVE_MAXIMUM, Connection
from pipeline.mqtt.delivery import DeliveryNames
from pipeline.mqtt.link import MqttLink

SEED = int(os.environ.get("HOMEGUARD_SEED", "20261121"))
MUTATED = 100_000 if os.environ.get("HOMEGUARD_LONG") == "1" else 10_000


class Backlog:
    """As far behind as a test wants."""

    waiting_bytes = 0

    def __init__(self, behind: int = 0) -> None:
        self.is_behind = behind

    def behind(self, group: str) -> int:
        return self.is_behind


def telemetry(number: int) -> bytes:
    return b'{"event_type":"telemetry","payload":{"metrics":{"n":%d}}}' % number


SMOKE = b'{"event_type":"smoke_detected","payload":{"smoke":true}}'
REPORT = b'{"event_type":"state_changed","payload":{"water_leak":true}}'


async def with_device(home: Any) -> bytes:
    await home.stores.devices.put([home.device("d")])
    return f"homeguard/{home.id}/d/events".encode()


async def test_alarms_get_through_while_the_rest_waits_and_all_is_acknowledged_in_order(
    home: Any, running: Any
) -> None:
    topic = await with_device(home)
    backlog = Backlog(behind=1_000_000)
    admission = Admission(backlog, SystemClock(), limits_of(("reflex",)))
    async with raw_broker() as broker:
        bodies = [telemetry(0), SMOKE, telemetry(1), REPORT, telemetry(2)]

        async def send(session: Session) -> None:
            for mid, body in enumerate(bodies, 1):
                await session.send(said(topic, body, mid))

        broker.plan = send
        link = MqttLink(broker.url, home.id, home.intake, home.stores.devices, admission=admission)
        async with running(link):
            urgent = await home.events(2)
            assert [e["event_type"] for e in urgent] == ["smoke_detected", "state_changed"]
            session = await broker.session(0)
            # what comes while others wait is looked at as well
            await session.send(said(topic, SMOKE, 6))
            [again] = await home.events(1)
            assert again["event_type"] == "smoke_detected"
            assert session.acknowledged == []
            backlog.is_behind = 0
            rest = await home.events(3)
            await session.acknowledgements(6)
    assert [e["payload"]["metrics"]["n"] for e in rest] == [0, 1, 2]
    assert session.acknowledged == [1, 2, 3, 4, 5, 6]


async def test_a_link_that_is_stopped_while_others_wait_acknowledges_none_of_them(home: Any, running: Any) -> None:
    topic = await with_device(home)
    admission = Admission(Backlog(behind=1_000_000), SystemClock(), limits_of(("reflex",)))
    async with raw_broker() as broker:

        async def send(session: Session) -> None:
            await session.send(said(topic, telemetry(0), 1) + said(topic, SMOKE, 2))

        broker.plan = send
        async with running(MqttLink(broker.url, home.id, home.intake, home.stores.devices, admission=admission)):
            await home.events(1)
        session = await broker.session(0)
        async with asyncio.timeout(10):
            await session.ended.wait()
    assert session.acknowledged == []


async def test_a_v5_broker_is_told_how_much_may_be_under_way(home: Any, running: Any) -> None:
    async with raw_broker() as broker, running(MqttLink(broker.url, home.id, home.intake, home.stores.devices)):
        session = await broker.session(0)
    assert b"\x21" + RECEIVE_MAXIMUM.to_bytes(2, "big") in session.connect


async def flooded(broker: RawBroker, count: int, size: int) -> tuple[Connection, Session, "asyncio.Task[None]"]:
    """A connection to a broker of the old protocol that does not wait for acknowledgements."""

    async def flood(session: Session) -> None:
        for number in range(count):
            await session.send(said(b"t", b"%06d" % number + bytes(size), number % 65_535 + 1, is_v5=False))

    connection = Connection(parse_address(broker.url), "c", DeliveryNames(), version=4)
    await connection.open([])
    session = await broker.session(0)
    return connection, session, asyncio.create_task(flood(session))


async def test_a_queue_that_is_full_stops_reading_until_it_is_taken_and_nothing_is_lost() -> None:
    count = 30_000
    async with raw_broker() as broker:
        connection, session, flooding = await flooded(broker, count, 1_000)

        async def is_stopped() -> None:
            while connection._is_reading:  # noqa: ASYNC110 - there is nothing outside that tells of it
                await asyncio.sleep(0.005)

        async with asyncio.timeout(20):
            await is_stopped()
        assert not flooding.done()
        assert len(connection._queue) < 3_000
        connection._tick()  # the connection is kept alive meanwhile
        seen = []
        async with asyncio.timeout(40):
            while len(seen) < count:
                taken = await connection.take(5.0)
                seen += [int(d.body[:6]) for d in taken]
                connection.acknowledge(taken)
            await flooding
            await session.acknowledgements(count)
        assert session.pings == 1
        await connection.close()
    assert seen == list(range(count))


async def stored_once_however_often_the_log_refuses(home: Any, running: Any, kind: type[MqttLink]) -> None:
    topic = await with_device(home)
    append, refusals = home.stores.log.append, 3

    async def sometimes(records: Any) -> None:
        nonlocal refusals
        if refusals and any(r.topic == EVENTS for r in records):
            refusals -= 1
            raise Overloaded("the disk is busy")
        await append(records)

    home.stores.log.append = sometimes
    async with raw_broker() as broker:

        async def send(session: Session) -> None:
            for mid in range(1, 101):
                await session.send(said(topic, telemetry(mid), mid))

        broker.plan = send
        async with running(kind(broker.url, home.id, home.intake, home.stores.devices)):
            session = await broker.session(0)
            await session.acknowledgements(100)
    assert refusals == 0
    records = await home.stores.log.read("count", [EVENTS], limit=1_000, wait_s=0)
    said_of = [json.loads(r.value)["payload"]["metrics"]["n"] for r in records]
    assert sorted(said_of) == list(range(1, 101))


async def test_a_log_that_refuses_a_batch_gets_it_again_and_every_event_is_there_once(home: Any, running: Any) -> None:
    await stored_once_however_often_the_log_refuses(home, running, MqttLink)


async def test_a_link_that_acknowledges_what_the_log_refused_is_found_out(home: Any, running: Any) -> None:
    class Hasty(MqttLink):
        async def _durably(self, step: Any, stop: asyncio.Event) -> Any:
            try:
                return await step()
            except Overloaded:
                return []

    with pytest.raises(AssertionError):
        await stored_once_however_often_the_log_refuses(home, running, Hasty)


@pytest.mark.timeout(600 if MUTATED > 10_000 else 60)
async def test_payloads_that_are_damaged_become_dead_letters_and_the_link_goes_on(home: Any, running: Any) -> None:
    """Each message is an event or a dead letter, all are acknowledged, and what comes behind them is stored."""
    topic, rng = await with_device(home), random.Random(SEED)
    seeds = [telemetry(1), SMOKE, json.dumps({"event_id": "x1", "event_type": "motion_detected"}).encode()]
    bodies = []
    for _ in range(MUTATED):
        body = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 4)):
            place = rng.randrange(len(body))
            match rng.randrange(3):
                case 0:
                    body[place] = rng.choice(b'{}[]":,\\\x00\xff0e-')
                case 1:
                    del body[place : place + 5]
                case _:
                    body[place:place] = rng.choice([b"\xff", b'"', b"{", b"\\ud800", b"9" * 400, b"NaN", b"[" * 40])
            body = body or bytearray(b"-")
        # a line that starts as a list may hold any number of items
        bodies.append(bytes(body) if body[:1] != b"[" else b"-" + bytes(body))
    async with raw_broker() as broker:

        async def send(session: Session) -> None:
            for number, body in enumerate(bodies):
                await session.send(said(topic, body, number % 65_535 + 1))
                # as a broker does that was told how much may be under way
                if number % 500 == 499:
                    await session.acknowledgements(number + 1 - RECEIVE_MAXIMUM // 2)
            await session.send(said(topic, telemetry(4711), 65_535))

        broker.plan = send
        async with running(MqttLink(broker.url, home.id, home.intake, home.stores.devices)):
            session = await broker.session(0)
            await session.acknowledgements(MUTATED + 1, limit_s=500 if MUTATED > 10_000 else 50)
            assert not session.ended.is_set()
    counts, is_behind_there = {}, False
    for name in (EVENTS, DEAD_LETTERS):
        counts[name] = 0
        while records := await home.stores.log.read(f"count-{name}", [name], limit=5_000, wait_s=0):
            counts[name] += len(records)
            if name == DEAD_LETTERS:
                assert all(r.headers["reason"] and len(r.value) <= 64 * 1024 for r in records)
            else:
                is_behind_there = b"4711" in records[-1].value
    print(f"seed {SEED}: {counts}")
    assert is_behind_there
    assert sum(counts.values()) == MUTATED + 1, f"seed {SEED}"
    assert min(counts.values()) > MUTATED / 50
