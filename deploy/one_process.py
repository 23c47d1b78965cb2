"""All rooms in one process, on one folder: opens them in order, closes them in the opposite one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from agent.models.guarded import Asked
from agent.models.protocol import Model
from api.app import create_app
from api.deps import ApiDeps
from chat_ui.door import ChatDoor, Unsure
from deploy.data_plane import DataPlane, open_data_plane
from deploy.demo import Demo, demo_of
from deploy.lasting import lasting
from deploy.late import Late, LateAgent, LateMcp
from deploy.models import Models, in_words, models_of
from deploy.operator import Operator
from deploy.roles import Doors, role_of
from deploy.safekeeping import Safekeeping, safekeeping
from deploy.server import Activity, bind, serving
from deploy.switched_off import NoAgent
from deploy.version import VERSION
from homeguard.clock import Clock, HomeClocks, OnwardClock, SystemClock
from homeguard.errors import NotFound, NotSignedIn, StartRefused, StoreUnavailable
from homeguard.identity.identity import Identity
from homeguard.identity.keys import derive, local_key
from homeguard.identity.leaving import Leaving
from homeguard.ports.stores import Stores
from homeguard.runtime import open_stores
from homeguard.settings import Settings
from homeguard.stores.sqlite.lock import hold
from homeguard.stores.sqlite.offsets import forget_offsets
from homeguard.telemetry import Metrics
from pipeline.drivers.protocol import Driver
from pipeline.shipper import SHIP
from pipeline.topics import RECORD, REFLEX, SAFETY
from scenarios.engine import ScenarioEngine

if TYPE_CHECKING:
    from deploy.talking import Talking

log = logging.getLogger("homeguard")

#: How long the doors stay open at the end, while `/ready` says no.
LEAVING_S: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What runs: the rooms that a door or an evaluation needs."""

    settings: Settings
    stores: Stores
    identity: Identity
    plane: DataPlane
    agent: LateAgent
    #: Set once the agent and the MCP servers, which come in behind the start, are here.
    arrived: asyncio.Event
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
            lines.append(f"  model     {in_words(self.settings)}")
        if role.serves_people:
            lines.append(f"  API       {url}/docs")
        if role.talks:
            lines.append(f"  MCP       {url}/mcp  (desktop clients: homeguard mcp install --client NAME)")
        if self.settings.mqtt_url:
            lines.append("  MQTT      a client of the broker at MQTT_URL")
        if self.demo is not None:
            lines += [f"  login     {p['email']} / {p['password']}" for p in self.demo.people()]
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """What evaluations put in the place of the world around: the time, devices, tools that fail."""

    clock: Clock = field(default_factory=SystemClock)
    #: Beside our own, by name.
    drivers: Mapping[str, Driver] = field(default_factory=dict)
    #: Awaited with a tool's name before it runs.
    before_tool: Callable[[str], Awaitable[None]] | None = None


@asynccontextmanager
async def open_homeguard(
    settings: Settings,
    *,
    stop: asyncio.Event,
    idle_exit_s: float | None = None,
    models: Sequence[Model] | None = None,
    serve: bool = True,
    seams: Seams | None = None,
) -> AsyncIterator[Running]:
    """Everything running; with `serve`, every door answers when the block begins. `stop` begins the end.

    Raises:
        StartRefused: the folder is in use, a file in it is damaged or newer, or the port is taken.
    """
    try:
        async with _opened(
            settings, seams or Seams(), stop=stop, idle_exit_s=idle_exit_s, models=models, serve=serve
        ) as running:
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
    seams: Seams,
    *,
    stop: asyncio.Event,
    idle_exit_s: float | None,
    models: Sequence[Model] | None,
    serve: bool,
) -> AsyncIterator[Running]:
    clock, role = seams.clock, role_of(settings)
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
        onward = OnwardClock(clock)
        identity = Identity(users=stores.users, sessions=stores.sessions, clock=onward, key=key, wall=clock)
        stack.callback(identity.close)
        clocks, leaving = HomeClocks(clock), asyncio.Event()
        history_ready, metrics = asyncio.Event(), Metrics()
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
                tell_shed=metrics.shed,
                drivers=seams.drivers,
            )
        )
        if demo is not None and demo.is_new:
            await demo.tell(plane.intake)
            for group in (SAFETY, REFLEX):
                if group in plane.processors:
                    await plane.processors[group].caught_up()
        if demo is not None and "events.db" in opened.folder.begun_anew:
            demo.has_history = False
        if demo is not None and not demo.has_history:
            writing = tasks.create_task(
                demo.write_history(stores, settings.demo_history_days, history_ready), name="demo history"
            )
            stack.callback(writing.cancel)
        else:
            history_ready.set()
        keeper = await stack.enter_async_context(safekeeping(opened.folder, stores, clock, history_ready, tasks))

        def asked(family: str, request: Asked) -> None:
            metrics.asked(
                family, request.model, request.status, request.seconds,
                read=request.input_tokens, written=request.output_tokens,
            )  # fmt: skip

        answering = models_of(settings, clock, asked)
        stack.push_async_callback(answering.close)

        def bring() -> AbstractAsyncContextManager["Talking"]:
            from deploy.talking import open_talking

            return open_talking(
                settings, stores, plane, identity, clock, clocks, history_ready,
                models=answering.in_order() if models is None else models,
                key=derive(key, "mcp-state"), before_tool=seams.before_tool,
            )  # fmt: skip

        late = Late(bring)
        stack.push_async_callback(late.leave)
        agent = LateAgent(late)
        scenarios = ScenarioEngine(plane.intake, stores.devices, stores.users, stores.live, clocks, clock)
        await scenarios.recover(await stores.users.homes())
        stack.push_async_callback(scenarios.close)
        app: Any = None
        talking = agent if role.talks else NoAgent()
        leaver = Leaving(
            stores=stores, identity=identity, forget_turns=talking.forget_person, settled=plane.caught_up, clock=clock,
            close_home=plane.close_home, lasting=lasting(settings),
        )  # fmt: skip
        # what a crash cut off, and what other processes began
        going_on = tasks.create_task(leaver.run(), name="erasures")
        stack.callback(going_on.cancel)
        if serve and listener is not None:
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
                schedules=stores.schedules,
                lists=stores.lists,
                planned=plane.planned,
                conversations=stores.conversations,
                memory=stores.memory,
                journal=stores.journal,
                commands=plane.commands,
                pin=plane.pin,
                permissions=stores.permissions,
                agent=talking,
                leaving=leaver,
                intake=plane.intake,
                settings=settings,
                clock=clock,
                limits=stores.limits if settings.redis_url else None,
                clocks=clocks,
                health=_health(plane, history_ready, leaving, keeper, answering if role.talks else None),
                history_ready=history_ready,
                version=VERSION,
                metrics=metrics,
                demo_users=demo.people() if demo is not None else (),
                extra_mounts=[("/operator", operator.app)],
            )
            api = create_app(deps)
            chat = ChatDoor(
                LateMcp(late, api),
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
            stack.push_async_callback(_say_goodbye, leaving, clock)
        if role.talks:
            late.begin(tasks)
        if not serve and role.talks:
            await late.here()
        yield Running(
            settings=settings,
            stores=stores,
            identity=identity,
            plane=plane,
            agent=agent,
            arrived=late.arrived,
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


def _health(
    plane: DataPlane,
    history_ready: asyncio.Event,
    leaving: asyncio.Event,
    keeper: Safekeeping,
    models: Models | None,
) -> Callable[[], Mapping[str, Mapping[str, Any]]]:
    def health() -> Mapping[str, Mapping[str, Any]]:
        history = {"ok": True, "written": history_ready.is_set()}
        answering = models.health() if models is not None else {}
        told = {**plane.health(), "backups": keeper.health(), "history": history, **answering}
        return {**told, "process": {"ok": False, "reason": "it is ending"}} if leaving.is_set() else told

    return health


async def _say_goodbye(leaving: asyncio.Event, clock: Clock) -> None:
    """`/ready` says no before the doors close, so that whoever asks it sends nobody here any more."""
    leaving.set()
    await clock.sleep(LEAVING_S)


async def _end_when_idle(app: Activity, stop: asyncio.Event, idle_exit_s: float, clock: Clock) -> None:
    while not stop.is_set():
        if app.idle_s > idle_exit_s:
            log.info("nobody was here for %g s: ending", idle_exit_s)
            stop.set()
        await clock.sleep(min(1.0, idle_exit_s / 4))
