"""Who may call what: every route is public by name or closed; nobody sees another's home; a guest only looks."""

from typing import Any

import pytest

from api.app import routed
from homeguard.settings import Settings

PUBLIC = {
    ("post", "/api/v1/auth/login"),
    ("post", "/api/v1/auth/refresh"),
    ("get", "/api/v1/auth/demo"),
    ("get", "/health"),
    ("get", "/live"),
    ("get", "/ready"),
    ("get", "/metrics"),
}
PAGES = {
    "/",
    "/login",
    "/confirm/{token}",
    "/pin",
    "/docs",
    "/swagger-ui.html",
    "/openapi.json",
    "/static",
    "/reference",
}
PASSWORD = "correct horse"
SOCKETS = {"/api/v1/events/stream"}
OPERATIONS = sorted((m, p) for p, methods in routed().openapi()["paths"].items() for m in methods)
CLOSED = [o for o in OPERATIONS if o not in PUBLIC]
BODIES: dict[str, Any] = {
    "/api/v1/devices/{device_id}/command": {"command": "turn_on"},
    "/api/v1/confirmations/{confirmation_id}": {"approve": True},
    "/api/v1/automations": {
        "name": "n",
        "trigger": {"type": "device_event", "event_type": "motion_detected"},
        "actions": [{"type": "notification", "message": "hello"}],
    },
    "/api/v1/automations/{automation_id}": {"enabled": False},
    "/api/v1/timers": {"minutes": 5},
    "/api/v1/timers/{timer_id}": {"paused": True},
    "/api/v1/lists/{list_name}/items": {"items": ["milk"]},
    "/api/v1/lists/{list_name}/items/{item_id}": {"done": True},
    "/api/v1/pin": {"password": PASSWORD, "pin": "2468"},
    "/api/v1/permissions": {"name": "Fire", "kind": "fire_egress", "device_ids": ["front_door_lock"]},
    "/api/v1/undo": {},
    "/api/v1/ai/chat": {"message": "hello"},
    "/api/v1/ai/chat/threads/{thread_id}": {"title": "Mine"},
    "/api/v1/ai/chat/stream": {"message": "hello"},
    "/api/v1/events": {"device_id": "hall_light", "event_type": "state_changed", "payload": {"on": True}},
    "/telemetry": {"device_id": "hall_light", "event_type": "state_changed", "payload": {"on": True}},
}
#: What a guest may do besides looking: leave, open a stream, ask, and forget what they asked.
#: About the person alone, not the home: they may leave (`test_leaving.py`), and name their talks (`test_talking.py`).
OWN = {"/api/v1/users/me", "/api/v1/ai/chat/threads/{thread_id}"}
GUEST_MAY = {
    "/api/v1/auth/logout",
    "/api/v1/auth/ticket",
    "/api/v1/ai/chat",
    "/api/v1/ai/chat/stream",
    "/api/v1/ai/chat/history",
}


def _filled(path: str) -> str:
    return (
        path.replace("{device_id}", "hall_light")
        .replace("{confirmation_id}", "x")
        .replace("{automation_id}", "x")
        .replace("{permission_id}", "x")
        .replace("{timer_id}", "x")
        .replace("{list_name}", "shopping")
        .replace("{item_id}", "x")
    )


def _routes(routes: Any) -> set[str]:
    found = set()
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            found |= _routes(inner.routes)
        else:
            found.add(route.path)
    return found


def test_no_route_exists_that_these_tables_do_not_name() -> None:
    known = {path for _, path in OPERATIONS} | PAGES | SOCKETS
    assert _routes(routed().routes) - known == set()
    assert {o for o in PUBLIC if o not in OPERATIONS} == set()


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_without_a_token_it_is_closed(world: Any, method: str, path: str) -> None:
    answer = await world.call(method, _filled(path), json=BODIES.get(path))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "NOT_SIGNED_IN")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_with_a_token_that_does_not_hold_it_is_closed(world: Any, ann: str, method: str, path: str) -> None:
    world.clock.forward(minutes=15)
    device = (await world.identity.create_device_token(await world.identity.as_user("ann@home.test"), "hall_light"))[1]
    for token in (ann, device, "hg_" + "a" * 43, "nonsense"):
        answer = await world.call(method, _filled(path), token=token, json=BODIES.get(path))
        assert answer.status_code == 401, token


@pytest.mark.parametrize("path", sorted({p for m, p in CLOSED if m != "get"} - OWN))
async def test_a_guest_looks_and_does_not_touch(world: Any, path: str) -> None:
    token = await world.token("gus")
    method = next(m for m, p in CLOSED if p == path and m != "get")
    status = (await world.call(method, _filled(path), token=token, json=BODIES.get(path))).status_code
    assert status == 403 if path not in GUEST_MAY else status == 200


async def test_a_guest_sees_the_home_of_the_host(world: Any) -> None:
    answer = await world.call("GET", "/devices", token=await world.token("gus"))
    assert [d["id"] for d in answer.json()["items"]] == ["front_door_lock", "garage_door", "hall_light"]


@pytest.mark.parametrize(
    ("header", "status"),
    [("Basic YTpi", 401), ("Bearer", 401), ("bearer {ann}", 200), ("{ann}", 401), ("Bearer é", 401)],
)
async def test_only_a_bearer_header_is_read(world: Any, ann: str, header: str, status: int) -> None:
    shown = {"authorization": header.format(ann=ann).encode()}
    assert (await world.call("GET", "/users/me", headers=shown)).status_code == status


async def test_two_authorization_headers_are_none(world: Any, ann: str) -> None:
    headers = [("authorization", f"Bearer {ann}"), ("authorization", f"Bearer {ann}")]
    assert (await world.call("GET", "/users/me", headers=headers)).status_code == 401


async def test_a_home_that_is_not_mine_looks_like_none(world: Any, ann: str) -> None:
    answers = [await world.call("GET", "/devices", token=ann, headers={"x-home-id": h}) for h in ("bob", "nobody")]
    assert [a.status_code for a in answers] == [404, 404]
    assert _plain(answers[0]) == _plain(answers[1])


def _plain(answer: Any) -> dict[str, Any]:
    error = answer.json()["error"]
    return {k: error[k] for k in ("code", "message", "details")}


async def _ids_of_ann(world: Any, ann: str) -> dict[str, str]:
    """One real id of Ann's for every kind of id that an address takes."""
    asked = await world.call("POST", "/devices/front_door_lock/command", token=ann, json={"command": "unlock"})
    made = await world.call("POST", "/automations", token=ann, json=BODIES["/api/v1/automations"])
    said = await world.call("POST", "/ai/chat", token=ann, json={"message": "hello"})
    kept = await world.call("POST", "/api/v1/memory", token=ann, json={"text": "Ana has a key"})
    assert kept.status_code == 201, kept.text
    timer = await world.call("POST", "/api/v1/timers", token=ann, json={"minutes": 5})
    await world.call("POST", "/api/v1/lists/shopping/items", token=ann, json={"items": ["milk"]})
    listed = await world.call("GET", "/api/v1/lists/shopping", token=ann)
    return {
        "{timer_id}": timer.json()["id"],
        "{item_id}": listed.json()["items"][0]["id"],
        "{device_id}": "hall_light",
        "{confirmation_id}": asked.json()["confirmation"]["id"],
        "{permission_id}": await _permission(world, ann),
        "{automation_id}": made.json()["automation"]["id"],
        "{memory_id}": kept.json()["id"],
        "{thread_id}": said.json()["thread_id"],
        "thread_id": said.json()["thread_id"],
    }


async def _permission(world: Any, ann: str) -> str:
    asked = await world.call("POST", "/api/v1/permissions", token=ann, json=BODIES["/api/v1/permissions"])
    card = asked.json()["confirmation"]["id"]
    await world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": True})
    return str((await world.call("GET", "/api/v1/permissions", token=ann)).json()["items"][0]["id"])


#: A list is found by its name, in one's own home: there is nothing of another's to ask for.
BY_NAME = {"/api/v1/lists/{list_name}", "/api/v1/lists/{list_name}/items"}


@pytest.mark.parametrize(("method", "path"), [o for o in CLOSED if "{" in o[1] and o[1] not in BY_NAME])
async def test_what_is_anothers_answers_like_what_is_absent(
    world: Any, ann: str, bob: str, method: str, path: str
) -> None:
    ids, body = await _ids_of_ann(world, ann), BODIES.get(path)
    name = next(n for n in ids if n in path)
    path = path.replace("{list_name}", "shopping")
    foreign, absent = path.replace(name, ids[name]), path.replace(name, "absent")
    answers = [await world.call(method, p, token=bob, json=body) for p in (foreign, absent)]
    assert [a.status_code for a in answers] == [404, 404]
    assert _plain(answers[0]) == _plain(answers[1])


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/api/v1/ai/chat/history", "thread_id"),
        ("DELETE", "/api/v1/ai/chat/history", "thread_id"),
        ("GET", "/api/v1/analytics/aggregates?metric=temperature_c", "device_id"),
    ],
)
async def test_an_id_in_the_query_that_is_anothers_answers_like_an_absent_one(
    world: Any, ann: str, bob: str, method: str, path: str, name: str
) -> None:
    ids = await _ids_of_ann(world, ann)
    real = ids.get(name) or ids[f"{{{name}}}"]
    mark = "&" if "?" in path else "?"
    answers = [await world.call(method, f"{path}{mark}{name}={v}", token=bob) for v in (real, "absent")]
    assert [a.status_code for a in answers] == [404, 404]
    assert _plain(answers[0]) == _plain(answers[1])


async def test_nothing_of_anns_is_in_any_list_of_bobs(world: Any, ann: str, bob: str) -> None:
    await _ids_of_ann(world, ann)
    for method, path in CLOSED:
        if method == "get" and "{" not in path and "stream" not in path and "aggregates" not in path:
            answer = await world.call(method, path, token=bob)
            assert answer.status_code == 200, path
            assert "hall_light" not in answer.text, path
            assert '"ann"' not in answer.text, path


async def test_a_client_token_cannot_say_yes(world: Any, ann: str) -> None:
    owner = await world.identity.as_user("ann@home.test")
    scopes = ["read", "control", "sensitive", "manage"]
    _, client = await world.identity.create_client_token(owner, "Desk", scopes=scopes)
    card = (await _ids_of_ann(world, ann))["{confirmation_id}"]
    answer = await world.call("POST", f"/confirmations/{card}", token=client, json={"approve": True})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "NOT_ALLOWED")
    assert world.driver.sent == []


async def test_a_reading_client_token_does_not_act(world: Any) -> None:
    owner = await world.identity.as_user("ann@home.test")
    _, client = await world.identity.create_client_token(owner, "Desk", scopes=["read"])
    answer = await world.call("POST", "/devices/hall_light/command", token=client, json={"command": "turn_on"})
    assert answer.status_code == 403


async def test_commands_are_limited_to_ten_a_minute(open_one: Any) -> None:
    async with open_one(settings=Settings(rate_limits=True)) as world:
        token = await world.token("ann")
        answers = [
            await world.call("POST", "/devices/hall_light/command", token=token, json={"command": "turn_on"})
            for _ in range(11)
        ]
        assert [a.status_code for a in answers] == [200] * 10 + [429]
        assert answers[-1].headers["retry-after"] == "6"
        world.clock.forward(seconds=6)
        again = await world.call("POST", "/devices/hall_light/command", token=token, json={"command": "turn_on"})
        assert again.status_code == 200


async def test_one_persons_flood_does_not_slow_another(open_one: Any) -> None:
    async with open_one(settings=Settings(rate_limits=True)) as world:
        ann, bob = await world.token("ann"), await world.token("bob")
        flood = [(await world.call("GET", "/users/me", token=ann)).status_code for _ in range(130)]
        assert flood == [200] * 120 + [429] * 10
        assert (await world.call("GET", "/users/me", token=bob)).status_code == 200
        sent = await world.call("POST", "/telemetry", token=ann, json=BODIES["/telemetry"])
        assert sent.status_code == 202
