"""Opens the event store on a Scylla or Cassandra cluster."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from homeguard.clock import Clock
from homeguard.errors import StoreUnavailable
from homeguard.ports.engine import Engine
from homeguard.ports.events import AlertStore, AnomalyStore, EventStore
from homeguard.ports.personal import PersonalData
from homeguard.stores.scylla import alerts, anomalies, days, engine, events, personal
from homeguard.stores.scylla.connect import connected
from homeguard.stores.scylla.failures import refusal
from homeguard.stores.scylla.schema import up_to_date

KEYSPACE: Final = "iot_events"
_STATEMENTS: Final = (
    *events.STATEMENTS, *anomalies.STATEMENTS, *alerts.STATEMENTS, *days.STATEMENTS, *engine.STATEMENTS,
    *personal.STATEMENTS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ScyllaStores:
    """What lies in the cluster."""

    events: EventStore
    anomalies: AnomalyStore
    alerts: AlertStore
    personal: PersonalData
    engine: Engine


@asynccontextmanager
async def open_scylla(
    hosts: str,
    clock: Clock,
    *,
    keyspace: str = KEYSPACE,
    login: str = "",
    deadline_s: float = 5.0,
    in_flight: int = 256,
) -> AsyncIterator[ScyllaStores]:
    """The stores at `hosts` ("host:port,host:port"), in that keyspace, which is made where there is none.

    `login` is "name:password". A call ends within `deadline_s`; at most `in_flight` requests are under way at a time:
    few cost more than many, because then each goes out and comes back by itself.

    Raises:
        StartRefused: the addresses, the login or the keyspace are wrong, or the schema is newer than this program.
        StoreUnavailable: no server answers.
    """
    async with connected(hosts, login=login, deadline_s=deadline_s, in_flight=in_flight) as cql:
        try:
            await up_to_date(cql, keyspace, clock)
            await cql.prepare(_STATEMENTS)
            server = await engine.engine(cql)
        except StoreUnavailable as error:
            raise (refusal(error, cql.where) or error) from error.__cause__
        yield ScyllaStores(
            events=events.ScyllaEvents(cql, clock),
            anomalies=anomalies.ScyllaAnomalies(cql),
            alerts=alerts.ScyllaAlerts(cql),
            personal=personal.ScyllaPersonalData(cql),
            engine=server,
        )
