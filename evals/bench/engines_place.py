"""A place of the run's own on every engine: databases, keyspaces, topics that are gone at its end."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.io.libevreactor import LibevConnection
from cassandra.policies import RoundRobinPolicy
from cassandra.query import tuple_factory
from redis.asyncio import Redis

from homeguard.clock import SystemClock
from homeguard.settings import Settings
from homeguard.stores.kafka.open import open_kafka
from homeguard.stores.kafka.topics import RETENTION
from homeguard.stores.redis.open import open_redis
from homeguard.stores.scylla.connect import addresses
from homeguard.stores.scylla.open import open_scylla
from homeguard.stores.timescale.open import open_timescale

#: Grounds of readings, and whether TimescaleDB is used there.
_GROUNDS: Final[Mapping[str, bool]] = {"plain": False, "timescale": True}
#: The last of Redis's databases: it is emptied.
REDIS_DATABASE: Final = 15
SIDES: Final = ("ours", "bare")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`name` begins every name in it. A keyspace, a database and a space in Redis for each side, with equal tables."""

    services: Mapping[str, str]
    name: str
    folder: Path

    @property
    def grounds(self) -> Mapping[str, bool]:
        """Those that this PostgreSQL has: TimescaleDB only where it is installed."""
        has_extension = "TIMESCALE_EXTENSION_URL" in self.services
        return {ground: extension for ground, extension in _GROUNDS.items() if has_extension or not extension}

    def keyspace(self, side: str) -> str:
        return f"{self.name}_{side}"

    def readings_url(self, ground: str, side: str) -> str:
        return _with_path(self.services["TIMESCALE_URL"], f"{self.name}_{ground}_{side}")

    @property
    def postgres_url(self) -> str:
        return _with_path(self.services["POSTGRES_URL"], f"{self.name}_people")

    @property
    def mongo_url(self) -> str:
        return _with_path(self.services["MONGO_URL"], self.name)

    @property
    def redis_url(self) -> str:
        return _with_path(self.services["REDIS_URL"], str(REDIS_DATABASE))

    @property
    def brokers(self) -> str:
        return self.services["KAFKA_BROKERS"]

    @property
    def prefix(self) -> str:
        return f"{self.name}-"

    def settings(self, ground: str) -> Settings:
        """Of a process that records: as our side runs."""
        return Settings(
            data_dir=self.folder, kafka_brokers=self.brokers, kafka_prefix=self.prefix, redis_url=self.redis_url,
            scylla_hosts=self.services["SCYLLA_HOSTS"], scylla_keyspace=self.keyspace("ours"),
            timescale_url=self.readings_url(ground, "ours"),
        )  # fmt: skip


@asynccontextmanager
async def place(services: Mapping[str, str], folder: Path) -> AsyncIterator[Place]:
    """Made with our migrations, for both sides."""
    found = Place(services=services, name=f"b{uuid.uuid4().hex[:8]}", folder=folder)
    databases = [urlsplit(found.postgres_url).path[1:]]
    databases += [urlsplit(found.readings_url(ground, side)).path[1:] for ground in found.grounds for side in SIDES]
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        server = await asyncpg.connect(services["POSTGRES_URL"], timeout=10)
        stack.push_async_callback(server.close)
        for name in databases:
            await server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
            stack.push_async_callback(server.execute, f'DROP DATABASE "{name}" WITH (FORCE)')
        await _take_redis(found)
        stack.push_async_callback(_empty_redis, found)
        stack.push_async_callback(asyncio.to_thread, _drop_keyspaces, found)
        stack.push_async_callback(_drop_topics, found)
        for side in SIDES:
            async with open_scylla(services["SCYLLA_HOSTS"], clock, keyspace=found.keyspace(side)):
                pass
            for ground, extension in found.grounds.items():
                async with open_timescale(found.readings_url(ground, side), clock, extension=extension):
                    pass
        async with (
            open_redis(found.redis_url, clock),
            open_kafka(found.brokers, clock, instance="bench-setup", prefix=found.prefix),
        ):
            pass
        yield found


def cassandra(found: Place, keyspace: str | None = None) -> Any:
    """The bare driver's cluster and session, set as ours is. Blocks."""
    at = addresses(found.services["SCYLLA_HOSTS"])
    profile = ExecutionProfile(
        load_balancing_policy=RoundRobinPolicy(), consistency_level=ConsistencyLevel.LOCAL_QUORUM, request_timeout=60,
        row_factory=tuple_factory,
    )  # fmt: skip
    cluster = Cluster(
        contact_points=at, port=at[0][1], protocol_version=5, compression=False, connection_class=LibevConnection,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile}, monitor_reporting_enabled=False,
    )  # fmt: skip
    return cluster, cluster.connect(keyspace)


def _drop_keyspaces(found: Place) -> None:
    cluster, session = cassandra(found)
    for side in SIDES:
        session.execute(f"DROP KEYSPACE IF EXISTS {found.keyspace(side)}", timeout=60)
    cluster.shutdown()


async def _drop_topics(found: Place) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=found.brokers)
    await admin.start()
    try:
        await admin.delete_topics([found.prefix + topic for topic in RETENTION])
    finally:
        await admin.close()


async def _take_redis(found: Place) -> None:
    """Raises RuntimeError when another run has it."""
    async with Redis.from_url(found.redis_url) as server:
        if not await server.set("bench", found.name, nx=True, ex=7200):
            raise RuntimeError(f"another bench runs on database {REDIS_DATABASE} of this Redis, or was cut off lately")


async def _empty_redis(found: Place) -> None:
    async with Redis.from_url(found.redis_url) as server:
        await server.flushdb()


def _with_path(url: str, path: str) -> str:
    return urlsplit(url)._replace(path=f"/{path}").geturl()
