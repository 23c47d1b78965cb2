"""POST /undo and GET /explain: for whom, in which shape, and never of another home."""

from typing import Any

import pytest

from homeguard.model import Event, Member

LIGHT = "/api/v1/devices/hall_light/command"
LOCK = "/api/v1/devices/front_door_lock/command"


@pytest.fixture
async def ann(world: Any) -> str:
    world.clock.forward(seconds=5)
    return await world.token("ann")


@pytest.fixture
async def bob(world: Any) -> str:
    return await world.token("bob")


async def test_what_one_did_last_goes_back_and_the_devices_say_so(world: Any, ann: str) -> None:
    await world.call("POST", LIGHT, token=ann, json={"command": "turn_off"})
    world.clock.forward(seconds=5)

    answer = await world.call("POST", "/api/v1/undo", token=ann, json={})
    told = answer.json()
    assert (answer.status_code, told["text"], told["left_alone"]) == (200, "Hall light is on again.", [])
    [row] = told["results"]
    assert (row["device"], row["outcome"], row["set"], row["confirmation"]) == (
        "hall_light", "confirmed", {"on": True}, None,
    )  # fmt: skip
    assert (await world.stores.live.get("ann", "hall_light")).attributes == {"on": True}


async def test_what_lowers_the_guard_comes_back_by_the_press_only(world: Any, ann: str) -> None:
    asked = (await world.call("POST", LOCK, token=ann, json={"command": "unlock"})).json()
    await world.call("POST", f"/confirmations/{asked['confirmation']['id']}", token=ann, json={"approve": True})
    world.clock.forward(seconds=5)
    await world.call("POST", LOCK, token=ann, json={"command": "lock"})
    world.clock.forward(seconds=5)

    [row] = (await world.call("POST", "/api/v1/undo", token=ann, json={})).json()["results"]
    assert (row["outcome"], row["confirmation"]["text"]) == ("asked", "Unlock Front door lock?")
    assert (await world.stores.live.get("ann", "front_door_lock")).attributes == {"lock": "locked"}
    await world.call("POST", f"/confirmations/{row['confirmation']['id']}", token=ann, json={"approve": True})
    assert (await world.stores.live.get("ann", "front_door_lock")).attributes == {"lock": "unlocked"}


async def test_only_the_owner_undoes_what_others_of_the_home_did(world: Any, ann: str) -> None:
    await world.stores.users.put_member(Member(home_id="ann", user_id="gus", role="member"))
    gus = await world.token("gus")
    await world.call("POST", LIGHT, token=gus, json={"command": "turn_off"})
    world.clock.forward(seconds=5)

    assert "nothing to undo" in (await world.call("POST", "/api/v1/undo", token=ann, json={})).json()["text"]
    assert (await world.call("POST", "/api/v1/undo", token=gus, json={"of": "home"})).status_code == 403
    told = (await world.call("POST", "/api/v1/undo", token=ann, json={"of": "home"})).json()
    assert told["text"] == "Hall light is on again."


async def test_nobody_undoes_in_another_home(world: Any, ann: str, bob: str) -> None:
    await world.call("POST", LIGHT, token=ann, json={"command": "turn_off"})
    told = (await world.call("POST", "/api/v1/undo", token=bob, json={"of": "home"})).json()
    assert (told["batch"], told["results"], told["done_at"]) == ("", [], None)
    assert (await world.stores.live.get("ann", "hall_light")).attributes == {"on": False}


async def report(world: Any, cause: str, **payload: Any) -> str:
    now = world.clock.now()
    event = Event(
        home_id="ann", event_id="e1", event_type="state_changed", at=now, received_at=now, device_id="hall_light",
        payload=payload, cause=cause,
    )  # fmt: skip
    await world.stores.events.append([event])
    return event.event_id


async def test_why_names_who_asked_and_says_when_nobody_did(world: Any, ann: str) -> None:
    command = (await world.call("POST", LIGHT, token=ann, json={"command": "turn_off"})).json()
    event_id = await report(world, command["command_id"], on=False)

    told = (await world.call("GET", "/api/v1/explain?device_id=hall_light", token=ann)).json()
    assert told["is_known"] is True
    assert [link["kind"] for link in told["links"]] == ["report", "command", "request"]
    assert "Ann asked for it directly" in told["text"]
    assert (await world.call("GET", f"/api/v1/explain?event_id={event_id}", token=ann)).json()["links"] == told["links"]

    dark = (await world.call("GET", "/api/v1/explain?device_id=garage_door", token=ann)).json()
    assert (dark["is_known"], dark["text"]) == (False, "I don't know: I have no record of a change of Garage door.")


async def test_someone_elses_and_absent_look_the_same(world: Any, ann: str, bob: str) -> None:
    event_id = await report(world, "", on=False)
    for query in ("device_id=hall_light", f"event_id={event_id}", "device_id=nothing", "event_id=nothing"):
        answer = await world.call("GET", f"/api/v1/explain?{query}", token=bob)
        assert answer.status_code == 404, query
    assert (await world.call("GET", "/api/v1/explain?at=yesterday", token=ann)).status_code == 422
