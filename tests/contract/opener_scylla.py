"""Opens the event store of a real cluster: one keyspace for the whole run, emptied after every test."""

import asyncio
import atexit
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import cache
from typing import Protocol

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.io.libevreactor import LibevConnection
from cassandra.policies import RoundRobinPolicy

from homeguard.clock import Clock
from homeguard.stores.scylla.connect import addresses
from homeguard.stores.scylla.open import ScyllaStores, open_scylla


class Opener(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[ScyllaStores]: ...


@asynccontextmanager
async def fresh(services: Mapping[str, str], clock: Clock, technology: str, name: str) -> AsyncIterator[Opener]:
    """Making a keyspace takes seconds and emptying one milliseconds, so all tests of a process share one."""
    hosts, keyspace = services["SCYLLA_HOSTS"], f"test_{os.getpid()}"
    drop_at_exit(hosts, keyspace)
    try:
        yield lambda: open_scylla(hosts, clock, keyspace=keyspace)
    finally:
        await asyncio.to_thread(empty, hosts, keyspace)


@cache
def drop_at_exit(hosts: str, keyspace: str) -> None:
    """By another process: the driver needs threads, and one that ends can start none."""
    atexit.register(subprocess.run, [sys.executable, __file__, hosts, keyspace], timeout=60, check=False)


def empty(hosts: str, keyspace: str) -> None:
    """Delete every partition of every table but the schema's own."""
    with session(hosts) as there:
        found = there.execute(
            "SELECT table_name, column_name, position FROM system_schema.columns"
            " WHERE keyspace_name = %s AND kind = 'partition_key' ALLOW FILTERING", (keyspace,)
        )  # fmt: skip
        keys: dict[str, dict[int, str]] = {}
        for table, column, position in found:
            keys.setdefault(table, {})[position] = column
        for table, columns in keys.items():
            if table.startswith("schema_"):
                continue
            named = [columns[n] for n in sorted(columns)]
            where = " AND ".join(f"{column} = %s" for column in named)
            for row in there.execute(f"SELECT DISTINCT {', '.join(named)} FROM {keyspace}.{table}"):
                there.execute(f"DELETE FROM {keyspace}.{table} WHERE {where}", tuple(row))


@contextmanager
def session(hosts: str) -> Iterator[Session]:
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=30)
    cluster = Cluster(
        contact_points=addresses(hosts), port=addresses(hosts)[0][1], protocol_version=5, compression=False,
        connection_class=LibevConnection, execution_profiles={EXEC_PROFILE_DEFAULT: profile},
    )  # fmt: skip
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    with session(sys.argv[1]) as there:
        there.execute(f"DROP KEYSPACE IF EXISTS {sys.argv[2]}")
