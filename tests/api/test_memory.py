"""Memory and the household over REST: one's own, the household's, and nobody else's."""

from typing import Any

import pytest

MEMORY, HOUSEHOLD = "/api/v1/memory", "/api/v1/household"


async def test_what_is_kept_is_listed_found_and_let_go(world: Any, ann: str) -> None:
    made = await world.call("POST", MEMORY, token=ann, json={"text": "My sister Ana has a key"})
    assert made.status_code == 201
    note = made.json()
    assert (note["text"], note["whose"], note["source"]) == (
        "My sister Ana has a key", "this person", "written on HomeGuard's page",
    )  # fmt: skip
    await world.call("POST", MEMORY, token=ann, json={"preference": "routines.morning_departure", "value": "07:15"})

    listed = (await world.call("GET", MEMORY, token=ann)).json()
    assert (listed["total"], len(listed["items"])) == (2, 2)
    assert (await world.call("GET", f"{MEMORY}?query=who has a key", token=ann)).json()["items"] == [note]

    assert (await world.call("DELETE", f"{MEMORY}/{note['id']}", token=ann)).json() == {"deleted": 1}
    again = await world.call("DELETE", f"{MEMORY}/{note['id']}", token=ann)
    assert (again.status_code, again.json()["error"]["code"]) == (404, "MEMORY_NOT_FOUND")
    assert (await world.call("GET", MEMORY, token=ann)).json()["total"] == 1


async def test_another_home_and_a_guest_see_nothing_of_it(world: Any, ann: str, bob: str) -> None:
    note = (await world.call("POST", MEMORY, token=ann, json={"text": "The safe is behind the picture"})).json()
    await world.call("PUT", HOUSEHOLD, token=ann, json={"pets": [{"name": "Biscuit"}]})
    gus = await world.token("gus")

    assert (await world.call("GET", MEMORY, token=bob)).json()["items"] == []
    assert (await world.call("DELETE", f"{MEMORY}/{note['id']}", token=bob)).status_code == 404
    assert (await world.call("GET", HOUSEHOLD, token=bob)).json()["pets"] == []
    for method, path in (("GET", MEMORY), ("GET", f"{MEMORY}?query=safe"), ("GET", HOUSEHOLD)):
        assert (await world.call(method, path, token=gus)).status_code == 403
    assert (await world.call("POST", MEMORY, token=gus, json={"text": "Let me in"})).status_code == 403
    assert (await world.call("PUT", HOUSEHOLD, token=gus, json={"pets": []})).status_code == 403


async def test_the_household_is_put_as_a_whole_or_in_parts(world: Any, ann: str) -> None:
    body = {
        "residents": [{"name": "Ana", "relation": "sister"}], "pets": [{"name": "Biscuit", "species": "dog"}],
        "contacts": [{"name": "Rosa", "relation": "mother", "phone": "555 0199", "role": "emergency"}],
        "vehicles": [{"name": "Volvo", "plate": "B 1"}], "address": "12 Elm Street",
        "quiet_hours": {"start": "22:00", "end": "07:00"}, "time_zone": "Europe/Berlin",
    }  # fmt: skip
    told = (await world.call("PUT", HOUSEHOLD, token=ann, json=body)).json()
    assert told == (await world.call("GET", HOUSEHOLD, token=ann)).json()
    assert (told["time_zone"], told["quiet_hours"]) == ("Europe/Berlin", {"start": "22:00", "end": "07:00"})
    assert (told["pets"][0]["species"], told["contacts"][0]["role"]) == ("dog", "emergency")

    back = {"pets": told["pets"] + [{"name": "Mia", "species": "cat"}], "no_quiet_hours": True, "address": ""}
    changed = (await world.call("PUT", HOUSEHOLD, token=ann, json=back)).json()
    assert [p["name"] for p in changed["pets"]] == ["Biscuit", "Mia"]
    assert (changed["quiet_hours"], changed["address"]) == (None, "")
    assert [r["name"] for r in changed["residents"]] == ["Ana"]
    assert (await world.call("PUT", HOUSEHOLD, token=ann, json={"pets": []})).json()["pets"] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", MEMORY, {}), ("POST", MEMORY, {"text": "x" * 501}), ("POST", MEMORY, {"text": " \u200b"}),
        ("POST", MEMORY, {"preference": "routines.morning_departure", "value": "soon"}),
        ("POST", MEMORY, {"text": "a", "for": "me"}), ("PUT", HOUSEHOLD, {"pets": [{"name": ""}]}),
        ("PUT", HOUSEHOLD, {"contacts": [{"name": "B", "role": "owner"}]}),
        ("PUT", HOUSEHOLD, {"quiet_hours": {"start": "22", "end": "07:00"}}),
        ("PUT", HOUSEHOLD, {"time_zone": "Mars/Olympus"}), ("PUT", HOUSEHOLD, {"time_zone": "../../etc"}),
    ],
)  # fmt: skip
async def test_what_cannot_be_kept_is_refused_in_words(
    world: Any, ann: str, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = await world.call(method, path, token=ann, json=body)

    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (422, True)
