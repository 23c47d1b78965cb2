"""What lies in the engines after a round, table by table: both sides must have stored the same."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
from cassandra.concurrent import execute_concurrent_with_args
from redis.asyncio import Redis

from evals.bench.engines_bare import SPACE
from evals.bench.engines_place import Place, cassandra
from evals.bench.engines_records import DEVICES, device, homes
from homeguard.ids import device_uuid
from homeguard.stores.redis.keys import Keys

_KINDS = ("telemetry", "motion_detected")


async def counted(place: Place, ground: str, side: str, name: str) -> Mapping[str, int]:
    """Rows of a round by table; `states` is a number that is equal when all live states are."""
    found = await asyncio.to_thread(_in_cassandra, place, side, name)
    connection = await asyncpg.connect(place.readings_url(ground, side), timeout=10)
    try:
        found["readings"] = await connection.fetchval(
            "SELECT count(*) FROM sensor_readings WHERE user_id = any($1)", homes(name)
        )
        found["reading_minutes"] = await connection.fetchval(
            "SELECT sum(count)::bigint FROM reading_minutes JOIN reading_series USING (device_id, reading_type)"
            " WHERE home_id = any($1)", homes(name),
        )  # fmt: skip
    finally:
        await connection.close()
    return found


async def states(place: Place, side: str, name: str) -> Mapping[str, Any]:
    """How each device of the round is, as Redis tells it."""
    keys = Keys(SPACE if side == "bare" else "")
    found = {}
    async with Redis.from_url(place.redis_url) as server:
        for home in homes(name):
            for number in range(DEVICES):
                key = keys.state(str(device_uuid(home, device(number))))
                state, stamps, available, seen = await server.hmget(key, "state", "stamps", "available", "seen")
                if state is None or stamps is None:
                    raise RuntimeError(f"{side}: nothing is known of {home}/{device(number)}")
                shown = msgspec.json.decode(state), msgspec.json.decode(stamps)
                found[key.rpartition(":")[2]] = (*shown, available, seen)
    return found


def _in_cassandra(place: Place, side: str, name: str) -> dict[str, int]:
    cluster, session = cassandra(place, place.keyspace(side))
    today = datetime.now(UTC).date()
    days = [today, today - timedelta(days=1)]
    uuids = [device_uuid(home, device(n)) for home in homes(name) for n in range(DEVICES)]
    asks = {
        "events_by_user": ("user_id = ? AND event_date = ?", [(h, d) for h in homes(name) for d in days]),
        "events_by_type": (
            "user_id = ? AND event_type = ? AND event_date = ?",
            [(h, kind, d) for h in homes(name) for kind in _KINDS for d in days],
        ),
        "events_by_device": ("device_id = ? AND event_date = ?", [(u, d) for u in uuids for d in days]),
        "event_ids": ("home_id = ? AND bucket = ?", [(h, b) for h in homes(name) for b in range(8)]),
        "anomalies": ("home_id = ? AND event_date = ?", [(h, d) for h in homes(name) for d in days]),
        "anomalies_by_device": ("device_id = ? AND event_date = ?", [(u, d) for u in uuids for d in days]),
        "anomaly_ids": ("home_id = ? AND bucket = ?", [(h, b) for h in homes(name) for b in range(8)]),
    }
    try:
        found = {}
        for table, (where, given) in asks.items():
            ask = session.prepare(f"SELECT count(*) FROM {table} WHERE {where}")
            answers = execute_concurrent_with_args(session, ask, given, concurrency=16, raise_on_first_error=True)
            found[table] = sum(next(iter(rows))[0] for _, rows in answers)
        return found
    finally:
        cluster.shutdown()
