"""Connects to a cluster: reads its addresses and login, agrees on a protocol, and lets go of it at the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

from cassandra import ConsistencyLevel, ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.io.libevreactor import LibevConnection
from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.query import tuple_factory

from homeguard.errors import StartRefused
from homeguard.stores.scylla.cql import Cql
from homeguard.stores.scylla.failures import refusal, refuses_protocol, translated

Address: TypeAlias = tuple[str, int]

_PORT: Final = 9042
_CONNECT_S: Final = 3.0
#: Together with the tries of the driver a server that hung is found out, and one that is back is found again, well
#: within fifteen seconds.
_HEARTBEAT_S: Final = 3.0
_RECONNECT_S: Final = 1.0
#: Cassandra speaks 5, Scylla 4.
_PROTOCOLS: Final = (ProtocolVersion.V5, ProtocolVersion.V4)


@asynccontextmanager
async def connected(hosts: str, *, login: str, deadline_s: float, in_flight: int) -> AsyncIterator[Cql]:
    """A session with the cluster at `host:port,host:port`, without a keyspace.

    Raises:
        StartRefused: the addresses or the login cannot be read, or the login is refused.
        StoreUnavailable: no server answers.
    """
    at, auth = addresses(hosts), _auth(login)
    where = ",".join(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in at)
    for protocol in _PROTOCOLS:
        cluster = _cluster(at, auth, protocol, deadline_s)
        try:
            try:
                session = await asyncio.to_thread(cluster.connect)
            except Exception as error:
                if refuses_protocol(error) and protocol != _PROTOCOLS[-1]:
                    continue
                raise (refusal(error, where) or translated(error, where)) from error
            yield Cql(session, where, deadline_s=deadline_s, in_flight=in_flight)
            return
        finally:
            await asyncio.to_thread(cluster.shutdown)


def addresses(hosts: str) -> list[Address]:
    """`host:port,host:port` (port 9042 where none is said) in their order; `[::1]:9042` for IPv6.

    Raises:
        StartRefused: one of them cannot be read.
    """
    found = [_address(part.strip()) for part in hosts.split(",")]
    return list(dict.fromkeys(found))


def _address(text: str) -> Address:
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":")
        readable = bool(bracket)
    else:
        host, _, port = text.partition(":")
        readable = True
    port = port or str(_PORT)
    if not readable or not host or "@" in text or "/" in text or not port.isdecimal() or not 0 < int(port) < 65_536:
        # A text with an @ may hold a password.
        said = "one of them" if "@" in text else f"{text!r}"
        raise StartRefused(f"SCYLLA_HOSTS is host:port, several with commas; {said} is not")
    return host, int(port)


def _auth(login: str) -> PlainTextAuthProvider | None:
    if not login:
        return None
    name, colon, password = login.partition(":")
    if not name or not colon:
        raise StartRefused("SCYLLA_LOGIN is name:password; it is not")
    return PlainTextAuthProvider(name, password)


def _cluster(at: Sequence[Address], auth: Any, protocol: int, deadline_s: float) -> Any:
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
        # Right with one copy and with three.
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=deadline_s,
        row_factory=tuple_factory,
    )
    return Cluster(
        contact_points=list(at),
        port=at[0][1],
        auth_provider=auth,
        protocol_version=protocol,
        connection_class=LibevConnection,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ConstantReconnectionPolicy(_RECONNECT_S, max_attempts=None),
        connect_timeout=_CONNECT_S,
        control_connection_timeout=_CONNECT_S,
        idle_heartbeat_interval=_HEARTBEAT_S,
        idle_heartbeat_timeout=_HEARTBEAT_S,
        compression=False,
        monitor_reporting_enabled=False,
    )
