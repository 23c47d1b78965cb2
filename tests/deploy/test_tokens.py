"""`homeguard token`: what each token opens, that a revoked one opens nothing, and how the MCP door refuses."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from instances import SARAH, Up, command, is_free, one_line_says
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

pytestmark = pytest.mark.timeout(180)
INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip


def made(up: Up, *options: str) -> dict[str, Any]:
    done = up.homeguard("token", "create", "--json", *options)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def knock(up: Up, path: str, token: str = "", **headers: str) -> int:
    """The status of an MCP handshake there."""
    with up.http(token, Accept="application/json, text/event-stream") as http:
        return http.post(path, json=INITIALIZE, headers=headers).status_code


async def test_a_client_token_opens_its_servers_with_its_scopes_and_no_other(up: Up) -> None:
    token = made(up, "--name", "desk", "--servers", "devices,events", "--scopes", "read")["token"]
    assert knock(up, "/mcp/devices", token) == 200
    assert knock(up, "/mcp/events", token) == 200
    assert knock(up, "/mcp/automations", token) == 403
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http:
        async with Client(streamable_http_client(f"{up.url}/mcp/devices", http_client=http)) as client:
            looked = await client.call_tool("get_device_state", {"device_id": "back_door_lock"})
            assert not looked.is_error
            acted = await client.call_tool("control_device", {"device_id": "back_door_lock", "command": "lock"})
            assert acted.is_error
            assert acted.structured_content["error"]["code"] == "NOT_ALLOWED"  # type: ignore[index]
        async with Client(streamable_http_client(f"{up.url}/mcp", http_client=http)) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
    assert {"get_device_state", "get_recent_events"} <= names
    assert not names & {"create_automation", "get_anomalies", "get_energy_insights"}


async def test_a_token_with_control_acts_and_still_cannot_say_yes(up: Up) -> None:
    token = made(up, "--name", "controller", "--servers", "devices", "--scopes", "read,control,sensitive")["token"]
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http,
        Client(streamable_http_client(f"{up.url}/mcp/devices", http_client=http)) as client,
    ):
        acted = await client.call_tool("control_device", {"device_id": "back_door_lock", "command": "lock"})
        assert acted.structured_content["outcome"] == "confirmed"  # type: ignore[index]
        asked = await client.call_tool("control_device", {"device_id": "front_door_lock", "command": "unlock"})
        assert asked.structured_content["outcome"] == "asked"  # type: ignore[index]
    with up.http(token) as rest, up.client() as john:
        cards = john.get("/api/v1/confirmations")["items"]
        assert cards
        for card in cards:
            assert rest.post(f"/api/v1/confirmations/{card['id']}", json={"approve": True}).status_code == 403
            john.post(f"/api/v1/confirmations/{card['id']}", {"approve": False})
        assert john.get("/api/v1/devices/front_door_lock")["state"]["lock"] == "locked"


def test_the_mcp_door_refuses_foreign_hosts_and_pages_and_whoever_has_no_token_for_it(up: Up) -> None:
    token = made(up, "--name", "door")["token"]
    assert knock(up, "/mcp", token) == 200
    assert knock(up, "/mcp", token, Host="evil.example") == 421
    assert knock(up, "/mcp/devices", token, Origin="https://evil.example") == 403
    assert knock(up, "/mcp/devices") == 401
    assert knock(up, "/mcp/devices", "hg_guessed") == 401
    with up.login() as http:
        assert knock(up, "/mcp/devices", http.headers["Authorization"].removeprefix("Bearer ")) == 401
    assert knock(up, "/mcp/kitchen", token) == 404


def test_a_token_is_listed_without_itself_and_opens_nothing_once_it_is_revoked(up: Up) -> None:
    row = made(up, "--name", "short", "--expires", "30d", "--as", SARAH)
    assert row["expires_at"]
    listed = json.loads(up.homeguard("token", "list", "--json").stdout)["items"]
    mine = next(item for item in listed if item["id"] == row["id"])
    assert mine["name"] == "short"
    assert row["token"] not in json.dumps(listed)
    assert row["id"] in up.homeguard("token", "list").stdout
    assert knock(up, "/mcp", row["token"]) == 200
    revoked = up.homeguard("token", "revoke", row["id"])
    assert revoked.returncode == 0, revoked.stderr
    assert knock(up, "/mcp", row["token"]) == 401
    assert one_line_says(up.homeguard("token", "revoke", "no-such-token"), "token")


def test_a_device_token_sends_for_its_device_and_can_do_nothing_else(up: Up) -> None:
    token = made(up, "--device", "living_room_motion")["token"]

    def send(device: str, how: dict[str, str]) -> int:
        body = {"device_id": device, "event_type": "motion_detected", "payload": {}}
        with up.http() as http:
            return http.post("/api/v1/events", json=body, headers=how).status_code

    assert send("living_room_motion", {"X-Device-Token": token}) == 202
    assert send("thermostat", {"X-Device-Token": token}) in (403, 404)
    assert send("living_room_motion", {"X-Device-Token": token[:-1]}) == 401
    with up.http(token) as http:
        assert http.get("/api/v1/devices").status_code == 401
    assert knock(up, "/mcp", token) == 401


def test_a_device_of_another_home_is_named_by_its_home(up: Up) -> None:
    token = made(up, "--device", "porch_light", "--home", SARAH)["token"]
    with up.http() as http:
        body = {"event_type": "telemetry", "payload": {"metrics": {"power": 4}}}
        answer = http.post("/telemetry", json=body, headers={"X-Device-Token": token})
    assert answer.status_code == 202, answer.text
    assert one_line_says(up.homeguard("token", "create", "--device", "porch_light"), "porch_light")
    assert one_line_says(up.homeguard("token", "create", "--device", "x", "--home", "nowhere"), "nowhere")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--servers", "kitchen"), "kitchen"),
        (("--scopes", "fly"), "fly"),
        (("--expires", "soon"), "--expires"),
        (("--expires", "0d"), "expires"),
        (("--expires", "99999999d"), "expires"),
    ],
)
def test_what_a_token_cannot_be_is_one_line(up: Up, options: tuple[str, ...], word: str) -> None:
    assert one_line_says(up.homeguard("token", "create", "--name", "n", *options), word)


def test_with_no_instance_a_token_is_made_all_the_same_and_nothing_is_left_running(tmp_path: Path) -> None:
    done = command(tmp_path, "token", "create", "--name", "early", "--data-dir", tmp_path / "d")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("hg_")
    assert len(done.stdout.splitlines()) == 1
    assert is_free(tmp_path / "d")
    listed = command(tmp_path, "token", "--data-dir", tmp_path / "d", "list")
    assert "early" in listed.stdout
    assert is_free(tmp_path / "d")


def test_the_operators_paths_are_for_the_operator_only(up: Up) -> None:
    with up.login() as http:
        assert http.get("/operator/tokens").status_code == 403
        assert http.post("/operator/tokens", json={"name": "x"}).status_code == 403
    with up.http() as http:
        assert http.get("/operator/tokens").status_code == 401
    with up.http(made(up, "--name", "c", "--scopes", "read,control,sensitive,manage")["token"]) as http:
        assert http.get("/operator/tokens").status_code == 403
    with up.http(up.token()) as http:
        for body in (b"{", b"[]", b'{"expires_days": "soon"}', b'{"scopes": 7}', b'{"expires_days": 1e300}'):
            answer = http.post("/operator/tokens", content=body)
            assert answer.status_code in range(400, 500), body
