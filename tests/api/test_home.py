"""Devices, commands, confirmations, events, figures, rules: through the real stores and the one way to act."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from api.errors import error_response
from homeguard.errors import StoreUnavailable
from homeguard.model import Event, Reading

COMMAND = "/api/v1/devices/front_door_lock/command"


async def test_a_device_is_what_it_is_and_how_it_is(world: Any, ann: str) -> None:
    assert (await world.call("GET", "/devices/front_door_lock", token=ann)).json() == {
        "id": "front_door_lock", "name": "Front door lock", "aliases": [], "type": "lock", "area": "hall",
        "floor": "", "capabilities": ["lock"], "state": {"lock": "locked"}, "available": True,
        "last_seen_at": "2026-11-21T08:00:00.000Z", "battery_pct": None, "hardware": None, "config": {},
        "is_simulated": True,
    }  # fmt: skip


@pytest.mark.parametrize("prefix", ["/api/v1", "/api", ""])
async def test_every_prefix_answers_the_same(world: Any, ann: str, prefix: str) -> None:
    answers = [await world.call("GET", f"{prefix}/devices{end}", token=ann) for end in ("", "/")]
    assert [len(a.json()["items"]) for a in answers] == [3, 3]


async def test_pages_of_devices_join_without_loss(world: Any, ann: str) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        page = (await world.call("GET", f"/devices?limit=2&cursor={cursor}", token=ann)).json()
        seen += [d["id"] for d in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["front_door_lock", "garage_door", "hall_light"]
    assert (await world.call("GET", "/devices?limit=100000", token=ann)).json()["next_cursor"] is None


async def test_a_harmless_command_is_confirmed_by_the_device(world: Any, ann: str) -> None:
    answer = await world.call("POST", COMMAND, token=ann, json={"command": "lock", "parameters": {}})
    said = answer.json()
    assert (answer.status_code, said["outcome"], said["device"]) == (200, "confirmed", "front_door_lock")
    assert (said["set"], said["reason"]) == ({"lock": "locked"}, "")


async def test_the_same_idempotency_key_acts_once(world: Any, ann: str) -> None:
    async with world.client(ann) as client:
        answers = [
            (await client.post(COMMAND, json={"command": "lock"}, headers={"idempotency-key": "k1"})).json()
            for _ in range(2)
        ]
    assert answers[0] == answers[1]
    assert len(world.driver.sent) == 1


async def _ask(world: Any, token: str) -> str:
    answer = await world.call("POST", COMMAND, token=token, json={"command": "unlock"})
    assert answer.status_code == 202
    return str(answer.json()["confirmation"]["id"])


async def test_unlocking_waits_for_a_yes_and_then_happens_once(world: Any, ann: str) -> None:
    card = await _ask(world, ann)
    assert world.driver.sent == []
    inbox = (await world.call("GET", "/confirmations", token=ann)).json()
    assert [c["id"] for c in inbox["items"]] == [card]
    yes = await world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": True})
    said = yes.json()
    assert (yes.status_code, said["outcome"], said["device"]) == (200, "confirmed", "front_door_lock")
    assert said["confirmation"]["state"] == "approved"
    again = await world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": True})
    assert again.status_code == 409
    assert [c.command for c in world.driver.sent] == ["unlock"]
    assert (await world.call("GET", "/confirmations", token=ann)).json()["items"] == []


async def test_a_no_changes_nothing(world: Any, ann: str) -> None:
    card = await _ask(world, ann)
    said = (await world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": False})).json()
    assert (said["outcome"], said["confirmation"]["state"]) == ("refused", "denied")
    assert (await world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": True})).status_code == 409
    assert world.driver.sent == []


async def test_a_question_is_over_after_five_minutes(world: Any, ann: str) -> None:
    card = await _ask(world, ann)
    world.clock.forward(minutes=5)
    assert (await world.call("GET", f"/confirmations/{card}", token=ann)).json()["state"] == "expired"
    assert (await world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": True})).status_code == 409
    assert world.driver.sent == []


async def test_of_two_answers_at_once_one_wins(world: Any, ann: str) -> None:
    card = await _ask(world, ann)
    answers = await asyncio.gather(
        *(world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": True}) for _ in range(8))
    )
    assert sorted(a.status_code for a in answers) == [200] + [409] * 7
    assert len(world.driver.sent) == 1


def _event(world: Any, n: int, kind: str = "motion_detected") -> Event:
    at = world.clock.now() - timedelta(minutes=n)
    return Event(
        home_id="ann", event_id=f"e{n:03}", event_type=kind, at=at, received_at=at, device_id="hall_light",
        payload={"n": n}, source="http",
    )  # fmt: skip


async def test_events_come_newest_first_and_in_pages(world: Any, ann: str) -> None:
    await world.stores.events.append([_event(world, n) for n in range(5)])
    first = (await world.call("GET", "/events?limit=3", token=ann)).json()
    rest = (await world.call("GET", f"/events?limit=3&cursor={first['next_cursor']}", token=ann)).json()
    assert [e["event_id"] for e in first["items"] + rest["items"]] == ["e000", "e001", "e002", "e003", "e004"]
    assert rest["next_cursor"] is None
    assert first["items"][0] == {
        "event_id": "e000", "home_id": "ann", "device_id": "hall_light", "user_id": "",
        "event_type": "motion_detected", "timestamp": "2026-11-21T08:00:00.000Z",
        "received_at": "2026-11-21T08:00:00.000Z", "payload": {"n": 0},
        "metadata": {"firmware_version": None, "signal_strength": None, "is_simulated": False},
        "source": "http", "cause": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("event_type=door_open", ["e003"]),
        ("event_type=door_open,motion_detected", ["e000", "e001", "e002", "e003"]),
        ("device_id=attic_lamp", []),
        ("from=2026-11-21T07:58:00Z", ["e000", "e001", "e002"]),
        ("from=2026-11-21T07:58:00.000%2B00:00&to=2026-11-21T08:00:00Z", ["e001", "e002"]),
        ("from=2026-11-21T02:58:00-05:00", ["e000", "e001", "e002"]),
        ("to=1795247880", ["e003"]),
        ("to=1795247880000", ["e003"]),
    ],
)
async def test_events_are_filtered(world: Any, ann: str, query: str, ids: list[str]) -> None:
    await world.stores.events.append([*(_event(world, n) for n in range(3)), _event(world, 3, "door_open")])
    page = (await world.call("GET", f"/events?{query}", token=ann)).json()
    assert [e["event_id"] for e in page["items"]] == ids


async def test_questions_about_the_past_wait_for_it_and_say_so(open_one: Any) -> None:
    async with open_one(history_ready=asyncio.Event(), history_wait_s=0.01) as world:
        token = await world.token("ann")
        answer = await world.call("GET", "/events", token=token)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert (await world.call("GET", "/ready")).json()["history"] == "writing"
        world.deps.history_ready.set()
        assert (await world.call("GET", "/events", token=token)).status_code == 200


async def test_a_device_sends_with_its_own_token_and_for_itself_only(world: Any) -> None:
    owner = await world.identity.as_user("ann@home.test")
    _, token = await world.identity.create_device_token(owner, "hall_light")
    event = {"event_type": "state_changed", "payload": {"on": False}}
    headers = {"x-device-token": token}
    taken = await world.call("POST", "/telemetry", json=event, headers=headers)
    assert (taken.status_code, taken.json()["accepted"]) == (202, 1)
    other = await world.call("POST", "/api/v1/events", json={**event, "device_id": "garage_door"}, headers=headers)
    assert other.status_code == 404
    assert (await world.call("POST", "/telemetry", json=event, headers={"x-device-token": "hgd_x"})).status_code == 401


async def test_a_batch_is_judged_item_by_item(world: Any, ann: str) -> None:
    good = {"device_id": "hall_light", "event_type": "state_changed", "payload": {"on": True}}
    batch = [good, {**good, "device_id": "attic_lamp"}, {**good, "home_id": "bob"}]
    answer = await world.call("POST", "/api/v1/events", token=ann, json=batch)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    assert [(r["index"], r["code"]) for r in answer.json()["rejected"]] == [
        (1, "DEVICE_NOT_FOUND"),
        (2, "HOME_MISMATCH"),
    ]


async def test_aggregates_come_from_what_was_measured(world: Any, ann: str) -> None:
    now = world.clock.now()
    readings = [
        Reading(home_id="ann", device_id="hall_light", metric="power_w", value=float(n), unit="W",
                at=now - timedelta(minutes=n), event_id=f"r{n}")
        for n in range(1, 5)
    ]  # fmt: skip
    await world.stores.readings.append(readings)
    path = "/analytics/aggregates?device_id=hall_light&metric=power_w&every=5"
    assert (await world.call("GET", path, token=ann)).json() == {
        "items": [
            {"start": "2026-11-21T07:55:00.000Z", "count": 4, "average": 2.5, "minimum": 1.0, "maximum": 4.0}
        ],
        "next_cursor": None, "device_id": "hall_light", "metric": "power_w", "unit": "W", "every_minutes": 5,
    }  # fmt: skip
    summary = (await world.call("GET", "/analytics/summary", token=ann)).json()
    assert (summary["devices"], summary["available"], summary["unavailable"]) == (3, 2, ["garage_door"])
    assert summary["metrics"] == [{"device_id": "hall_light", "metric": "power_w", "unit": "W"}]


def _rule(command: str, device: str) -> dict[str, Any]:
    return {
        "name": "At motion", "trigger": {"type": "device_event", "event_type": "motion_detected"},
        "actions": [{"type": "device_command", "device_id": device, "command": command}],
    }  # fmt: skip


async def test_a_harmless_rule_is_made_listed_and_deleted(world: Any, ann: str) -> None:
    made = await world.call("POST", "/automations", token=ann, json=_rule("turn_on", "hall_light"))
    assert (made.status_code, made.json()["outcome"]) == (201, "confirmed")
    rule = made.json()["automation"]
    assert (await world.call("GET", "/automations", token=ann)).json()["items"] == [rule]
    gone = await world.call("DELETE", f"/automations/{rule['id']}", token=ann)
    if gone.status_code == 202:
        card = gone.json()["confirmation"]["id"]
        gone = await world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": True})
    assert (gone.status_code, gone.json()["outcome"]) == (200, "confirmed")
    assert (await world.call("GET", "/automations", token=ann)).json()["items"] == []


async def test_a_rule_that_unlocks_is_asked_first(world: Any, ann: str) -> None:
    asked = await world.call("POST", "/automations", token=ann, json=_rule("unlock", "front_door_lock"))
    assert asked.status_code == 202
    assert (await world.call("GET", "/automations", token=ann)).json()["items"] == []
    card = asked.json()["confirmation"]["id"]
    await world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": True})
    assert len((await world.call("GET", "/automations", token=ann)).json()["items"]) == 1


async def test_a_rule_about_what_the_home_lacks_is_refused(world: Any, ann: str) -> None:
    answer = await world.call("POST", "/automations", token=ann, json=_rule("turn_on", "attic_lamp"))
    assert answer.status_code in (404, 422)


async def test_ready_names_what_is_not(world: Any) -> None:
    world.health["log"] = {"ok": False, "reason": "checking after an unclean end"}
    answer = await world.call("GET", "/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    assert answer.json()["error"]["details"]["reasons"] == {"log": "checking after an unclean end"}
    assert (await world.call("GET", "/health")).status_code == (await world.call("GET", "/live")).status_code == 200


async def test_strangers_hear_how_a_part_is_and_owners_where_it_is(world: Any) -> None:
    where = "PostgreSQL at 10.1.2.3:5432 did not answer"
    engine = {"engine": "PostgreSQL", "version": "15.18", "state": "open", "reason": where}
    world.health["users"] = {**engine, "ok": False, "tolerated": True}
    world.health["storage"] = {"engine": "files", "ok": True}
    world.health["canary"] = {"ok": False, "tolerated": True, "reason": "no canary came through record"}

    async def told(token: str = "") -> Any:
        answer = await world.call("GET", "/ready", token=token)
        assert answer.json()["status"] == "degraded"
        return answer.json()["checks"]

    for token in ("", "no-token", await world.token("gus")):
        stranger = await told(token)
        assert (stranger["users"]["ok"], stranger["users"]["engine"]) == (False, "PostgreSQL")
        assert stranger["users"]["reason"].startswith("PostgreSQL: not well")
        assert "reason" not in stranger["storage"]
        assert stranger["canary"]["reason"] == "no canary came through record"
        assert not [part for part in ("10.1.2.3", "5432", "15.18") if part in str(stranger)]
    assert (await told(await world.token("ann")))["users"] == world.health["users"]

    world.health["users"] = {**engine, "ok": False}
    down = await world.call("GET", "/ready")
    assert down.status_code == 503
    assert "10.1.2.3" not in down.text
    assert "10.1.2.3" in (await world.call("GET", "/ready", token=await world.token("ann"))).text


def test_an_error_of_an_engine_says_which_one_and_not_where_it_is() -> None:
    error = StoreUnavailable(
        "Redis does not answer (Redis at 10.1.2.3:6379 does not answer); try again in 5 s",
        engine="Redis", retry_after_s=5.0,
    )  # fmt: skip
    answer = error_response(error, "t")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Redis does not answer; try again in 5 s" in bytes(answer.body).decode()
    assert "10.1.2.3" not in bytes(answer.body).decode()


async def test_figures_are_kept_by_route_and_not_by_address(world: Any, ann: str) -> None:
    for path in ("/devices/hall_light", "/api/devices/nope", "/made-up", "/made-up-too"):
        await world.call("GET", path, token=ann)
    text = (await world.call("GET", "/metrics")).text
    line = 'http_requests_total{{endpoint="{}",method="GET",service="api-gateway",status="{}"}} {}'
    assert line.format("/api/v1/devices/{device_id}", 200, "1.0") in text
    assert line.format("/api/v1/devices/{device_id}", 404, "1.0") in text
    assert line.format("unmatched", 404, "2.0") in text
    assert "made-up" not in text


@pytest.mark.parametrize("path", ["/login", "/docs", "/static/login.js", "/reference/reference.js"])
async def test_the_pages_are_ours_alone(world: Any, path: str) -> None:
    answer = await world.call("GET", path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert (answer.headers["x-content-type-options"], answer.headers["x-frame-options"]) == ("nosniff", "DENY")
    assert "http://" not in answer.text
    assert "https://" not in answer.text


async def test_the_first_address_leads_to_the_chat_and_cross_origin_calls_are_off(world: Any) -> None:
    answer = await world.call("GET", "/", headers={"origin": "http://evil.test"})
    assert (answer.status_code, answer.headers["location"]) == (307, "/chat/")
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_a_mounted_app_gets_its_prefix_and_its_bare_address(open_one: Any) -> None:
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        body = f"{scope['root_path']} {scope['path']}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async with open_one(extra_mounts=[("/mcp", mounted), ("/mcp/devices", mounted)]) as world:
        texts = [(await world.call("POST", p)).text for p in ("/mcp", "/mcp/x", "/mcp/devices", "/mcpx")]
        page = await world.call("GET", "/mcp", headers={"accept": "text/html"})
    assert texts[:3] == ["/mcp /mcp/", "/mcp /mcp/x", "/mcp/devices /mcp/devices/"]
    assert "NOT_FOUND" in texts[3]
    assert page.headers["location"] == "/mcp/"
