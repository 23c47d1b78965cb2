"""A copy of what is kept about a person, and their leaving for good."""

from typing import Any

from homeguard.model import Member

EXPORT, ME = "/api/v1/users/me/export", "/api/v1/users/me"


async def _password(world: Any) -> str:
    return str(world.deps.demo_users[0]["password"])


async def test_a_copy_holds_what_was_said_and_kept_and_no_secret(world: Any, ann: str, bob: str) -> None:
    await world.call("POST", "/api/v1/memory", token=ann, json={"text": "The canary sings at noon"})
    await world.call("POST", "/api/v1/memory", token=bob, json={"text": "Bob's own matter"})

    told = (await world.call("GET", EXPORT, token=ann)).json()

    assert told["person"]["email"] == "ann@home.test"
    assert "canary" in str(told["data"]["memories"])
    assert told["data"]["sessions"]
    assert "Bob" not in str(told["data"])
    columns = {column for rows in told["data"].values() for row in rows for column in row}
    assert {column for column in columns if "hash" in column} <= {"hash"}  # of the audit's chain
    assert "until 2026-11-29" in told["elsewhere"][0]


async def test_who_leaves_shows_the_password_once_more_and_is_gone(world: Any, bob: str) -> None:
    await world.call("POST", "/api/v1/memory", token=bob, json={"text": "Bob's own matter"})
    wrong = await world.call("DELETE", ME, token=bob, json={"password": "no"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (403, "PASSWORD_WRONG")

    gone = await world.call("DELETE", ME, token=bob, json={"password": await _password(world)})

    assert (gone.status_code, gone.json()["homes"]) == (200, ["bob"])
    assert await world.stores.users.user("bob") is None
    assert await world.stores.users.home("bob") is None
    assert await world.stores.devices.of_home("bob") == []
    assert await world.stores.memory.of("bob", "bob") == []
    again = await world.call("GET", ME, token=bob)
    assert again.status_code == 401


async def test_the_only_owner_of_a_home_with_others_is_told_what_to_do(world: Any, ann: str) -> None:
    body = {"password": await _password(world)}
    refused = await world.call("DELETE", ME, token=ann, json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "LAST_OWNER")
    assert "owner first" in refused.json()["error"]["message"]
    assert await world.stores.users.user("ann") is not None

    await world.stores.users.put_member(Member(home_id="ann", user_id="gus", role="owner"))
    left = await world.call("DELETE", ME, token=ann, json=body)
    assert (left.status_code, left.json()["homes"]) == (200, [])
    assert [m.user_id for m in await world.stores.users.members("ann")] == ["gus"]
    assert len(await world.stores.devices.of_home("ann")) == 3
