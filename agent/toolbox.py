"""The tools of the five MCP servers, called as a client: the only way in which the agent acts."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mcp import Client
from mcp.server import MCPServer
from mcp.types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
)
from pydantic import TypeAdapter, ValidationError

from agent.models.protocol import ToolCall, ToolResult, ToolSpec
from homeguard.model import Principal

log = logging.getLogger("homeguard.agent")

#: Makes a principal the caller of whatever is called inside it (`mcp_servers.identity`).
ActingAs = Callable[[Principal], AbstractContextManager[None]]
CALL_TIMEOUT_S = 10.0
#: Where our servers tell, beside a question, what the same call did already.
_ANSWERS = "homeguard/answers"
#: Where they tell that an answer is only a copy: concern -> since when.
_STALE = "homeguard/stale_since"
_OUTCOMES = frozenset(("confirmed", "sent", "failed", "refused", "asked"))
_REPLY = TypeAdapter[CallToolResult | InputRequiredResult](CallToolResult | InputRequiredResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What came of a call; `confirmation_ids` are the questions that a person must answer first.

    An asked result has what is asked under `asked` in its output, each row with its `confirmation_id`.
    """

    result: ToolResult
    confirmation_ids: tuple[str, ...] = ()


async def _declines(context: object, params: object) -> ElicitResult:
    """Declares that URLs can be shown. It is never asked: the graph shows the card and waits for the press."""
    return ElicitResult(action="cancel")


class Toolbox:
    """Open sessions to the servers by name. One principal a call, by contextvar: the sessions are shared."""

    def __init__(
        self,
        clients: Mapping[str, Client],
        acting_as: ActingAs,
        specs: tuple[ToolSpec, ...],
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        self._clients = clients
        self._acting_as = acting_as
        self._timeout_s = timeout_s
        self.specs = specs
        self._server_of = {spec.name: spec.server for spec in specs}

    def server_of(self, tool: str) -> str:
        """The server that has this tool, `""` when none has."""
        return self._server_of.get(tool, "")

    async def call(self, principal: Principal, call: ToolCall) -> Called:
        """Make one call as this principal; every failure comes back as a result with a sentence."""
        server = self.server_of(call.name)
        if not server:
            return Called(result=_failed(call, f"there is no tool '{call.name[:80]}'"))
        try:
            with self._acting_as(principal):
                # not `call_tool`: that checks our own servers' output against its schema again, in plain Python
                reply = await self._clients[server].session.send_request(
                    CallToolRequest(params=CallToolRequestParams(name=call.name, arguments=dict(call.arguments))),
                    _REPLY,
                    request_read_timeout_seconds=self._timeout_s,
                )
        except ValidationError:
            return Called(result=_failed(call, "these arguments cannot be used"))
        except Exception:
            log.exception("tool %s", call.name)
            return Called(result=_failed(call, "the tool did not answer"))
        if isinstance(reply, InputRequiredResult):
            return _asked(call, reply)
        return Called(result=_read(call, reply))


def _failed(call: ToolCall, sentence: str) -> ToolResult:
    return ToolResult(call_id=call.id, name=call.name, status="error", error=sentence)


def _asked(call: ToolCall, reply: InputRequiredResult) -> Called:
    asks = {
        confirmation_id: request.params
        for confirmation_id, request in (reply.input_requests or {}).items()
        if isinstance(request, ElicitRequest) and isinstance(request.params, ElicitRequestURLParams)
    }
    if not asks:
        return Called(result=_failed(call, "the tool asked for something that HomeGuard does not answer"))
    first, params = next(iter(asks.items()))
    rows = [dict(row) for row in (reply.meta or {}).get(_ANSWERS, ())]
    # what the same call did without asking is done already, and told beside the question
    done = [row for row in rows if row.get("outcome") != "asked"]
    asked = [_asked_row(row) for row in rows if row.get("outcome") == "asked"]
    output = {
        "confirmation_id": first, "text": params.message, "url": params.url, "results": done, "asked": asked
    }  # fmt: skip
    result = ToolResult(call_id=call.id, name=call.name, status="asked", output=output)
    return Called(result=result, confirmation_ids=tuple(asks))


def _asked_row(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: row.get(k) for k in ("device_id", "device", "command", "set", "tier")}
    return {**kept, "confirmation_id": str((row.get("confirmation") or {}).get("id") or "")}


def _read(call: ToolCall, reply: CallToolResult) -> ToolResult:
    text = "\n".join(block.text for block in reply.content if block.type == "text")
    if reply.is_error:
        return _failed(call, text or "the tool failed")
    output = reply.structured_content if isinstance(reply.structured_content, dict) else {"result": text}
    if output.get("outcome") == "refused":
        return ToolResult(
            call_id=call.id, name=call.name, status="refused", output=output, error=output.get("reason", "")
        )
    stale = dict((reply.meta or {}).get(_STALE, {}))
    return ToolResult(call_id=call.id, name=call.name, status="ok", output=output, stale_since=stale)


@asynccontextmanager
async def open_toolbox(
    servers: Mapping[str, MCPServer], acting_as: ActingAs, lister: Principal, *, timeout_s: float = CALL_TIMEOUT_S
) -> AsyncIterator[Toolbox]:
    """Sessions to in-process servers; `lister` is who lists the tools (any principal may)."""
    async with AsyncExitStack() as stack:
        clients: dict[str, Client] = {}
        specs: list[ToolSpec] = []
        for name, server in servers.items():
            client = await stack.enter_async_context(Client(server, elicitation_callback=_declines))
            clients[name] = client
            with acting_as(lister):
                listed = await client.session.list_tools()
            specs += [
                ToolSpec(server=name, name=t.name, description=t.description or "", input_schema=t.input_schema)
                for t in listed.tools
            ]
        yield Toolbox(clients, acting_as, tuple(specs), timeout_s)


def commands_in(output: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The command outcomes that a tool's output reports: its own, or those of its `results`.

    What concerns no device has an empty `device_id`.
    """
    results = output.get("results")
    rows = results if isinstance(results, list) else [output]
    return [
        {"device_id": "", "device": "", "command": "", "set": {}, **row}
        for row in rows
        if isinstance(row, Mapping) and row.get("command_id") and row.get("outcome") in _OUTCOMES
    ]
