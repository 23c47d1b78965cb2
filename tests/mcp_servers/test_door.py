"""The HTTP door against strangers: hosts, origins, tokens, scopes, sizes, sessions."""

from typing import Any

import httpx2
import pytest
from house_for_tools import House
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mcp_servers.catalog import SERVERS

HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
}  # fmt: skip
ANN = {"authorization": "Bearer ann"}

ATTACKS: list[tuple[str, dict[str, str], int]] = [
    ("no token", {}, 401),
    ("empty token", {"authorization": "Bearer"}, 401),
    ("another scheme", {"authorization": "Basic YW5uOmFubg=="}, 401),
    ("an unknown token", {"authorization": "Bearer annn"}, 401),
    ("a token with a tail", {"authorization": "Bearer ann x"}, 401),
    ("a huge token", {"authorization": "Bearer " + "a" * 5000}, 401),
    ("a token without the scope read", {"authorization": "Bearer ann-nothing"}, 403),
    ("a rebound host", {**ANN, "host": "evil.example"}, 421),
    ("a rebound host on our port", {**ANN, "host": "evil.example:80"}, 421),
    ("our host with a tail", {**ANN, "host": "127.0.0.1.evil.example"}, 421),
    ("a foreign origin", {**ANN, "origin": "https://evil.example"}, 403),
    ("the null origin", {**ANN, "origin": "null"}, 403),
    ("an origin that begins like ours", {**ANN, "origin": "http://127.0.0.1.evil.example"}, 403),
    ("a foreign origin without a token", {"origin": "https://evil.example"}, 403),
]


@pytest.mark.parametrize(("name", "headers", "status"), ATTACKS, ids=[a[0] for a in ATTACKS])
async def test_strangers_are_refused_at_every_door(
    instance: str, name: str, headers: dict[str, str], status: int
) -> None:
    async with httpx2.AsyncClient() as http:
        for path in ("/mcp", *(f"/mcp/{server}" for server in SERVERS)):
            for method in ("POST", "GET", "DELETE"):
                answer = await http.request(method, instance + path, json=INITIALIZE, headers={**HEADERS, **headers})
                assert answer.status_code == status, (path, method, answer.text)
                assert "get_home_summary" not in answer.text


async def test_a_missing_token_names_where_to_learn_more(instance: str) -> None:
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{instance}/mcp/events", json=INITIALIZE, headers=HEADERS)
        metadata = f"{instance}/.well-known/oauth-protected-resource/mcp/events"
        assert f'resource_metadata="{metadata}"' in answer.headers["www-authenticate"]
        assert (await http.get(metadata)).json()["resource"] == f"{instance}/mcp/events"


async def test_unknown_servers_are_not_found(instance: str) -> None:
    async with httpx2.AsyncClient() as http:
        for path in ("/mcp/nothing", "/mcp/devices/x", "/mcp/../mcp/nothing"):
            answer = await http.post(instance + path, json=INITIALIZE, headers={**HEADERS, **ANN})
            assert answer.status_code == 404


async def test_a_body_that_is_too_large_is_refused(instance: str) -> None:
    async with httpx2.AsyncClient() as http:
        answer = await http.post(
            f"{instance}/mcp/devices", content=b'"' + b"a" * 400_000 + b'"', headers={**HEADERS, **ANN}
        )
    assert answer.status_code == 413


async def test_a_session_is_nobody_elses(instance: str) -> None:
    async with httpx2.AsyncClient() as http:
        opened = await http.post(f"{instance}/mcp/devices", json=INITIALIZE, headers={**HEADERS, **ANN})
        session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
        stolen = await http.post(
            f"{instance}/mcp/devices",
            json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
            headers={**HEADERS, **session, "authorization": "Bearer bob"},
        )
    assert stolen.status_code == 404


async def call(url: str, token: str, tool: str, arguments: dict[str, Any]) -> Any:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        return await client.call_tool(tool, arguments)


async def test_the_bearer_decides_whose_home_it_is(instance: str) -> None:
    for token, devices in (("ann", 7), ("bob", 1)):
        result = await call(f"{instance}/mcp/devices", token, "get_home_summary", {})
        assert (result.structured_content["home"]["id"], result.structured_content["total_devices"]) == (token, devices)


async def test_a_token_that_only_reads_changes_nothing(house: House, instance: str) -> None:
    result = await call(
        f"{instance}/mcp/devices", "ann-reads", "control_device", {"device_id": "lamp", "command": "turn_off"}
    )
    assert result.is_error
    assert result.structured_content["error"]["code"] == "NOT_ALLOWED"
    assert house.commands.carried_out == []


async def test_a_persons_own_token_is_a_client_here_and_cannot_skip_the_question(house: House, instance: str) -> None:
    arguments = {"device_id": "garage_door", "command": "set_position", "parameters": {"position_pct": 0}}
    result = await call(f"{instance}/mcp/devices", "ann", "control_device", arguments)
    assert result.structured_content["outcome"] == "asked"
    assert house.commands.carried_out == []


async def test_a_token_for_one_server_opens_that_one_alone(instance: str) -> None:
    async with httpx2.AsyncClient(headers={"Authorization": "Bearer ann-events-only"}) as http:
        refused = await http.post(f"{instance}/mcp/devices", json=INITIALIZE, headers=HEADERS)
        assert refused.status_code == 403
        for path in ("/mcp/events", "/mcp"):
            async with Client(streamable_http_client(instance + path, http_client=http)) as client:
                assert [t.name for t in (await client.list_tools()).tools] == ["get_recent_events", "explain"]
                hidden = await client.call_tool("get_home_summary", {})
                assert hidden.is_error
                assert hidden.structured_content["error"]["code"] == "UNKNOWN_TOOL"  # type: ignore[index]
