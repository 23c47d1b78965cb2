"""Sign-in, refresh, sign-out over HTTP."""

from typing import Any

import pytest

COOKIE = "homeguard_session"


async def _login(world: Any, **body: str) -> Any:
    given = {"email": "ann@home.test", "password": "correct horse", **body}
    return await world.call("POST", "/api/v1/auth/login", json=given)


async def test_login_gives_tokens_and_a_strict_cookie(world: Any) -> None:
    answer = await _login(world)
    said = answer.json()
    assert (answer.status_code, said["expires_in"], said["token_type"], said["home_id"]) == (200, 900, "bearer", "ann")
    assert said["user"] == {"id": "ann", "email": "ann@home.test", "name": "Ann", "role": "user"}
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=ey")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"))
    assert "Secure" not in cookie
    assert answer.headers["cache-control"] == "no-store"


async def test_the_cookie_is_secure_over_https(world: Any) -> None:
    async with world.client() as client:
        answer = await client.post(
            "https://home.test/api/v1/auth/login", json={"email": "ann@home.test", "password": "correct horse"}
        )
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_wrong_password_and_an_unknown_e_mail_answer_the_same(world: Any) -> None:
    wrong, unknown = await _login(world, password="nope"), await _login(world, email="no@home.test")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["error"]["message"] == unknown.json()["error"]["message"]


async def test_the_sixth_failure_is_told_when_to_come_back(world: Any) -> None:
    for _ in range(5):
        await _login(world, password="nope")
    answer = await _login(world)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert int(answer.headers["retry-after"]) == 12


async def test_refresh_rotates_and_reuse_ends_the_session(world: Any) -> None:
    first = (await _login(world)).json()
    second = (await world.call("POST", "/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
    assert (await world.call("GET", "/users/me", token=second["access_token"])).status_code == 200
    reused = await world.call("POST", "/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert reused.status_code == 401
    assert (await world.call("GET", "/users/me", token=second["access_token"])).status_code == 401


async def test_logout_ends_bearer_and_cookie_and_clears_it(world: Any) -> None:
    answer = await _login(world)
    token, cookie = answer.json()["access_token"], answer.headers["set-cookie"].partition(";")[0]
    gone = await world.call("POST", "/api/auth/logout", token=token)
    assert gone.json() == {"signed_out": True}
    assert f'{COOKIE}=""' in gone.headers["set-cookie"]
    assert (await world.call("GET", "/users/me", token=token)).status_code == 401
    assert (await world.call("GET", "/users/me", headers={"cookie": cookie})).status_code == 401


async def test_introspection_says_who_holds_a_cookie(world: Any) -> None:
    answer = await _login(world)
    cookie = answer.headers["set-cookie"].partition(";")[0]
    session = (await world.call("GET", "/api/v1/auth/session", headers={"cookie": cookie})).json()
    assert (session["user"]["id"], session["home"]["id"], session["role"]) == ("ann", "ann", "owner")
    assert session["session_id"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://home.test"}, 200),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://home.test.evil.test"}, 403),
        ({"origin": "http://[broken"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
async def test_the_cookie_changes_things_only_from_our_own_pages(world: Any, headers: dict, status: int) -> None:
    cookie = (await _login(world)).headers["set-cookie"].partition(";")[0]
    answer = await world.call("POST", "/api/v1/auth/ticket", headers={"cookie": cookie, **headers})
    assert answer.status_code == status


async def test_the_demo_is_offered_with_its_people_and_password(world: Any) -> None:
    assert (await world.call("GET", "/api/v1/auth/demo")).json() == {
        "demo": True,
        "users": [{"email": "ann@home.test", "name": "Ann"}],
        "password": "correct horse",
    }


async def test_without_the_demo_nobody_is_offered(open_one: Any) -> None:
    async with open_one(demo_users=()) as world:
        answer = await world.call("GET", "/api/v1/auth/demo")
    assert answer.json() == {"demo": False, "users": [], "password": ""}
