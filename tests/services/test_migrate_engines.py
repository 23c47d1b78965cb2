"""`homeguard migrate` with a real home: from the data folder to the engines and back, cut off, repeated, refused."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from instances import HOMEGUARD, JOHN, PASSWORD, SARAH, Up, command, environment, is_free, one_line_says, until
from split_rig import event, post

from homeguard.clock import SystemClock
from homeguard.stores.mongo.open import open_mongo

pytestmark = pytest.mark.timeout(600)
PIN = "480617"
DAYS = {"HOMEGUARD_DEMO_HISTORY_DAYS": "2", "HOMEGUARD_RATE_LIMITS": "off"}
CONCERNS = [
    "users", "sessions", "devices", "automations", "live", "journal", "confirmations", "pins",
    "permissions", "audit", "outbox", "lists", "alerts", "anomalies", "conversations", "memory", "events", "readings",
]  # fmt: skip


def urls(engines: Mapping[str, str]) -> list[str]:
    return [
        engines["POSTGRES_URL"],
        engines["TIMESCALE_URL"].replace("postgresql://", "timescaledb://"),
        f"cassandra://{engines['SCYLLA_HOSTS']}",
        engines["MONGO_URL"],
        engines["REDIS_URL"],
    ]


def migrate(folder: Path, engines: Mapping[str, str], *to: str, data: Path | None = None) -> dict[str, Any]:
    """The counts by concern, of a run that went well."""
    keyspace = {k: v for k, v in engines.items() if k == "HOMEGUARD_SCYLLA_KEYSPACE" or to == ("embedded",)}
    done = command(folder, "migrate", "--json", "--data-dir", data or folder / "data", "--to", *to, env=keyspace)
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert told["ok"] is True
    return {c["concern"]: (c["source"], c["target"]) for c in told["counts"]}


def is_well(up: Up) -> bool:
    with up.http() as http:
        told = http.get("/ready").json()
    checks = told["checks"].values()
    return told["status"] == "ready" and told["history"] == "ready" and not any(c.get("waiting") for c in checks)


def live_a_little(up: Up, name: str) -> None:
    """Events, an alarm, commands, a card that was pressed and one that was not, a rule, a list, a
    conversation."""
    with up.http(up.token(SARAH)) as http:
        post(
            http,
            *(event("thermostat", "telemetry", f"{name}-{n}", temperature_c=20 + n / 8) for n in range(40)),
            event("front_door", "glass_break", f"{name}-glass", intensity=0.9),
        )
        until(lambda: [a for a in http.get("/api/v1/alerts").json()["items"] if f"{name}-glass" in a["event_ids"]])
        rule = {
            "name": f"rule {name}", "trigger": {"event_type": "doorbell_pressed"},
            "actions": [{"type": "device_command", "device_id": "porch_light", "command": "turn_on"}],
        }  # fmt: skip
        assert http.post("/api/v1/automations", json=rule).status_code == 201
        path = "/api/v1/devices/hallway_light/command"
        assert http.post(path, json={"command": "turn_on"}).json()["outcome"] == "confirmed"
        until(lambda: len(up.events(http, device_id="thermostat")) >= 40)
    door = "Unlock" if name == "first" else "Lock"
    assert up.say(f"{door} the front door", "--as", SARAH, "--yes", "--new")["commands"]
    if name == "first":
        assert up.say("Open the garage door", "--as", SARAH, "--new")["asked"]
        assert up.say("Remember that the spare key is with Ana", "--as", SARAH, "--new")["answer"]
        allow_beforehand(up)
    assert up.say("What is the temperature?", "--as", SARAH, "--new")["answer"]
    with up.http(up.token(SARAH)) as http:
        assert http.post("/api/v1/lists/shopping/items", json={"items": [name]}).status_code < 300


def allow_beforehand(up: Up) -> None:
    """A standing permission, and after it a PIN."""
    with up.login(SARAH) as http:
        fire = {"name": "Fire", "kind": "fire_egress", "device_ids": ["front_door_lock"]}
        asked = http.post("/api/v1/permissions", json=fire)
        assert asked.status_code == 202, asked.text
        pressed = http.post(f"/api/v1/confirmations/{asked.json()['confirmation']['id']}", json={"approve": True})
        assert pressed.status_code == 200, pressed.text
        until(lambda: http.get("/api/v1/permissions").json()["items"])
        assert http.put("/api/v1/pin", json={"pin": PIN, "password": PASSWORD}).status_code == 200


def answers(up: Up) -> dict[str, Any]:
    """All that the home says of itself over REST, of both people."""
    found: dict[str, Any] = {}
    span = {"start": "2020-01-01T00:00:00Z"}
    for email in (JOHN, SARAH):
        with up.http(up.token(email)) as http:

            def get(path: str, http: httpx2.Client = http, **more: Any) -> Any:
                answer = http.get(f"/api/v1{path}", params=more)
                assert answer.status_code == 200, answer.text
                return answer.json()

            threads = get("/ai/chat/threads")["items"]
            found[email] = {
                "me": get("/users/me"), "devices": get("/devices")["items"], "rules": get("/automations")["items"],
                "alerts": get("/alerts", limit=500)["items"], "cards": get("/confirmations")["items"],
                "threads": threads, "memory": get("/memory")["items"], "pin": get("/pin"),
                "permissions": get("/permissions")["items"],
                "list": get("/lists/shopping"),
                "lines": [get("/ai/chat/history", thread_id=t["id"])["items"] for t in threads],
                "events": up.events(http, **span),
            }  # fmt: skip
    return found


@pytest.fixture
def embedded(start: Callable[..., Up]) -> Up:
    """A home that lived a while in its folder, and was ended."""
    up = start("--no-simulator", env=DAYS)
    until(lambda: is_well(up), within_s=120)
    live_a_little(up, "first")
    return up


def said_of_history(told: Mapping[str, Any]) -> list[Any]:
    return [told[JOHN]["events"], told[SARAH]["events"], told[SARAH]["lines"], told[SARAH]["alerts"]]


def test_there_and_back_with_all_that_it_had(
    embedded: Up, start: Callable[..., Up], engines: dict[str, str], tmp_path: Path
) -> None:
    with embedded.login(SARAH) as http:
        bearer = http.headers["Authorization"]
    made = embedded.homeguard("token", "create", "--name", "laptop", "--json")
    revoked = embedded.homeguard("token", "create", "--name", "gone", "--json")
    assert made.returncode == revoked.returncode == 0, made.stderr
    embedded.homeguard("token", "revoke", json.loads(revoked.stdout)["id"])
    before = answers(embedded)
    assert all(said_of_history(before))
    assert embedded.stop()[0] == 0

    counts = migrate(tmp_path, engines, *urls(engines))
    assert list(counts) == CONCERNS
    assert all(here == there for here, there in counts.values()), counts
    assert {concern for concern, (here, _) in counts.items() if not here} <= {"anomalies", "sessions"}, counts
    # a second run finds everything there
    assert migrate(tmp_path, engines, *urls(engines)) == counts

    up = start("--no-simulator", env={**engines, **DAYS})
    until(lambda: is_well(up), within_s=120)
    assert answers(up) == before
    with up.http(**{"Authorization": bearer}) as http:
        assert http.get("/api/v1/users/me").json()["email"] == SARAH
    assert {t["name"]: bool(t["revoked_at"]) for t in tokens(up)} == {"laptop": False, "gone": True}
    verified = up.homeguard("audit", "verify")
    assert verified.returncode == 0, verified.stderr

    live_a_little(up, "second")
    with up.http(up.token(SARAH)) as http:
        gone = [r for r in http.get("/api/v1/automations").json()["items"] if r["name"] == "rule first"]
        assert http.delete(f"/api/v1/automations/{gone[0]['id']}").status_code == 200
        old = http.get("/api/v1/ai/chat/threads").json()["items"][-1]["id"]
        assert http.delete("/api/v1/ai/chat/history", params={"thread_id": old}).status_code == 200
        home_id = http.get("/api/v1/users/me").json()["home"]["id"]
    token_id = next(t["id"] for t in tokens(up) if t["name"] == "laptop")
    assert up.homeguard("token", "revoke", token_id).returncode == 0
    until(lambda: is_well(up))
    assert up.stop()[0] == 0

    async def delete() -> None:
        async with open_mongo(engines["MONGO_URL"], SystemClock()) as mongo:
            assert await mongo.devices.delete(home_id, "driveway_camera")

    asyncio.run(delete())
    up = start("--no-simulator", env={**engines, **DAYS})
    until(lambda: is_well(up), within_s=120)
    there = answers(up)
    assert up.stop()[0] == 0
    names = [d["id"] for d in there[SARAH]["devices"]]
    assert "driveway_camera" not in names

    # into the folder, which has older rows of everything; and into a new one
    for data in (tmp_path / "data", tmp_path / "new"):
        counts = migrate(tmp_path, engines, "embedded", data=data)
        assert all(source == target for source, target in counts.values()), counts
        back = start("--no-simulator", env=DAYS, data=data)
        until(lambda back=back: is_well(back), within_s=60)
        assert answers(back) == there
        assert {t["name"]: bool(t["revoked_at"]) for t in tokens(back)} == {"laptop": True, "gone": True}
        verified = back.homeguard("audit", "verify")
        assert verified.returncode == 0, verified.stderr
        assert back.stop()[0] == 0


def tokens(up: Up) -> list[dict[str, Any]]:
    with up.http(up.token()) as http:
        items: list[dict[str, Any]] = http.get("/operator/tokens").json()["items"]
    return items


def test_what_was_answered_over_there_is_not_asked_again_here(
    embedded: Up, start: Callable[..., Up], engines: dict[str, str], tmp_path: Path
) -> None:
    with embedded.http(embedded.token(SARAH)) as http:
        [card] = http.get("/api/v1/confirmations").json()["items"]
    assert embedded.stop()[0] == 0
    migrate(tmp_path, engines, *urls(engines))

    up = start("--no-simulator", env={**engines, **DAYS})
    until(lambda: is_well(up), within_s=120)
    with up.login(SARAH) as http:
        pressed = http.post(f"/api/v1/confirmations/{card['id']}", json={"approve": True, "pin": PIN})
        assert pressed.status_code == 200, pressed.text
        decided = http.get(f"/api/v1/confirmations/{card['id']}").json()
    assert decided["state"] == "approved"
    until(lambda: is_well(up))
    assert up.stop()[0] == 0

    migrate(tmp_path, engines, "embedded")
    back = start("--no-simulator", env=DAYS)
    with back.login(SARAH) as http:
        assert http.get(f"/api/v1/confirmations/{card['id']}").json() == decided
        assert http.post(f"/api/v1/confirmations/{card['id']}", json={"approve": True}).status_code == 409
    assert back.stop()[0] == 0


def test_a_run_that_was_killed_is_run_again(
    embedded: Up, start: Callable[..., Up], engines: dict[str, str], tmp_path: Path
) -> None:
    before = answers(embedded)
    assert embedded.stop()[0] == 0
    data = tmp_path / "data"
    env = environment(tmp_path, {"HOMEGUARD_SCYLLA_KEYSPACE": engines["HOMEGUARD_SCYLLA_KEYSPACE"]})
    arguments = [HOMEGUARD, "migrate", "--data-dir", str(data), "--json", "--to", *urls(engines)]
    ledger = data / "migration.json"
    for pieces in (1, 3):
        kill_when(subprocess.Popen(arguments, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL), ledger, pieces)
        until(lambda: is_free(data))
    # people went on living here before they tried again
    between = start("--no-simulator", env=DAYS)
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    with between.http(between.token(SARAH)) as http:
        post(http, event("thermostat", "telemetry", "between", at, temperature_c=21.0))
        until(lambda: [e for e in between.events(http, device_id="thermostat") if e["event_id"] == "between"])
    lived = answers(between)
    assert lived != before
    assert between.stop()[0] == 0

    counts = migrate(tmp_path, engines, *urls(engines))
    assert all(here == there for here, there in counts.values()), counts
    assert {concern for concern, (here, _) in counts.items() if not here} <= {"anomalies", "sessions"}, counts
    assert not ledger.exists()
    up = start("--no-simulator", env={**engines, **DAYS})
    until(lambda: is_well(up), within_s=120)
    assert answers(up) == lived
    assert up.stop()[0] == 0


def kill_when(running: subprocess.Popen[bytes], ledger: Path, pieces: int) -> None:
    """As a power cut would, when so much of it is done."""
    until(lambda: noted(ledger) >= pieces or running.poll() is not None, within_s=120)
    assert running.poll() is None, "it was done before it could be killed"
    os.kill(running.pid, 9)
    assert running.wait() == -9


def noted(ledger: Path) -> int:
    try:
        return len(json.loads(ledger.read_text())["done"])
    except (OSError, ValueError):
        return 0


WRONG = [
    ("ftp://127.0.0.1/x", ("--to takes", "postgresql")),
    ("127.0.0.1:9042", ("--to takes",)),
    ("postgresql://nobody:hidden-word@{postgres}/nowhere", ("127.0.0.1",)),
    ("mongodb://127.0.0.1:1/homeguard", ("127.0.0.1:1",)),
    ("cassandra://127.0.0.1:1", ("127.0.0.1:1",)),
    ("redis://:hidden-word@{redis}/0", ("127.0.0.1",)),
    ("redis://127.0.0.1:1/0", ("127.0.0.1:1",)),
    ("timescaledb://a:hidden-word@127.0.0.1:1/x", ("127.0.0.1:1",)),
]


@pytest.mark.parametrize(("url", "words"), WRONG)
def test_a_wrong_url_is_one_line_without_the_password(
    services: dict[str, str], tmp_path: Path, url: str, words: tuple[str, ...]
) -> None:
    url = url.format(
        postgres=services["POSTGRES_URL"].rpartition("@")[2].partition("/")[0],
        redis=services["REDIS_URL"].rpartition("@")[2].partition("/")[0],
    )
    done = command(tmp_path, "migrate", "--data-dir", tmp_path / "data", "--to", url)
    assert one_line_says(done, *words), (done.stderr, done.stdout)
    assert "hidden-word" not in done.stderr


def test_wrong_use_is_one_line(tmp_path: Path) -> None:
    without = command(tmp_path, "migrate")
    assert (without.returncode, len(without.stderr.splitlines()), without.stdout) == (2, 1, "")
    assert one_line_says(command(tmp_path, "migrate", "--data-dir", tmp_path / "d", "--to", "engines"), "--to")
    assert one_line_says(command(tmp_path, "migrate", "--data-dir", tmp_path / "d", "--to", "embedded"), "engine")


def test_a_folder_that_is_in_use_is_refused(start: Callable[..., Up], engines: dict[str, str], tmp_path: Path) -> None:
    up = start("--no-simulator", env={**DAYS, "HOMEGUARD_DEMO_HISTORY_DAYS": "0"})
    done = command(tmp_path, "migrate", "--data-dir", up.data, "--to", engines["MONGO_URL"])
    assert one_line_says(done, str(up.process.pid)), (done.stderr, done.stdout)
    assert up.stop()[0] == 0
