"""A person who leaves an installation on all engines is told everything first, and then is in none of them."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cassandra.cluster import Cluster
from instances import JOHN, PASSWORD, SARAH, Up, until
from pymongo import AsyncMongoClient
from redis.asyncio import Redis
from split_rig import Parts

pytestmark = pytest.mark.timeout(300)

WORD = "canary7391"


async def in_postgres(url: str) -> dict[str, str]:
    """Every table's rows, as text."""
    server = await asyncpg.connect(url)
    try:
        names = [r[0] for r in await server.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        return {
            f"{url.rpartition('/')[2]}.{name}": repr(await server.fetch(f'SELECT * FROM "{name}"')) for name in names
        }
    finally:
        await server.close()


async def in_mongo(url: str) -> dict[str, str]:
    client: AsyncMongoClient = AsyncMongoClient(url)
    try:
        database = client.get_default_database()
        names = await database.list_collection_names()
        return {f"mongo.{name}": repr(await database[name].find().to_list()) for name in names}
    finally:
        await client.close()


def in_cassandra(hosts: str, keyspace: str) -> dict[str, str]:
    host, _, port = hosts.partition(",")[0].partition(":")
    with Cluster([host], port=int(port)) as cluster:
        session = cluster.connect(keyspace)
        tables = cluster.metadata.keyspaces[keyspace].tables
        return {f"cassandra.{name}": repr(list(session.execute(f"SELECT * FROM {name}"))) for name in tables}


async def in_redis(url: str) -> dict[str, str]:
    async with Redis.from_url(url) as server:
        found = {}
        async for key in server.scan_iter():
            kind = (await server.type(key)).decode()
            read = {"string": server.get, "hash": server.hgetall, "set": server.smembers}.get(kind)
            found[f"redis.{key.decode()}"] = repr(await read(key)) if read else repr(await server.zrange(key, 0, -1))
        return found


def in_files(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                if not table.startswith("memory_words"):
                    found[f"{path.name}.{table}"] = repr(connection.execute(f'SELECT * FROM "{table}"').fetchall())
    return found


async def everything(engines: Mapping[str, str]) -> dict[str, str]:
    """Place -> what lies there, read with the bare drivers."""
    found: dict[str, str] = {}
    for url in (engines["POSTGRES_URL"], engines["TIMESCALE_URL"]):
        found |= await in_postgres(url)
    found |= await in_mongo(engines["MONGO_URL"])
    found |= await asyncio.to_thread(in_cassandra, engines["SCYLLA_HOSTS"], engines["HOMEGUARD_SCYLLA_KEYSPACE"])
    return found | await in_redis(engines["REDIS_URL"])


def live_a_little(up: Up, email: str) -> str:
    """Something in every place, with the word in it; returns the home's id."""
    with up.login(email) as http:
        me = http.get("/api/v1/users/me").json()
        assert http.post("/api/v1/memory", json={"text": f"The {WORD} sings at noon"}).status_code in (200, 201)
        device = http.get("/api/v1/devices").json()["items"][0]["id"]
        thermostat = next(d for d in http.get("/api/v1/devices").json()["items"] if d["type"] == "thermostat")["id"]
        told = {"device_id": thermostat, "event_type": "telemetry", "payload": {"temperature_c": 20.5}}
        assert http.post("/api/v1/events", json=told).status_code == 202
        told = {"device_id": device, "event_type": "state_changed", "payload": {"note": WORD}}
        assert http.post("/api/v1/events", json=told).status_code == 202
        until(lambda: WORD in http.get("/api/v1/events", params={"event_type": "state_changed"}).text, within_s=60)
    up.say(f"Unlock the front door, said the {WORD}", "--as", email)
    return str(me["home"]["id"] if "home" in me else me["id"])


def leave(up: Up, email: str) -> dict[str, Any]:
    with up.login(email) as http:
        answer = http.request("DELETE", "/api/v1/users/me", json={"password": PASSWORD}, timeout=120)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


async def test_who_leaves_is_in_no_engine_and_no_file_and_the_others_are_as_they_were(
    start: Callable[..., Up], engines: dict[str, str]
) -> None:
    up = start("--no-simulator", env={**engines, "HOMEGUARD_DEMO_HISTORY_DAYS": "0"})
    home_id = await asyncio.to_thread(live_a_little, up, SARAH)
    with up.login(JOHN) as http:
        john = {p: http.get(p).json() for p in ("/api/v1/devices", "/api/v1/events?limit=1000", "/api/v1/users/me")}
    with up.login(SARAH) as http:
        answer = http.get("/api/v1/users/me/export", timeout=120)
        assert answer.status_code == 200, answer.text
        told = answer.json()
    assert WORD in json.dumps(told["data"]["MongoDB.agent_messages"])
    assert WORD in json.dumps(told["data"]["MongoDB.agent_learnings"])
    assert told["data"]["PostgreSQL.users"][0]["email"] == SARAH
    assert "password_hash" not in json.dumps(told)
    assert any("the stream keeps" in line and "until 20" in line for line in told["elsewhere"])
    before = await everything(engines)
    places = {place for place, rows in before.items() if WORD in rows}
    assert {"mongo.agent_messages", "mongo.agent_learnings", "cassandra.events_by_user"} <= places

    gone = await asyncio.to_thread(leave, up, SARAH)

    assert gone["homes"] == [home_id]
    after = await everything(engines)
    assert {place for place, rows in after.items() if WORD in rows} == set()
    # the id is kept so that every process lets go of it, and names nobody
    kept = {place for place, rows in after.items() if f"'{home_id}'" in rows}
    assert {place.partition(".")[2] for place in kept} <= {"erasures"}
    left = in_files(up.data)
    assert {place for place, rows in left.items() if WORD in rows} == set()
    assert {place for place, rows in left.items() if f"'{home_id}'" in rows} <= {"home.db.erasures"}
    with up.login(JOHN) as http:
        assert {path: http.get(path).json() for path in john} == john
    assert up.stop()[0] == 0


async def test_an_erasure_that_one_process_began_is_carried_out_by_all_of_them(
    own_engines: dict[str, str], tmp_path: Path
) -> None:
    parts = Parts(tmp_path, own_engines)
    try:
        await asyncio.to_thread(parts.begin, "ingest", "processor", "api", "agent")
        with parts["api"].login(SARAH) as http:
            home_id = http.get("/api/v1/users/me").json()["id"]
            until(lambda: http.post("/api/v1/memory", json={"text": f"The {WORD} sings"}).status_code in (200, 201))
        # the card stays open, and the turn that waits for it lies in the agent's own file
        until(lambda: parts["agent"].say("Unlock the front door", "--as", SARAH)["asked"], within_s=60)
        folders = [parts[name].data for name in ("ingest", "processor", "api", "agent")]

        await asyncio.to_thread(leave, parts["api"], SARAH)

        def held() -> list[str]:
            return [
                f"{folder.parent.name}.{place}" for folder in folders for place, rows in in_files(folder).items()
                if WORD in rows or (f"'{home_id}'" in rows and not place.endswith(".erasures"))
            ]  # fmt: skip

        until(lambda: not held(), within_s=60)
        assert {place for place, rows in (await everything(own_engines)).items() if WORD in rows} == set()
    finally:
        parts.kill()
