"""What all servers share: the way from a caller to a context, and from a refusal-until-confirmed to an answer."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mcp.server.mcpserver import Context
from mcp.types import InputRequiredResult

from homeguard.clock import Clock
from homeguard.model import Principal, Scope
from homeguard.ports.journal import Audit
from mcp_servers.asking import Asking
from mcp_servers.identity import require
from mcp_servers.refusals import Refusals
from tools.answers import CommandAnswer
from tools.context import ToolContext


class Desk:
    """`contexts` makes the context of a principal; `key` (32 bytes or more, kept) seals what clients carry for us."""

    def __init__(
        self,
        contexts: Callable[[Principal], ToolContext],
        *,
        clock: Clock,
        key: bytes,
        person_wait_s: float = 20.0,
        audit: Audit | None = None,
    ) -> None:
        self._contexts = contexts
        self._asking = Asking(clock=clock, person_wait_s=person_wait_s)
        self.key = key
        self.refusals = Refusals(audit, clock)

    def context(self, scope: Scope = "read") -> ToolContext:
        """The caller's context. Raises NotSignedIn, NotAllowed."""
        return self._contexts(require(scope))

    async def acted(
        self, call: Context[Any, Any], act: Callable[[ToolContext], Awaitable[Sequence[CommandAnswer]]]
    ) -> list[CommandAnswer] | InputRequiredResult:
        """What `act` did, or the question that a person must answer first, in the form that this client understands."""
        context = self.context("control")
        return await self._asking.answer(call, context, lambda: act(context))
