"""Two homes behind the real stores, intake and command service, and ways to call the API in process."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agent.stream import AgentEvent
from api.app import create_app
from api.deps import ApiDeps
from homeguard.clock import HomeClocks
from homeguard.errors import InvalidInput
from homeguard.identity.identity import Identity
from homeguard.identity.leaving import Leaving
from homeguard.identity.passwords import Passwords
from homeguard.ids import new_id
from homeguard.model import Command, Device, Home, Member, Message, Principal, User
from homeguard.ports.live_state import Live, StateChange
from homeguard.ports.stores import Stores
from homeguard.settings import Settings
from homeguard.stores.sqlite.open import open_embedded
from memory.remember import Memories
from pipeline.command.acts import Acts
from pipeline.command.execution import Execution
from pipeline.command.lists import ListActs
from pipeline.command.pin import HomePin
from pipeline.command.service import CommandService
from pipeline.command.standing import Standing
from pipeline.command.timers import Timers
from pipeline.command.waiting import Reports
from pipeline.command.words import DeviceRequest
from pipeline.intake.intake import Intake

PASSWORD = "correct horse"
T0 = datetime(2026, 11, 21, 8, tzinfo=UTC)


class ManualClock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self._now = T0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - T0).total_seconds() + 1000

    async def sleep(self, delay_s: float) -> None:
        self._now += timedelta(seconds=delay_s)

    def forward(self, **span: float) -> None:
        self._now += timedelta(**span)


class ObedientDriver:
    """Devices that do what they are told and report it."""

    def __init__(self, stores: Stores, clock: ManualClock) -> None:
        self._stores = stores
        self._clock = clock
        self._count = 0
        self.sent: list[Command] = []

    async def send(self, device: Device, command: Command) -> None:
        self.sent.append(command)
        self._count += 1
        change = StateChange(
            home_id=device.home_id, device_id=device.id, at=self._clock.now(), sequence=self._count,
            attributes=command.set, available=True,
        )  # fmt: skip
        await self._stores.live.apply([change])
        data = {"type": "device_event", "device_id": device.id, "event_type": "state_changed", "state": command.set}
        await self._stores.feed.publish([Live(home_id=device.home_id, kind="device_event", data=data)])


async def _at_once() -> None:
    """Nothing is on its way."""


class LockingAgent:
    """An agent with one idea: "lock ..." locks the front door, anything else is repeated. It keeps the conversation."""

    def __init__(self, stores: Stores, commands: CommandService, clock: ManualClock) -> None:
        self._stores = stores
        self._commands = commands
        self._clock = clock
        self.finished: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def stream(
        self, principal: Principal, message: str, *, thread_id: str = "", new_thread: bool = False
    ) -> AsyncIterator[AgentEvent]:
        if not message.strip():
            raise InvalidInput("say something", field="message")
        thread, turn = thread_id or new_id(), new_id()
        queue: asyncio.Queue[AgentEvent] = asyncio.Queue()
        task = asyncio.create_task(self._run(principal, message, thread, turn, queue))
        self._task = task
        while True:
            event = await queue.get()
            yield event
            if event.name == "done":
                return

    async def forget_person(self, user_id: str) -> int:
        return 0

    async def _run(
        self, principal: Principal, message: str, thread: str, turn: str, queue: "asyncio.Queue[AgentEvent]"
    ) -> None:
        def say(name: Any, **data: Any) -> None:
            queue.put_nowait(AgentEvent(name=name, data={"turn_id": turn, **data}))

        say("turn", thread_id=thread)
        await self.hold.wait()
        text = f"You said: {message}"
        if message.startswith("lock"):
            say("tool_start", id="1", server="devices", tool="control_device", arguments={"command": "lock"})
            agent = replace(principal, caller="agent")
            [result] = await self._commands.perform(agent, [DeviceRequest(device_id="front_door_lock", command="lock")])
            say("tool_end", id="1", server="devices", tool="control_device", status="ok", result={})
            command = {
                "command_id": result.command_id, "device_id": "front_door_lock", "device": "Front door lock",
                "command": "lock", "set": {"lock": "locked"}, "outcome": result.outcome, "reason": "",
            }  # fmt: skip
            say("outcome", command=command)
            text = "The front door is locked."
        for role, words in (("user", message), ("assistant", text)):
            line = Message(
                id=new_id(), home_id=principal.home_id, user_id=principal.user_id, thread_id=thread, turn_id=turn,
                role=role, text=words, at=self._clock.now(),
            )  # type: ignore[arg-type]  # fmt: skip
            await self._stores.conversations.append(principal.home_id, [line])
        say("token", text=text)
        say("answer", text=text, evidence=[], refusals=[])
        self.finished.append(turn)
        say("done", status="completed", model="test", tokens={"input": 1, "output": 1}, duration_ms=5)


@dataclass
class World:
    """Everything that a test may want to look behind the API at."""

    app: Any
    deps: ApiDeps
    stores: Stores
    identity: Identity
    clock: ManualClock
    driver: ObedientDriver
    agent: LockingAgent
    health: dict[str, dict[str, Any]] = field(default_factory=dict)

    def client(self, token: str = "", **headers: str) -> httpx2.AsyncClient:
        shown = {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx2.ASGITransport(app=self.app)
        return httpx2.AsyncClient(transport=transport, base_url="http://home.test", headers={**shown, **headers})

    async def token(self, name: str) -> str:
        return (await self.identity.login(f"{name}@home.test", PASSWORD)).access_token

    async def call(self, method: str, path: str, *, token: str = "", **kwargs: Any) -> httpx2.Response:
        async with self.client(token) as client:
            return await client.request(method, path, **kwargs)

    def socket(self, path: str, **headers: str) -> "Socket":
        return Socket(self.app, path, headers)

    def reading(self, path: str, *, method: str = "GET", body: bytes = b"", **headers: str) -> "Reading":
        return Reading(self.app, method, path, headers, body)


def _scope(kind: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    raw = [(k.replace("_", "-").encode(), v.encode()) for k, v in {"host": "home.test", **headers}.items()]
    return {
        "type": kind, "path": path, "raw_path": path.encode(), "query_string": query.encode(), "headers": raw,
        "client": ("127.0.0.1", 5000), "server": ("home.test", 80), "root_path": "", "http_version": "1.1",
        "asgi": {"version": "3.0", "spec_version": "2.3"}, "state": {},
    }  # fmt: skip


class _Talk:
    """One ASGI connection, driven by hand: what the app says can be awaited while it is still talking."""

    def __init__(self, app: Callable[..., Awaitable[None]], scope: dict[str, Any]) -> None:
        self._app = app
        self._scope = scope
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Any:
        self._task = asyncio.create_task(self._app(self._scope, self._inbox.get, self._outbox.put))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._inbox.put_nowait(self._goodbye())
        await asyncio.wait_for(asyncio.gather(self._task, return_exceptions=True), 10)

    def _goodbye(self) -> dict[str, Any]:
        raise NotImplementedError

    async def said(self) -> dict[str, Any]:
        return await asyncio.wait_for(self._outbox.get(), 10)


class Socket(_Talk):
    """A WebSocket client."""

    def __init__(self, app: Any, path: str, headers: dict[str, str]) -> None:
        scope = {**_scope("websocket", path, headers), "scheme": "ws", "subprotocols": []}
        scope["extensions"] = {"websocket.http.response": {}}
        super().__init__(app, scope)
        self._inbox.put_nowait({"type": "websocket.connect"})

    def _goodbye(self) -> dict[str, Any]:
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(self, message: object) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self._inbox.put({"type": "websocket.receive", "text": text})

    async def message(self) -> dict[str, Any]:
        said = await self.said()
        assert said["type"] == "websocket.send", said
        return dict(json.loads(said["text"]))


class Reading(_Talk):
    """A client that reads a streamed answer as it comes."""

    def __init__(self, app: Any, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        super().__init__(app, {**_scope("http", path, headers), "method": method, "scheme": "http"})
        self._inbox.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self._left = ""

    def _goodbye(self) -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def status(self) -> int:
        return int((await self.said())["status"])

    async def event(self) -> tuple[str, dict[str, Any]]:
        """The next named event; comments are passed over."""
        while True:
            block, mark, rest = self._left.partition("\r\n\r\n")
            if not mark:
                said = await self.said()
                if not said.get("more_body") and not said.get("body"):
                    raise EOFError
                self._left += said["body"].decode()
                continue
            self._left = rest
            lines = dict(line.split(": ", 1) for line in block.split("\r\n") if ": " in line)
            if "event" in lines:
                return lines["event"], json.loads(lines["data"])


def _device(home_id: str, device_id: str, kind: str, capability: str) -> Device:
    return Device(
        home_id=home_id, id=device_id, name=device_id.replace("_", " ").capitalize(), type=kind,
        capabilities=(capability,), area="hall", binding={"driver": "obedient"}, is_simulated=True, created_at=T0,
    )  # fmt: skip


async def _furnish(stores: Stores, identity: Identity) -> None:
    for name in ("ann", "bob"):
        await identity.set_password(
            User(id=name, email=f"{name}@home.test", name=name.capitalize(), created_at=T0), PASSWORD
        )
        await stores.users.put_home(Home(id=name, name=f"{name}'s home", time_zone="America/New_York"))
        await stores.users.put_member(Member(home_id=name, user_id=name, role="owner"))
    await identity.set_password(User(id="gus", email="gus@home.test", name="Gus", created_at=T0), PASSWORD)
    await stores.users.put_member(Member(home_id="ann", user_id="gus", role="guest"))
    devices = [
        _device("ann", "front_door_lock", "lock", "lock"),
        _device("ann", "hall_light", "light", "on_off"),
        _device("ann", "garage_door", "garage_door", "position"),
        _device("bob", "attic_lamp", "light", "on_off"),
    ]
    await stores.devices.put(devices)
    await stores.live.apply(
        [
            StateChange(home_id="ann", device_id="front_door_lock", at=T0, sequence=1, attributes={"lock": "locked"},
                        available=True),
            StateChange(home_id="ann", device_id="hall_light", at=T0, sequence=1, attributes={"on": True},
                        available=True),
        ]
    )  # fmt: skip


@asynccontextmanager
async def open_world(data_dir: Path, **changed: Any) -> AsyncIterator[World]:
    clock = ManualClock()
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_embedded(data_dir, clock))
        identity = Identity(users=stores.users, sessions=stores.sessions, clock=clock, key=b"k" * 48)
        stack.callback(identity.close)
        await _furnish(stores, identity)
        clocks = HomeClocks(clock)
        intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)
        reports = Reports(feed=stores.feed, live=stores.live)
        ready = asyncio.Event()
        watching = asyncio.create_task(reports.run(ready))
        await ready.wait()
        stack.callback(watching.cancel)
        driver = ObedientDriver(stores, clock)
        acts = Acts(
            users=stores.users, devices=stores.devices, live=stores.live, automations=stores.automations,
            feed=stores.feed, intake=intake, clock=clock, permissions=stores.permissions,
        )  # fmt: skip
        pin = HomePin(pins=stores.pins, passwords=Passwords(threads=1), audit=stores.audit, clock=clock)
        stack.callback(pin.close)
        execution = Execution(
            drivers={"obedient": driver}, journal=stores.journal, feed=stores.feed, intake=intake, reports=reports,
            clock=clock, confirm_timeout_s=5,
        )  # fmt: skip
        memories = Memories(stores.memory, clock, stores.conversations, is_yes=lambda _: False)
        commands = CommandService(
            users=stores.users, devices=stores.devices, live=stores.live, feed=stores.feed, journal=stores.journal,
            confirmations=stores.confirmations, audit=stores.audit, execution=execution,
            acts={
                **acts.registry(), **memories.registry(), **ListActs(lists=stores.lists, clock=clock).registry(),
                **Timers(schedules=stores.schedules, clock=clock, clocks=clocks).registry(),
            },
            clock=clock, pin=pin, standing=Standing(stores.permissions),
        )  # fmt: skip
        agent = LockingAgent(stores, commands, clock)
        history = asyncio.Event()
        history.set()
        health: dict[str, dict[str, Any]] = {"log": {"ok": True}}
        given: dict[str, Any] = {
            "identity": identity, "users": stores.users, "devices": stores.devices, "live": stores.live,
            "feed": stores.feed, "events": stores.events, "readings": stores.readings, "alerts": stores.alerts,
            "anomalies": stores.anomalies, "automations": stores.automations, "schedules": stores.schedules,
            "lists": stores.lists, "conversations": stores.conversations,
            "memory": stores.memory,
            "journal": stores.journal, "commands": commands, "pin": pin,
            "permissions": stores.permissions, "agent": agent, "intake": intake,
            "settings": Settings(rate_limits=False), "clock": clock, "clocks": clocks, "health": lambda: health,
            "history_ready": history,
            "demo_users": [{"email": "ann@home.test", "name": "Ann", "password": PASSWORD}],
        }  # fmt: skip
        given["leaving"] = Leaving(
            stores=stores, identity=identity, forget_turns=agent.forget_person, settled=_at_once, clock=clock
        )
        deps = ApiDeps(**{**given, **changed})
        yield World(create_app(deps), deps, stores, identity, clock, driver, agent, health)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Ann's home (a lock, a light, a garage door; Gus is her guest) and Bob's (a lamp)."""
    async with open_world(tmp_path) as opened:
        yield opened


@pytest.fixture
def open_one(tmp_path: Path) -> Callable[..., Any]:
    """The same, with other deps."""
    return lambda **changed: open_world(tmp_path, **changed)


@pytest.fixture
async def ann(world: World) -> str:
    return await world.token("ann")


@pytest.fixture
async def bob(world: World) -> str:
    return await world.token("bob")
