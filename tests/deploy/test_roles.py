"""What each role answers, and what it needs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from deploy.data_plane import STANDING_AGE, may_rely_on
from deploy.roles import ROLES, Doors, role_of
from homeguard.errors import StartRefused
from homeguard.identity.keys import local_key
from homeguard.settings import Settings, load

SHARED = {
    "kafka_brokers": "k:1", "redis_url": "redis://r:1", "postgres_url": "postgresql://p/h", "scylla_hosts": "s:1",
    "timescale_url": "postgresql://t/a", "mongo_url": "mongodb://m/h", "jwt_secret": "s" * 32,
}  # fmt: skip


async def app(scope, receive, send) -> None:
    await PlainTextResponse("inside")(scope, receive, send)


def test_everything_in_one_process_needs_nothing():
    assert role_of(Settings()) is ROLES["all"]


@pytest.mark.parametrize("name", sorted(set(ROLES) - {"all"}))
def test_a_part_needs_every_engine_and_the_shared_secret(name):
    assert role_of(Settings(role=name, **SHARED)) is ROLES[name]

    for missing in SHARED:
        with pytest.raises(StartRefused) as refused:
            role_of(Settings(role=name, **{**SHARED, missing: ""}))
        assert missing.upper() in refused.value.message


def test_an_unknown_role_names_the_known_ones():
    with pytest.raises(StartRefused, match="ingest"):
        role_of(Settings(role="everything"))


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        ("ingest", "POST", "/telemetry", 200),
        ("ingest", "POST", "/events", 200),
        ("ingest", "POST", "/api/v1/events", 200),
        ("ingest", "GET", "/api/v1/events", 404),
        ("ingest", "GET", "/api/v1/devices", 404),
        ("ingest", "POST", "/api/v1/auth/login", 404),
        ("ingest", "GET", "/chat", 404),
        ("ingest", "GET", "/ready", 200),
        ("processor", "POST", "/telemetry", 404),
        ("processor", "GET", "/metrics", 200),
        ("processor", "GET", "/api/health", 200),
        ("processor", "GET", "/mcp", 404),
        ("processor", "GET", "/operator/dead-letters", 200),
        ("api", "GET", "/api/v1/devices", 200),
        ("api", "POST", "/api/v1/ai/chat", 404),
        ("api", "POST", "/ai/chat/stream", 404),
        ("api", "GET", "/api/v1/ai/chat/threads", 404),
        ("api", "GET", "/chat", 404),
        ("api", "GET", "/chat/login", 404),
        ("api", "POST", "/mcp/devices", 404),
        ("api", "GET", "/chatter", 200),
        ("agent", "POST", "/api/v1/ai/chat", 200),
        ("agent", "POST", "/mcp/devices", 200),
        ("agent", "GET", "/chat", 200),
    ],
)
def test_a_role_answers_what_is_its_own(role, method, path, status):
    answer = TestClient(Doors(app, ROLES[role])).request(method, path)

    assert answer.status_code == status
    if status == 404:
        assert answer.json()["error"]["code"] == "NOT_OF_THIS_ROLE"


def test_a_live_stream_is_closed_where_it_is_not_served():
    with (
        pytest.raises(WebSocketDisconnect),
        TestClient(Doors(app, ROLES["ingest"])).websocket_connect("/events/stream"),
    ):
        pass


def test_the_shared_secret_becomes_the_folders_key_and_no_other_may_follow(tmp_path: Path):
    assert local_key(tmp_path, "a" * 40) == b"a" * 40
    assert local_key(tmp_path) == b"a" * 40
    with pytest.raises(StartRefused, match="JWT_SECRET"):
        local_key(tmp_path, "b" * 40)
    with pytest.raises(StartRefused, match="32 bytes"):
        local_key(tmp_path, "short")


@pytest.mark.parametrize(
    ("role", "age", "counts"),
    [
        ("all", timedelta(days=9), True),
        ("all", None, True),
        ("processor", timedelta(seconds=10), True),
        ("processor", STANDING_AGE, True),
        ("processor", STANDING_AGE + timedelta(seconds=1), False),
        ("processor", None, False),
    ],
)
def test_a_standing_permission_of_an_old_copy_counts_only_where_nobody_else_can_take_it_back(role, age, counts):
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    assert may_rely_on(ROLES[role], None if age is None else now - age, now) == counts


@pytest.mark.parametrize(
    ("name", "field"),
    [("POSTGRES_URL", "postgres_url"), ("DATABASE_URL", "postgres_url"), ("TIMESCALE_URL", "timescale_url"),
     ("SCYLLA_HOSTS", "scylla_hosts"), ("MONGO_URL", "mongo_url"), ("REDIS_URL", "redis_url"),
     ("KAFKA_BROKERS", "kafka_brokers"), ("JWT_SECRET", "jwt_secret"), ("HOMEGUARD_ROLE", "role")],
)  # fmt: skip
def test_the_names_that_the_documents_give_are_read(name, field, tmp_path: Path):
    assert getattr(load({}, {name: "value"}, tmp_path / "none"), field) == "value"
