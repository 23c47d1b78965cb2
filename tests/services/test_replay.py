"""The log read again, and what an outage held up: on the engines nothing is there twice, nothing happens twice."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from cassandra.cluster import Cluster
from fault_proxy import FaultProxy, proxies
from instances import SARAH, Up, counted, one_line_says, until
from split_rig import event, in_scylla, lag, post, processed, watching

from deploy.services.room import free_ports

pytestmark = pytest.mark.timeout(300)
PEOPLE = ("commands", "confirmations", "audit_logs", "outbox", "users", "home_members", "access_tokens")
READINGS = ("sensor_readings", "reading_minutes", "reading_hours", "reading_days")
EVENTS = (
    "events_by_device", "events_by_user", "events_by_type", "event_ids", "event_counts", "device_heartbeats",
    "anomalies", "anomalies_by_device", "alerts", "alerts_by_id",
)  # fmt: skip


@pytest.fixture(scope="module")
def fault(own_engines: dict[str, str]) -> Iterator[tuple[dict[str, str], FaultProxy]]:
    """The engines, with a proxy before Scylla."""
    real = int(own_engines["SCYLLA_HOSTS"].rpartition(":")[2])
    [port] = free_ports(1, ())
    with proxies((port, real)) as [proxy]:
        yield {**own_engines, "SCYLLA_HOSTS": f"127.0.0.1:{port}"}, proxy


@pytest.fixture(scope="module")
def up(fault: tuple[dict[str, str], FaultProxy], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A home that was told a story: telemetry, an alarm, a strange reading, a rule that fires, a command."""
    # a canary is a record, too, and the counts of records are compared
    env = {**fault[0], "HOMEGUARD_DEMO_HISTORY_DAYS": "0", "HOMEGUARD_CANARY_S": "0"}
    made = Up(tmp_path_factory.mktemp("replay"), "--no-simulator", env=env)
    try:
        until(lambda: is_done(made), within_s=60)
        tell(made)
        # a message is told, and noted as told, a little after its records were done
        until(lambda: is_done(made) and not untold(fault[0]))
        yield made
    finally:
        made.kill()


def tell(up: Up) -> None:
    with up.http(up.token(SARAH)) as http:
        rule = {
            "name": "bell", "trigger": {"event_type": "doorbell_pressed"},
            "actions": [
                {"type": "device_command", "device_id": "porch_light", "command": "turn_on"},
                {"type": "notification", "message": "somebody is at the door"},
            ],
        }  # fmt: skip
        assert http.post("/api/v1/automations", json=rule).status_code == 201
        first = datetime.now(UTC) - timedelta(minutes=4)
        post(
            http,
            *(
                event("garage_door", "telemetry", f"t-{n}", (first + timedelta(seconds=n)).isoformat(),
                      temperature_c=60.0 if n == 190 else 20 + n % 3 / 10)
                for n in range(200)
            ),
            *(event("thermostat", "heartbeat", f"h-{n}", temperature_c=20.1) for n in range(5)),
            event("front_door", "glass_break", "glass", intensity=0.9),
            event("doorbell", "doorbell_pressed", "bell"),
        )  # fmt: skip
        until(lambda: up.events(http, event_type="automation_ran"))
        path = "/api/v1/devices/hallway_light/command"
        assert http.post(path, json={"command": "turn_on"}).json()["outcome"] == "confirmed"
    until(lambda: is_done(up))


def is_done(up: Up) -> bool:
    """Nothing is on its way any more."""
    with up.http() as http:
        checks = http.get("/ready").json()["checks"]
    waits = any(c.get("waiting") or c.get("waiting_bytes") for c in checks.values())
    return not waits and all(lag(up, group) == 0 for group in ("reflex", "record", "automate"))


def untold(engines: Mapping[str, str]) -> int:
    """Messages that PostgreSQL does not know as delivered."""

    async def count() -> int:
        server = await asyncpg.connect(engines["POSTGRES_URL"])
        try:
            return int(await server.fetchval("SELECT count(*) FROM outbox WHERE delivered_at IS NULL"))
        finally:
            await server.close()

    return asyncio.run(count())


def rows(engines: Mapping[str, str]) -> dict[str, list[str]]:
    """Every row of every table, asked with the bare drivers."""

    async def sql(url: str, tables: tuple[str, ...]) -> dict[str, list[str]]:
        server = await asyncpg.connect(url)
        try:
            return {t: sorted(str(tuple(r)) for r in await server.fetch(f"SELECT * FROM {t}")) for t in tables}
        finally:
            await server.close()

    found = {
        **asyncio.run(sql(engines["POSTGRES_URL"], PEOPLE)),
        **asyncio.run(sql(engines["TIMESCALE_URL"], READINGS)),
    }
    host, _, port = engines["SCYLLA_HOSTS"].partition(":")
    with Cluster([host], port=int(port)) as cluster:
        session = cluster.connect(engines["HOMEGUARD_SCYLLA_KEYSPACE"])
        for table in EVENTS:
            found[table] = sorted(str(tuple(row)) for row in session.execute(f"SELECT * FROM {table}", timeout=60))
    return found


def replay(up: Up, since: str) -> dict[str, Any]:
    done = up.homeguard("topics", "replay", "--from", since, "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_story_left_something_to_double(up: Up, own_engines: dict[str, str]):
    found = {table: len(some) for table, some in rows(own_engines).items()}
    few = {table for table, count in found.items() if not count}
    assert few <= {"confirmations", "access_tokens", "device_heartbeats", "event_counts"}, found
    assert found["events_by_device"] >= 200
    assert found["anomalies"] >= 1
    assert found["outbox"] >= 2


@pytest.mark.parametrize("since", ["start", "a minute ago"])
def test_reading_again_changes_no_row_and_tells_nobody(up: Up, own_engines: dict[str, str], since: str):
    before, done = rows(own_engines), processed(up, "record")
    acted = {group: processed(up, group) for group in ("reflex", "automate")}
    with watching(up) as watch:
        told = replay(up, since if since == "start" else (datetime.now(UTC) - timedelta(minutes=1)).isoformat())
        assert told["group"] == "record"
        until(lambda: processed(up, "record") >= done + told["records"] and is_done(up))
        heard = {frame["type"] for frame in watch.heard}
    assert told["records"] >= (200 if since == "start" else 0)
    assert heard <= {"ping"}
    after = rows(own_engines)
    assert {t: (len(before[t]), len(after[t])) for t in before if before[t] != after[t]} == {}
    assert {group: processed(up, group) for group in acted} == acted


@pytest.mark.parametrize("group", ["safety", "reflex", "automate"])
def test_groups_that_act_are_not_read_again(up: Up, group: str):
    assert one_line_says(up.homeguard("topics", "replay", "--from", "start", "--group", group), group, "record")


@pytest.mark.parametrize("kind", ["refused", "black_holed"])
def test_without_scylla_nothing_is_committed_and_all_is_written_after(
    up: Up, own_engines: dict[str, str], fault: tuple[dict[str, str], FaultProxy], kind: str
):
    wanted = [f"{kind}-{n}" for n in range(300)]
    with up.http(up.token(SARAH)) as http:
        with fault[1].having(kind):
            until(lambda: not checks(up)["events"]["ok"], within_s=60)
            for begin in range(0, 300, 50):
                post(
                    http, *(event("thermostat", "telemetry", e, temperature_c=21.0) for e in wanted[begin : begin + 50])
                )
            # they are in Kafka and have passed the reflexes, and the group that records them stands still
            until(lambda: lag(up, "reflex") == 0 and not checks(up)["spool"]["waiting_bytes"])
            assert lag(up, "record") >= 300
        until(lambda: lag(up, "record") == 0, within_s=60)
    for table in EVENTS[:3]:
        found = counted(e for e in in_scylla(own_engines, table) if e.startswith(f"{kind}-"))
        assert found == dict.fromkeys(wanted, 1), table


def checks(up: Up) -> dict[str, Any]:
    with up.http() as http:
        found: dict[str, Any] = http.get("/ready").json()["checks"]
    return found
