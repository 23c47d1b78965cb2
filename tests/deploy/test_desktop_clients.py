"""`homeguard mcp` as desktop clients start it: with the protocol's own client, on all five servers."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from instances import HOMEGUARD, SARAH, Up, command, end_the_one_on, environment, is_free, one_line_says
from mcp import Client, StdioServerParameters

from deploy.instance import find

pytestmark = pytest.mark.timeout(180)
#: A tool of each server, and arguments that work in john's home.
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "devices": ("get_device_state", {"device_id": "thermostat"}),
    "events": ("get_recent_events", {"limit": 3}),
    "analytics": ("get_energy_insights", {}),
    "automations": ("suggest_automations", {}),
    "anomaly": ("get_anomalies", {}),
}


def program(folder: Path, data: Path, *arguments: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=str(HOMEGUARD), args=["mcp", *arguments, "--data-dir", str(data)], env=environment(folder)
    )


@pytest.mark.parametrize("server", list(CALLS))
async def test_each_server_lists_its_tools_and_answers_a_call(up: Up, server: str) -> None:
    tool, arguments = CALLS[server]
    async with Client(program(up.folder, up.data, server)) as client:
        tools = {t.name: t for t in (await client.list_tools()).tools}
        if tool not in tools:
            tool = next(name for name, t in tools.items() if not (t.input_schema or {}).get("required"))
            arguments = {}
        result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    assert result.structured_content
    assert all(t.output_schema for t in tools.values())


async def test_the_one_with_all_tools_acts_for_the_person_it_was_started_for(up: Up) -> None:
    async with Client(program(up.folder, up.data, "--as", SARAH)) as client:
        summary = await client.call_tool("get_home_summary", {"limit": 100})
        assert summary.structured_content is not None
        assert summary.structured_content["total_devices"] >= 12
        done = await client.call_tool("control_device", {"device_id": "porch_light", "command": "turn_off"})
        assert done.structured_content is not None
        assert done.structured_content["outcome"] == "confirmed"
        asked = await client.call_tool("control_device", {"device_id": "front_door_lock", "command": "unlock"})
        assert asked.structured_content is not None
        assert asked.structured_content["outcome"] == "asked"
    with up.client(SARAH) as sarah:
        assert sarah.get("/api/v1/devices/porch_light")["state"]["on"] is False
        for card in sarah.get("/api/v1/confirmations")["items"]:
            sarah.post(f"/api/v1/confirmations/{card['id']}", {"approve": False})


async def test_several_that_find_nothing_running_share_one_that_they_start(tmp_path: Path) -> None:
    data = tmp_path / "d"

    async def ask(server: str) -> int:
        async with Client(program(tmp_path, data, server)) as client:
            return len((await client.list_tools()).tools)

    try:
        counts = await asyncio.gather(*(ask(server) for server in CALLS))
        assert all(counts)
        assert find(data) is not None
    finally:
        await asyncio.to_thread(end_the_one_on, data)
    assert is_free(data)


async def test_a_client_finds_the_home_again_after_the_instance_was_killed(tmp_path: Path) -> None:
    data = tmp_path / "d"
    up = Up(tmp_path, "--no-simulator")
    assert up.data.parent == data.parent
    try:
        async with Client(program(tmp_path, up.data, "devices")) as client:
            assert (await client.list_tools()).tools
            up.kill()
            found = await client.call_tool("get_device_state", {"device_id": "thermostat"})
            assert not found.is_error
    finally:
        await asyncio.to_thread(end_the_one_on, up.data)


def test_the_configuration_of_a_client_is_printed_and_starts_this_very_command(up: Up) -> None:
    done = command(up.folder, "mcp", "config", "--client", "claude-desktop", "--data-dir", up.data, "--as", SARAH)
    assert (done.returncode, done.stderr) == (0, "")
    entry = json.loads(done.stdout)["mcpServers"]["homeguard"]
    assert Path(entry["command"]).is_absolute()
    assert Path(entry["command"]).name == "homeguard"
    assert entry["args"] == ["mcp", "all", "--as", SARAH, "--data-dir", str(up.data)]
    assert one_line_says(command(up.folder, "mcp", "config"), "--client")


def test_install_writes_the_clients_file_and_keeps_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text('{"mcpServers": {"other": {"command": "x"}}}')
    for _ in range(2):
        done = command(tmp_path, "mcp", "install", "--client", "cursor", "--data-dir", tmp_path / "d")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert set(json.loads(file.read_text())["mcpServers"]) == {"other", "homeguard"}
    file.write_text("{ broken")
    assert one_line_says(command(tmp_path, "mcp", "install", "--client", "cursor"), "mcp.json")
    assert file.read_text() == "{ broken"


def test_a_home_of_nobody_is_one_line_and_no_server(up: Up) -> None:
    refused = up.homeguard("mcp", "devices", "--as", "nobody@example.com")
    assert one_line_says(refused, "nobody@example.com")
