"""Opens the event store of a real cluster: one keyspace for the whole run, emptied after every test."""

import asyncio
import atexit
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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
    try:
        yield lambda: open_scylla(hosts, clock, keyspace=keyspace)
    finally:
        await asyncio.to_thread(empty, _session(hosts, keyspace), keyspace)


@cache
def _session(hosts: str, keyspace: str) -> Session:
    """A session whose keyspace is dropped when the process ends, by another one: this one has no threads left then."""
    atexit.register(subprocess.run, [sys.executable, __file__, hosts, keyspace], timeout=60, check=False)
    return _connected(hosts)


def _connected(hosts: str) -> Session:
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=30)
    return Cluster(
        contact_points=addresses(hosts), port=addresses(hosts)[0][1], protocol_version=5, compression=False,
        connection_class=LibevConnection, execution_profiles={EXEC_PROFILE_DEFAULT: profile},
    ).connect()  # fmt: skip


def empty(session: Session, keyspace: str) -> None:
    """Delete every partition of every table but the schema's own."""
    found = session.execute(
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
        for row in session.execute(f"SELECT DISTINCT {', '.join(named)} FROM {keyspace}.{table}"):
            session.execute(f"DELETE FROM {keyspace}.{table} WHERE {where}", tuple(row))


if __name__ == "__main__":
    _connected(sys.argv[1]).execute(f"DROP KEYSPACE IF EXISTS {sys.argv[2]}")
