"""Rules by the clock, timers and lists over REST."""

from typing import Any

AUTOMATIONS, TIMERS, LISTS = "/api/v1/automations", "/api/v1/timers", "/api/v1/lists"
ON = {"type": "device_command", "device_id": "hall_light", "command": "turn_on", "parameters": {}}
UNLOCK = {"type": "device_command", "device_id": "front_door_lock", "command": "unlock"}


async def test_a_rule_by_the_clock_is_made_changed_and_told_with_its_next_run(world: Any, ann: str) -> None:
    body = {"name": "Dark", "trigger": {"type": "time", "at": "21:00"}, "actions": [ON]}
    made = (await world.call("POST", AUTOMATIONS, token=ann, json=body)).json()["automation"]
    assert made["next_run_at"].endswith(":00:00.000Z")

    off = await world.call("PATCH", f"{AUTOMATIONS}/{made['id']}", token=ann, json={"enabled": False})
    assert (off.status_code, off.json()["automation"]["next_run_at"]) == (200, None)
    part = {"enabled": True, "trigger": {"type": "once", "in_minutes": 30}, "name": "Soon"}
    on = (await world.call("PATCH", f"{AUTOMATIONS}/{made['id']}", token=ann, json=part)).json()["automation"]
    assert (on["name"], on["trigger"], on["actions"]) == ("Soon", {"type": "once", "at": on["next_run_at"]}, [ON])
    listed = (await world.call("GET", AUTOMATIONS, token=ann)).json()["items"]
    assert listed == [on]


async def test_a_change_that_would_open_the_door_asks_and_is_made_by_the_press(world: Any, ann: str) -> None:
    body = {"name": "Dark", "trigger": {"type": "time", "at": "21:00"}, "actions": [ON]}
    made = (await world.call("POST", AUTOMATIONS, token=ann, json=body)).json()["automation"]
    asked = await world.call("PATCH", f"{AUTOMATIONS}/{made['id']}", token=ann, json={"actions": [UNLOCK]})
    assert asked.status_code == 202
    assert asked.json()["confirmation"]["text"] == (
        "Change the automation 'Dark', which then would, at 21:00: Unlock Front door lock?"
    )
    assert (await world.call("GET", AUTOMATIONS, token=ann)).json()["items"] == [made]
    card = asked.json()["confirmation"]["id"]
    await world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": True})
    [rule] = await world.stores.automations.of_home("ann")
    assert (rule.actions[0]["command"], len(rule.approved)) == ("unlock", 1)


async def test_a_change_of_nothing_or_of_something_unknown_is_refused(world: Any, ann: str) -> None:
    body = {"name": "Dark", "trigger": {"type": "time", "at": "21:00"}, "actions": [ON]}
    made = (await world.call("POST", AUTOMATIONS, token=ann, json=body)).json()["automation"]
    for wrong in ({}, {"colour": "red"}, {"actions": []}, {"trigger": {"type": "time", "at": "25:00"}}):
        answer = await world.call("PATCH", f"{AUTOMATIONS}/{made['id']}", token=ann, json=wrong)
        assert answer.status_code == 422, wrong


async def test_a_timer_is_set_held_and_called_off(world: Any, ann: str) -> None:
    made = await world.call("POST", TIMERS, token=ann, json={"minutes": 0.5, "label": "eggs"})
    assert made.status_code == 201
    assert (made.json()["label"], made.json()["seconds_left"], made.json()["state"]) == ("eggs", 30, "running")
    path = f"{TIMERS}/{made.json()['id']}"
    held = (await world.call("PATCH", path, token=ann, json={"paused": True, "add_minutes": 1})).json()
    assert (held["state"], held["ends_at"], held["seconds_left"], held["minutes"]) == ("paused", None, 90, 1.5)
    assert (await world.call("GET", TIMERS, token=ann)).json()["items"] == [held]
    assert (await world.call("DELETE", path, token=ann)).json() == {"id": made.json()["id"], "cancelled": True}
    assert (await world.call("DELETE", path, token=ann)).status_code == 404
    for wrong in ({}, {"minutes": 5, "at": "17:30"}, {"at": "soon"}, {"minutes": -1}):
        assert (await world.call("POST", TIMERS, token=ann, json=wrong)).status_code == 422, wrong


async def test_a_list_is_written_and_ticked_off(world: Any, ann: str) -> None:
    path = f"{LISTS}/Shopping%20list"
    told = await world.call("POST", f"{path}/items", token=ann, json={"items": ["milk", "bread", "Milk"]})
    assert told.json() == {"list": "shopping", "added": ["milk", "bread"], "already": []}
    shown = (await world.call("GET", path, token=ann)).json()
    assert ([i["text"] for i in shown["items"]], shown["lists"]) == (["milk", "bread"], ["shopping"])
    item = f"{path}/items/{shown['items'][0]['id']}"
    assert (await world.call("PATCH", item, token=ann, json={"done": True})).json() == {
        "list": "shopping", "item": "milk", "done": True,
    }  # fmt: skip
    assert (await world.call("DELETE", f"{path}/items/*done", token=ann)).json() == {
        "list": "shopping", "removed": ["milk"],
    }  # fmt: skip
    assert (await world.call("DELETE", item, token=ann)).status_code == 404
    assert [i["text"] for i in (await world.call("GET", path, token=ann)).json()["items"]] == ["bread"]


async def test_where_the_home_stands_is_the_owners_to_say(world: Any, ann: str) -> None:
    household = "/api/v1/household"
    told = (await world.call("PUT", household, token=ann, json={"latitude": 40.7, "longitude": -74.0})).json()
    assert (told["latitude"], told["longitude"]) == (40.7, -74.0)
    for wrong in ({"latitude": 91, "longitude": 0}, {"latitude": 40.7}, {"longitude": 181, "latitude": 1}):
        assert (await world.call("PUT", household, token=ann, json=wrong)).status_code == 422, wrong
    gus = await world.token("gus")
    assert (await world.call("PUT", household, token=gus, json={"latitude": 1, "longitude": 1})).status_code == 403
    body = {"name": "Dusk", "trigger": {"type": "sun", "event": "sunset"}, "actions": [ON]}
    assert (await world.call("POST", AUTOMATIONS, token=ann, json=body)).status_code == 201
