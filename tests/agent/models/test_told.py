"""What a model is told: schemas in words that its service takes, results that fit, and where and when it is."""

import json

import pytest

from agent.models.protocol import ToolResult
from agent.models.schemas import parameters
from agent.models.told import MOST_BYTES, result_of, shortened


def test_references_are_written_out_and_unknown_words_left_out() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "default": {"$ref": "#/$defs/Place", "description": "Where"},
            "hours": {"type": "integer", "default": 24, "description": "How far back", "exclusiveMinimum": 0},
            "maybe": {"anyOf": [{"type": "string", "pattern": "^a"}, {"type": "null"}], "default": None},
            "kind": {"const": "x"},
            "many": {"type": "array", "items": {"$ref": "#/$defs/Place"}, "maxItems": 3},
        },
        "required": ["kind"],
        "$defs": {"Place": {"type": "object", "properties": {"room": {"type": "string", "examples": ["hall"]}}}},
    }
    place = {"type": "object", "properties": {"room": {"type": "string"}}}

    assert parameters(schema) == {
        "type": "object",
        "properties": {
            "default": {**place, "description": "Where"},
            "hours": {"type": "integer", "description": "How far back; default 24"},
            "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "kind": {"enum": ["x"]},
            "many": {"type": "array", "items": place, "maxItems": 3},
        },
        "required": ["kind"],
    }


def test_a_schema_that_refers_to_itself_has_an_end() -> None:
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}

    assert len(json.dumps(parameters({**tree, "$defs": {"Tree": tree}}))) < 2_000
    assert parameters({}) == {"type": "object", "properties": {}}


def test_a_long_list_keeps_its_head_and_says_what_is_left_out() -> None:
    devices = [{"device_id": f"d{i}", "name": "Lamp " * 10} for i in range(1_000)]
    told = shortened({"total": 1_000, "devices": devices, "next_cursor": "x"})
    kept = len(told["devices"])

    assert len(json.dumps(told, separators=(",", ":")).encode()) <= MOST_BYTES
    assert 200 < kept < 1_000
    assert told["devices"] == devices[:kept]
    assert told["left_out"].startswith(f"{1_000 - kept} of these 1000 devices are not shown")
    assert "next_cursor" not in told
    assert shortened({"devices": devices[:5], "next_cursor": "x"}) == {"devices": devices[:5], "next_cursor": "x"}


def test_several_long_lists_share_the_room_and_short_ones_stay_whole() -> None:
    devices = [{"device_id": f"d{i}", "name": "Lamp " * 10} for i in range(500)]
    insecure = [{"device_id": f"d{i}", "reason": "it is not known"} for i in range(600)]
    told = shortened({"devices": devices, "insecure": insecure, "rooms": ["hall"], "all_secure": False})

    assert len(json.dumps(told, separators=(",", ":")).encode()) <= MOST_BYTES
    assert (told["rooms"], told["all_secure"]) == (["hall"], False)
    assert told["devices"] == devices[: len(told["devices"])]
    assert min(len(told["devices"]), len(told["insecure"])) > 100
    assert f"{600 - len(told['insecure'])} of these 600 insecure" in told["left_out"]


@pytest.mark.parametrize("output", [{"text": "x" * 90_000}, {"deep": {"list": ["word"] * 20_000}}])
def test_what_has_no_list_to_shorten_is_cut(output: dict[str, object]) -> None:
    told = shortened(output)

    assert len(json.dumps(told).encode()) <= MOST_BYTES * 1.2
    assert told["left_out"]


def test_a_result_says_how_it_ended() -> None:
    ok = ToolResult(call_id="1", name="t", status="ok", output={"a": 1}, stale_since={"events": "2026"})
    refused = ToolResult(call_id="1", name="t", status="refused", output={"outcome": "refused"}, error="not allowed")

    assert result_of(ok) == {"output": {"a": 1}, "only_known_since": {"events": "2026"}}
    assert result_of(refused) == {"output": {"outcome": "refused"}, "status": "refused", "error": "not allowed"}
    assert result_of(ToolResult(call_id="1", name="t", status="ok")) == {"output": {}}
