"""All rooms in one process, on one folder: opens them in order, closes them in the opposite one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from agent.graph.turns import open_turns
from agent.models.offline.planner import OfflinePlanner
from agent.models.protocol import Model
from agent.service import Agent, open_agent
from agent.toolbox import open_toolbox
from api.app import create_app
from api.deps import ApiDeps
from chat_ui.door import ChatDoor, Unsure
from deploy.data_plane import DataPlane, open_data_plane
from deploy.demo import Demo, demo_of
from deploy.operator import Operator
from deploy.roles import Doors, role_of
from deploy.server import Activity, bind, serving
from deploy.switched_off import NoAgent
from deploy.version import VERSION
from homeguard.clock import Clock, HomeClocks, SystemClock
from homeguard.errors import NotAllowed, NotFound, NotSignedIn, StartRefused, StoreUnavailable
from homeguard.identity.identity import Identity
from homeguard.identity.keys import derive, local_key
from homeguard.model import Principal
from homeguard.ports.stores import Stores
from homeguard.runtime import open_stores
from homeguard.settings import Settings
from homeguard.stores.sqlite.lock import hold
from homeguard.stores.sqlite.offsets import forget_offsets
from mcp_servers.catalog import build_all
from mcp_servers.desk import Desk
from mcp_servers.identity import acting_as
from mcp_servers.serving import McpHttp
from memory.conversations import Conversations
from pipeline.command.show import show_confirmation
from pipeline.shipper import SHIP
from pipeline.topics import RECORD
from scenarios.engine import ScenarioEngine
from tools.context import ToolContext

log = logging.getLogger("homeguard")

_PROMPT: Final = Path(__file__).parents[1] / "agent" / "prompts" / "system.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What runs: the rooms that a door or an evaluation needs."""

    settings: Settings
    stores: Stores
    identity: Identity
    plane: DataPlane
    agent: Agent
    scenarios: ScenarioEngine
    app: Any
    clocks: HomeClocks
    history_ready: asyncio.Event
    demo: Demo | None

    def welcome(self) -> list[str]:
        """What a person reads at the start: where everything is, and how to get in."""
        url, role = self.settings.base_url, role_of(self.settings)
        lines = [f"HomeGuard {VERSION} · {self.settings.data_dir}"]
        if role.is_split:
            lines.append(f"  role      {role.name}")
        if role.talks:
            lines.append(f"  chat      {url}/chat")
        if role.serves_people:
            lines.append(f"  API       {url}/docs")
        if role.talks:
            lines.append(f"  MCP       {url}/mcp  (desktop clients: homeguard mcp install --client NAME)")
        if self.settings.mqtt_url:
            lines.append("  MQTT      a client of the broker at MQTT_URL")
        if self.demo is not None:
            lines += [f"  login     {p['email']} / {p['password']}" for p in self.demo.people()]
        return lines


@asynccontextmanager
async def open_homeguard(
    settings: Settings,
    *,
    stop: asyncio.Event,
    idle_exit_s: float | None = None,
    models: Sequence[Model] | None = None,
    serve: bool = True,
) -> AsyncIterator[Running]:
    """Everything running; with `serve`, every door answers when the block begins. `stop` begins the end.

    Raises:
        StartRefused: the folder is in use, a file in it is damaged or newer, or the port is taken.
    """
    try:
        async with _opened(settings, stop=stop, idle_exit_s=idle_exit_s, models=models, serve=serve) as running:
            yield running
    except BaseExceptionGroup as group:
        # each task group on the way out wraps what went wrong once more
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None


@asynccontextmanager
async def _opened(
    settings: Settings,
    *,
    stop: asyncio.Event,
    idle_exit_s: float | None,
    models: Sequence[Model] | None,
    serve: bool,
) -> AsyncIterator[Running]:
    clock, role = SystemClock(), role_of(settings)
    async with AsyncExitStack() as stack:
        held = stack.enter_context(hold(settings.data_dir))
        _leave_stream(settings)
        listener = stack.enter_context(bind(settings.host, settings.port)) if serve else None
        if listener is not None:
            settings = replace(settings, port=listener.getsockname()[1])
        opened = await stack.enter_async_context(
            open_stores(settings, clock, held=held, keeps_live=role.runs_groups, is_shared=role.is_split)
        )
        stores = opened.stores
        key = local_key(settings.data_dir, settings.jwt_secret)
        identity = Identity(users=stores.users, sessions=stores.sessions, clock=clock, key=key)
        stack.callback(identity.close)
        clocks = HomeClocks(clock)
        history_ready = asyncio.Event()
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        demo = demo_of(settings, clock) if role.serves_people and not (role.is_split and role.talks) else None
        if demo is not None and not await demo.leave_to_others(stores) and demo.is_new:
            await demo.make(stores, identity)
        doors_move_in = demo.doors_move_in if demo is not None else frozenset()
        plane = await stack.enter_async_context(
            open_data_plane(
                settings,
                opened,
                clock,
                clocks,
                tasks,
                role=role,
                doors_move_in=doors_move_in,
                first_home=demo.homes[0].home.id if demo is not None else "",
            )
        )
        if demo is not None and demo.is_new:
            await demo.tell(plane.intake)
            if "reflex" in plane.processors:
                await plane.processors["reflex"].caught_up()
        if demo is not None and not demo.has_history:
            writing = tasks.create_task(
                demo.write_history(stores, settings.demo_history_days, history_ready), name="demo history"
            )
            stack.callback(writing.cancel)
        else:
            history_ready.set()
        desk = Desk(
            _contexts(settings, stores, plane, clock, clocks, history_ready), clock=clock, key=derive(key, "mcp-state")
        )
        servers = build_all(desk)
        agent = await stack.enter_async_context(_agent(settings, stores, servers, plane, models, clock, clocks))
        scenarios = ScenarioEngine(plane.intake, stores.devices, stores.users, stores.live, clocks, clock)
        await scenarios.recover(await stores.users.homes())
        stack.push_async_callback(scenarios.close)
        app: Any = None
        if serve and listener is not None:
            mcp = McpHttp(servers, _mcp_authenticate(identity), base_url=settings.base_url, **_allowed(settings))
            await stack.enter_async_context(mcp.lifespan())
            operator = Operator(identity=identity, stores=stores, plane=plane, scenarios=scenarios, clock=clock)
            deps = ApiDeps(
                identity=identity,
                users=stores.users,
                devices=stores.devices,
                live=stores.live,
                feed=stores.feed,
                events=stores.events,
                readings=stores.readings,
                alerts=stores.alerts,
                anomalies=stores.anomalies,
                automations=stores.automations,
                conversations=stores.conversations,
                journal=stores.journal,
                commands=plane.commands,
                agent=agent if settings.enable_ai_agent and role.talks else NoAgent(),
                intake=plane.intake,
                settings=settings,
                clock=clock,
                limits=stores.limits if settings.redis_url else None,
                clocks=clocks,
                health=_health(plane, history_ready),
                history_ready=history_ready,
                version=VERSION,
                demo_users=demo.people() if demo is not None else (),
                extra_mounts=[("/operator", operator.app)],
            )
            api = create_app(deps)
            chat = ChatDoor(
                mcp.in_front_of(api),
                state_dir=settings.data_dir / "chat",
                api_url=f"http://127.0.0.1:{settings.port}" if settings.is_loopback else settings.base_url,
                secret=identity.chat_secret,
                verify=_verify(identity),
            )
            await chat.open()
            app = Activity(Doors(chat, role) if role.is_split else chat, clock)
            await stack.enter_async_context(serving(app, listener))
            stack.callback(app.end_streams)
            # open chats stream from this very server, so they go first
            stack.push_async_callback(chat.close)
            held.announce(settings.base_url)
            if idle_exit_s is not None:
                watch = tasks.create_task(_end_when_idle(app, stop, idle_exit_s, clock))
                stack.callback(watch.cancel)
        yield Running(
            settings=settings,
            stores=stores,
            identity=identity,
            plane=plane,
            agent=agent,
            scenarios=scenarios,
            app=app,
            clocks=clocks,
            history_ready=history_ready,
            demo=demo,
        )
        log.info("stopping")


def _leave_stream(settings: Settings) -> None:
    """A folder whose records went to a stream before, started without one: what was shipped may not have been recorded
    there yet. It is read again from this folder's log, and stored once; and the log waits for no stream any more."""
    positions = settings.data_dir / "log" / "groups"
    if settings.kafka_brokers or not (positions / f"{SHIP}.json").exists():
        return
    log.warning(
        "KAFKA_BROKERS is not set any more: what this folder's log still holds is recorded again, and kept once"
    )
    try:
        # the mark goes last: a crash in between begins this anew
        forget_offsets(positions, (RECORD, SHIP))
    except OSError as error:
        raise StartRefused(f"{positions} cannot be written: {error.strerror}") from error


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
    models: Sequence[Model] | None,
    clock: Clock,
    clocks: HomeClocks,
) -> AsyncIterator[Agent]:
    async def show(home_id: str, confirmation_id: str) -> Mapping[str, Any] | None:
        person = Principal(home_id=home_id, user_id="", role="member", caller="system")
        try:
            shown = show_confirmation(await plane.commands.confirmation(person, confirmation_id))
            # a card that was just pressed counts as open until what came of it is written down
            return {**shown, "state": "open"} if plane.commands.is_under_way(confirmation_id) else shown
        except NotFound:
            return None

    lister = Principal(home_id="", user_id="", role="guest", caller="system")
    single = {name: server for name, server in servers.items() if name != "all"}
    async with (
        open_turns(settings.data_dir / "checkpoints.db") as turns,
        open_toolbox(single, acting_as, lister) as toolbox,
        open_agent(
            turns=turns,
            toolbox=toolbox,
            models=list(models) if models is not None else [OfflinePlanner()],
            system=_PROMPT.read_text(encoding="utf-8"),
            conversations=Conversations(stores.conversations),
            users=stores.users,
            feed=stores.feed,
            show_confirmation=show,
            clock=clock,
            clocks=clocks,
        ) as agent,
    ):
        yield agent


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


def _verify(identity: Identity) -> Callable[[str], Awaitable[dict[str, Any] | None]]:
    async def verify(token: str) -> dict[str, Any] | None:
        try:
            principal = await identity.principal(token)
        except (NotSignedIn, NotFound):
            return None
        except StoreUnavailable as error:
            raise Unsure from error
        if not principal.session_id:
            return None
        return {"user_id": principal.user_id, "session_id": principal.session_id}

    return verify


def _allowed(settings: Settings) -> dict[str, list[str]]:
    hosts = ["127.0.0.1:*", "localhost:*", "[::1]:*", "127.0.0.1", "localhost"]
    if not settings.is_loopback:
        hosts += [settings.host, f"{settings.host}:*"]
    if settings.public_url:
        hosts.append(settings.public_url.partition("://")[2])
    origins = [f"http://{h}" for h in hosts] + [f"https://{h}" for h in hosts]
    return {"allowed_hosts": hosts, "allowed_origins": origins}


def _health(plane: DataPlane, history_ready: asyncio.Event) -> Callable[[], Mapping[str, Mapping[str, Any]]]:
    def health() -> Mapping[str, Mapping[str, Any]]:
        return {**plane.health(), "history": {"ok": True, "written": history_ready.is_set()}}

    return health


async def _end_when_idle(app: Activity, stop: asyncio.Event, idle_exit_s: float, clock: Clock) -> None:
    while not stop.is_set():
        if app.idle_s > idle_exit_s:
            log.info("nobody was here for %g s: ending", idle_exit_s)
            stop.set()
        await clock.sleep(min(1.0, idle_exit_s / 4))
