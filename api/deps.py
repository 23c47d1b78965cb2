"""What the API is given: ports and services, put together by whoever starts it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from agent.stream import AgentEvent
from homeguard.clock import Clock, HomeClocks
from homeguard.identity.identity import Identity
from homeguard.identity.leaving import Leaving
from homeguard.model import Confirmation, Effect, Principal
from homeguard.ports.automations import AutomationStore
from homeguard.ports.conversations import ConversationStore
from homeguard.ports.devices import DeviceStore
from homeguard.ports.events import AlertStore, AnomalyStore, EventStore
from homeguard.ports.journal import Journal
from homeguard.ports.limits import RateLimits
from homeguard.ports.lists import Lists
from homeguard.ports.live_state import LiveFeed, LiveStateStore
from homeguard.ports.memory import MemoryStore
from homeguard.ports.permissions import Permissions
from homeguard.ports.readings import ReadingStore
from homeguard.ports.schedules import Schedules
from homeguard.ports.users import UserStore
from homeguard.settings import Settings
from homeguard.telemetry import Metrics
from pipeline.command.pin import HomePin
from pipeline.command.words import CommandResult, DeviceRequest
from pipeline.intake.intake import Intake


class Commands(Protocol):
    """The one way to act (`pipeline.command.service.CommandService`)."""

    async def perform(self, principal: Principal, requests: Sequence[DeviceRequest]) -> list[CommandResult]: ...

    async def act(self, principal: Principal, effect: Effect) -> CommandResult: ...

    async def decide(
        self, principal: Principal, confirmation_id: str, *, approve: bool, pin: str = ""
    ) -> Confirmation: ...

    async def confirmation(self, principal: Principal, confirmation_id: str) -> Confirmation: ...

    async def inbox(self, principal: Principal) -> list[Confirmation]: ...


class Agent(Protocol):
    """Who answers (`agent.service.Agent`); it stores both sides of the conversation itself."""

    def stream(
        self, principal: Principal, message: str, *, thread_id: str = "", new_thread: bool = False
    ) -> AsyncIterator[AgentEvent]: ...


#: Concern -> `{"ok": bool, "reason"?: str, ...}`; every one that is not ok keeps `/ready` at 503.
Health = Callable[[], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDeps:
    """Everything that a route may use. `mounts`: (path, ASGI app) for MCP and chat, answered before any route."""

    identity: Identity
    users: UserStore
    devices: DeviceStore
    live: LiveStateStore
    feed: LiveFeed
    events: EventStore
    readings: ReadingStore
    alerts: AlertStore
    anomalies: AnomalyStore
    automations: AutomationStore
    schedules: Schedules
    lists: Lists
    conversations: ConversationStore
    memory: MemoryStore
    journal: Journal
    commands: Commands
    pin: HomePin
    permissions: Permissions
    agent: Agent
    leaving: Leaving
    intake: Intake
    settings: Settings
    clock: Clock
    clocks: HomeClocks
    health: Health
    #: Set once the history that is written behind the start is there; queries of the past wait for it.
    history_ready: asyncio.Event
    #: Counts requests for all processes; None: each counts for itself.
    limits: RateLimits | None = None
    #: Told the home whose zone or place changed, so that what goes by the clock follows.
    planned: Callable[[str], Awaitable[None]] | None = None
    version: str = "0.1.0"
    metrics: Metrics = field(default_factory=Metrics)
    #: `{"email", "password", "name"}` of each demo person; empty without the demo.
    demo_users: Sequence[Mapping[str, str]] = ()
    extra_mounts: Sequence[tuple[str, ASGIApp]] = ()
    #: Awaited when the app ends, after the last turn.
    on_close: Callable[[], Awaitable[None]] | None = None
    history_wait_s: float = 25.0
    #: How often an open stream asks whether its session still holds.
    recheck_s: float = 5.0
    #: How long a connection may take nothing before its stream is closed.
    send_limit_s: float = 10.0


def deps_of(connection: HTTPConnection) -> ApiDeps:
    deps = connection.app.state.deps
    assert isinstance(deps, ApiDeps)
    return deps


async def _given(connection: HTTPConnection) -> ApiDeps:
    # Not `deps_of` itself: the framework would run a plain function in a thread.
    return deps_of(connection)


Deps = Annotated[ApiDeps, Depends(_given)]
