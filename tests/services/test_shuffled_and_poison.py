"""What comes in disorder or repeatedly leaves the same behind (R13); what cannot be done holds nobody up (R14)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from cassandra.cluster import Cluster
from fault_rig import in_a_loop, in_readings
from instances import Up, until

from homeguard.clock import iso
from homeguard.ports.log import DEAD_LETTERS, EVENTS

pytestmark = pytest.mark.timeout(600)

COUNT: Final = 2_000
#: Half a minute apart, over two days, a part of them ahead of the clock.
STEP: Final = timedelta(seconds=30)
AGO: Final = timedelta(hours=10)
METRICS: Final = (("thermostat", "temperature_c"), ("thermostat", "humidity_pct"), ("garage_door", "temperature_c"))
WINDOWS: Final = (1, 15, 60, 1440)


@pytest.fixture(scope="module")
def up(own_engines: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """An instance on every engine."""
    folder = tmp_path_factory.mktemp("shuffled")
    running = Up(folder, "--no-simulator", env={**own_engines, "HOMEGUARD_DEMO_HISTORY_DAYS": "0"})
    try:
        until(lambda: is_ready(running), within_s=120)
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="module")
def home(up: Up) -> str:
    with up.http(up.token()) as http:
        return str(http.get("/api/v1/users/me").json()["home"]["id"])


def is_ready(up: Up) -> bool:
    with up.http() as http:
        told = http.get("/ready").json()
    return bool(told["status"] == "ready" and told["history"] == "ready")


def story(first: datetime) -> list[dict[str, Any]]:
    """Two thousand events in their order: measurements, movement, a lock, signs of life."""
    return [{"event_id": f"n-{n}", "timestamp": iso(first + n * STEP), **said(n)} for n in range(COUNT)]


def said(n: int) -> dict[str, Any]:
    measured = {"temperature_c": 18 + n % 11 / 2, "humidity_pct": 30 + n % 23}
    kinds: Sequence[dict[str, Any]] = (
        {"device_id": "thermostat", "event_type": "telemetry", "payload": measured},
        {"device_id": "garage_door", "event_type": "telemetry", "payload": {"temperature_c": 5 + n % 13 / 4}},
        {"device_id": "living_room_motion", "event_type": ("motion_detected", "motion_stopped")[n // 5 % 2]},
        {"device_id": "front_door_lock", "event_type": ("door_locked", "door_unlocked")[n // 5 % 3 % 2]},
        {"device_id": "back_door_lock", "event_type": "heartbeat", "payload": {"battery_pct": 40 + n % 50}},
    )
    return dict(kinds[n % 5])


def in_disorder(events: Sequence[dict[str, Any]], seed: int) -> list[list[dict[str, Any]]]:
    """Each two or three times, shuffled, cut into batches of any size and single ones."""
    random = Random(seed)
    sent = [event for event in events for _ in range(random.choice((2, 3)))]
    random.shuffle(sent)
    batches = []
    while sent:
        size = random.choice((1, 1, 2, 7, 50, 200, 500))
        batches.append(sent[:size])
        del sent[:size]
    return batches


def send(up: Up, batches: Sequence[Sequence[dict[str, Any]]]) -> None:
    with up.http(up.token()) as http:
        for batch in batches:
            body = batch[0] if len(batch) == 1 else list(batch)
            answer = http.post("/api/v1/events", json=body)
            assert answer.status_code == 202, answer.text
            assert answer.json()["rejected"] == []


def remembered(up: Up, first: datetime) -> dict[str, Any]:
    """All that an instance says of the story: its events, how the devices are, the figures."""
    span = {"from": iso(first), "to": iso(first + COUNT * STEP)}
    with up.http(up.token()) as http:
        events = [
            (e["timestamp"], e["event_id"], e["device_id"], e["event_type"], e["payload"])
            for e in up.events(http, **span)
            if e["event_id"].startswith("n-")
        ]
        devices = http.get("/api/v1/devices").json()["items"]
        figures = {}
        for device_id, metric in METRICS:
            for every in WINDOWS:
                asked = {**span, "device_id": device_id, "metric": metric, "every": every}
                answer = http.get("/api/v1/analytics/aggregates", params=asked)
                assert answer.status_code == 200, answer.text
                figures[f"{device_id} {metric} by {every}"] = answer.json()["items"]
    states = {d["id"]: (d["state"], d["available"], d["last_seen_at"], d["battery_pct"]) for d in devices}
    return {"events": events, "states": states, **figures}


def rows_in(engines: Mapping[str, str]) -> dict[str, int]:
    """Rows of the story by table, asked with the bare drivers."""
    found = {}
    host, _, port = engines["SCYLLA_HOSTS"].partition(":")
    with Cluster([host], port=int(port)) as cluster:
        session = cluster.connect(engines["HOMEGUARD_SCYLLA_KEYSPACE"])
        for table in ("events_by_user", "events_by_device", "events_by_type"):
            found[table] = sum(r.event_id.startswith("n-") for r in session.execute(f"SELECT event_id FROM {table}"))
    _, total, rolled = in_a_loop(in_readings(engines["TIMESCALE_URL"]))
    return {**found, "readings that no rollup has": total - rolled}


def made_at_the_same_time_as(up: Up, folder: Path) -> None:
    """So that the demo itself reports the same there: what its devices measure at first counts in the figures too."""
    told = json.loads((up.data / "demo.json").read_text())
    folder.mkdir()
    (folder / "demo.json").write_text(json.dumps({**told, "history": False, "told": False}))


def test_disorder_and_repetition_leave_what_order_leaves(
    up: Up, own_engines: dict[str, str], start: Callable[..., Up], tmp_path: Path
):
    made_at_the_same_time_as(up, tmp_path / "data")
    orderly = start("--no-simulator", env={"HOMEGUARD_DEMO_HISTORY_DAYS": "0", "HOMEGUARD_RATE_LIMITS": "off"})
    first = (datetime.now(UTC) - AGO).replace(microsecond=0)
    events = story(first)
    send(orderly, [events[n : n + 200] for n in range(0, COUNT, 200)])
    send(up, in_disorder(events, seed=13))

    wanted = until(lambda: (r := remembered(orderly, first)) and len(r["events"]) == COUNT and r, within_s=60)
    whole = {**dict.fromkeys(("events_by_user", "events_by_device", "events_by_type"), COUNT),
             "readings that no rollup has": 0}  # fmt: skip
    until(lambda: rows_in(own_engines) == whole, within_s=120)
    found = remembered(up, first)
    assert found.keys() == wanted.keys()
    for what, is_so in wanted.items():
        assert found[what] == is_so, what
    # one more where the demo's own report fell into a minute of its own
    assert len(wanted["thermostat temperature_c by 1"]) - COUNT // 5 in (0, 1)
    # nothing more comes of what was sent again
    send(up, in_disorder(events[::7], seed=14))
    with up.http() as http:
        until(lambda: http.get("/ready").json()["checks"]["spool"]["waiting_bytes"] == 0)
    assert rows_in(own_engines) == whole


# --- poison


async def put(engines: Mapping[str, str], key: str, value: bytes) -> tuple[int, int]:
    """A record past everything that HomeGuard would judge it by: (partition, offset)."""
    producer = AIOKafkaProducer(bootstrap_servers=engines["KAFKA_BROKERS"])
    await producer.start()
    try:
        topic = f"{engines['HOMEGUARD_KAFKA_PREFIX']}{EVENTS}"
        sent = await producer.send_and_wait(topic, value, key=key.encode())
    finally:
        await producer.stop()
    return sent.partition, sent.offset


async def committed(engines: Mapping[str, str], partition: int) -> int:
    """How far the group that records has come there."""
    prefix = engines["HOMEGUARD_KAFKA_PREFIX"]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=engines["KAFKA_BROKERS"], group_id=f"{prefix}homeguard-record", enable_auto_commit=False
    )
    await consumer.start()
    try:
        return await consumer.committed(TopicPartition(f"{prefix}{EVENTS}", partition)) or 0
    finally:
        await consumer.stop()


def letters(up: Up) -> list[dict[str, Any]]:
    done = up.homeguard("dead-letters", "list", "--json")
    assert done.returncode == 0, done.stderr
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items


def letters_of(up: Up, key: str, count: int) -> list[dict[str, Any]]:
    """Those of records with that key, as soon as there are so many."""
    return list(until(lambda: (f := [x for x in letters(up) if x["key"] == key]) and len(f) >= count and f))


def behind(up: Up, event_id: str) -> None:
    """An event of the same device is taken and stored, whatever lies before it."""
    with up.http(up.token()) as http:
        event = {"event_id": event_id, "device_id": "thermostat", "event_type": "telemetry",
                 "payload": {"temperature_c": 20}}  # fmt: skip
        taken_at = datetime.now(UTC)
        assert http.post("/api/v1/events", json=event).status_code == 202
        span = {"from": iso(taken_at - 2 * STEP), "to": iso(taken_at + 2 * STEP), "device_id": "thermostat"}
        until(lambda: any(e["event_id"] == event_id for e in up.events(http, **span)))


def test_a_record_that_is_no_envelope_dies_and_its_partition_goes_on(up: Up, own_engines: dict[str, str], home: str):
    key = f"{home}/thermostat"
    partition, offset = in_a_loop(put(own_engines, key, b'{"event_id": "broken", "home'))
    behind(up, "after-broken")
    (letter,) = letters_of(up, key, 1)
    assert letter["group"] == "record"
    assert letter["topic"] == EVENTS
    assert letter["offset"] == f"{partition}/{offset}"
    assert "envelope" in letter["reason"]
    assert letter["size"] == 28
    assert letter["is_waiting"]
    until(lambda: in_a_loop(committed(own_engines, partition)) > offset)

    done = up.homeguard("dead-letters", "retry", "--all", "--json")
    assert json.loads(done.stdout) == {"letters": 1, "sent": 1, "unreadable": 0}
    # it went on its way like everything else, and dies once in each group that meets it
    old, *new = letters_of(up, key, 3)
    assert not old["is_waiting"]
    assert sorted((x["group"], x["retries"]) for x in new) == [("record", 1), ("reflex", 1)]
    behind(up, "after-retry")


def test_a_record_that_a_store_refuses_dies_alone_and_its_batch_goes_on(up: Up, own_engines: dict[str, str], home: str):
    """Its device's name holds a character that no text of the store of readings can hold."""
    key = f"{home}/thermostat"
    before = len([x for x in letters(up) if x["key"] == key])
    poison = {
        "event_id": "unstorable", "home_id": home, "device_id": "thermo\0stat", "user_id": "",
        "event_type": "telemetry", "timestamp": iso(datetime.now(UTC)), "payload": {"temperature_c": 20},
        "metadata": {},
    }  # fmt: skip
    in_a_loop(put(own_engines, key, json.dumps(poison).encode()))
    behind(up, "after-unstorable")
    letter = letters_of(up, key, before + 1)[before]
    assert letter["group"] == "record"
    assert "StoreReadings" in letter["reason"]


def test_letters_outlive_a_restart(up: Up, own_engines: dict[str, str], tmp_path: Path):
    """They lie in Kafka: another instance of the same installation lists them too."""
    known = letters(up)
    assert known
    other = Up(tmp_path, "--no-simulator", env={**own_engines, "HOMEGUARD_DEMO_HISTORY_DAYS": "0"})
    try:
        assert [(x["offset"], x["reason"]) for x in letters(other)] == [(x["offset"], x["reason"]) for x in known]
    finally:
        other.kill()
    assert all(x["topic"] != DEAD_LETTERS for x in known)
