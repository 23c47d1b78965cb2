"""The topics: how many partitions each has and how long it keeps its records; made at the start where they lack."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from homeguard.errors import StartRefused, StoreUnavailable
from homeguard.ports.log import (
    AGENT_ACTIONS,
    ALERTS,
    ANOMALIES,
    COMMANDS,
    DEAD_LETTERS,
    EVENTS,
    HEARTBEATS,
    NOTIFICATIONS,
    SCENARIO_EVENTS,
)

#: How long a topic keeps its records.
RETENTION: Final[Mapping[str, timedelta]] = {
    EVENTS: timedelta(days=7),
    COMMANDS: timedelta(days=1),
    HEARTBEATS: timedelta(days=1),
    ALERTS: timedelta(days=30),
    DEAD_LETTERS: timedelta(days=30),
    ANOMALIES: timedelta(days=7),
    AGENT_ACTIONS: timedelta(days=30),
    SCENARIO_EVENTS: timedelta(hours=1),
    NOTIFICATIONS: timedelta(days=1),
}
#: What devices send and are sent is shared by several processes; the other topics are small and stay whole.
SHARED: Final = frozenset((EVENTS, COMMANDS, HEARTBEATS))

_MOST_REPLICAS: Final = 3
_POLL_S: Final = 0.05
_USUAL_LIMIT: Final = 1_048_588


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One as the brokers have it: `name` there, `partitions` (0 to n-1), the largest batch that it takes in bytes."""

    name: str
    partitions: int
    batch_limit: int


async def ensure_topics(admin: Any, *, prefix: str, partitions: int, replication: int | None) -> Mapping[str, Topic]:
    """Our topics by the names of the port, made where they are not there; the others stay as they are.

    Several processes may do this at once. `replication`: copies of each, `None`: as many as there are brokers, at
    most three. Returns when each partition has a leader.

    Raises:
        StartRefused: the brokers will not have such a topic.
    """
    wanted = {prefix + topic: topic for topic in RETENTION}
    there = set(await admin.list_topics())
    missing = [name for name in wanted if name not in there]
    if missing:
        brokers = len((await admin.describe_cluster())["brokers"])
        copies = replication or max(1, min(_MOST_REPLICAS, brokers))
        answer = await admin.create_topics([_new(name, wanted[name], partitions, copies) for name in missing])
        _check(answer.topic_errors)
    found = await _with_leaders(admin, list(wanted))
    limits = await _batch_limits(admin, list(wanted))
    return {
        topic: Topic(name=name, partitions=found[name], batch_limit=limits.get(name, _USUAL_LIMIT))
        for name, topic in wanted.items()
    }


def _new(name: str, topic: str, partitions: int, copies: int) -> NewTopic:
    keep_ms = RETENTION[topic] // timedelta(milliseconds=1)
    return NewTopic(
        name,
        partitions if topic in SHARED else 1,
        copies,
        topic_configs={
            "retention.ms": str(keep_ms),
            # an acknowledged record survives the loss of one broker where there are several
            "min.insync.replicas": str(max(1, copies - 1)),
        },
    )


def _check(errors: Sequence[Any]) -> None:
    for name, code, *more in errors:
        kind = for_code(code)
        if code and kind is not TopicAlreadyExistsError:
            said = next(
                (str(m) for m in more if m), kind.description if hasattr(kind, "description") else kind.__name__
            )
            raise StartRefused(f"Kafka will not make the topic {name}: {said}")


async def _with_leaders(admin: Any, names: Sequence[str]) -> dict[str, int]:
    """Partitions by topic, as soon as each partition can be written to; the caller bounds the wait."""
    while True:
        described = {topic["topic"]: topic for topic in await admin.describe_topics(list(names))}
        open_ = [t for t in described.values() if t["error_code"] or any(p["leader"] < 0 for p in t["partitions"])]
        if len(described) == len(names) and not open_:
            return {name: len(topic["partitions"]) for name, topic in described.items()}
        await asyncio.sleep(_POLL_S)


async def _batch_limits(admin: Any, names: Sequence[str]) -> dict[str, int]:
    wanted = {"max.message.bytes": None}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, n, wanted) for n in names])
    found = {}
    for answer in answers:
        for code, said, _, name, entries in answer.resources:
            if code:
                raise StoreUnavailable(f"Kafka does not say how topic {name} is set: {said}")
            value = next((entry[1] for entry in entries if entry[0] == "max.message.bytes"), _USUAL_LIMIT)
            found[name] = int(value)
    return found
