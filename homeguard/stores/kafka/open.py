"""Opens the log in Kafka: finds the brokers, makes the topics that lack."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidTopicError,
    TopicAuthorizationFailedError,
)

from homeguard.clock import Clock
from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.ports.engine import Engine
from homeguard.ports.log import Log
from homeguard.stores.kafka.appends import Appends
from homeguard.stores.kafka.engine import KafkaEngine, version_of
from homeguard.stores.kafka.failures import LIMIT_S, answering
from homeguard.stores.kafka.log import KafkaLog
from homeguard.stores.kafka.topics import ensure_topics

#: Topics are made and find their leaders within this time.
OPEN_LIMIT_S: Final = 20.0

_BROKER: Final = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_REQUEST_MS: Final = round(LIMIT_S * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaStores:
    """What Kafka keeps."""

    log: Log
    engine: Engine


@asynccontextmanager
async def open_kafka(
    brokers: str, clock: Clock, *, instance: str, prefix: str = "", partitions: int = 3, replication: int | None = None
) -> AsyncIterator[KafkaStores]:
    """The log at these brokers (`host:port`, with commas between).

    `instance` names this process among those that share groups; no two that run may have the same. `prefix` goes
    before the names of topics and groups. `partitions`: of the topics that several processes share, where they are
    made; `replication`: copies of each record, `None`: one a broker, at most three.

    Raises:
        StartRefused: the brokers cannot be named so, or will not have such topics.
        StoreUnavailable: no broker answers.
    """
    servers = _servers(brokers)
    where = ",".join(servers)
    if _NAME.fullmatch(instance) is None:
        raise StartRefused(f"'{instance}' cannot name a process at Kafka")
    async with AsyncExitStack() as stack:
        admin = AIOKafkaAdminClient(bootstrap_servers=servers, client_id=instance, request_timeout_ms=_REQUEST_MS)
        stack.push_async_callback(admin.close)
        try:
            async with answering(where, OPEN_LIMIT_S):
                await admin.start()
                version = await version_of(admin)
                topics = await ensure_topics(admin, prefix=prefix, partitions=partitions, replication=replication)
                appends = Appends(topics, clock, where, lambda size: _producer(servers, instance, size))
                stack.push_async_callback(appends.close)
                log = KafkaLog(servers, admin, appends, topics, instance=instance, prefix=prefix)
                stack.push_async_callback(log.close)
                await appends.open()
                await log.open()
        except StoreUnavailable as error:
            refused = _refused(where, error.__cause__)
            if refused is not None:
                raise refused from error
            raise
        yield KafkaStores(log=log, engine=KafkaEngine(admin, where, version))


def _servers(brokers: str) -> list[str]:
    servers = [broker.strip() for broker in brokers.split(",") if broker.strip()]
    for server in servers:
        match = _BROKER.fullmatch(server)
        if match is None or not 0 < int(match[1]) < 65_536:
            # what was written may hold a password: it is not shown
            raise StartRefused("KAFKA_BROKERS is host:port, with commas between several; nothing before or behind")
    if not servers:
        raise StartRefused("KAFKA_BROKERS names no broker")
    return servers


def _producer(servers: list[str], instance: str, batch_bytes: int) -> Any:
    return AIOKafkaProducer(
        bootstrap_servers=servers, client_id=instance, enable_idempotence=True, acks="all", max_batch_size=batch_bytes,
        request_timeout_ms=_REQUEST_MS,
    )  # fmt: skip


def _refused(where: str, cause: BaseException | None) -> StartRefused | None:
    """What waiting does not mend."""
    if isinstance(cause, TopicAuthorizationFailedError | ClusterAuthorizationFailedError):
        return StartRefused(f"Kafka at {where} does not let HomeGuard make or read its topics")
    if isinstance(cause, IncompatibleBrokerVersion):
        return StartRefused(f"Kafka at {where} is older than HomeGuard can use: {cause}")
    if isinstance(cause, InvalidTopicError):
        return StartRefused(f"Kafka at {where} refuses the names of the topics: {cause}")
    return None
