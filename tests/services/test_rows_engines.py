"""What HomeGuard writes into the engines, as others read it there: rows, records, documents, channels."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from cassandra.cluster import Cluster, Session
from instances import JOHN, Up, until
from pymongo import AsyncMongoClient
from redis import Redis

from homeguard.clock import SystemClock, iso
from homeguard.ids import device_uuid
from homeguard.stores.timescale.open import open_timescale

pytestmark = pytest.mark.timeout(180)

MOTION: Mapping[str, Any] = {
    "event_id": "motion-1", "device_id": "living_room_motion", "event_type": "motion_detected",
    "payload": {"zone": "living_room", "intensity": 0.85, "signature": "human"},
    "metadata": {"firmware_version": "1.2.3", "signal_strength": -45, "is_simulated": False},
}  # fmt: skip
OTHERS = (
    {"event_id": "beat-1", "device_id": "front_door_lock", "event_type": "heartbeat", "payload": {"battery_pct": 85}},
    {"event_id": "smoke-1", "device_id": "thermostat", "event_type": "smoke_detected", "payload": {}},
)
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def up(own_engines: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """An instance on every engine, with the demo's people."""
    running = Up(
        tmp_path_factory.mktemp("rows"), "--no-simulator", env={**own_engines, "HOMEGUARD_DEMO_HISTORY_DAYS": "0"}
    )
    try:
        until(lambda: _is_ready(running), within_s=120)
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="module")
def me(up: Up) -> dict[str, Any]:
    with up.http(up.token()) as http:
        told: dict[str, Any] = http.get("/api/v1/users/me").json()
    return told


@pytest.fixture(scope="module")
def home(me: dict[str, Any]) -> str:
    return str(me["home"]["id"])


@pytest.fixture(scope="module")
def sent_at(up: Up) -> datetime:
    """When MOTION was; it and the others were sent by then, with the time of a zone."""
    at = datetime.now(UTC).replace(microsecond=123_000)
    told = {**MOTION, "timestamp": at.astimezone(timezone(timedelta(hours=2))).isoformat()}
    with up.http(up.token()) as http:
        answer = http.post("/api/v1/events", json=[told, *OTHERS])
        assert (answer.status_code, answer.json()["rejected"]) == (202, [])
    return at


@pytest.fixture(scope="module")
def scylla(own_engines: dict[str, str]) -> Iterator[Session]:
    host, _, port = own_engines["SCYLLA_HOSTS"].partition(",")[0].partition(":")
    with Cluster([host], port=int(port or 9042)) as cluster:
        yield cluster.connect(own_engines["HOMEGUARD_SCYLLA_KEYSPACE"])


def _is_ready(up: Up) -> bool:
    with up.http() as http:
        return bool(http.get("/ready").json()["status"] == "ready")


# --- PostgreSQL


async def test_people_sessions_and_what_they_did_are_in_postgresql(up: Up, own_engines: dict[str, str]) -> None:
    with up.login(JOHN) as http:
        assert http.get("/api/v1/users/me").json()["name"] == "John Smith"
        assert http.post("/api/v1/devices/front_door_lock/command", json={"command": "lock"}).status_code == 200
    async with raw(own_engines["POSTGRES_URL"]) as server:
        rows = await server.fetch("SELECT email, name, role, password_hash FROM users ORDER BY email")
        sessions = await server.fetch(
            "SELECT s.token_hash, s.expires_at > s.created_at AS lasts FROM user_sessions s JOIN users u"
            " ON u.id = s.user_id WHERE u.email = $1", JOHN
        )  # fmt: skip
        indexes = await server.fetch("SELECT indexdef FROM pg_indexes WHERE tablename = 'users'")
        done = await server.fetchval("SELECT count(*) FROM commands WHERE device_id = 'front_door_lock'")
        audit = await server.fetchval("SELECT count(*) FROM audit_logs WHERE detail LIKE '%front_door_lock%'")
    assert [tuple(row)[:3] for row in rows] == [
        ("admin@demo.com", "Admin User", "admin"), (JOHN, "John Smith", "user"),
        ("sarah@demo.com", "Sarah Johnson", "user"),
    ]  # fmt: skip
    assert all(row["password_hash"].startswith("$argon2id$") for row in rows)
    assert len({row["password_hash"] for row in rows}) == 3
    assert [s["lasts"] for s in sessions] == [True]
    assert re.fullmatch(r"[0-9a-f]{64}", sessions[0]["token_hash"])
    assert any("UNIQUE" in i["indexdef"] and i["indexdef"].endswith("USING btree (email)") for i in indexes)
    assert (done, audit) == (1, 1)


# --- Kafka


async def records(engines: Mapping[str, str], topic: str) -> list[tuple[str, dict[str, Any]]]:
    """(key, JSON) of everything in a topic, read as any other program would."""
    name = f"{engines['HOMEGUARD_KAFKA_PREFIX']}{topic}"
    consumer = AIOKafkaConsumer(name, bootstrap_servers=engines["KAFKA_BROKERS"], enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(name, n) for n in sorted(consumer.partitions_for_topic(name) or ())]
        assert partitions
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found = []
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for batch in (await consumer.getmany(timeout_ms=1000)).values():
                found += [((r.key or b"").decode(), json.loads(r.value)) for r in batch]
        return found
    finally:
        await consumer.stop()


async def eventually(holds: Callable[[], Any], looks: int = 300) -> Any:
    """What it gives as soon as that is true."""
    for _ in range(looks):
        if value := await holds():
            return value
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come about in time")


async def test_an_event_is_an_envelope_in_its_topic(own_engines: dict[str, str], sent_at: datetime, home: str) -> None:
    async def found() -> list[tuple[str, dict[str, Any]]]:
        return [r for r in await records(own_engines, "device.events") if r[1]["event_id"] == "motion-1"]

    ((key, envelope),) = await eventually(found)
    assert key == f"{home}/living_room_motion"
    assert set(envelope) == {
        "event_id", "home_id", "device_id", "user_id", "event_type", "timestamp", "payload", "metadata",
    }  # fmt: skip
    assert {name: envelope[name] for name in MOTION} == MOTION
    assert envelope["home_id"] == home
    assert envelope["timestamp"] == iso(sent_at)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.123Z", envelope["timestamp"])


@pytest.mark.parametrize(
    ("topic", "event_type"), [("device.heartbeats", "heartbeat"), ("device.alerts", "alert_raised")]
)
@pytest.mark.usefixtures("sent_at")
async def test_signs_of_life_and_alerts_have_topics_of_their_own(
    own_engines: dict[str, str], topic: str, event_type: str
) -> None:
    async def found() -> list[tuple[str, dict[str, Any]]]:
        return await records(own_engines, topic)

    assert {envelope["event_type"] for _, envelope in await eventually(found)} == {event_type}


async def test_a_rules_decision_goes_through_the_topic_of_commands(
    up: Up, own_engines: dict[str, str], home: str
) -> None:
    rule = {
        "name": "night lock", "trigger": {"event_type": "motion_detected", "device_id": "living_room_motion"},
        "actions": [{"type": "device_command", "device_id": "back_door_lock", "command": "lock"}],
    }  # fmt: skip
    with up.http(up.token()) as http:
        made = http.post("/api/v1/automations", json=rule)
        assert made.status_code == 201, made.text
        fired = {**MOTION, "event_id": "motion-for-the-rule"}
        assert http.post("/api/v1/events", json=fired).status_code in (200, 202)
        until(lambda: up.events(http, event_type="automation_ran"))

    async def found() -> list[tuple[str, dict[str, Any]]]:
        return await records(own_engines, "device.commands")

    told = await eventually(found)
    assert {envelope["event_type"] for _, envelope in told} == {"command_requested"}
    assert {envelope["home_id"] for _, envelope in told} == {home}


@pytest.mark.usefixtures("up")
async def test_every_topic_is_kept_for_its_time(own_engines: dict[str, str]) -> None:
    prefix = own_engines["HOMEGUARD_KAFKA_PREFIX"]
    admin = AIOKafkaAdminClient(bootstrap_servers=own_engines["KAFKA_BROKERS"])
    await admin.start()
    try:
        names = sorted(name for name in await admin.list_topics() if name.startswith(prefix))
        asked = [ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": None}) for name in names]
        answers = await admin.describe_configs(asked)
    finally:
        await admin.close()
    kept = {r[3].removeprefix(prefix): int(r[4][0][1]) for answer in answers for r in answer.resources}
    assert kept == {
        "device.events": 7 * DAY_MS, "device.commands": DAY_MS, "device.heartbeats": DAY_MS,
        "device.alerts": 30 * DAY_MS, "dead.letters": 30 * DAY_MS, "anomaly-scores": 7 * DAY_MS,
        "agent-actions": 30 * DAY_MS, "scenario-events": DAY_MS // 24, "notifications": DAY_MS,
    }  # fmt: skip


# --- Scylla


@pytest.mark.usefixtures("up")
def test_the_event_tables_have_the_columns_of_the_design(own_engines: dict[str, str], scylla: Session) -> None:
    rows = scylla.execute(
        "SELECT table_name, column_name, type FROM system_schema.columns WHERE keyspace_name = %s",
        (own_engines["HOMEGUARD_SCYLLA_KEYSPACE"],),
    )
    types: dict[str, dict[str, str]] = {}
    for row in rows:
        types.setdefault(row.table_name, {})[row.column_name] = row.type
    shared = {
        "event_date": "date", "event_time": "timestamp", "event_id": "text", "payload": "text", "event_type": "text",
        "device_id": "uuid", "user_id": "text",
    }  # fmt: skip
    for table in ("events_by_device", "events_by_user", "events_by_type"):
        assert shared.items() <= types[table].items(), table
    assert {"acknowledged_by": "text", "acknowledged_at": "timestamp"}.items() <= types["alerts"].items()


def test_an_event_is_found_by_each_of_its_keys(scylla: Session, sent_at: datetime, home: str) -> None:
    device = device_uuid(home, "living_room_motion")
    day = sent_at.date()
    for query, key in {
        "events_by_device WHERE device_id = %s AND event_date = %s": (device, day),
        "events_by_user WHERE user_id = %s AND event_date = %s": (home, day),
        "events_by_type WHERE user_id = %s AND event_type = %s AND event_date = %s": (home, "motion_detected", day),
    }.items():
        rows = until(
            lambda query=query, key=key: [
                r for r in scylla.execute(f"SELECT event_id, event_time, payload FROM {query}", key)
                if r.event_id == "motion-1"
            ]
        )  # fmt: skip
        assert [r.event_time for r in rows] == [sent_at.replace(tzinfo=None)]
        assert json.loads(rows[0].payload) == MOTION["payload"]


# --- MongoDB


async def test_devices_rules_and_what_was_said_are_documents(
    up: Up, own_engines: dict[str, str], me: dict[str, Any], home: str
) -> None:
    rule = {
        "name": "armed at night",
        "trigger": {
            "type": "device_event", "device_id": "living_room_motion", "event_type": "motion_detected",
            "conditions": {"time_range": {"start": "22:00", "end": "06:00"}, "arm_state": "armed_away"},
        },
        "actions": [{"type": "notification", "channel": "push", "message": "Somebody is in the living room"}],
    }  # fmt: skip
    with up.http(up.token()) as http:
        made = http.post("/api/v1/automations", json=rule)
        assert made.status_code == 201, made.text
    up.say("Is the front door locked?")
    mongo: AsyncMongoClient = AsyncMongoClient(own_engines["MONGO_URL"])
    try:
        database = mongo.get_default_database()
        device = await database["devices"].find_one({"user_id": home, "device_id": "front_door_lock"})
        kept = await database["automations"].find_one({"user_id": home, "name": "armed at night"})
        said = await eventually(lambda: database["agent_conversations"].find_one({"user_id": me["id"]}))
    finally:
        await mongo.close()
    assert (device["name"], device["type"]) == ("Front door lock", "lock")
    assert {"model", "firmware_version", "location", "config", "created_at", "updated_at"} <= set(device)
    assert set(device["location"]) >= {"zone", "floor"}
    assert (kept["enabled"], kept["trigger"]["event_type"]) == (True, "motion_detected")
    assert kept["trigger"]["conditions"] == {
        "time_range": {"start": "22:00", "end": "06:00"}, "arm_state": "armed_away",
    }  # fmt: skip
    assert [a["type"] for a in kept["actions"]] == ["notification"]
    assert {"created_at", "updated_at"} <= set(kept)
    assert said["home_id"] == home


# --- Redis


def test_the_channels_of_redis_carry_what_happens(
    up: Up, own_engines: dict[str, str], me: dict[str, Any], home: str
) -> None:
    """In another database than 0 the channels' names begin with it."""
    database = own_engines["REDIS_URL"].rpartition("/")[2]
    of_device = f"device:state:{device_uuid(home, 'garage_door')}"
    of_home, of_all, of_agent = f"events:user:{home}", "events:global", f"agent:response:{me['id']}"
    heard: dict[str, list[str]] = {name: [] for name in (of_home, of_all, of_device, of_agent)}
    with closing(Redis.from_url(own_engines["REDIS_URL"], decode_responses=True)) as redis, redis.pubsub() as listening:
        listening.subscribe(*(f"db{database}:{name}" for name in heard))

        def have(name: str, word: str) -> bool:
            while message := listening.get_message(timeout=0.1):
                if message["type"] == "message":
                    heard[message["channel"].removeprefix(f"db{database}:")].append(message["data"])
            return any(word in text for text in heard[name])

        with up.http(up.token()) as http:
            told = {"event_id": "door-1", "device_id": "garage_door", "event_type": "garage_open", "payload": {}}
            assert http.post("/api/v1/events", json=told).status_code in (200, 202)
        for name in (of_home, of_all, of_device):
            until(lambda name=name: have(name, "door-1"))
        up.say("Is the front door locked?")
        for name in (of_agent, of_all):
            until(lambda name=name: have(name, "agent_response"))
    assert not any("agent_response" in text for text in heard[of_device])
    assert not any("door-1" in text for text in heard[of_agent])


# --- TimescaleDB


async def test_readings_are_compressed_by_device_where_the_extension_is(services: dict[str, str]) -> None:
    if "TIMESCALE_EXTENSION_URL" not in services:
        pytest.skip("this PostgreSQL has no TimescaleDB")
    name = f"s{uuid.uuid4().hex[:12]}"
    async with raw(services["TIMESCALE_EXTENSION_URL"]) as server:
        await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    url = urlsplit(services["TIMESCALE_EXTENSION_URL"])._replace(path=f"/{name}").geturl()
    try:
        async with open_timescale(url, SystemClock(), extension=True), raw(url) as server:
            settings = await server.fetch(
                "SELECT attname, segmentby_column_index AS by FROM timescaledb_information.compression_settings"
                " WHERE hypertable_name = 'sensor_readings'"
            )
            hypertables = await server.fetch("SELECT hypertable_name FROM timescaledb_information.hypertables")
    finally:
        async with raw(services["TIMESCALE_EXTENSION_URL"]) as server:
            await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert [row["attname"] for row in settings if row["by"]] == ["device_id"]
    assert "sensor_readings" in {row["hypertable_name"] for row in hypertables}


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)
