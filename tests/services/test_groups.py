"""Processors that share the groups: one that comes takes a part over, one that is killed loses and doubles nothing."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from instances import SARAH, Up, counted, until
from split_rig import MOVE_S, Parts, event, flowing, in_scylla, lag, post, processed

from homeguard.clock import SystemClock
from homeguard.ports.log import COMMANDS, EVENTS, HEARTBEATS, NewRecord, Record
from homeguard.stores.kafka.open import open_kafka

pytestmark = pytest.mark.timeout(420)
#: What sets a rule off -> the light that it turns on. Each device has a partition of its own choice.
RULES = {
    ("front_door", "door_open"): "living_room_light", ("doorbell", "doorbell_pressed"): "porch_light",
    ("hallway_motion", "motion_detected"): "hallway_light",
}  # fmt: skip
DEVICES = ("thermostat", "front_door_lock", "garage_door", "living_room_motion", "driveway_camera", "smoke_kitchen")
TABLES = ("events_by_device", "events_by_user", "events_by_type")


@pytest.fixture
def parts(engines: dict[str, str], tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path, engines)
    yield made
    made.kill()


def begin(parts: Parts, *processors: str) -> str:
    """All that is needed, caught up; the id of the home."""
    parts.begin("ingest", "api", *processors)
    with parts["api"].http(parts["api"].token(SARAH)) as http:
        home_id: str = http.get("/api/v1/users/me").json()["home"]["id"]
    for name in ("ingest", *processors):
        until(lambda name=name: rows_in(parts[name], "devices") > 12, within_s=60)
    until(lambda: all(lag(parts["api"], g) == 0 for g in ("reflex", "record")), within_s=MOVE_S)
    return home_id


def rows_in(up: Up, table: str) -> int:
    with closing(sqlite3.connect(f"file:{up.data}/home.db?mode=ro", uri=True, timeout=10)) as home:
        count: int = home.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


def all_recorded(parts: Parts) -> bool:
    return all(lag(parts["api"], group) == 0 for group in ("reflex", "record"))


def stored_once(parts: Parts, sent: list[str]) -> None:
    """Every table has each of these events, each once."""
    begins = sent[0].partition("-")[0] + "-"
    for table in TABLES:
        found = counted(e for e in in_scylla(parts.env, table) if e.startswith(begins))
        assert {e: n for e, n in found.items() if n > 1} == {}, table
        assert set(found) == set(sent), table


async def test_a_second_processor_takes_over_a_part(parts: Parts):
    begin(parts, "processor1")
    with flowing(parts["ingest"], DEVICES, "load") as flow:
        until(lambda: processed(parts["processor1"], "record") > 500, within_s=60)
        parts.begin("processor2")
        for group in ("reflex", "record"):
            until(lambda group=group: processed(parts["processor2"], group) > 200, within_s=MOVE_S)
        # the first one has kept a part
        mark = {group: processed(parts["processor1"], group) for group in ("reflex", "record")}
        for group, done in mark.items():
            until(lambda group=group, done=done: processed(parts["processor1"], group) > done + 200, within_s=MOVE_S)
    until(lambda: all_recorded(parts), within_s=120)
    await asyncio.to_thread(stored_once, parts, flow.sent)


async def test_a_killed_processor_loses_and_doubles_nothing(parts: Parts):
    home_id = begin(parts, "processor1", "processor2")
    api, ingest = parts["api"], parts["ingest"]
    with api.http(api.token(SARAH)) as http:
        for (device_id, event_type), light in RULES.items():
            rule = {
                "name": light, "trigger": {"event_type": event_type, "device_id": device_id},
                "actions": [{"type": "device_command", "device_id": light, "command": "turn_on"}],
            }  # fmt: skip
            assert http.post("/api/v1/automations", json=rule).status_code == 201
    for name in ("processor1", "processor2"):
        until(lambda name=name: rows_in(parts[name], "automations") == 3, within_s=30)

    triggers: list[str] = []
    glass: list[str] = []
    with flowing(ingest, DEVICES, "load") as flow, ingest.http(ingest.token(SARAH)) as http:

        def one_round() -> None:
            number = len(glass)
            for device_id, event_type in RULES:
                triggers.extend(post(http, event(device_id, event_type, f"set-{number}-{device_id}", confidence=0.9)))
            glass.extend(post(http, event("living_room_motion", "glass_break", f"glass-{number}", intensity=0.9)))

        for name in ("processor1", "processor2"):
            until(lambda name=name: processed(parts[name], "record") > 100, within_s=60)
        for _ in range(4):
            one_round()
            mark = len(flow.sent)
            until(lambda mark=mark: len(flow.sent) > mark + 200)
        one_round()
        parts.kill("processor2")
        for _ in range(3):
            one_round()
        done = processed(parts["processor1"], "record")
        until(lambda: processed(parts["processor1"], "record") > done + 1000, within_s=MOVE_S)
        one_round()
    until(lambda: all_recorded(parts), within_s=180)
    until(lambda: lag_of_commands(parts) == 0, within_s=60)
    await asyncio.to_thread(stored_once, parts, flow.sent)
    stored = await asyncio.to_thread(in_scylla, parts.env)
    assert [e for e in (*triggers, *glass) if stored.count(e) != 1] == []

    # what the killed one had not handed over yet, it hands over when it comes back
    parts.begin("processor2")
    until(lambda: not any(c.get("waiting") for c in checks(parts["processor2"]).values()), within_s=60)
    with api.http(api.token(SARAH)) as http:
        alerts = until(lambda: alerts_of(http, glass), within_s=30)
        ran = api.events(http, event_type="automation_ran")
    assert alerts == dict.fromkeys(glass, 1)
    assert counted(e["payload"]["event_id"] for e in ran) == dict.fromkeys(triggers, 1)

    server = await asyncpg.connect(parts.env["POSTGRES_URL"])
    try:
        messages = await server.fetch("SELECT id, cause FROM outbox WHERE home_id = $1", home_id)
        # a command that the killed one had in hand is settled by another, a minute later
        async with asyncio.timeout(150):
            while True:
                commands = await server.fetch(
                    "SELECT id, cause, outcome FROM commands WHERE home_id = $1 AND device_id <> ''", home_id
                )
                if "pending" not in {c["outcome"] for c in commands}:
                    break
                await asyncio.sleep(0.5)
    finally:
        await server.close()
    assert counted(m["cause"] for m in messages if m["cause"].startswith("glass-"))["glass-0"] == 1
    assert max(counted(m["cause"] for m in messages).values()) == 1
    # a command's cause is the decision of its rule; what was done to the rules themselves is in the journal too
    assert list(counted(c["cause"] for c in commands).values()) == [1] * len(triggers)
    assert {c["outcome"] for c in commands} <= {"confirmed", "sent"}
    reports = counted(await causes_in_kafka(parts))
    assert {c["id"]: reports.get(c["id"], 0) for c in commands if reports.get(c["id"], 0) > 1} == {}
    assert [c["id"] for c in commands if c["outcome"] == "confirmed" and c["id"] not in reports] == []


def checks(up: Up) -> dict[str, dict]:
    with up.http() as http:
        found: dict[str, dict] = http.get("/ready").json()["checks"]
    return found


def alerts_of(http, causes: list[str]) -> dict[str, int] | None:
    """How many alerts each of these events has, as soon as each has one."""
    alerts = http.get("/api/v1/alerts", params={"limit": 500}).json()["items"]
    found = counted(e for a in alerts for e in a["event_ids"] if e in causes)
    return found if len(found) == len(causes) else None


def lag_of_commands(parts: Parts) -> int:
    return lag(parts["processor1"], "automate")


async def causes_in_kafka(parts: Parts) -> list[str]:
    """The causes of the simulated devices' reports, as often as they were made: what was made once may be in the log
    twice, when the one that put it there was killed before it had noted that."""
    topic = f"{parts.env['HOMEGUARD_KAFKA_PREFIX']}{EVENTS}"
    consumer = AIOKafkaConsumer(bootstrap_servers=parts.env["KAFKA_BROKERS"], enable_auto_commit=False)
    await consumer.start()
    found: set[tuple[str, str]] = set()
    try:
        partitions = [TopicPartition(topic, n) for n in range(3)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for records in (await consumer.getmany(timeout_ms=1000, max_records=5000)).values():
                for record in records:
                    headers = {k: v.decode() for k, v in record.headers}
                    if json.loads(record.value)["event_type"] == "state_changed" and headers.get("cause"):
                        found.add((headers["cause"], headers["received_at"]))
    finally:
        await consumer.stop()
    return [cause for cause, _ in found]


async def test_what_a_device_says_in_two_topics_is_heard_by_one_process(services: dict[str, str]):
    prefix, topics = f"t{uuid4().hex[:8]}-", (EVENTS, HEARTBEATS, COMMANDS)
    async with AsyncExitStack() as stack:
        logs = [
            (await stack.enter_async_context(
                open_kafka(services["KAFKA_BROKERS"], SystemClock(), instance=f"{prefix}{n}", prefix=prefix)
            )).log
            for n in range(2)
        ]  # fmt: skip
        heard: list[dict[str, set[str]]] = [{}, {}]

        async def turn(of: int) -> int:
            records: list[Record] = await logs[of].read("reflex", topics, limit=100, wait_s=0.2)
            for record in records:
                heard[of].setdefault(record.key, set()).add(record.topic)
            await logs[of].commit("reflex", records)
            return len(records)

        async with asyncio.timeout(90):
            # until both have partitions of every topic, nothing is to be read
            found = 0
            number = 0
            while not all(len({t for seen in h.values() for t in seen}) == 3 for h in heard):
                heard[0].clear()
                heard[1].clear()
                number += 1
                new = [NewRecord(topic=t, key=f"h/{n}", value=b"{}") for n in range(30) for t in topics]
                await logs[0].append(new)
                found = 0
                while found < len(new):
                    found += sum(await asyncio.gather(turn(0), turn(1)))
        assert found == 90
        assert not set(heard[0]) & set(heard[1])
        assert all(seen == set(topics) for h in heard for seen in h.values())
