"""The five servers through the SDK's own client: what they list, what they answer, for whom."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from house_for_tools import ANN, BOB, NOW, House
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_servers.catalog import SERVERS
from mcp_servers.identity import acting_as, set_principal
from mcp_servers.refusals import MAX_ROWS
from mcp_servers.server import HomeServer
from mcp_servers.snapshot import tool_lists

SNAPSHOTS = Path(__file__).parent / "snapshots"
#: One call of each tool that works in ann's home.
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "get_home_summary": ("devices", {}),
    "find_devices": ("devices", {"query": "lamp"}),
    "get_device_state": ("devices", {"device_id": "thermostat"}),
    "control_device": ("devices", {"device_id": "lamp", "command": "turn_off"}),
    "control_devices": ("devices", {"device_ids": ["lamp"], "command": "set_brightness",
                                    "parameters": {"brightness_pct": 5}}),
    "set_home_mode": ("devices", {"mode": "away"}),
    "get_recent_events": ("events", {"hours": 48}),
    "explain": ("events", {"device_id": "lamp"}),
    "undo": ("devices", {}),
    "get_device_history": ("analytics", {"device_id": "thermostat", "metric": "temperature"}),
    "get_energy_insights": ("analytics", {"period_days": 7}),
    "create_automation": ("automations", {
        "name": "Night light", "trigger": {"event_type": "motion_detected"},
        "actions": [{"type": "device_command", "device_id": "lamp", "command": "turn_on"}],
    }),
    "list_automations": ("automations", {}),
    "delete_automation": ("automations", {"automation_id": "nothing"}),
    "update_automation": ("automations", {"automation_id": "nothing", "enabled": False}),
    "set_timer": ("automations", {"minutes": 10, "label": "pasta"}),
    "list_timers": ("automations", {}),
    "change_timer": ("automations", {"timer_id": "nothing", "paused": True}),
    "cancel_timer": ("automations", {"timer_id": "all"}),
    "add_to_list": ("automations", {"items": ["milk"]}),
    "get_list": ("automations", {}),
    "complete_list_item": ("automations", {"item": "water"}),
    "remove_from_list": ("automations", {"items": ["*done"]}),
    "remember": ("automations", {"text": "Ana has a key"}),
    "recall": ("automations", {"query": "who has a key?"}),
    "forget": ("automations", {"query": "key"}),
    "get_household": ("automations", {}),
    "update_household": ("automations", {"pets": [{"name": "Biscuit", "species": "dog"}]}),
    "get_anomalies": ("anomaly", {}),
    "get_predictions": ("anomaly", {}),
}  # fmt: skip
#: Calls that name what is not there.
ABSENT = {"delete_automation", "update_automation", "change_timer", "complete_list_item"}
#: What names a device, for the tenancy checks.
BY_DEVICE = [
    ("devices", "get_device_state", {}),
    ("devices", "control_device", {"command": "lock"}),
    ("events", "get_recent_events", {}),
    ("analytics", "get_device_history", {"metric": "temperature"}),
    ("anomaly", "get_anomalies", {}),
    ("anomaly", "get_predictions", {}),
]


@pytest.mark.parametrize("server", [*SERVERS, "all"])
async def test_the_public_face_is_the_committed_snapshot(server: str) -> None:
    face = (await tool_lists())[server]
    assert face == (SNAPSHOTS / f"{server}.json").read_text(encoding="utf-8"), "python -m mcp_servers.snapshot"


async def test_every_tool_is_described_typed_and_annotated(servers: dict[str, HomeServer]) -> None:
    tools = {t.name: (name, t) for name in SERVERS for t in await servers[name].list_tools()}
    assert tools.keys() == CALLS.keys()
    for name, (server, tool) in tools.items():
        assert server == CALLS[name][0]
        assert len(tool.description or "") > 50
        assert tool.output_schema is not None
        assert tool.output_schema["type"] == "object"
        assert tool.annotations is not None
        reads = name.startswith(("get_", "list_", "find_", "explain", "recall"))
        assert (tool.annotations.read_only_hint, tool.annotations.open_world_hint) == (reads, False)
        for argument in tool.input_schema["properties"].values():
            assert argument.get("description")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_every_tool_answers_in_process(house: House, servers: dict[str, HomeServer], mode: str) -> None:
    await house.measured("thermostat", "temperature_c", "°C", [(NOW, 20.0)])
    with acting_as(ANN):
        for name in SERVERS:
            async with Client(servers[name], mode=mode) as client:
                for tool, (server, arguments) in CALLS.items():
                    if server == name:
                        result = await client.call_tool(tool, arguments)
                        assert result.is_error == (tool in ABSENT), result
                        if not result.is_error:
                            assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_every_tool_answers_over_http_on_its_own_server_and_on_the_one_for_all(
    house: House, instance: str, mode: str
) -> None:
    await house.measured("thermostat", "temperature_c", "°C", [(NOW, 20.0)])
    async with httpx2.AsyncClient(headers={"Authorization": "Bearer ann"}) as http:
        for path in ("/mcp", "/mcp/", *(f"/mcp/{name}" for name in SERVERS)):
            async with Client(streamable_http_client(instance + path, http_client=http), mode=mode) as client:
                listed = {t.name for t in (await client.list_tools()).tools}
                wanted = {t for t, (s, _) in CALLS.items() if path.rstrip("/") in ("/mcp", f"/mcp/{s}")}
                assert listed == wanted
                for tool in sorted(listed - ABSENT):
                    result = await client.call_tool(tool, CALLS[tool][1])
                    assert not result.is_error, (tool, result)


@pytest.mark.parametrize(("server", "tool", "arguments"), BY_DEVICE)
async def test_a_foreign_device_looks_like_an_absent_one(
    house: House, servers: dict[str, HomeServer], server: str, tool: str, arguments: dict[str, Any]
) -> None:
    with acting_as(ANN):
        async with Client(servers[server]) as client:
            foreign = await client.call_tool(tool, {**arguments, "device_id": "bobs_lock"})
            absent = await client.call_tool(tool, {**arguments, "device_id": "no_such_"})
    assert foreign.is_error
    assert foreign.structured_content["error"]["code"] == "DEVICE_NOT_FOUND"  # type: ignore[index]
    assert repr(foreign.content).replace("bobs_lock", "?") == repr(absent.content).replace("no_such_", "?")
    assert house.commands.carried_out == []


async def test_each_caller_sees_only_the_own_home_in_the_same_server(servers: dict[str, HomeServer]) -> None:
    async with Client(servers["devices"]) as client:
        homes = []
        for principal in (ANN, BOB, ANN):
            with acting_as(principal):
                content = (await client.call_tool("get_home_summary", {})).structured_content
                assert content is not None
                homes.append((content["home"]["id"], content["total_devices"]))
    assert homes == [("ann", 7), ("bob", 1), ("ann", 7)]


async def test_without_anybody_behind_the_call_it_is_refused(servers: dict[str, HomeServer]) -> None:
    set_principal(None)
    async with Client(servers["devices"]) as client:
        result = await client.call_tool("get_home_summary", {})
    assert result.is_error
    assert result.structured_content["error"]["code"] == "NOT_SIGNED_IN"  # type: ignore[index]


async def test_naming_another_user_is_a_mismatch_everywhere(house: House, servers: dict[str, HomeServer]) -> None:
    tried = []
    with acting_as(ANN):
        async with Client(servers["all"]) as client:
            for tool in (await client.list_tools()).tools:
                if "user_id" in tool.input_schema["properties"]:
                    result = await client.call_tool(tool.name, {**CALLS[tool.name][1], "user_id": "bob"})
                    assert result.structured_content["error"]["code"] == "HOME_MISMATCH"  # type: ignore[index]
                    tried.append(tool.name)
    rows = await house.stores.audit.rows("ann")
    assert [(r["action"], r["decision"], r["rule"], r["detail"]["user_id"]) for r in reversed(rows)] == [
        (name, "refuse", "home-mismatch", "bob") for name in tried
    ]
    assert await house.stores.audit.rows("bob") == []
    assert house.commands.carried_out == []


async def test_naming_somebody_elses_device_is_written_into_the_own_audit_only(
    house: House, servers: dict[str, HomeServer]
) -> None:
    with acting_as(ANN):
        async with Client(servers["all"]) as client:
            for _, tool, arguments in BY_DEVICE:
                await client.call_tool(tool, {**arguments, "device_id": "bobs_lock"})
            await client.call_tool("control_devices", {"device_ids": ["lamp", "bobs_lock"], "command": "turn_on"})
    rows = await house.stores.audit.rows("ann")
    assert {(r["action"], r["rule"]) for r in rows} == {
        *((tool, "device-not-found") for _, tool, _ in BY_DEVICE), ("control_devices", "device-not-found")
    }  # fmt: skip
    assert all("bobs_lock" in str(r["detail"]) for r in rows)
    assert await house.stores.audit.rows("bob") == []
    assert house.commands.carried_out == []


async def test_names_tried_by_the_thousand_do_not_fill_the_audit(house: House, servers: dict[str, HomeServer]) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"]) as client:
            for n in range(MAX_ROWS + 5):
                await client.call_tool("get_device_state", {"device_id": f"guess_{n}"})
    assert len(await house.stores.audit.rows("ann", limit=1000)) == MAX_ROWS


BAD_ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("get_device_state", {}, "device_id"),
    ("get_device_state", {"device": "lamp"}, "device"),
    ("get_device_state", {"device_id": 7}, "device_id"),
    ("get_device_state", {"device_id": "a\x00b"}, "device_id"),
    ("get_device_state", {"device_id": ["lamp"]}, "device_id"),
    ("control_device", {"device_id": "lamp", "command": "explode"}, "command"),
    ("control_device", {"device_id": "lamp", "command": "set_brightness"}, "parameters.brightness_pct"),
    ("control_device", {"device_id": "lamp", "command": "set_brightness", "parameters": {"brightness_pct": 101}},
     "parameters.brightness_pct"),
    ("control_device", {"device_id": "lamp", "command": "turn_on", "parameters": [1]}, "parameters"),
    ("control_device", {"device_id": "thermostat", "command": "set_temperature", "parameters": {"value": 120}},
     "parameters.value"),
    ("control_devices", {"device_ids": [], "command": "turn_on"}, "device_ids"),
    ("set_home_mode", {"mode": "holiday"}, "mode"),
    ("get_home_summary", {"limit": "many"}, "limit"),
    ("get_home_summary", {"cursor": "%%"}, "cursor"),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "arguments", "field"), BAD_ARGUMENTS)
async def test_bad_arguments_are_a_tool_error_that_names_the_field(
    house: House, servers: dict[str, HomeServer], tool: str, arguments: dict[str, Any], field: str
) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"]) as client:
            result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content["error"]["field"] == field  # type: ignore[index]
    assert "pydantic" not in repr(result.content)
    assert house.commands.carried_out == []


async def test_arguments_that_are_too_deep_or_too_large_are_refused(servers: dict[str, HomeServer]) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = {"a": deep}
    with acting_as(ANN):
        async with Client(servers["devices"]) as client:
            for parameters in (deep, {"x": "y" * 70_000}):
                result = await client.call_tool(
                    "control_device", {"device_id": "lamp", "command": "turn_on", "parameters": parameters}
                )
                assert result.is_error
                assert result.structured_content["error"]["code"] in ("INVALID_INPUT", "PAYLOAD_TOO_LARGE")  # type: ignore[index]


async def test_a_crash_tells_the_client_nothing_of_the_inside(
    house: House, servers: dict[str, HomeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(home_id: str) -> None:
        raise RuntimeError("postgres://secret@inside")

    monkeypatch.setattr(house.stores.devices, "of_home", broken)
    with acting_as(ANN):
        async with Client(servers["devices"]) as client:
            result = await client.call_tool("get_home_summary", {})
    assert result.is_error
    assert "secret" not in repr(result)


async def test_answers_stay_bounded_however_much_there_is(house: House, servers: dict[str, HomeServer]) -> None:
    for i in range(520):
        await house.happened("state_changed", "lamp", NOW, note="x" * 5000, n=i)
    with acting_as(ANN):
        async with Client(servers["events"]) as client:
            result = await client.call_tool("get_recent_events", {"limit": 100_000})
    content = result.structured_content
    assert content is not None
    assert len(content["events"]) == 500
    assert content["truncated"]
    assert len(json.dumps(content)) < 500 * 1000
