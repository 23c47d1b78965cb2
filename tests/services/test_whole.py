"""HomeGuard on all engines at once, as people run it."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from cassandra.cluster import Cluster
from instances import Up, until
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

pytestmark = [pytest.mark.timeout(600)]
#: Events of the comparison of counts; HOMEGUARD_LONG=1 takes the hundred thousand of the report.
EVENTS = 100_000 if os.environ.get("HOMEGUARD_LONG") == "1" else 10_000
CONCERNS = {"users": "PostgreSQL", "events": "Cassandra", "devices": "MongoDB", "live": "Redis", "stream": "Kafka"}


def is_ready(up: Up) -> dict | None:
    with up.http(up.token()) as http:
        told = http.get("/ready").json()
    return told if told["status"] == "ready" and told["history"] == "ready" else None


def test_the_demo_answers_and_the_break_in_is_told(start: Callable[..., Up], engines: dict[str, str]):
    up = start("--no-simulator", env=engines)
    checks = until(lambda: is_ready(up), within_s=180)["checks"]
    assert {name: checks[name]["engine"] for name in CONCERNS} == CONCERNS
    assert all(checks[name]["version"] for name in CONCERNS)

    assert "locked" in up.say("Is the front door locked?")["answer"]
    done = up.say("Close the garage door")
    assert [c["outcome"] for c in done["commands"]] in ([], ["confirmed"])
    with up.http(up.token()) as http:
        began = http.post("/operator/scenarios/break_in/start")
        assert began.status_code == 200, began.text
        alerts = until(
            lambda: [a for a in http.get("/api/v1/alerts").json()["items"] if a["kind"] == "glass_break"], within_s=60
        )
        assert alerts[0]["severity"] in ("high", "critical")
        events = until(lambda: up.events(http, event_type="glass_break"), within_s=60)
        assert len({e["event_id"] for e in events}) == len(events)
    told = up.say("What happened in the last hour?")["answer"]
    assert "glass" in told.lower()
    assert up.stop()[0] == 0


async def counts_in(engines: dict[str, str], home_id: str) -> dict[str, int]:
    """How many of the test's events each engine has, asked with the bare drivers."""
    found = {}
    readings = await asyncpg.connect(engines["TIMESCALE_URL"])
    found["readings"] = await readings.fetchval(
        "SELECT count(DISTINCT event_id) FROM sensor_readings WHERE event_id LIKE 'n-%'"
    )
    await readings.close()
    host, _, port = engines["SCYLLA_HOSTS"].partition(":")
    with Cluster([host], port=int(port)) as cluster:
        session = cluster.connect(engines["HOMEGUARD_SCYLLA_KEYSPACE"])
        for table in ("events_by_device", "events_by_user", "events_by_type"):
            rows = session.execute(f"SELECT event_id FROM {table}")
            found[table] = sum(r.event_id.startswith("n-") for r in rows)
    prefix = engines["HOMEGUARD_KAFKA_PREFIX"]
    consumer = AIOKafkaConsumer(bootstrap_servers=engines["KAFKA_BROKERS"], enable_auto_commit=False)
    await consumer.start()
    try:
        topic = f"{prefix}device.events"
        partitions = [TopicPartition(topic, n) for n in await _partitions(consumer, topic)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        ids: set[str] = set()
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for records in (await consumer.getmany(timeout_ms=1000, max_records=5000)).values():
                ids |= {json.loads(r.value)["event_id"] for r in records}
        found["kafka"] = sum(i.startswith("n-") for i in ids)
    finally:
        await consumer.stop()
    return found


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    await consumer._client.force_metadata_update()
    return sorted(consumer._client.cluster.partitions_for_topic(topic) or ()) or [0, 1, 2]


async def test_every_engine_has_what_the_log_has(start: Callable[..., Up], engines: dict[str, str]):
    up = start("--no-simulator", env={**engines, "HOMEGUARD_DEMO_HISTORY_DAYS": "0"})
    until(lambda: is_ready(up), within_s=180)
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)
    with up.http(up.token()) as http:
        home_id = http.get("/api/v1/users/me").json()["home"]["id"]
        for begin in range(0, EVENTS, 1000):
            body = [
                {"event_id": f"n-{n}", "device_id": ("thermostat", "living_room_motion", "garage_door")[n % 3],
                 "event_type": "telemetry", "timestamp": (first + timedelta(seconds=n)).isoformat(),
                 "payload": {"temperature_c": 20 + n % 7}}
                for n in range(begin, begin + 1000)
            ]  # fmt: skip
            answer = http.post("/api/v1/events", json=body)
            assert answer.status_code == 202, answer.text
            assert answer.json()["rejected"] == []
        # one batch a second time: it is stored once
        assert http.post("/api/v1/events", json=body).status_code == 202

    wanted = dict.fromkeys(("readings", "events_by_device", "events_by_user", "events_by_type", "kafka"), EVENTS)
    found: dict[str, int] = {}
    for _ in range(120):
        found = await counts_in(engines, home_id)
        if found == wanted:
            break
    assert found == wanted
    mongo: AsyncMongoClient = AsyncMongoClient(engines["MONGO_URL"])
    devices = await mongo.get_default_database()["devices"].count_documents({"user_id": home_id})
    await mongo.close()
    redis = Redis.from_url(engines["REDIS_URL"], decode_responses=True)
    online = await redis.smembers(f"user:devices:{home_id}")
    await redis.aclose()
    assert devices == 5
    assert len(online) == 5
    assert up.stop()[0] == 0
