"""More comes than can be done: bulk is refused first, then the rest, and alarms never; nothing is half done."""

import asyncio
import json
import os
import threading

import pytest
from pipeline_fakes import ManualClock, MemoryLog, device
from prometheus_client import generate_latest

from api.errors import error_response
from homeguard.clock import HomeClocks, SystemClock
from homeguard.errors import Overloaded
from homeguard.ports.log import EVENTS, HEARTBEATS, NewRecord
from homeguard.stores.sqlite.log import WAITING_BYTES, open_log
from homeguard.telemetry import Metrics
from pipeline.envelope import decode
from pipeline.intake.admission import Admission, Limits, limits_of
from pipeline.intake.http import IntakeEndpoint
from pipeline.intake.intake import Intake, Origin

HTTP = Origin(home_id="h1", source="http")
LIMITS = Limits(
    bulk_bytes=100, state_bytes=200, bulk_behind={"reflex": 10, "record": 20}, state_behind={"reflex": 30, "record": 40}
)


class Load:
    """A log's backlog, as it is set."""

    def __init__(self) -> None:
        self.waiting_bytes = 0
        self.lag = {"reflex": 0, "record": 0}

    def behind(self, group: str) -> int:
        return self.lag[group]


class FullLog(MemoryLog):
    """Has room for the safety lane alone."""

    async def append(self, records):
        if any(r.headers.get("lane") != "safety" for r in records):
            raise Overloaded("full", retry_after_s=1)
        await super().append(records)


@pytest.fixture
def load() -> Load:
    return Load()


@pytest.fixture
def admission(load: Load, clock: ManualClock) -> Admission:
    return Admission(load, clock, LIMITS)


def intake_on(log, admission, clock: ManualClock) -> Intake:
    class Devices:
        async def of_home(self, home_id):
            return [device("hall", "motion")]

        async def get(self, home_id, device_id):
            return None

    return Intake(log=log, devices=Devices(), clock=clock, clocks=HomeClocks(clock), admission=admission)


@pytest.fixture
def intake(log: MemoryLog, admission: Admission, clock: ManualClock) -> Intake:
    return intake_on(log, admission, clock)


def item(event_type: str, event_id: str = "") -> dict[str, str]:
    return {"device_id": "hall", "event_type": event_type, **({"event_id": event_id} if event_id else {})}


def body(*event_types: str) -> bytes:
    return json.dumps([item(t, f"{n}-{t}") for n, t in enumerate(event_types)]).encode()


def taken(log: MemoryLog) -> list[str]:
    return [decode(r).event_id for topic in (EVENTS, HEARTBEATS) for r in log.topics[topic]]


@pytest.mark.parametrize(
    ("waiting", "reflex", "record", "refused"),
    [
        (0, 0, 0, ""), (100, 10, 20, ""),
        (101, 0, 0, "bulk"), (0, 11, 0, "bulk"), (0, 0, 21, "bulk"), (200, 30, 40, "bulk"),
        (201, 0, 0, "bulk state"), (0, 31, 0, "bulk state"), (0, 0, 41, "bulk state"), (9**9, 9**9, 9**9, "bulk state"),
    ],
)  # fmt: skip
def test_bulk_is_refused_first_then_state_and_safety_never(admission, load, waiting, reflex, record, refused):
    load.waiting_bytes, load.lag = waiting, {"reflex": reflex, "record": record}

    assert admission.refused() == frozenset(refused.split())
    for lane in ("safety", "state", "bulk"):
        if lane in refused.split():
            with pytest.raises(Overloaded) as error:
                admission.admit(lane, 7)
            assert error.value.details["retry_after_s"] > 0
            assert admission.shed[lane] == 7
        else:
            admission.admit(lane, 7)


def test_the_usual_limits_lie_behind_a_full_body_and_bulk_comes_before_state():
    limits = limits_of(["reflex", "record"], slow=["record"])

    assert limits.bulk_behind == {"reflex": 50_000, "record": 100_000}
    assert limits.state_behind == {"reflex": 100_000, "record": 200_000}
    assert limits.bulk_bytes < limits.state_bytes < WAITING_BYTES


async def test_a_mixed_batch_keeps_its_alarms_and_says_which_others_to_send_again(intake, log, load, admission):
    load.lag["reflex"] = 31

    receipt = await intake.receive(
        body("heartbeat", "smoke_detected", "door_open", "nonsense", "glass_break", "motion_detected"), HTTP
    )

    assert taken(log) == list(receipt.event_ids) == ["1-smoke_detected", "4-glass_break"]
    assert [(r.index, r.code) for r in receipt.rejected] == [
        (0, "OVERLOADED"), (2, "OVERLOADED"), (3, "INVALID_INPUT"), (5, "OVERLOADED"),
    ]  # fmt: skip
    assert receipt.retry_after_s == 3
    assert dict(admission.shed) == {"bulk": 1, "state": 2}


async def test_while_only_bulk_is_refused_the_state_beside_it_is_taken(intake, log, load):
    load.lag["record"] = 21

    receipt = await intake.receive(body("heartbeat", "door_open"), HTTP)

    assert taken(log) == ["1-door_open"]
    assert [r.index for r in receipt.rejected] == [0]


@pytest.mark.parametrize("sent", [body("heartbeat", "door_open"), body("heartbeat", "nonsense")])
async def test_when_nothing_could_be_taken_the_whole_is_refused_and_nothing_is_written(intake, log, load, sent):
    load.lag["reflex"] = 31

    with pytest.raises(Overloaded) as refused:
        await intake.receive(sent, HTTP)

    assert refused.value.details["retry_after_s"] == 3
    assert not log.topics


async def test_a_single_alarm_gets_through_and_a_single_other_is_refused(intake, log, load):
    load.waiting_bytes = 10**9

    await intake.receive(json.dumps(item("water_leak_detected", "a")).encode(), HTTP)
    with pytest.raises(Overloaded):
        await intake.receive(json.dumps(item("door_open", "b")).encode(), HTTP)

    assert taken(log) == ["a"]


async def test_what_is_refused_as_wrong_stays_wrong_under_load(intake, load):
    load.lag["reflex"] = 31

    receipt = await intake.receive(b'[{"device_id": "hall", "event_type": "smoke_detected"}, 7]', HTTP)

    assert [(r.index, r.code) for r in receipt.rejected] == [(1, "INVALID_INPUT")]
    assert receipt.retry_after_s is None


async def test_senders_that_wait_for_room_themselves_are_not_shed(intake, log, load):
    load.lag["reflex"] = 31
    link = Origin(home_id="h1", source="mqtt:here")

    await intake.receive(body("heartbeat", "door_open"), link)
    await intake.receive_each([(link, json.dumps(item("door_open", "x")).encode())])

    assert len(taken(log)) == 3


async def test_when_the_log_has_room_for_alarms_only_they_alone_are_taken(clock):
    log = FullLog(clock)
    intake = intake_on(log, None, clock)

    receipt = await intake.receive(body("door_open", "smoke_detected", "heartbeat"), HTTP)

    assert taken(log) == list(receipt.event_ids) == ["1-smoke_detected"]
    assert [(r.index, r.code) for r in receipt.rejected] == [(0, "OVERLOADED"), (2, "OVERLOADED")]
    assert receipt.retry_after_s == 1
    with pytest.raises(Overloaded):
        await intake.receive(body("door_open"), HTTP)


async def test_a_link_keeps_what_the_log_had_no_room_for_and_its_alarms_are_safe_before(clock):
    log = FullLog(clock)
    intake = intake_on(log, None, clock)
    link = Origin(home_id="h1", source="mqtt:here")

    with pytest.raises(Overloaded):
        await intake.receive_each([(link, json.dumps(item(t, t)).encode()) for t in ("door_open", "smoke_detected")])

    assert taken(log) == ["smoke_detected"]


async def test_room_is_there_once_state_may_come_in_again(admission, load, clock):
    load.lag["record"] = 41
    waiting = asyncio.ensure_future(admission.room())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()

    load.lag["record"] = 40
    async with asyncio.timeout(5):
        await waiting


async def test_who_waits_for_room_in_vain_is_told(intake, load, clock):
    load.lag["record"] = 41
    with pytest.raises(Overloaded):
        await intake.room(0.01)

    load.lag["record"] = 0
    await intake.room(5)


async def test_over_http_it_is_a_503_with_retry_after_and_a_mixed_batch_a_202_with_it(intake, load):
    load.lag["reflex"] = 31

    async def anyone(headers):
        return HTTP

    endpoint = IntakeEndpoint(intake, anyone, lambda error: error_response(error, "0" * 32))

    async def post(sent: bytes):
        told = []

        async def receive():
            return {"type": "http.request", "body": sent}

        async def send(message):
            told.append(message)

        await endpoint({"type": "http", "method": "POST", "path": "/telemetry", "headers": []}, receive, send)
        headers = {name.lower(): value for name, value in told[0]["headers"]}
        return told[0]["status"], headers.get(b"retry-after"), json.loads(b"".join(m["body"] for m in told[1:]))

    status, retry_after, answer = await post(body("heartbeat"))
    assert (status, retry_after, answer["error"]["code"]) == (503, b"3", "OVERLOADED")
    status, retry_after, answer = await post(body("door_open", "smoke_detected"))
    assert (status, retry_after, answer["accepted"]) == (202, b"1", 1)
    assert answer["rejected"][0]["code"] == "OVERLOADED"
    status, retry_after, _ = await post(body("smoke_detected"))
    assert (status, retry_after) == (202, None)


def test_what_is_shed_is_counted_for_the_dashboards(load, clock):
    metrics = Metrics()
    admission = Admission(load, clock, LIMITS, tell=metrics.shed)
    load.lag["reflex"] = 31

    for lane, count in (("bulk", 3), ("state", 2)):
        with pytest.raises(Overloaded):
            admission.admit(lane, count)

    told = generate_latest(metrics.registry).decode()
    assert 'events_shed_total{lane="bulk"} 3.0' in told
    assert 'events_shed_total{lane="state"} 2.0' in told


def new(number: int, size: int = 10, lane: str = "state") -> NewRecord:
    value = f"{number:05}".encode().ljust(size, b".")
    return NewRecord(topic=EVENTS, key="h1/d1", value=value, headers={"lane": lane})


async def test_a_log_says_how_far_a_group_is_behind_what_came_since_it_was_opened(tmp_path):
    async with open_log(tmp_path, SystemClock()) as log:
        assert log.behind("reflex") == 0
        await log.append([new(n) for n in range(30)])
        found = await log.read("reflex", [EVENTS], limit=10, wait_s=0)
        assert log.behind("reflex") == 0  # what lay there when it first came
        await log.append([new(n) for n in range(30, 35)])
        assert log.behind("reflex") == 5
        await log.commit("reflex", found)
    async with open_log(tmp_path, SystemClock()) as log:
        assert log.behind("reflex") == 0
        await log.append([new(n) for n in range(35, 42)])
        assert log.behind("reflex") == 7
        while await log.read("reflex", [EVENTS], limit=4, wait_s=0):
            pass
        assert log.behind("reflex") == 0
        await log.append([new(42)])
        assert log.behind("reflex") == 1
        await log.seek("reflex", None)
        assert log.behind("reflex") == 0


async def test_a_full_queue_in_front_of_the_disk_has_a_reserve_for_alarms(tmp_path, monkeypatch):
    go_on, sync = threading.Event(), os.fdatasync

    def held_back(fd: int) -> None:
        assert go_on.wait(20)
        sync(fd)

    async with open_log(tmp_path, SystemClock()) as log:
        monkeypatch.setattr(os, "fdatasync", held_back)
        size = 4_000_000
        count = WAITING_BYTES // size
        appended = [asyncio.ensure_future(log.append([new(n, size)])) for n in range(count + 1)]
        appended += [
            asyncio.ensure_future(log.append(records))
            for records in (
                [new(900, size, "safety")],
                [new(901, 10, "safety"), new(902, size)],
                [new(903, 2 * size, "safety")],
            )
        ]
        await asyncio.sleep(0)  # each is refused, or handed over and waiting for the disk
        go_on.set()
        *filling, over, urgent, mixed, beyond = await asyncio.gather(*appended, return_exceptions=True)

        assert filling == [None] * count
        assert (type(over), urgent, type(mixed), type(beyond)) == (Overloaded, None, Overloaded, Overloaded)
        assert log.waiting_bytes == 0
