"""The assembled system as evaluations see it: the real rooms on a folder of their own, without a network."""

import asyncio
import math
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from agent.models.protocol import Model
from deploy.eval_world import World
from deploy.one_process import Running, open_homeguard
from evals.formats.turn import TurnResult
from evals.system import Reply, Story
from homeguard.clock import SystemClock, iso
from homeguard.errors import HomeGuardError
from homeguard.ids import new_id
from homeguard.model import Device, Home, Member, Principal, UnitSystem, User
from homeguard.ports.live_state import StateChange
from homeguard.settings import Settings
from pipeline.command.show import show_confirmation
from scenarios.homes import DemoHome, initial_events

#: What a tool is given here; one that keeps silent costs a case that long.
TOOL_S: Final = 3.0
_RESUMED_S: Final = 15.0


@asynccontextmanager
async def assembled(
    models: Sequence[Model] | None = None, *, history_days: int = 30, began_at: datetime | None = None
) -> AsyncIterator["Assembled"]:
    """Everything but the HTTP doors, with the demo homes and their history, gone again at the end. `began_at`: what
    its clock says at first."""
    with tempfile.TemporaryDirectory(prefix="homeguard-eval-") as folder:
        settings = Settings(
            data_dir=Path(folder) / "data",
            demo=True,
            simulator=False,
            rate_limits=False,
            agent_tool_s=TOOL_S,
            demo_history_days=history_days,
        )
        world = World()
        if began_at is not None:
            world.ahead = began_at - SystemClock().now()
        async with open_homeguard(
            settings, stop=asyncio.Event(), models=models, serve=False, seams=world.seams()
        ) as running:
            await running.history_ready.wait()
            yield Assembled(running, world)


class Assembled:
    """Speaks as the owner of a home, and looks at what came of it."""

    def __init__(self, running: Running, world: World) -> None:
        self._running = running
        self._world = world
        self._thread = ""
        #: Ids of the cards that were asked in this conversation so far.
        self._cards: list[str] = []
        #: Of these, those that were there before the last turn.
        self._earlier: list[str] = []
        self._case_devices: tuple[Device, ...] = ()
        self._case_home = "case-1"
        self._refusals: Sequence[Mapping[str, str]] = ()

    async def reset(self, home: str) -> None:
        """The demo home as at first start."""
        demo, stores = self._demo(home), self._running.stores
        home_id = demo.home.id
        self._world.faults.clear()
        if self._world.planted:
            await self._world.take_out(stores, demo)
            self._running.plane.intake.forget_devices(home_id)
        for card in await stores.confirmations.open(home_id, self._now()):
            await self._running.plane.commands.decide(self._owner(home_id), card.id, approve=False)
        await stores.users.set_mode(home_id, "home", "disarmed")
        await self._forget_wishes(home_id)
        events = initial_events(demo, self._now())
        await self._running.plane.intake.submit([msgspec.structs.replace(e, event_id=new_id()) for e in events])
        await self._running.plane.processors["reflex"].caught_up()

    async def _forget_wishes(self, home_id: str) -> None:
        """Rules, timers and lists that an earlier sentence made."""
        stores = self._running.stores
        for automation in await stores.automations.of_home(home_id):
            await stores.automations.delete(home_id, automation.id)
        for schedule in await stores.schedules.of_home(home_id):
            await stores.schedules.delete(home_id, schedule.id)
        for name in await stores.lists.names(home_id):
            await stores.lists.remove(home_id, [item.id for item in await stores.lists.of(home_id, name)])

    async def say(self, home: str, words: str, *, go_on: bool = False) -> Reply:
        """One sentence of the owner in a conversation of its own, or in the last one."""
        return await self._turn(self._demo(home).home.id, words, go_on=go_on)

    async def let_pass(self, minutes: float) -> None:
        """The clock of the installation goes on by that much at once."""
        self._world.ahead += timedelta(minutes=minutes)
        await self._running.plane.commands.expire_open()

    async def plant(self, home: str, carrier: str, text: str) -> None:
        """See `World.plant`."""
        await self._world.plant(self._running.stores, self._demo(home), carrier, text, self._now())
        self._running.plane.intake.forget_devices(self._demo(home).home.id)

    async def fail(self, home: str, what: str, how: Literal["error", "silence"]) -> None:
        """See `World.fail`."""
        await self._world.fail(self._running.stores, self._demo(home), what, how)

    @property
    def running(self) -> Running:
        """The rooms themselves, to look closer."""
        return self._running

    def home_id(self, home: str) -> str:
        """The id of a demo home."""
        return self._demo(home).home.id

    async def press_earlier(self, home: str) -> list[str]:
        """Press yes on every card of this conversation that was there before the last turn; what became of each."""
        told: list[str] = []
        for card_id in self._earlier:
            try:
                card = await self._running.plane.commands.decide(
                    self._owner(self._demo(home).home.id), card_id, approve=True
                )
                told.append(card.state)
            except HomeGuardError as error:
                told.append(error.code)
        return told

    async def tell(self, scenario: str, home: str) -> Story:
        """A scenario from its first event to the last handler's word on it."""
        running, stores = self._running, self._running.stores
        home_id = self._demo(home).home.id
        before = await self._states(home_id)
        begun = self._now()
        pushed = 0
        async with stores.feed.subscribe(home_id, user_id=home_id) as items:

            async def watch() -> None:
                nonlocal pushed
                async for item in items:
                    pushed += item.kind == "alert"

            watching = asyncio.create_task(watch())
            run = await running.scenarios.run(scenario, home_id, speed=math.inf, keep=True)
            await run.finished()
            await running.plane.caught_up()
            after = await self._states(home_id)
            status = run.status
            await running.scenarios.reset(home_id)
            await running.plane.caught_up()
            watching.cancel()
        first, last = begun - timedelta(days=4000), begun + timedelta(days=4000)
        ids = set(run.injected)
        page = await stores.events.query(home_id, start=first, end=last, limit=1000)
        stored = [e for e in reversed(page.items) if e.event_id in ids]
        return Story(
            injected=tuple(run.injected),
            events=[
                {"event_id": e.event_id, "event_type": e.event_type, "device_id": e.device_id, "at": iso(e.at),
                 "is_simulated": e.metadata.is_simulated}
                for e in stored
            ],
            alerts=[
                {"kind": a.kind, "severity": a.severity, "title": a.title, "text": a.text, "event_ids": a.event_ids}
                for a in await stores.alerts.query(home_id, start=first, end=last, limit=1000)
                if ids & set(a.event_ids)
            ],
            notices=[
                {"priority": n.priority, "title": n.title, "text": n.text}
                for n in await stores.outbox.query(home_id, start=first, end=last, limit=1000)
                if n.cause in ids
            ],
            commands=await self._commands(home_id, begun),
            pushed=pushed,
            changed=_changed(before, {k: v for k, v in after.items() if k in before}),
            status=status,
        )  # fmt: skip

    async def perform_turn(
        self,
        devices: Sequence[Device],
        states: Mapping[str, Mapping[str, Any]],
        words: str,
        *,
        now: datetime | None,
        area: str,
        device_id: str,
        unit_system: UnitSystem = "si",
        areas: Sequence[str] = (),
        floors: Sequence[str] = (),
    ) -> TurnResult:
        """`evals.formats.turn.PerformTurn`: the case's home becomes one of ours; its owner speaks and presses yes."""
        await self._set_case(devices, states, unit_system, now)
        reply = await self._turn(self._case_home, words, area=area, device_id=device_id, press=True)
        if reply.asked:
            # sensitive actions are counted per home, and each case stands for itself
            self._case_home = f"case-{new_id()}"
            self._case_devices = ()
        return TurnResult(
            answer=reply.answer,
            commands=[{**c, "outcome": c["outcome"]} for c in reply.commands if c["outcome"] in ("confirmed", "sent")],
            asked=[{"text": c["text"], "effects": c["effects"]} for c in reply.asked],
            refused=self._refusals,
            changes=reply.changed,
            calls=[{"tool": c["tool"], "arguments": c["arguments"]} for c in reply.calls],
        )

    async def _turn(
        self, home_id: str, words: str, *, area: str = "", device_id: str = "", press: bool = False,
        go_on: bool = False,
    ) -> Reply:  # fmt: skip
        principal = self._owner(home_id)
        if not go_on:
            self._thread, self._cards = "", []
        before, begun, clock = await self._states(home_id), self._now(), time.perf_counter()
        calls: dict[str, dict[str, Any]] = {}
        asked: list[Mapping[str, Any]] = []
        answer, status, turn_id = "", "", ""
        async with self._running.stores.feed.subscribe(home_id, user_id=home_id) as items:
            async for event in self._running.agent.stream(
                principal, words, thread_id=self._thread, new_thread=not self._thread, area=area, device_id=device_id
            ):
                data = event.data
                turn_id = data["turn_id"]
                match event.name:
                    case "turn":
                        self._thread = data["thread_id"]
                    case "tool_start":
                        calls[data["id"]] = {k: data[k] for k in ("server", "tool", "arguments")}
                    case "tool_end":
                        calls[data["id"]]["outcome"] = data["status"]
                    case "confirmation":
                        asked.append(data["confirmation"])
                    case "answer":
                        answer, self._refusals = data["text"], data.get("refusals", [])
                    case "done":
                        status = data["status"]
            if press and status == "waiting":
                for card in {c["id"]: c for c in asked}.values():
                    await self._running.plane.commands.decide(principal, card["id"], approve=True)
                async with asyncio.timeout(_RESUMED_S):
                    async for item in items:
                        if item.kind == "agent_response" and item.data["turn_id"] == turn_id:
                            answer = str(item.data["message"])
                            break
        elapsed = (time.perf_counter() - clock) * 1000
        earlier = [show_confirmation(await self._running.plane.commands.confirmation(principal, i))
                   for i in self._cards]  # fmt: skip
        self._earlier = list(self._cards)
        self._cards += [str(c["id"]) for c in asked]
        after = await self._states(home_id)
        return Reply(
            answer=answer,
            status=status,
            calls=list(calls.values()),
            commands=await self._commands(home_id, begun),
            asked=asked,
            changed=_changed(before, after),
            states=after,
            earlier=earlier,
            duration_ms=elapsed,
        )

    async def _set_case(
        self, devices: Sequence[Device], states: Mapping[str, Mapping[str, Any]], unit_system: UnitSystem,
        now: datetime | None,
    ) -> None:  # fmt: skip
        stores, at, case_home = self._running.stores, self._now(), self._case_home
        wanted = tuple(replace(d, home_id=case_home, binding={"driver": "simulated"}) for d in devices)
        home = Home(id=case_home, name="Home", unit_system=unit_system)
        if await stores.users.home(case_home) != home:
            owner = User(id=case_home, email=f"{case_home}@example.com", name="Owner", created_at=at)
            await stores.users.put_user(owner, "-")
            await stores.users.put_home(home)
            await stores.users.put_member(Member(home_id=case_home, user_id=case_home, role="owner"))
        for known in self._case_devices:
            await stores.live.forget(case_home, known.id)
        if wanted != self._case_devices:
            gone = {d.id for d in self._case_devices} - {d.id for d in wanted}
            for device_id in gone:
                await stores.devices.delete(case_home, device_id)
            await stores.devices.put(wanted)
            self._case_devices = wanted
        await self._forget_wishes(case_home)
        self._running.plane.intake.forget_devices(case_home)
        if now is not None:
            self._running.clocks.set(case_home, now)
        else:
            self._running.clocks.reset(case_home)
        said_at = self._running.clocks.now(case_home) - timedelta(seconds=1)
        await stores.live.apply(
            [
                StateChange(
                    home_id=case_home, device_id=d.id, at=said_at, sequence=0, attributes=dict(states.get(d.id, {})),
                    available=True,
                )
                for d in wanted
            ]
        )  # fmt: skip

    async def _states(self, home_id: str) -> dict[str, dict[str, Any]]:
        return {k: dict(s.attributes) for k, s in (await self._running.stores.live.all(home_id)).items()}

    async def _commands(self, home_id: str, since: datetime) -> list[dict[str, Any]]:
        commands = await self._running.stores.journal.commands(home_id, since=since, limit=1000)
        return [
            {"device_id": c.device_id, "command": c.command, "parameters": dict(c.parameters), "set": dict(c.set),
             "outcome": c.outcome, "caller": c.caller}
            for c in reversed(commands) if c.device_id
        ]  # fmt: skip

    def _demo(self, name: str) -> DemoHome:
        assert self._running.demo is not None
        return next(d for d in self._running.demo.homes if d.owner.email.startswith(name))

    def _owner(self, home_id: str) -> Principal:
        return Principal(home_id=home_id, user_id=home_id, role="owner", caller="person", name="owner")

    def _now(self) -> datetime:
        return self._running.clocks.now("")


def _changed(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    changed = {
        device_id: {k: v for k, v in now.items() if before.get(device_id, {}).get(k) != v}
        for device_id, now in after.items()
    }
    return {device_id: values for device_id, values in changed.items() if values}
