"""The cluster as an engine: what it is, which version, whether it answers."""

from dataclasses import dataclass
from typing import Final

from homeguard.stores.scylla.cql import Cql

_PING: Final = "SELECT key FROM system.local"
STATEMENTS: Final = (_PING,)
_VERSION: Final = "SELECT release_version FROM system.local"
#: Scylla calls itself Cassandra 3 there; its own version is in a table that Cassandra has not.
_HAS_VERSIONS: Final = (
    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system' AND table_name = 'versions'"
)
_SCYLLA_VERSION: Final = "SELECT version FROM system.versions WHERE key = 'local'"
_PING_LIMIT_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScyllaEngine:
    """An `Engine`."""

    name: str
    version: str
    cql: Cql

    async def ping(self) -> None:
        async with self.cql.deadline(_PING_LIMIT_S):
            await self.cql.ask(_PING)


async def engine(cql: Cql) -> ScyllaEngine:
    """Who answers there."""
    is_scylla = bool(await cql.run(_HAS_VERSIONS))
    ((version,),) = await cql.run(_SCYLLA_VERSION if is_scylla else _VERSION)
    return ScyllaEngine(name="Scylla" if is_scylla else "Cassandra", version=str(version), cql=cql)
