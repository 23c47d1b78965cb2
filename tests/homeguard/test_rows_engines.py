"""Which engine keeps what and why, what is loaded without one, and what the Compose files pin."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from homeguard.ports.log import TOPICS
from homeguard.runtime import CONCERNS, TECHNOLOGIES
from homeguard.settings import load
from homeguard.stores.kafka.topics import ensure_topics
from homeguard.vocabulary import DEVICE_TYPES

ROOT = Path(__file__).parents[2]
#: Engine -> what it keeps, as the designs have it.
KEEPS = {
    "PostgreSQL": {"users", "sessions", "audit"}, "MongoDB": {"devices", "automations", "conversations"},
    "TimescaleDB": {"readings"}, "Scylla": {"events", "alerts"}, "Redis": {"live", "feed", "limits", "contexts"},
    "Kafka": {"log"},
}  # fmt: skip


def test_each_concern_has_the_engine_of_the_design() -> None:
    kept = {t.name: set(t.ports) for t in TECHNOLOGIES}
    assert kept.keys() == KEEPS.keys()
    assert all(KEEPS[name] <= kept[name] for name in KEEPS)
    ports = [port for t in TECHNOLOGIES for port in t.ports]
    assert len(set(ports)) == len(ports)
    assert {technology for technology, _ in CONCERNS.values()} == set(KEEPS)


def test_the_documents_say_why_each_engine_is_there() -> None:
    text = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]
    why = {row[0].strip("`"): row[3] for row in rows if len(row) == 4}
    assert why.keys() == {t.setting.upper() for t in TECHNOLOGIES}
    assert all(len(reason.split()) >= 5 for reason in why.values())
    assert len(set(why.values())) == len(why)


def test_without_a_url_no_driver_is_loaded(tmp_path: Path) -> None:
    program = f"""
import asyncio, json, sys
from homeguard.clock import SystemClock
from homeguard.runtime import open_stores
from homeguard.settings import Settings
from pathlib import Path

async def main():
    async with open_stores(Settings(data_dir=Path({str(tmp_path / "data")!r})), SystemClock()) as opened:
        drivers = {{"asyncpg", "pymongo", "cassandra", "redis", "aiokafka"}} & set(sys.modules)
        print(json.dumps([sorted(drivers), opened.stream, {{k: v["engine"] for k, v in opened.health().items()}}]))

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    drivers, stream, engines = json.loads(done.stdout)
    assert (drivers, stream) == ([], None)
    assert engines == {"storage": "files", **{concern: embedded for concern, (_, embedded) in CONCERNS.items()}}


@pytest.mark.parametrize(
    ("engine", "image"),
    [("postgres", r"postgres:15\b"), ("timescale", r"timescale/timescaledb:.*-pg15"), ("mongo", r"mongo:7\b"),
     ("redis", r"redis:7\b"), ("scylla", r"scylladb/scylla:\d"), ("kafka", r"apache/kafka:[34]\.")],
)  # fmt: skip
def test_the_engines_of_the_compose_files_are_of_the_releases_that_were_chosen(engine: str, image: str) -> None:
    text = (ROOT / "deploy" / "compose" / "engines.yml").read_text(encoding="utf-8")
    assert re.search(rf"^  {engine}:\n    image: {image}", text, re.MULTILINE)
    assert "zookeeper" not in text.lower()


@pytest.mark.parametrize("name", ["lock", "motion", "thermostat", "door", "camera", "glass_break", "smoke"])
def test_the_types_of_the_design_are_types_of_ours_or_other_words_for_them(name: str) -> None:
    (found,) = [kind for own, kind in DEVICE_TYPES.items() if name == own or name in kind.also]
    assert found.capabilities


class Cluster:
    """The admin client of a cluster of so many brokers that makes every topic."""

    def __init__(self, brokers: int) -> None:
        self.brokers = brokers
        self.made: dict[str, Any] = {}

    async def list_topics(self) -> Sequence[str]:
        return list(self.made)

    async def describe_cluster(self) -> dict[str, Any]:
        return {"brokers": [{"node_id": n} for n in range(self.brokers)]}

    async def create_topics(self, topics: Sequence[Any]) -> Any:
        self.made |= {topic.name: topic for topic in topics}
        return SimpleNamespace(topic_errors=[])

    async def describe_topics(self, names: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {"topic": name, "error_code": 0, "partitions": [{"leader": 0}] * self.made[name].num_partitions}
            for name in names
        ]

    async def describe_configs(self, asked: Sequence[Any]) -> list[Any]:
        return []


@pytest.mark.parametrize(("brokers", "copies", "in_sync"), [(1, 1, "1"), (2, 2, "1"), (3, 3, "2"), (5, 3, "2")])
async def test_a_topic_has_three_copies_where_there_are_three_brokers(brokers: int, copies: int, in_sync: str) -> None:
    cluster = Cluster(brokers)
    found = await ensure_topics(cluster, prefix="p-", partitions=3, replication=None)
    assert set(found) == set(TOPICS)
    assert {topic.replication_factor for topic in cluster.made.values()} == {copies}
    assert {topic.topic_configs["min.insync.replicas"] for topic in cluster.made.values()} == {in_sync}


def test_where_webhooks_go_is_read_by_its_name(tmp_path: Path) -> None:
    read = load({}, {"N8N_WEBHOOK_BASE": "http://n8n:5678/webhook"}, tmp_path / "none")
    assert read.n8n_webhook_base == "http://n8n:5678/webhook"


def test_integration_tests_are_one_command() -> None:
    done = subprocess.run(["make", "-n", "integration-test"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "services.sh check" in done.stdout
    assert re.search(r"pytest tests/contract tests/services --services", done.stdout)
