"""The OpenAPI document: committed, complete, and true of the answers."""

import inspect
from typing import Any

import pytest

from api import wire
from api.app import routed
from api.snapshot import SNAPSHOT, current

DOCUMENT = routed().openapi()


def test_the_document_is_the_committed_one() -> None:
    assert SNAPSHOT.read_text(encoding="utf-8") == current(), "run: python -m api.snapshot"


def test_every_reference_of_the_document_leads_somewhere() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [value["$ref"]] if "$ref" in value else [r for v in value.values() for r in references(v)]
        return [r for v in value for r in references(v)] if isinstance(value, list) else []

    named = {r.rpartition("/")[2] for r in references(DOCUMENT)}
    assert named - set(DOCUMENT["components"]["schemas"]) == set()


def test_every_operation_says_who_may_call_it_and_how_it_fails() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            assert "security" in operation, path
            assert "default" in operation["responses"], path
            assert operation.get("description"), path


def test_no_answer_has_a_field_that_its_model_does_not_name() -> None:
    models = [m for _, m in inspect.getmembers(wire, inspect.isclass) if issubclass(m, wire.Answer)]
    assert len(models) > 20
    assert all(m.model_config["extra"] == "forbid" for m in models)


ANSWERS: dict[str, Any] = {
    "/api/v1/auth/session": wire.SessionView,
    "/api/v1/auth/demo": wire.Demo,
    "/api/v1/users/me": wire.Me,
    "/api/v1/devices": wire.Page[wire.DeviceView],
    "/api/v1/devices/front_door_lock": wire.DeviceView,
    "/api/v1/confirmations": wire.Page[wire.ConfirmationView],
    "/api/v1/events": wire.Page[wire.EventView],
    "/api/v1/alerts": wire.Page[wire.AlertView],
    "/api/v1/analytics/summary": wire.Summary,
    "/api/v1/analytics/aggregates?device_id=hall_light&metric=power_w": wire.Aggregates,
    "/api/v1/automations": wire.Page[wire.AutomationView],
    "/api/v1/ai/chat/history": wire.Page[wire.MessageView],
    "/api/v1/ai/chat/threads": wire.Page[wire.ThreadView],
    "/health": wire.HealthView,
    "/live": wire.LiveView,
    "/ready": wire.ReadyView,
}


@pytest.mark.parametrize("path", sorted(ANSWERS))
async def test_an_answer_fits_its_documented_model(world: Any, ann: str, path: str) -> None:
    await world.call("POST", "/devices/front_door_lock/command", token=ann, json={"command": "unlock"})
    await world.call("POST", "/ai/chat", token=ann, json={"message": "lock it"})
    answer = await world.call("GET", path, token=ann)
    assert ANSWERS[path].model_validate(answer.json())


async def test_what_an_act_answers_fits_too(world: Any, ann: str) -> None:
    path = "/devices/front_door_lock/command"
    wire.CommandAnswer.model_validate((await world.call("POST", path, token=ann, json={"command": "lock"})).json())
    asked = (await world.call("POST", path, token=ann, json={"command": "unlock"})).json()
    card = wire.Asked.model_validate(asked).confirmation.id
    decided = await world.call("POST", f"/confirmations/{card}", token=ann, json={"approve": True})
    wire.Decided.model_validate(decided.json())
    wire.ChatAnswer.model_validate(
        (await world.call("POST", "/ai/chat", token=ann, json={"message": "lock it"})).json()
    )
    wire.ErrorBody.model_validate((await world.call("GET", "/nothing")).json())
