"""Opens the log on a real Kafka, on topics and groups of the test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from homeguard.stores.kafka.open import open_kafka
from homeguard.stores.kafka.topics import RETENTION, SHARED


@asynccontextmanager
async def fresh(services: dict, clock, technology: str, name: str) -> AsyncIterator:
    """The topics are there before they are opened: records of the test's clock are old, and must not be deleted."""
    brokers = services["KAFKA_BROKERS"]
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    forever = {"retention.ms": "-1", "message.timestamp.after.max.ms": str(2**62)}
    topics = [NewTopic(name + t, 3 if t in SHARED else 1, 1, topic_configs=forever) for t in RETENTION]
    answer = await admin.create_topics(topics)
    assert not any(code for _, code, *_ in answer.topic_errors), answer
    try:
        yield lambda: open_kafka(brokers, clock, instance="test", prefix=name)
    finally:
        await admin.delete_topics([topic.name for topic in topics])
        await admin.close()
