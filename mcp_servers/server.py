"""The server class of all five: typed results, scopes, errors and arguments in one place."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context, RequestStateSecurity
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from mcp.types import Tool as ListedTool
from pydantic import ValidationError
from starlette.applications import Starlette

from homeguard.clock import iso
from homeguard.errors import HomeGuardError, InvalidInput
from homeguard.model import Scope
from homeguard.staleness import collect
from mcp_servers.faults import bad_arguments, check_arguments, fault
from mcp_servers.identity import opens, require, state_owner
from mcp_servers.refusals import Refusals

VERSION: Final = "0.1.0"
#: Key in a result's `_meta`: concern -> the moment from which on the answer may be wrong.
STALE_SINCE: Final = "homeguard/stale_since"
#: A request larger than this is refused before it is read to the end.
MAX_BODY_BYTES: Final = 256 * 1024
#: Sealed state lives longer than a question does, so that a late retry still learns what came of it.
_STATE_TTL_S: Final = 15 * 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """One tool: the function that answers, its result type, what a caller needs, and the server that it belongs to."""

    server: str
    run: Callable[..., Any]
    result: type
    scope: Scope
    title: str
    annotations: ToolAnnotations


def reads(server: str, run: Callable[..., Any], result: type, title: str) -> ToolSpec:
    """A tool that only looks."""
    hints = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False, title=title)
    return ToolSpec(server=server, run=run, result=result, scope="read", title=title, annotations=hints)


def changes(
    server: str, run: Callable[..., Any], result: type, title: str, *, destructive: bool, idempotent: bool
) -> ToolSpec:
    """A tool that changes the home."""
    hints = ToolAnnotations(
        read_only_hint=False,
        destructive_hint=destructive,
        idempotent_hint=idempotent,
        open_world_hint=False,
        title=title,
    )
    return ToolSpec(server=server, run=run, result=result, scope="control", title=title, annotations=hints)


class HomeServer(MCPServer[Any]):
    """An MCP server over tools of ours; the same object serves in process, HTTP and both protocol eras."""

    def __init__(
        self,
        name: str,
        title: str,
        instructions: str,
        specs: Sequence[ToolSpec],
        key: bytes,
        tools: Sequence[Tool] | None = None,
    ) -> None:
        """`tools` are those of the specs where another server has them already: making them takes time."""
        self.specs = tuple(specs)
        self.tools = tuple(tools) if tools is not None else tuple(_tool(spec) for spec in specs)
        super().__init__(
            name,
            title=title,
            instructions=instructions,
            version=VERSION,
            tools=list(self.tools),
            log_level="WARNING",
            request_state_security=RequestStateSecurity(keys=[key], ttl=_STATE_TTL_S, bind_principal=state_owner),
        )
        self._specs = {spec.run.__name__: spec for spec in specs}
        #: Told of refused calls; set by whoever puts the servers together.
        self.refusals: Refusals | None = None
        #: Awaited with a tool's name before it runs; what it raises is the tool's error.
        self.before_call: Callable[[str], Awaitable[None]] | None = None

    async def list_tools(self) -> list[ListedTool]:
        """Those that the caller's token opens."""
        return [tool for tool in await super().list_tools() if opens(self._specs[tool.name].server)]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """The tool's answer; every error of ours becomes a tool error with a code, a field and what is allowed."""
        try:
            spec = self._specs.get(name)
            if spec is None or not opens(spec.server):
                raise InvalidInput(f"there is no tool '{name[:64]}' here", code="UNKNOWN_TOOL", field="name")
            require(spec.scope)
            check_arguments(arguments, self._tool_input_schema(name) or {})
            if self.before_call is not None:
                await self.before_call(name)
            with collect() as stale:
                result = await super().call_tool(name, arguments, context)
        except UnexpectedToolError as error:
            if isinstance(error.__cause__, HomeGuardError):
                return await self._refused(name, arguments, error.__cause__)
            raise
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                return fault(bad_arguments(error.__cause__))
            raise
        except HomeGuardError as error:
            return await self._refused(name, arguments, error)
        return _dated(_compact(result), stale)

    async def _refused(self, name: str, arguments: Mapping[str, Any], error: HomeGuardError) -> CallToolResult:
        if self.refusals is not None:
            await self.refusals.note(name, arguments, error)
        return fault(error)

    def http_app(
        self, path: str, auth: AuthSettings, verifier: TokenVerifier, security: TransportSecuritySettings
    ) -> Starlette:
        """Streamable HTTP at exactly `path`, for bearers of a token only."""
        return self._lowlevel_server.streamable_http_app(
            streamable_http_path=path,
            auth=auth,
            token_verifier=verifier,
            transport_security=security,
            max_request_body_size=MAX_BODY_BYTES,
            max_sessions=1000,
        )


def _tool(spec: ToolSpec) -> Tool:
    tool = Tool.from_function(spec.run, title=spec.title, annotations=spec.annotations, structured_output=False)
    tool.description = " ".join(tool.description.split())
    made = FuncMetadata(arg_model=tool.fn_metadata.arg_model, output_model=spec.result)
    made.output_schema = _untitled(made.output_schema)
    tool.parameters, tool.fn_metadata = _untitled(tool.parameters), made
    return tool


def _untitled(schema: Any) -> Any:
    """A JSON schema without the generated titles, which only repeat the names in every list that a model reads."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    return {
        key: {name: _untitled(inner) for name, inner in value.items()}
        if key in ("properties", "$defs")
        else value
        if key in ("default", "examples", "enum", "const", "description")
        else _untitled(value)
        for key, value in kept.items()
    }


def _dated(
    result: CallToolResult | InputRequiredResult, stale: Mapping[str, datetime]
) -> CallToolResult | InputRequiredResult:
    """An answer from a copy says so: to programs in `_meta`, to a model in words behind the content."""
    if not stale or isinstance(result, InputRequiredResult):
        return result
    since = {concern: iso(at) for concern, at in sorted(stale.items())}
    words = "; ".join(f"{concern}: as of {at}" for concern, at in since.items())
    note = TextContent(type="text", text=f"From a copy, the store does not answer now ({words}).")
    meta = {**(result.meta or {}), STALE_SINCE: since}
    return result.model_copy(update={"content": [*result.content, note], "meta": meta})


def _compact(result: CallToolResult | InputRequiredResult) -> CallToolResult | InputRequiredResult:
    """The text that a model reads is the structured content on one line: half the tokens."""
    if isinstance(result, InputRequiredResult) or result.structured_content is None:
        return result
    text = json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
    return result.model_copy(update={"content": [TextContent(type="text", text=text)]})
