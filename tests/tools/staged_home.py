"""A home in which chains of causes are staged: the real stores, gate, rules and simulated devices around `explain`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from homeguard.automation import parse
from homeguard.clock import HomeClocks, SystemClock
from homeguard.ids import new_id
from homeguard.model import Device, Effect, Event, Home, Member, Message, Principal, Turn, User
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from homeguard.vocabulary import DEVICE_TYPES
from pipeline.command.acts import Acts
from pipeline.command.execution import Execution
from pipeline.command.recovery import Recovery
from pipeline.command.service import CommandService
from pipeline.command.waiting import Reports
from pipeline.command.words import CommandResult, DeviceRequest
from pipeline.drivers.simulated import SimulatedDriver
from pipeline.handlers.automation_runs import RunAutomations, concerns
from pipeline.handlers.automations import DecideAutomations
from pipeline.handlers.events import StoreEvents
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.intake import Intake
from pipeline.processor import Processor
from pipeline.topics import AUTOMATE, RECORD, REFLEX, TOPICS_OF
from tools.context import ToolContext
from tools.explain import Explanation, explain
from tools.undo import undo

#: device id -> (type, driver, how it was at first). `dumb` takes commands and never answers by itself.
DEVICES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "lamp": ("light", "simulated", {"on": False, "brightness_pct": 10}),
    "porch": ("light", "dumb", {"on": False}),
    "fan": ("fan", "simulated", {"on": False}),
    "front_door": ("lock", "simulated", {"lock": "locked"}),
    "back_door": ("lock", "dumb", {"lock": "locked"}),
    "thermostat": ("thermostat", "simulated", {"target_c": 20.0}),
    "blind": ("cover", "simulated", {"position_pct": 0, "cover": "closed"}),
    "movie": ("scene", "simulated", {"on": False}),
    "hall_motion": ("motion", "simulated", {"motion": False}),
    "window": ("contact", "simulated", {"open": False}),
    "never_seen": ("light", "dumb", {}),
}


class Dumb:
    async def send(self, device: Device, command: Any) -> None:
        return None


@dataclass(slots=True)
class Staged:
    stores: Stores
    commands: CommandService
    recovery: Recovery
    intake: Intake
    clock: SystemClock
    clocks: HomeClocks
    processors: dict[str, Processor]
    said: int = field(default=0)

    def who(self, user_id: str = "ann", caller: str = "person", **more: Any) -> Principal:
        role = "owner" if user_id == "ann" else "member"
        return Principal(home_id="h", user_id=user_id, role=role, caller=caller, **more)  # type: ignore[arg-type]

    async def chat(self, words: str, user_id: str = "ann") -> Principal:
        """The assistant in a turn of this person, whose words are in the conversation."""
        self.said += 1
        turn, now = f"turn{self.said}", self.clock.now()
        message = Message(
            id=new_id(), home_id="h", user_id=user_id, thread_id=f"thread-{user_id}", turn_id=turn, role="user",
            text=words, at=now,
        )  # fmt: skip
        await self.stores.conversations.append("h", [message])
        more: Any = {"cause": f"{turn}/c1", "turn": Turn(id=turn, thread_id=f"thread-{user_id}", words=words)}
        return self.who(user_id, "agent", **more)

    async def do(self, principal: Principal, device_id: str, command: str, **parameters: Any) -> CommandResult:
        request = DeviceRequest(device_id=device_id, command=command, parameters=parameters)
        [result] = await self.commands.perform(principal, [request])
        await self.settle()
        return result

    async def press(self, user_id: str, result: CommandResult) -> None:
        assert result.confirmation is not None
        await self.commands.decide(self.who(user_id), result.confirmation.id, approve=True)
        await self.settle()

    async def mode(self, principal: Principal, mode: str, arm_state: str) -> CommandResult:
        home = await self.stores.users.home("h")
        assert home is not None
        effect = Effect(
            kind="set_mode", parameters={"mode": mode}, set={"mode": mode, "arm_state": arm_state},
            before={"mode": home.mode, "arm_state": home.arm_state},
        )  # fmt: skip
        result = await self.commands.act(principal, effect)
        await self.settle()
        return result

    async def undo(self, principal: Principal) -> None:
        await undo(self.context(principal))
        await self.settle()

    async def says(
        self, device_id: str, event_type: str = "state_changed", *, later_s: float = 0, cause: str = "", **payload: Any
    ) -> Event:
        """The device reports; `later_s` is how long after now that is."""
        at = self.clock.now() + timedelta(seconds=later_s)
        event = Event(
            home_id="h", event_id=new_id(), event_type=event_type, at=at, received_at=at, device_id=device_id,
            payload=payload, source="mqtt", cause=cause,
        )  # fmt: skip
        await self.intake.submit([event])
        await self.settle()
        return event

    async def rule(self, name: str, event_type: str, device_id: str, *actions: tuple[str, str]) -> None:
        body = {
            "name": name, "trigger": {"type": "device_event", "device_id": device_id, "event_type": event_type},
            "actions": [{"type": "device_command", "device_id": d, "command": c} for d, c in actions],
        }  # fmt: skip
        await self.stores.automations.put(parse(body, home_id="h", automation_id=name, created_by="ann"))

    async def settle(self) -> None:
        for _ in range(3):  # a rule may set off another
            for group in (REFLEX, AUTOMATE, REFLEX, RECORD):
                async with asyncio.timeout(20):
                    await self.processors[group].caught_up()

    def context(self, principal: Principal) -> ToolContext:
        s, ready = self.stores, asyncio.Event()
        ready.set()
        return ToolContext(
            principal=principal, users=s.users, devices=s.devices, live=s.live, events=s.events, readings=s.readings,
            anomalies=s.anomalies, alerts=s.alerts, automations=s.automations, memory=s.memory,
            schedules=s.schedules, lists=s.lists,
            conversations=s.conversations, journal=s.journal, commands=self.commands, clock=self.clock,
            clocks=self.clocks, base_url="http://127.0.0.1:8000", history_ready=ready,
        )  # fmt: skip

    async def why(self, device_id: str = "", user_id: str = "ann", **more: Any) -> Explanation:
        return await explain(self.context(self.who(user_id)), device_id=device_id, **more)


@asynccontextmanager
async def open_staged(folder: Path) -> AsyncIterator[Staged]:
    clock = SystemClock()
    clocks = HomeClocks(clock)
    async with open_embedded(folder, clock) as s:
        for user_id, name in (("ann", "Ann"), ("ben", "Ben")):
            user = User(id=user_id, email=f"{user_id}@x.com", name=name, created_at=datetime(2026, 1, 1, tzinfo=UTC))
            await s.users.put_user(user, "-")
        await s.users.put_home(Home(id="h", name="Home", time_zone="UTC"))
        await s.users.put_member(Member(home_id="h", user_id="ann", role="owner"))
        await s.users.put_member(Member(home_id="h", user_id="ben", role="member"))
        await s.devices.put(
            [
                Device(
                    home_id="h", id=id_, name=id_.replace("_", " ").capitalize(), type=kind,
                    capabilities=DEVICE_TYPES[kind].capabilities, binding={"driver": driver},
                )
                for id_, (kind, driver, _) in DEVICES.items()
            ]
        )  # fmt: skip
        intake = Intake(log=s.log, devices=s.devices, clock=clock, clocks=clocks)
        reports = Reports(feed=s.feed, live=s.live)
        execution = Execution(
            drivers={"simulated": SimulatedDriver(intake, clock, clocks), "dumb": Dumb()}, journal=s.journal,
            feed=s.feed, intake=intake, reports=reports, clock=clock, confirm_timeout_s=0.2,
        )  # fmt: skip
        acts = Acts(
            users=s.users, devices=s.devices, live=s.live, automations=s.automations, feed=s.feed, intake=intake,
            clock=clock,
        )  # fmt: skip
        commands = CommandService(
            users=s.users, devices=s.devices, live=s.live, feed=s.feed, journal=s.journal,
            confirmations=s.confirmations, audit=s.audit, execution=execution, acts=acts.registry(), clock=clock,
        )  # fmt: skip
        recovery = Recovery(
            journal=s.journal, confirmations=s.confirmations, live=s.live, execution=execution, acts=acts.registry(),
            is_done=acts.is_done, clock=clock,
        )  # fmt: skip
        decide = DecideAutomations(
            automations=s.automations, live=s.live, users=s.users, intake=intake, clock=clock, clocks=clocks
        )
        run = RunAutomations(
            automations=s.automations, commands=commands, outbox=s.outbox, users=s.users, feed=s.feed, intake=intake,
            clock=clock, clocks=clocks,
        )  # fmt: skip
        handlers: dict[str, Any] = {
            REFLEX: [KeepLiveState(s.live), TellSubscribers(s.feed, clocks), decide],
            AUTOMATE: [run],
            RECORD: [StoreEvents(s.events)],
        }
        options: dict[str, Any] = {REFLEX: {"flush": s.live.flush}, AUTOMATE: {"apart": concerns}, RECORD: {}}
        loops = {g: Processor(s.log, g, TOPICS_OF[g], h, clock, **options[g]) for g, h in handlers.items()}
        staged = Staged(
            stores=s, commands=commands, recovery=recovery, intake=intake, clock=clock, clocks=clocks, processors=loops
        )
        stop, ready = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(reports.run(ready))
            await ready.wait()
            for loop in loops.values():
                tasks.create_task(loop.run(stop))
            try:
                began = clock.now() - timedelta(minutes=5)
                first = [
                    Event(
                        home_id="h", event_id=f"first-{id_}", event_type="state_changed", at=began, received_at=began,
                        device_id=id_, payload=state, source="mqtt",
                    )
                    for id_, (_, _, state) in DEVICES.items()
                    if state
                ]  # fmt: skip
                await intake.submit(first)
                await staged.settle()
                yield staged
            finally:
                stop.set()
                watching.cancel()
