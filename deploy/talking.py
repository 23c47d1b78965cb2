"""The rooms that talk: the agent and the MCP servers over the tools, opened together. Import it late: it is heavy."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.doors import Questions
from agent.graph.caps import Caps
from agent.graph.turns import open_turns
from agent.models.protocol import Model
from agent.notebook import Notebook
from agent.service import Agent, open_agent
from agent.toolbox import open_toolbox
from deploy.data_plane import DataPlane
from homeguard.clock import Clock, HomeClocks
from homeguard.errors import NotAllowed, NotFound
from homeguard.identity.identity import Identity
from homeguard.model import Principal
from homeguard.ports.stores import Stores
from homeguard.settings import Settings
from mcp_servers.catalog import build_all
from mcp_servers.desk import Desk
from mcp_servers.identity import acting_as
from mcp_servers.serving import McpHttp
from memory.conversations import Conversations
from memory.recall import Recall
from memory.remember import AfterTurn
from pipeline.command.show import show_command, show_confirmation
from tools.context import ToolContext

_PROMPT: Final = Path(__file__).parents[1] / "agent" / "prompts" / "system.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Talking:
    """What came in: the agent, and the MCP servers as an ASGI app for their paths."""

    agent: Agent
    mcp: McpHttp


@asynccontextmanager
async def open_talking(
    settings: Settings,
    stores: Stores,
    plane: DataPlane,
    identity: Identity,
    clock: Clock,
    clocks: HomeClocks,
    history_ready: asyncio.Event,
    *,
    models: Sequence[Model],
    key: bytes,
    before_tool: Callable[[str], Awaitable[None]] | None = None,
) -> AsyncIterator[Talking]:
    """Both, opened for the length of the block. `key` seals what MCP clients carry for us; `before_tool` is awaited
    with a tool's name before it runs."""
    desk = Desk(
        _contexts(settings, stores, plane, clock, clocks, history_ready), clock=clock, key=key, audit=stores.audit
    )

    def build() -> tuple[Mapping[str, Any], McpHttp]:
        servers = build_all(desk)
        for server in servers.values():
            server.before_call = before_tool
        return servers, McpHttp(
            servers, _mcp_authenticate(identity), base_url=settings.base_url, **_allowed(settings)
        )  # fmt: skip

    # In a thread, because the schemas of the tools take a while and devices are sending already.
    servers, mcp = await asyncio.to_thread(build)
    async with (
        _agent(settings, stores, servers, plane, models, clock, clocks) as agent,
        mcp.lifespan(),
    ):
        yield Talking(agent=agent, mcp=mcp)


def _contexts(
    settings: Settings, stores: Stores, plane: DataPlane, clock: Clock, clocks: HomeClocks, history_ready: asyncio.Event
) -> Callable[[Principal], ToolContext]:
    def context(principal: Principal) -> ToolContext:
        return ToolContext(
            principal=principal,
            users=stores.users,
            devices=stores.devices,
            live=stores.live,
            events=stores.events,
            readings=stores.readings,
            anomalies=stores.anomalies,
            alerts=stores.alerts,
            automations=stores.automations,
            schedules=stores.schedules,
            lists=stores.lists,
            memory=stores.memory,
            conversations=stores.conversations,
            journal=stores.journal,
            commands=plane.commands,
            clock=clock,
            clocks=clocks,
            base_url=settings.base_url,
            history_ready=history_ready,
        )

    return context


@asynccontextmanager
async def _agent(
    settings: Settings,
    stores: Stores,
    servers: Mapping[str, Any],
    plane: DataPlane,
    models: Sequence[Model],
    clock: Clock,
    clocks: HomeClocks,
) -> AsyncIterator[Agent]:
    caps = Caps(
        first_token_s=settings.agent_first_token_s, turn_s=settings.agent_turn_s, tool_s=settings.agent_tool_s,
        steps=settings.agent_steps, calls=settings.agent_calls, tokens=settings.agent_tokens,
        step_s=settings.agent_turn_s * 2 / 3,
    )  # fmt: skip
    lister = Principal(home_id="", user_id="", role="guest", caller="system")
    single = {name: server for name, server in servers.items() if name != "all"}
    async with (
        open_turns(settings.data_dir / "checkpoints.db") as turns,
        open_toolbox(single, acting_as, lister, timeout_s=caps.tool_s) as toolbox,
        open_agent(
            turns=turns,
            toolbox=toolbox,
            models=models,
            system=_PROMPT.read_text(encoding="utf-8"),
            notebook=Notebook(
                conversations=Conversations(stores.conversations),
                recall=Recall(stores.conversations, stores.memory),
                after_turn=AfterTurn(stores.conversations),
                contexts=stores.contexts,
                home=stores.users.home,
                server_of=toolbox.server_of,
                clock=clock,
                clocks=clocks,
            ),
            users=stores.users,
            feed=stores.feed,
            questions=_questions(stores, plane),
            clock=clock,
            clocks=clocks,
            caps=caps,
        ) as agent,
    ):
        yield agent


def _questions(stores: Stores, plane: DataPlane) -> Questions:
    commands = plane.commands

    async def show(home_id: str, confirmation_id: str) -> Mapping[str, Any] | None:
        person = Principal(home_id=home_id, user_id="", role="member", caller="system")
        try:
            shown = show_confirmation(await commands.confirmation(person, confirmation_id))
            # a card that was just pressed counts as open until what came of it is written down
            return {**shown, "state": "open"} if commands.is_under_way(confirmation_id) else shown
        except NotFound:
            return None

    async def still_open(principal: Principal) -> list[Mapping[str, Any]]:
        return [show_confirmation(card) for card in await commands.inbox(principal)]

    async def by_words(principal: Principal, confirmation_id: str, thread_id: str, approve: bool) -> Mapping[str, Any]:
        return show_confirmation(
            await commands.answer_by_words(principal, confirmation_id, thread_id=thread_id, approve=approve)
        )

    async def done_by(home_id: str, turn_id: str, since: datetime) -> list[Mapping[str, Any]]:
        rows = []
        for command in reversed(await stores.journal.commands(home_id, since=since)):
            if command.cause.startswith(f"{turn_id}/"):
                device = await stores.devices.get(home_id, command.device_id) if command.device_id else None
                name = device.name if device is not None else command.device_id
                rows.append(show_command(command, name))
        return rows

    return Questions(
        show=show,
        open=still_open,
        by_words=by_words,
        withdraw=commands.withdraw,
        gather=commands.gathering,
        done_by=done_by,
    )


def _mcp_authenticate(identity: Identity) -> Callable[[str, str], Awaitable[Principal]]:
    async def authenticate(token: str, server: str) -> Principal:
        principal = await identity.principal(token, audience="mcp")
        if principal.caller == "person":
            # an operator's token: a program that acts for that person, with no say in confirmations
            return replace(principal, caller="client", name="desktop", scopes=principal.scopes - {"manage"})
        row = await identity.client_token(token)
        if row.servers and server not in row.servers:
            raise NotAllowed(f"this token is not for the server '{server}'")
        return principal

    return authenticate


def _allowed(settings: Settings) -> dict[str, list[str]]:
    hosts = ["127.0.0.1:*", "localhost:*", "[::1]:*", "127.0.0.1", "localhost"]
    if not settings.is_loopback:
        hosts += [settings.host, f"{settings.host}:*"]
    if settings.public_url:
        hosts.append(settings.public_url.partition("://")[2])
    origins = [f"http://{h}" for h in hosts] + [f"https://{h}" for h in hosts]
    return {"allowed_hosts": hosts, "allowed_origins": origins}
