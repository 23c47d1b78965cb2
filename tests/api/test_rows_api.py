"""Every address of the API under each of its names, its answer's keys, and how often it may be called."""

from typing import Any

import pytest

from homeguard.settings import Settings

PREFIXES = ["", "/api", "/api/v1"]


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_signing_in_and_the_profile_answer_under_every_prefix(world: Any, prefix: str) -> None:
    body = {"email": "ann@home.test", "password": "correct horse"}
    signed_in = await world.call("POST", f"{prefix}/auth/login", json=body)
    assert signed_in.status_code == 200
    token = signed_in.json()["access_token"]
    me = (await world.call("GET", f"{prefix}/users/me", token=token)).json()
    assert (me["email"], me["home"]["id"]) == ("ann@home.test", "ann")


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_devices_commands_events_and_chat_answer_under_every_prefix(world: Any, ann: str, prefix: str) -> None:
    listed = (await world.call("GET", f"{prefix}/devices", token=ann)).json()
    assert [d["id"] for d in listed["items"]] == ["front_door_lock", "garage_door", "hall_light"]
    one = (await world.call("GET", f"{prefix}/devices/hall_light", token=ann)).json()
    assert (one["id"], one["state"]) == ("hall_light", {"on": True})
    path = f"{prefix}/devices/front_door_lock/command"
    done = (await world.call("POST", path, token=ann, json={"command": "lock"})).json()
    assert (done["outcome"], done["set"]) == ("confirmed", {"lock": "locked"})
    assert (await world.call("GET", f"{prefix}/events", token=ann)).json() == {"items": [], "next_cursor": None}
    said = (await world.call("POST", f"{prefix}/ai/chat", token=ann, json={"message": "hello"})).json()
    assert said["message"] == "You said: hello"
    history = (await world.call("GET", f"{prefix}/ai/chat/history", token=ann)).json()
    assert [m["role"] for m in history["items"]] == ["user", "assistant"]
    streamed = await world.call("POST", f"{prefix}/ai/chat/stream", token=ann, json={"message": "hello"})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert "event: done" in streamed.text


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_health_live_ready_and_metrics_need_no_token(world: Any, prefix: str) -> None:
    health = (await world.call("GET", f"{prefix}/health")).json()
    assert (health["status"], health["version"]) == ("healthy", world.deps.version)
    assert (await world.call("GET", f"{prefix}/live")).json()["status"] == "alive"
    ready = await world.call("GET", f"{prefix}/ready")
    assert (ready.status_code, ready.json()["status"], ready.json()["checks"]) == (200, "ready", {"log": {"ok": True}})
    world.health["log"] = {"ok": False, "reason": "the disk is full"}
    missing = await world.call("GET", f"{prefix}/ready")
    assert (missing.status_code, missing.json()["status"]) == (503, "not_ready")
    assert missing.json()["error"]["details"]["reasons"] == {"log": "the disk is full"}
    figures = await world.call("GET", f"{prefix}/metrics")
    assert figures.headers["content-type"].startswith("text/plain")
    assert 'http_requests_total{endpoint="/health",method="GET",service="api-gateway",status="200"}' in figures.text


async def test_a_telemetry_message_of_numbers_is_taken_in_the_short_form(world: Any, ann: str) -> None:
    at_ms = int(world.clock.now().timestamp() * 1000)
    metrics = {"temperature": 21.5, "humidity": 40, "pressure": 1013}
    sent = await world.call(
        "POST", "/telemetry", token=ann, json={"device_id": "hall_light", "ts": at_ms, "metrics": metrics}
    )
    assert (sent.status_code, sent.json()["accepted"]) == (202, 1)
    wrong = await world.call(
        "POST", "/telemetry", token=ann, json={"device_id": "hall_light", "ts": "soon", "metrics": metrics}
    )
    assert (wrong.status_code, wrong.json()["error"]["details"]["field"]) == (422, "ts")


@pytest.mark.parametrize(
    ("method", "path", "body", "limit"),
    [
        ("POST", "/devices/hall_light/command", {"command": "turn_on"}, 10),
        ("GET", "/events", None, 60),
        ("POST", "/ai/chat", {"message": "hello"}, 20),
        ("POST", "/ai/chat/stream", {"message": "hello"}, 20),
    ],
)
async def test_each_address_has_its_own_limit_a_minute(
    open_one: Any, method: str, path: str, body: Any, limit: int
) -> None:
    async with open_one(settings=Settings(rate_limits=True)) as world:
        token = await world.token("ann")
        answers = [(await world.call(method, path, token=token, json=body)).status_code for _ in range(limit + 1)]
    assert answers == [200] * limit + [429]


async def test_a_live_stream_is_opened_five_times_a_minute(open_one: Any) -> None:
    async with open_one(settings=Settings(rate_limits=True)) as world:
        token = await world.token("ann")
        said = []
        for _ in range(6):
            async with world.socket("/events/stream", authorization=f"Bearer {token}") as socket:
                said.append((await socket.said())["type"])
    assert said == ["websocket.accept"] * 5 + ["websocket.http.response.start"]


async def test_the_three_channels_are_subscribed_together(world: Any, ann: str) -> None:
    async with world.socket("/events/stream", authorization=f"Bearer {ann}") as socket:
        assert (await socket.said())["type"] == "websocket.accept"
        await socket.send({"action": "subscribe", "channels": ["events", "devices", "agent"]})
        assert await socket.message() == {"type": "subscribed", "channels": ["agent", "devices", "events"]}


async def test_an_answer_of_the_agent_is_pushed_with_its_actions(world: Any, ann: str) -> None:
    async with world.socket("/events/stream", authorization=f"Bearer {ann}") as socket:
        assert (await socket.said())["type"] == "websocket.accept"
        await socket.send({"action": "subscribe", "channels": ["agent"]})
        await socket.message()
        await world.call("POST", "/ai/chat", token=ann, json={"message": "lock the door"})
        told = await socket.message()
    assert {k: told[k] for k in ("type", "message", "actions_taken", "timestamp")} == {
        "type": "agent_response",
        "message": "The front door is locked.",
        "actions_taken": [{"action": "lock", "device_id": "front_door_lock", "outcome": "confirmed"}],
        "timestamp": "2026-11-21T08:00:00.000Z",
    }
