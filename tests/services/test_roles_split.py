"""Ingest, two processors, api and agent as processes of their own: what one hears, decides or asks, the others have."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
from instances import SARAH, Up, counted, until
from split_rig import MOVE_S, Parts, event, lag, order, post, watching

from homeguard.clock import SystemClock
from homeguard.stores.mongo.open import open_mongo
from homeguard.stores.redis.open import open_redis

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def parts(own_engines: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """All of them started at the same time on empty engines."""
    made = Parts(tmp_path_factory.mktemp("parts"), own_engines)
    try:
        made.begin("ingest", "processor1", "processor2", "api", "agent")
        until(lambda: all(knows_the_home(made[name]) for name in ("ingest", "agent")), within_s=60)
        until(lambda: lag(made["api"], "reflex") == 0, within_s=MOVE_S)
        yield made
    finally:
        made.kill()


def knows_the_home(up: Up) -> bool:
    """Whether the people and devices that another process made have come to this one."""
    with up.http(up.token(SARAH)) as http:
        path = "/api/v1/events" if "ingest" in up.folder.name else "/api/v1/devices/doorbell"
        if "ingest" in up.folder.name:
            return http.post(path, json=event("doorbell", "heartbeat", "known")).status_code == 202
        return http.get(path).status_code == 200


def state_of(up: Up, device_id: str) -> dict:
    with up.http(up.token(SARAH)) as http:
        return http.get(f"/api/v1/devices/{device_id}").json()["state"]


def test_people_sign_in_at_the_api_and_see_the_demo_that_it_made(parts: Parts):
    with parts["api"].login(SARAH) as http:
        devices = http.get("/api/v1/devices").json()["items"]
    assert len(devices) == 12
    assert {d["id"]: d["state"] for d in devices}["front_door_lock"]["lock"] == "locked"
    with parts["agent"].login(SARAH) as http:
        assert [d["id"] for d in http.get("/api/v1/devices").json()["items"]] == [d["id"] for d in devices]


def test_a_session_of_the_api_is_good_at_the_agent(parts: Parts):
    with parts["api"].login(SARAH) as http:
        bearer = http.headers["Authorization"]
    with parts["agent"].http(**{"Authorization": bearer}) as http:
        assert http.get("/api/v1/users/me").json()["email"] == SARAH


def test_what_a_device_tells_ingest_comes_to_the_api(parts: Parts):
    api, ingest = parts["api"], parts["ingest"]
    with watching(api) as at_api, watching(parts["agent"]) as at_agent, ingest.http(ingest.token(SARAH)) as http:
        post(http, event("hallway_motion", "motion_detected", "seen-1", confidence=0.9))
        for watch in (at_api, at_agent):
            frame = watch.until(lambda f: f.get("event_id") == "seen-1")
            assert (frame["type"], frame["device_id"]) == ("device_event", "hallway_motion")
    until(lambda: state_of(api, "hallway_motion").get("motion") is True)
    with api.http(api.token(SARAH)) as http:
        [stored] = until(lambda: api.events(http, device_id="hallway_motion", event_type="motion_detected"))
    assert stored["event_id"] == "seen-1"
    # what was said before is still there
    assert "battery_pct" in state_of(api, "hallway_motion")


@pytest.mark.parametrize("place", ["api", "agent"])
@pytest.mark.parametrize(("command", "on"), [("turn_on", True), ("turn_off", False)])
def test_a_command_is_confirmed_by_the_report_that_went_round(parts: Parts, place: str, command: str, on: bool):
    up = parts[place]
    with watching(parts["api"]) as watch, up.http(up.token(SARAH)) as http:
        told = order(http, "hallway_light", command)
        assert (told["outcome"], told["reason"]) == ("confirmed", "")
        watch.until(lambda f: f["type"] == "command" and f.get("command_id") == told["command_id"])
    until(lambda: state_of(parts["api"], "hallway_light")["on"] is on)


def test_every_one_of_many_commands_is_confirmed(parts: Parts):
    api = parts["api"]
    outcomes = []
    with api.http(api.token(SARAH)) as http:
        for n in range(20):
            device = ("porch_light", "living_room_light")[n % 2]
            outcomes.append(order(http, device, ("turn_on", "turn_off")[n // 2 % 2])["outcome"])
    assert counted(outcomes) == {"confirmed": 20}


@pytest.mark.parametrize("way", ["by rest", "in words"])
def test_a_rule_made_at_the_agent_fires_in_a_processor(parts: Parts, way: str):
    agent, api, ingest = parts["agent"], parts["api"], parts["ingest"]
    light = {"by rest": "porch_light", "in words": "living_room_light"}[way]
    trigger = {"by rest": ("doorbell", "doorbell_pressed"), "in words": ("front_door", "door_open")}[way]
    with api.http(api.token(SARAH)) as http:
        order(http, light, "turn_off")
    if way == "by rest":
        rule = {
            "name": "porch at the bell", "trigger": {"event_type": trigger[1], "device_id": trigger[0]},
            "actions": [{"type": "device_command", "device_id": light, "command": "turn_on"}],
        }  # fmt: skip
        with agent.http(agent.token(SARAH)) as http:
            made = http.post("/api/v1/automations", json=rule)
            assert made.status_code == 201, made.text
    else:
        told = agent.say("When the front door opens, turn on the living room light", "--as", SARAH, "--yes")
        assert "door" in told["answer"], told
    with api.http(api.token(SARAH)) as http:
        rules = http.get("/api/v1/automations").json()["items"]
    assert [r for r in rules if r["trigger"]["event_type"] == trigger[1]]

    tried = 0

    def fired() -> bool:
        # a rule reaches the processors within seconds; what happened before is not made good
        nonlocal tried
        tried += 1
        with ingest.http(ingest.token(SARAH)) as http:
            post(http, event(*trigger, f"{light}-{tried}"))
        try:
            return until(lambda: state_of(api, light).get("on") is True, within_s=3)
        except AssertionError:
            return False

    until(fired, within_s=40)
    with api.http(api.token(SARAH)) as http:
        ran = until(
            lambda: [
                e for e in api.events(http, event_type="automation_ran") if e["payload"]["device_id"] == trigger[0]
            ]
        )
        assert {a["outcome"] for e in ran for a in e["payload"]["actions"]} == {"confirmed"}


def test_an_alert_of_a_processor_reaches_the_streams_and_the_outbox_once(parts: Parts):
    api, ingest = parts["api"], parts["ingest"]
    with watching(api) as watch, watching(parts["agent"]) as other, ingest.http(ingest.token(SARAH)) as http:
        post(http, event("smoke_kitchen", "smoke_detected", "smoke-1", density=0.8))
        for seen in (watch, other):
            alert = seen.until(lambda f: f["type"] == "alert" and "smoke-1" in f["event_ids"])
            assert (alert["kind"], alert["severity"]) == ("smoke", "critical")
            seen.until(lambda f: f["type"] == "notice" and f["cause"] == "smoke-1")
        # the same word again changes nothing; a later event says that it went by
        post(http, event("smoke_kitchen", "smoke_detected", "smoke-1", density=0.8))
        post(http, event("smoke_kitchen", "heartbeat", "smoke-2", smoke=False))
        watch.until(lambda f: f.get("event_id") == "smoke-2")
        told = [f["id"] for f in watch.heard if f["type"] == "notice" and f["cause"] == "smoke-1"]
        assert len(told) == len(set(told)) == 1
    with api.http(api.token(SARAH)) as http:
        alerts = until(lambda: [a for a in http.get("/api/v1/alerts").json()["items"] if a["kind"] == "smoke"])
    assert len(alerts) == 1


def test_a_card_of_the_agent_is_pressed_at_the_api_and_the_agent_goes_on(parts: Parts):
    agent, api = parts["agent"], parts["api"]
    with watching(api) as watch:
        told = agent.say("Unlock the front door", "--as", SARAH)
        assert len(told["asked"]) == 1, told
        card = watch.until(lambda f: f["type"] == "confirmation")["confirmation"]["id"]
        with api.login(SARAH) as http:
            assert card in [c["id"] for c in http.get("/api/v1/confirmations").json()["items"]]
            pressed = http.post(f"/api/v1/confirmations/{card}", json={"approve": True})
            assert pressed.status_code == 200, pressed.text
            assert "confirmed" in pressed.text
        answer = watch.until(lambda f: f["type"] == "agent_response")
    assert "unlock" in str(answer["message"]).lower()
    assert state_of(api, "front_door_lock")["lock"] == "unlocked"


def test_a_device_that_another_process_deleted_is_gone_everywhere(parts: Parts):
    api, ingest = parts["api"], parts["ingest"]
    with api.http(api.token(SARAH)) as http:
        home_id = http.get("/api/v1/users/me").json()["home"]["id"]

    async def delete() -> None:
        async with (
            open_mongo(parts.env["MONGO_URL"], SystemClock()) as mongo,
            open_redis(parts.env["REDIS_URL"], SystemClock()) as redis,
        ):
            assert await mongo.devices.delete(home_id, "driveway_camera")
            await redis.live.forget(home_id, "driveway_camera")

    asyncio.run(delete())
    with ingest.http(ingest.token(SARAH)) as http:
        body = event("driveway_camera", "motion_detected", "ghost")
        until(lambda: http.post("/api/v1/events", json=body).status_code == 404)
    for name in ("processor1", "processor2"):
        # in its copies, from which it would come back
        until(partial(has_forgotten, parts[name], "driveway_camera"), within_s=60)


def has_forgotten(up: Up, device_id: str) -> bool:
    with closing(sqlite3.connect(f"file:{up.data}/home.db?mode=ro", uri=True, timeout=10)) as home:
        left = [
            home.execute(f"SELECT count(*) FROM {table} WHERE {column} = ?", (device_id,)).fetchone()[0]
            for table, column in (("devices", "id"), ("live_states", "device_id"))
        ]
    return left == [0, 0]


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("ingest", "GET", "/api/v1/events"), ("ingest", "POST", "/api/v1/auth/login"), ("ingest", "GET", "/chat/"),
        ("ingest", "POST", "/mcp"), ("processor1", "POST", "/telemetry"), ("processor1", "GET", "/api/v1/devices"),
        ("api", "POST", "/api/v1/ai/chat"), ("api", "GET", "/chat/"), ("api", "POST", "/mcp"),
    ],
)  # fmt: skip
def test_what_a_role_does_not_serve_is_not_there(parts: Parts, name: str, method: str, path: str):
    with parts[name].http(parts[name].token(SARAH)) as http:
        answer = http.request(method, path, json={"message": "hello"} if method == "POST" else None)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_OF_THIS_ROLE")
    assert name.rstrip("12") in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["ingest", "processor1", "processor2", "api", "agent"])
def test_every_role_says_how_it_is(parts: Parts, name: str):
    with parts[name].http() as http:
        assert http.get("/health").status_code == http.get("/live").status_code == 200
        told = http.get("/ready").json()
        assert told["status"] == "ready"
        groups = {g for g in ("safety", "reflex", "record", "automate") if g in told["checks"]}
        assert groups == ({"safety", "reflex", "record", "automate"} if name.startswith("processor") else set())
        assert "process_cpu_seconds_total" in http.get("/metrics").text


def test_an_api_with_a_new_folder_does_not_make_the_demo_again(parts: Parts):
    api = parts["api"]
    with api.http(api.token(SARAH)) as http:
        order(http, "porch_light", "turn_on")
    before = state_of(api, "porch_light")
    parts.begin("api2")
    with parts["api2"].login(SARAH) as http:
        assert http.get("/api/v1/devices/porch_light").json()["state"] == before
        told = [e for e in parts["api2"].events(http, device_id="thermostat") if e["event_type"] == "state_changed"]
    assert len(told) <= 1
    assert state_of(parts["api"], "porch_light") == before
