"""The stdio proxy as desktop clients start it: a process of its own in front of a running instance."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from doors import free_port, serve
from house_for_tools import House
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitResult, InputRequiredResult

from mcp_servers.proxy import Proxy, open_http

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "stdio_proxy.py"
UNLOCK = {"device_id": "front_door_lock", "command": "unlock"}


def proxy(base_url: str, token: str, *servers: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable, args=[str(PROGRAM), base_url, token, *servers], env={"PYTHONPATH": str(ROOT)}
    )


async def accept(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_tools_are_listed_and_called_through_it(house: House, instance: str, mode: str) -> None:
    async with Client(proxy(instance, "ann", "all"), mode=mode) as client:
        tools = (await client.list_tools()).tools
        assert len(tools) == 30
        result = await client.call_tool("control_device", {"device_id": "lamp", "command": "turn_off"})
        assert result.structured_content is not None
        assert result.structured_content["outcome"] == "confirmed"
        wrong = await client.call_tool("get_device_state", {"device_id": "bobs_lock"})
        assert wrong.is_error
        assert wrong.structured_content["error"]["code"] == "DEVICE_NOT_FOUND"  # type: ignore[index]
        asked = await client.call_tool("control_device", UNLOCK)
        assert asked.structured_content is not None
        assert asked.structured_content["outcome"] == "asked"
    assert house.commands.carried_out == [("lamp", "turn_off")]


async def test_a_modern_client_carries_the_question_through_it(house: House, instance: str) -> None:
    async with Client(proxy(instance, "ann", "devices"), elicitation_callback=accept) as client:
        asked = await client.session.call_tool("control_device", UNLOCK, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)
        await house.commands.press("ann", next(iter(asked.input_requests or {})))
        done = await client.session.call_tool(
            "control_device", UNLOCK, allow_input_required=True, request_state=asked.request_state
        )
    assert not isinstance(done, InputRequiredResult)
    assert done.structured_content is not None
    assert done.structured_content["outcome"] == "confirmed"


async def test_a_2025_client_gets_the_url_error_through_it(house: House, instance: str) -> None:
    async with Client(proxy(instance, "ann", "devices"), mode="legacy", elicitation_callback=accept) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("control_device", UNLOCK)
        (elicitation,) = caught.value.data["elicitations"]
        await house.commands.press("ann", elicitation["elicitationId"])
        done = await client.call_tool("control_device", UNLOCK)
        assert done.structured_content is not None
        assert done.structured_content["outcome"] == "confirmed"
        partly = await client.call_tool("control_devices", {"device_ids": ["garage_door", "lamp"], "command": "toggle"})
        assert partly.structured_content is not None
        assert [r["outcome"] for r in partly.structured_content["results"]] == ["asked", "confirmed"]
    assert house.commands.carried_out == [("front_door_lock", "unlock"), ("lamp", "turn_off")]


async def test_it_finds_an_instance_that_restarted(house: House) -> None:
    port = free_port()
    async with Client(proxy(f"http://127.0.0.1:{port}", "ann", "devices", "events")) as client:
        async with serve(house, port):
            names = [t.name for t in (await client.list_tools()).tools]
        async with serve(house, port):
            result = await client.call_tool("get_home_summary", {"limit": 1})
    assert "get_recent_events" in names
    assert result.structured_content is not None
    assert result.structured_content["total_devices"] == 7


async def test_a_token_that_is_not_accepted_is_said_plainly(instance: str) -> None:
    async with Client(proxy(instance, "wrong", "all")) as client:
        with pytest.raises(MCPError, match="does not accept this token"):
            await client.list_tools()


async def test_when_nobody_listens_it_starts_an_instance_and_asks_for_the_token_each_time(house: House) -> None:
    port = free_port()
    tokens: list[str] = []
    revived: list[str] = []

    def token() -> str:
        tokens.append("ann")
        return "ann"

    def revive() -> str:
        revived.append("yes")
        asyncio.run_coroutine_threadsafe(_flag(wanted), loop).result(10)
        asyncio.run_coroutine_threadsafe(_wait(listens), loop).result(10)
        return f"http://127.0.0.1:{port}"

    loop, wanted, listens, stop = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def instance() -> None:
        await wanted.wait()
        async with serve(house, port):
            listens.set()
            await stop.wait()

    running = asyncio.create_task(instance())
    async with open_http(token) as http:
        proxy_server = Proxy(f"http://127.0.0.1:{port}", ["devices"], http, revive).server
        async with Client(proxy_server) as client:
            result = await client.call_tool("get_home_summary", {"limit": 1})
            assert result.structured_content is not None
            assert result.structured_content["total_devices"] == 7
    stop.set()
    await running
    assert revived == ["yes"]
    assert len(tokens) >= 2


async def _flag(event: asyncio.Event) -> None:
    event.set()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
