"""The page of a question, the PIN over REST, and permissions: what a person does, and what a link alone does not."""

import re
from typing import Any

import httpx2
import pytest

from api.access import COOKIE
from api.question_page import question_page
from homeguard.model import Home, Member
from tests.api.conftest import PASSWORD, T0

PIN = "246813"
FORM = {"origin": "http://home.test", "content-type": "application/x-www-form-urlencoded"}
UNLOCK = ("POST", "/api/v1/devices/front_door_lock/command")


@pytest.fixture
async def cookie(world: Any) -> dict[str, str]:
    """Ann, signed in as in a browser."""
    return {COOKIE: (await world.identity.login("ann@home.test", PASSWORD)).chat_token}


async def link(world: Any, ann: str, command: str = "unlock") -> str:
    """Ask for something, and the address of its page as a client is told it."""
    asked = await world.call(*UNLOCK, token=ann, json={"command": command})
    card_id = asked.json()["confirmation"]["id"]
    card = await world.stores.confirmations.get("ann", card_id)
    return f"/confirm/{card_id}.{card.link}"


async def get(world: Any, path: str, cookie: dict[str, str] | None = None, **headers: str) -> httpx2.Response:
    return await world.call("GET", path, cookies=cookie or {}, headers=headers)  # type: ignore[no-any-return]


async def press(
    world: Any, path: str, cookie: dict[str, str], body: str = "answer=yes", **headers: str
) -> httpx2.Response:
    shown = FORM | {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.call("POST", path, cookies=cookie, content=body, headers=shown)  # type: ignore[no-any-return]


async def is_locked(world: Any) -> bool:
    return bool((await world.stores.live.get("ann", "front_door_lock")).attributes["lock"] == "locked")


async def test_the_page_asks_in_words_and_tells_what_came_of_the_press(
    world: Any, ann: str, cookie: dict[str, str]
) -> None:
    path = await link(world, ann)

    page = await get(world, path, cookie)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "Unlock Front door lock?" in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert "http" not in page.text.replace("http-equiv", "")
    assert 'name="viewport"' in page.text

    answered = await press(world, path, cookie)
    assert answered.status_code == 200
    assert "Approved by you" in answered.text
    assert "Front door lock — done" in answered.text
    assert not await is_locked(world)
    again = await press(world, path, cookie)
    assert (again.status_code, "this was approved already" in again.text.lower()) == (409, True)


async def test_a_no_changes_nothing(world: Any, ann: str, cookie: dict[str, str]) -> None:
    answered = await press(world, await link(world, ann), cookie, "answer=no")

    assert "Declined by you. Nothing was changed." in answered.text
    assert await is_locked(world)


async def test_a_link_alone_shows_and_allows_nothing(world: Any, ann: str, bob: str, cookie: dict[str, str]) -> None:
    path = await link(world, ann)
    strangers = {COOKIE: (await world.identity.login("bob@home.test", PASSWORD)).chat_token}

    away = await get(world, path)
    assert (away.status_code, away.headers["location"]) == (303, f"/login?next={path.replace('/', '%2F')}")
    pressed = await press(world, path, {})
    assert pressed.status_code == 303
    with_bearer = await world.call("POST", path, token=ann, content="answer=yes", headers=FORM)
    assert with_bearer.status_code == 303
    for answer in (await get(world, path, strangers), await press(world, path, strangers)):
        assert answer.status_code == 404
        assert "Front door" not in answer.text
    assert await is_locked(world)


async def test_an_id_without_its_secret_finds_nothing(world: Any, ann: str, cookie: dict[str, str]) -> None:
    path = await link(world, ann)
    card_id, _, secret = path.removeprefix("/confirm/").partition(".")

    for wrong in (
        card_id,
        f"{card_id}.",
        f"{card_id}.{secret[:-1]}",
        f"{card_id}.{'x' * 32}",
        f"x.{secret}",
        "x" * 400,
    ):
        assert (await get(world, f"/confirm/{wrong}", cookie)).status_code == 404
        assert (await press(world, f"/confirm/{wrong}", cookie)).status_code == 404
    assert await is_locked(world)


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.test"}, {"origin": "null"}, {"origin": ""}, {"sec_fetch_site": "cross-site"},
     {"sec_fetch_site": "same-site"}],
)  # fmt: skip
async def test_a_form_of_another_page_presses_nothing(
    world: Any, ann: str, cookie: dict[str, str], headers: dict[str, str]
) -> None:
    answer = await press(world, await link(world, ann), cookie, **headers)

    assert answer.status_code == 403
    assert await is_locked(world)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [("", "", 422), ("answer=maybe", "", 422), ("answer=yes&answer=no", "", 422), ("%ff", "", 422),
     ("&".join(f"a{n}=1" for n in range(40)), "", 422), ("answer=yes&pin=" + "1" * 5000, "", 413),
     ('{"answer": "yes"}', "application/json", 422), ("answer=yes", "text/plain", 422)],
)  # fmt: skip
async def test_what_is_no_answer_is_none(
    world: Any, ann: str, cookie: dict[str, str], body: str, kind: str, status: int
) -> None:
    more = {"content_type": kind} if kind else {}
    answer = await press(world, await link(world, ann), cookie, body, **more)

    assert answer.status_code == status
    assert await is_locked(world)


async def test_who_comes_from_another_site_is_looked_at_again(world: Any, ann: str) -> None:
    """Their browser shows our cookie only to a page that was asked for from our own."""
    answer = await get(world, await link(world, ann), **{"sec-fetch-site": "cross-site"})

    assert (answer.status_code, '<meta http-equiv="refresh" content="0">' in answer.text) == (200, True)
    assert "Front door" not in answer.text


async def test_the_link_ends_with_its_question(world: Any, ann: str, cookie: dict[str, str]) -> None:
    path = await link(world, ann)
    world.clock.forward(minutes=5, seconds=1)

    assert "This question has expired" in (await get(world, path, cookie)).text
    assert (await press(world, path, cookie)).status_code == 409
    assert await is_locked(world)


async def test_a_question_of_my_other_home_is_found(world: Any, ann: str, cookie: dict[str, str]) -> None:
    await world.stores.users.put_home(Home(id="a-hut", name="The hut"))
    await world.stores.users.put_member(Member(home_id="a-hut", user_id="bob", role="owner"))
    await world.stores.users.put_member(Member(home_id="ann", user_id="bob", role="owner"))
    both = {COOKIE: (await world.identity.login("bob@home.test", PASSWORD)).chat_token}

    page = await press(world, await link(world, ann), both)

    assert (page.status_code, "Approved by you" in page.text) == (200, True)


async def test_with_a_pin_the_page_asks_for_it_and_five_wrong_ones_wait(
    world: Any, ann: str, cookie: dict[str, str]
) -> None:
    await world.call("PUT", "/api/v1/pin", token=ann, json={"pin": PIN, "password": PASSWORD})
    path = await link(world, ann)
    page = (await get(world, path, cookie)).text
    assert re.search(r'<input id="pin" name="pin" type="password"', page)

    missing = await press(world, path, cookie)
    assert (missing.status_code, "This needs the PIN of the home." in missing.text) == (403, True)
    for _ in range(5):
        wrong = await press(world, path, cookie, "answer=yes&pin=1357")
        assert (wrong.status_code, "1357" in wrong.text) == (403, False)
    locked = await press(world, path, cookie, f"answer=yes&pin={PIN}")
    assert (locked.status_code, locked.headers["retry-after"]) == (429, "600")
    assert await is_locked(world)

    world.clock.forward(minutes=10)
    good = await press(world, await link(world, ann), cookie, f"answer=yes&pin={PIN}")
    assert "Approved by you" in good.text


def test_whatever_a_card_holds_is_text_on_the_page() -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=y>'
    card = {
        "text": evil, "detail": evil, "state": "approved", "decided_by": evil, "pin_required": True,
        "expires_at": T0.isoformat(),
        "effects": [{"device_name": evil, "command": evil}, {"device_id": evil, "kind": evil}],
        "outcome": [{"device": evil, "outcome": evil, "reason": evil}, {"outcome": "failed", "reason": evil}],
    }  # fmt: skip
    for state in ("open", "approved", "denied", "expired", evil):
        page = question_page(card | {"state": state}, home=evil, me="x", now=T0, problem=evil, action=evil)
        assert "<script" not in page
        assert "<img src=x" not in page
        assert page.count("&lt;script&gt;") >= 4


async def test_the_pin_over_rest(world: Any, ann: str) -> None:
    async def call(method: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        answer = await world.call(method, "/api/v1/pin", token=ann, json=body)
        return answer.status_code, answer.json()

    assert await call("GET") == (200, {"set": False})
    wrong = await call("PUT", {"pin": PIN, "password": "guess"})
    assert (wrong[0], wrong[1]["error"]["code"]) == (403, "PASSWORD_WRONG")
    status, told = await call("PUT", {"pin": "12x4", "password": PASSWORD})
    assert (status, "12x4" in str(told)) == (422, False)
    assert await call("PUT", {"pin": PIN, "password": PASSWORD}) == (200, {"set": True})
    assert await call("GET") == (200, {"set": True})

    asked = (await world.call(*UNLOCK, token=ann, json={"command": "unlock"})).json()["confirmation"]
    assert asked["pin_required"] is True
    path = f"/api/v1/confirmations/{asked['id']}"
    refused = await world.call("POST", path, token=ann, json={"approve": True, "pin": "0000"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "PIN_WRONG")
    agreed = await world.call("POST", path, token=ann, json={"approve": True, "pin": PIN})
    assert (agreed.status_code, agreed.json()["outcome"]) == (200, "confirmed")

    assert (await call("DELETE", {"password": "guess"}))[0] == 403
    assert await call("DELETE", {"password": PASSWORD}) == (200, {"set": False})
    assert (await call("DELETE", {"password": PASSWORD}))[0] == 404


async def test_a_locked_pin_says_when_to_come_back(world: Any, ann: str) -> None:
    await world.call("PUT", "/api/v1/pin", token=ann, json={"pin": PIN, "password": PASSWORD})
    asked = (await world.call(*UNLOCK, token=ann, json={"command": "unlock"})).json()["confirmation"]
    path = f"/api/v1/confirmations/{asked['id']}"
    for _ in range(5):
        await world.call("POST", path, token=ann, json={"approve": True, "pin": "0000"})

    locked = await world.call("POST", path, token=ann, json={"approve": True, "pin": PIN})

    assert (locked.status_code, locked.headers["retry-after"]) == (429, "600")
    assert locked.json()["error"]["code"] == "PIN_LOCKED"


async def test_the_owner_sets_changes_and_removes_the_pin_on_a_page(world: Any, cookie: dict[str, str]) -> None:
    async def fill(**fields: str) -> httpx2.Response:
        return await press(world, "/pin", cookie, "&".join(f"{k}={v}" for k, v in fields.items()))

    word = PASSWORD.replace(" ", "+")
    page = await get(world, "/pin", cookie)
    assert (page.status_code, "No PIN is set" in page.text, "<script" in page.text) == (200, True, False)
    assert (await fill(do="set", password="guess", pin=PIN, again=PIN)).status_code == 403
    unlike = await fill(do="set", password=word, pin=PIN, again="1111")
    assert (unlike.status_code, "The two PINs are not the same." in unlike.text) == (422, True)
    assert (await fill(do="set", password=word, pin="12", again="12")).status_code == 422
    done = await fill(do="set", password=word, pin=PIN, again=PIN)
    assert (done.status_code, "The PIN is set." in done.text, PIN in done.text) == (200, True, False)
    assert "A PIN is set" in (await get(world, "/pin", cookie)).text
    assert "The PIN is removed." in (await fill(do="remove", password=word)).text
    assert not await world.deps.pin.is_set("ann")


async def test_the_page_of_the_pin_is_for_the_owner_in_person_and_from_itself(
    world: Any, ann: str, cookie: dict[str, str]
) -> None:
    guest = {COOKIE: (await world.identity.login("gus@home.test", PASSWORD)).chat_token}
    body = f"do=set&password={PASSWORD.replace(' ', '+')}&pin={PIN}&again={PIN}"

    assert (await get(world, "/pin")).headers["location"] == "/login?next=%2Fpin"
    assert "Only the owner" in (await get(world, "/pin", guest)).text
    assert (await press(world, "/pin", guest, body)).status_code == 403
    assert (await press(world, "/pin", cookie, body, origin="http://evil.test")).status_code == 403
    assert (await world.call("POST", "/pin", token=ann, content=body, headers=FORM)).status_code == 303
    assert not await world.deps.pin.is_set("ann")


async def test_a_client_or_a_guest_sets_no_pin(world: Any, ann: str) -> None:
    owner = await world.identity.as_user("ann@home.test")
    _, client = await world.identity.create_client_token(
        owner, "app", scopes=("read", "control", "sensitive", "manage")
    )
    for token in (client, await world.token("gus")):
        answer = await world.call("PUT", "/api/v1/pin", token=token, json={"pin": PIN, "password": PASSWORD})
        assert answer.status_code == 403
    assert (await world.call("GET", "/api/v1/pin", token=ann)).json() == {"set": False}


async def test_a_permission_is_asked_for_pressed_listed_and_taken_back(world: Any, ann: str) -> None:
    body = {
        "name": "Mom", "kind": "guest_window", "device_ids": ["front_door_lock"], "person": "Mom",
        "valid_from": "2026-11-21T13:30:00Z", "valid_until": "2026-11-21T18:00:00Z",
    }  # fmt: skip
    asked = await world.call("POST", "/api/v1/permissions", token=ann, json=body)
    card = asked.json()["confirmation"]
    words = "Unlock Front door lock for the face of Mom without asking, Sat 21 Nov 2026 08:30 to Sat 21 Nov 2026 13:00"
    assert (asked.status_code, card["tier"], card["text"]) == (202, 3, f"From now on: {words}?")
    assert (await world.call("GET", "/api/v1/permissions", token=ann)).json()["items"] == []

    await world.call("POST", f"/api/v1/confirmations/{card['id']}", token=ann, json={"approve": True})
    [listed] = (await world.call("GET", "/api/v1/permissions", token=ann)).json()["items"]
    assert (listed["name"], listed["text"], listed["state"], listed["uses"]) == ("Mom", words, "waiting", 0)

    gone = await world.call("DELETE", f"/api/v1/permissions/{listed['id']}", token=ann)
    assert (gone.status_code, gone.json()["outcome"]) == (200, "confirmed")
    [listed] = (await world.call("GET", "/api/v1/permissions", token=ann)).json()["items"]
    assert (listed["state"], listed["revoked_by"]) == ("revoked", "ann")


@pytest.mark.parametrize(
    "change",
    [{"device_ids": ["garage_door"]}, {"device_ids": ["attic_lamp"]}, {"sources": 1}, {"kind": "always"},
     {"kind": "guest_window"}, {"name": " "}, {"valid_until": "soon"}],
)  # fmt: skip
async def test_what_may_not_be_allowed_beforehand_is_refused_before_anyone_is_asked(
    world: Any, ann: str, change: dict[str, Any]
) -> None:
    body = {"name": "Fire", "kind": "fire_egress", "device_ids": ["front_door_lock"], **change}

    answer = await world.call("POST", "/api/v1/permissions", token=ann, json=body)

    assert answer.status_code == 422
    assert (await world.call("GET", "/api/v1/confirmations", token=ann)).json()["items"] == []
