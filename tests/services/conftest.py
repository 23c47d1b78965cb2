"""A namespace of its own on every engine for whole instances, gone afterwards."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "deploy"))

from instances import Up, starting


def services_of(config: pytest.Config) -> dict[str, str]:
    """What the file of services says."""
    lines = Path(config.getoption("services")).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@pytest.fixture(scope="session")
def services(pytestconfig: pytest.Config) -> dict[str, str]:
    return services_of(pytestconfig)


def with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


@asynccontextmanager
async def namespace(services: Mapping[str, str], redis_database: int) -> AsyncIterator[dict[str, str]]:
    """Settings for `homeguard up` on every engine: databases, a keyspace, topics that nobody else uses."""
    import asyncpg
    from cassandra.cluster import Cluster
    from pymongo import AsyncMongoClient
    from redis.asyncio import Redis

    name = f"w{uuid.uuid4().hex[:10]}"
    server = await asyncpg.connect(services["POSTGRES_URL"])
    await server.execute(f'CREATE DATABASE "{name}"')
    await server.execute(f'CREATE DATABASE "{name}_readings"')
    redis_url = with_path(services["REDIS_URL"], str(redis_database))
    redis = Redis.from_url(redis_url)
    await redis.flushdb()
    try:
        yield {
            "POSTGRES_URL": with_path(services["POSTGRES_URL"], name),
            "TIMESCALE_URL": with_path(services["POSTGRES_URL"], f"{name}_readings"),
            "SCYLLA_HOSTS": services["SCYLLA_HOSTS"],
            "HOMEGUARD_SCYLLA_KEYSPACE": name,
            "MONGO_URL": with_path(services["MONGO_URL"], name),
            "REDIS_URL": redis_url,
            "KAFKA_BROKERS": services["KAFKA_BROKERS"],
            "HOMEGUARD_KAFKA_PREFIX": f"{name}-",
            "HOMEGUARD_RATE_LIMITS": "off",
        }
    finally:
        await redis.flushdb()
        await redis.aclose()
        for database in (name, f"{name}_readings"):
            await server.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
        await server.close()
        mongo: AsyncMongoClient = AsyncMongoClient(services["MONGO_URL"])
        await mongo.drop_database(name)
        await mongo.close()

        def drop_keyspace() -> None:
            host, _, port = services["SCYLLA_HOSTS"].partition(",")[0].partition(":")
            with Cluster([host], port=int(port or 9042)) as cluster:
                cluster.connect().execute(f'DROP KEYSPACE IF EXISTS "{name}"', timeout=60)

        await asyncio.to_thread(drop_keyspace)


@pytest.fixture
async def engines(services: dict[str, str], worker_id: str) -> AsyncIterator[dict[str, str]]:
    """Settings for instances of this test."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    async with namespace(services, 8 + number % 7) as settings:
        yield settings


@pytest.fixture(scope="module")
def own_engines(services: dict[str, str]) -> Iterator[dict[str, str]]:
    """As `engines`, for all tests of a file."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        place = namespace(services, 1 + os.getpid() % 7)
        yield runner.run(place.__aenter__())
        runner.run(place.__aexit__(None, None, None))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts instances in the test's own folder; those that still run at its end are killed."""
    with starting(tmp_path) as begin:
        yield begin
