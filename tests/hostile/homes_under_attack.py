"""Homes on the embedded stores, with the real tools, gate, journal and reflexes, and devices that answer at once.

A ledger beside them, which knows nothing of the gate, holds every dangerous thing that really happened against what a
person pressed for.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from homeguard.automation import version_hash
from homeguard.clock import HomeClocks
from homeguard.errors import HomeGuardError
from homeguard.ids import new_id
from homeguard.model import (
    Automation,
    Command,
    Confirmation,
    Device,
    Event,
    Hardware,
    Home,
    Member,
    Principal,
    Turn,
    User,
)
from homeguard.ports.live_state import Live, StateChange
from homeguard.ports.log import Record
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from homeguard.vocabulary import DEVICE_TYPES
from pipeline.command.acts import Acts
from pipeline.command.execution import Execution
from pipeline.command.service import CommandService
from pipeline.command.waiting import Reports
from pipeline.handlers.automation_runs import RunAutomations
from pipeline.handlers.automations import DecideAutomations
from pipeline.intake.intake import Intake
from pipeline.planning import Planning
from pipeline.ringing import Ringing
from pipeline.schedule import Scheduler
from tools.context import ToolContext

START: Final = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
_GUARD: Final = {"disarmed": 0, "armed_home": 1, "armed_night": 2}


class SteppedClock:
    """Moves only when it is told to; waiting lasts no time."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(0)

    def step(self, by: timedelta) -> None:
        self.at += by


def made(home_id: str, device_id: str, kind: str, name: str, **more: Any) -> Device:
    capabilities = more.pop("capabilities", DEVICE_TYPES[kind].capabilities)
    return Device(home_id=home_id, id=device_id, name=name, type=kind, capabilities=capabilities,
                  binding={"driver": "direct", **more.pop("binding", {})}, **more)  # fmt: skip


def furnished(home_id: str) -> list[Device]:
    """One of everything that opens, guards, heats or flows, some of it under a false name."""
    relay = Hardware(id="r", model="Garage door relay")
    d = [
        ("front_lock", "lock", "Front door", {"area": "Hall"}),
        ("back_lock", "lock", "Back door", {"area": "Kitchen"}),
        ("garage", "garage_door", "Garage door", {"area": "Garage"}),
        ("gate", "gate", "Driveway gate", {"area": "Driveway"}),
        ("panel", "alarm_panel", "Alarm", {}),
        ("siren", "siren", "Siren", {}),
        ("camera", "camera", "Porch camera", {}),
        ("smoke", "smoke", "Smoke detector", {"capabilities": ("smoke", "on_off")}),
        ("motion", "motion", "Hall motion", {"capabilities": ("motion", "on_off")}),
        ("relay", "switch", "Lamp", {"area": "Garage", "hardware": relay}),
        ("gate_opener", "light", "Night light", {"capabilities": ("on_off", "brightness")}),
        ("patio", "cover", "Sliding door", {}),
        ("lamp", "light", "Porch light", {}),
        ("fan", "fan", "Fan", {}),
        ("heater", "heater", "Heater", {}),
        ("valve", "valve", "Main valve", {}),
        ("thermostat", "thermostat", "Thermostat", {}),
        ("blind", "cover", "Bedroom blind", {}),
    ]  # fmt: skip
    return [made(home_id, i, kind, name, **more) for i, kind, name, more in d]


#: How everything stands at first.
STATES: Final[Mapping[str, Mapping[str, Any]]] = {
    "front_lock": {"lock": "locked"}, "back_lock": {"lock": "locked"},
    "garage": {"cover": "closed", "position_pct": 0}, "gate": {"cover": "closed", "position_pct": 0},
    "panel": {"arm_state": "armed_away"}, "siren": {"on": True}, "camera": {"on": True, "recording": True},
    "smoke": {"on": True}, "motion": {"on": True}, "relay": {"on": False}, "gate_opener": {"on": False},
    "patio": {"cover": "closed", "position_pct": 0}, "lamp": {"on": False}, "fan": {"on": False},
    "heater": {"on": False}, "valve": {"cover": "closed", "position_pct": 0}, "thermostat": {"target_c": 21.0},
    "blind": {"cover": "closed", "position_pct": 0},
}  # fmt: skip


def is_dangerous(device_id: str, wanted: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """By what the thing really is, whatever it is called or typed at the time."""
    match device_id:
        case "front_lock" | "back_lock":
            return wanted.get("lock") != "locked"
        case "garage" | "gate" | "patio":
            return wanted.get("position_pct", 0) > 0 and "position_pct" in wanted
        case "panel":
            now = before.get("arm_state")
            return _GUARD.get(str(wanted.get("arm_state")), 3) < _GUARD.get(str(now), 3)
        case "siren" | "camera" | "smoke" | "motion":
            return wanted.get("on") is False or wanted.get("recording") is False
        case "relay" | "gate_opener":
            return True
    return False


@dataclass(slots=True)
class Ledger:
    """`allowed`: what a person pressed for, to be done once each; `standing`: what they approved with an automation."""

    allowed: Counter[tuple[str, str]] = field(default_factory=Counter)
    standing: set[tuple[str, str]] = field(default_factory=set)
    breaches: list[str] = field(default_factory=list)
    done: int = 0
    dangerous: int = 0

    def approve(self, card: Confirmation) -> None:
        for effect in card.effects:
            self.allowed[key_of(effect.device_id, effect.set)] += 1
            self.standing |= {key_of(e.device_id, e.set) for e in effect.contains}

    def happened(self, device_id: str, wanted: Mapping[str, Any], *, is_danger: bool, by: str, genuine: bool) -> None:
        self.done += 1
        if not is_danger:
            return
        self.dangerous += 1
        key = key_of(device_id, wanted)
        if by == "automation" and genuine and key in self.standing:
            return
        self.allowed[key] -= 1
        if self.allowed[key] < 0:
            self.breaches.append(f"{by}: {device_id or 'home'} {dict(wanted)}")


def key_of(device_id: str, wanted: Mapping[str, Any]) -> tuple[str, str]:
    return device_id, repr(sorted(wanted.items()))


class Attacked:
    """One home, its ledger, and its reflexes, which run when `settle` is called."""

    def __init__(self, homes: "Homes", home_id: str) -> None:
        self.homes = homes
        self.id = home_id
        self.ledger = Ledger()
        self.cards: list[str] = []
        self._heard: list[tuple[Event, bool]] = []
        #: Whether what runs now goes back to a real device's word.
        self.is_genuine = False

    def context(self, principal: Principal) -> ToolContext:
        return self.homes.context(principal)

    def agent(self, words: str = "", *, is_tainted: bool = False, role: str = "owner", n: int = 0) -> Principal:
        turn = Turn(id=f"turn-{self.id}-{n}", thread_id="t", words=words, tainted=is_tainted)
        rest: dict[str, Any] = {"role": role}
        return Principal(
            home_id=self.id, user_id=self.id, caller="agent", turn=turn, cause=f"{turn.id}/{new_id()}", **rest
        )

    def client(self) -> Principal:
        return Principal(home_id=self.id, user_id=self.id, role="owner", caller="client", name="desk")

    def person(self) -> Principal:
        return Principal(home_id=self.id, user_id=self.id, role="owner", caller="person")

    def hear(self, event_type: str, device_id: str, cause: str = "", *, genuine: bool, **payload: Any) -> None:
        now = self.homes.clock.now()
        self._heard.append((
            Event(home_id=self.id, event_id=new_id(), event_type=event_type, at=now, received_at=now,
                  device_id=device_id, payload=payload, cause=cause),
            genuine,
        ))  # fmt: skip

    async def settle(self) -> None:
        """Let the reflexes take what was heard, and what that sets off, to the end."""
        for _ in range(12):
            heard, self._heard = self._heard, []
            if not heard:
                return
            for event, genuine in heard:
                self.is_genuine = genuine
                for decided in await self.homes.decide([event]):
                    await self.homes.run([decided])

    async def press(self, card_id: str, *, approve: bool = True) -> None:
        """The person's own yes or no, on the card as it stands there."""
        person = self.person()
        try:
            card = await self.homes.commands.confirmation(person, card_id)
            if approve and card.state == "open":
                self.ledger.approve(card)
            await self.homes.commands.decide(person, card_id, approve=approve)
        except HomeGuardError:
            return
        finally:
            # a press is used at once or never
            self.ledger.allowed.clear()


class DirectDriver:
    """Does at once what it is told, and writes it into the ledger of its home."""

    def __init__(self, homes: "Homes") -> None:
        self._homes = homes

    async def send(self, device: Device, command: Command) -> None:
        homes, home = self._homes, self._homes.by_id[device.home_id]
        state = await homes.stores.live.get(device.home_id, device.id)
        before = dict(state.attributes) if state is not None else {}
        is_danger = is_dangerous(device.id, command.set, before)
        home.ledger.happened(device.id, command.set, is_danger=is_danger, by=command.caller, genuine=home.is_genuine)
        await homes.say(device.home_id, device.id, dict(command.set))
        genuine = command.caller == "automation" and home.is_genuine
        home.hear("state_changed", device.id, command.id, genuine=genuine, **dict(command.set))


class _Decided:
    """Takes what the reflexes decide, in place of the log."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def submit(self, events: Sequence[Event]) -> None:
        self.events += [e for e in events if e.event_type == "command_requested"]


@dataclass(slots=True, kw_only=True)
class Homes:
    stores: Stores
    clock: SteppedClock
    commands: CommandService
    clocks: HomeClocks
    decided: _Decided
    deciding: DecideAutomations
    running: RunAutomations
    scheduler: Scheduler
    by_id: dict[str, Attacked] = field(default_factory=dict)
    sequence: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, home_id: str, device_id: str, attributes: Mapping[str, Any]) -> None:
        self.sequence += 1
        change = StateChange(home_id=home_id, device_id=device_id, at=self.clock.now(), sequence=self.sequence,
                             attributes=attributes, available=True)  # fmt: skip
        await self.stores.live.apply([change])
        await self.stores.feed.publish([Live(home_id=home_id, kind="device_event", data={"device_id": device_id})])

    async def open_home(self, home_id: str) -> Attacked:
        """A new home, armed and shut."""
        users = self.stores.users
        await users.put_user(User(id=home_id, email=f"{home_id}@x.com", name="P", created_at=START), "-")
        await users.put_home(Home(id=home_id, name="Home", mode="away", arm_state="armed_away"))
        await users.put_member(Member(home_id=home_id, user_id=home_id, role="owner"))
        home = self.by_id[home_id] = Attacked(self, home_id)
        await self.reset(home)
        return home

    async def reset(self, home: Attacked) -> None:
        """The same home as at first, with an empty ledger, a while later: no question is open, no budget used up."""
        self.clock.step(timedelta(minutes=11))
        await self.commands.expire_open()  # as the process does all the time
        wanted = furnished(home.id)
        if {d.id: d for d in await self.stores.devices.of_home(home.id)} != {d.id: d for d in wanted}:
            await self.stores.devices.put(wanted)
        for automation in await self.stores.automations.of_home(home.id):
            await self.stores.automations.delete(home.id, automation.id)
        now = await self.stores.users.home(home.id)
        if now is None or (now.mode, now.arm_state) != ("away", "armed_away"):
            await self.stores.users.set_mode(home.id, "away", "armed_away")
        known = await self.stores.live.all(home.id)
        for device_id, attributes in STATES.items():
            if device_id not in known or dict(known[device_id].attributes) != attributes:
                await self.say(home.id, device_id, attributes)
        home.ledger, home.cards, home._heard = Ledger(), [], []

    def context(self, principal: Principal) -> ToolContext:
        s = self.stores
        return ToolContext(
            principal=principal, users=s.users, devices=s.devices, live=s.live, events=s.events, readings=s.readings,
            anomalies=s.anomalies, alerts=s.alerts, automations=s.automations, journal=s.journal,
            schedules=s.schedules, lists=s.lists,
            commands=self.commands, clock=self.clock, clocks=self.clocks, base_url="http://x", history_ready=self.ready,
            memory=s.memory,
        )  # fmt: skip

    async def decide(self, events: Sequence[Event]) -> list[Event]:
        self.decided.events.clear()
        await self.deciding([(_record(e), e) for e in events])
        return list(self.decided.events)

    async def come(self, home: Attacked, seconds: float) -> None:
        """Time passes, and what is due then is carried out to the end."""
        await self.scheduler.round()
        self.clock.step(timedelta(seconds=seconds))
        self.decided.events.clear()
        await self.scheduler.round()
        for decided in list(self.decided.events):
            rule = await self.stores.automations.get(home.id, str(decided.payload["automation_id"]))
            # only the time that stands on a card that was pressed is a person's own
            home.is_genuine = rule is not None and bool(rule.approved) and "from_action" not in decided.payload
            await self.run([decided])
        await home.settle()

    async def run(self, decided: Sequence[Event]) -> None:
        await self.running([(_record(e), e) for e in decided])


def _record(event: Event) -> Record:
    return Record(topic="t", partition=0, offset=0, key=event.home_id, value=b"", headers={},
                  appended_at=event.received_at)  # fmt: skip


class _WatchedUsers:
    """The users' store; a change of the arm state is written into the ledger."""

    def __init__(self, homes: Mapping[str, Attacked], users: Any) -> None:
        self._homes = homes
        self._users = users

    def __getattr__(self, name: str) -> Any:
        return getattr(self._users, name)

    async def set_mode(self, home_id: str, mode: Any, arm_state: Any) -> None:
        home = await self._users.home(home_id)
        ledger = self._homes[home_id].ledger
        is_danger = _GUARD.get(arm_state, 3) < _GUARD.get(home.arm_state, 3)
        wanted = {"mode": mode, "arm_state": arm_state}
        ledger.happened("", wanted, is_danger=is_danger, by="home", genuine=False)
        await self._users.set_mode(home_id, mode, arm_state)


@asynccontextmanager
async def open_homes(folder: Path) -> AsyncIterator[Homes]:
    """Everything wired as in one process, but for the log between the groups: they are called one after the other."""
    clock = SteppedClock()
    clocks = HomeClocks(clock)
    async with open_embedded(folder, clock) as stores:
        by_id: dict[str, Attacked] = {}
        intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)
        reports = Reports(feed=stores.feed, live=stores.live)
        users: Any = _WatchedUsers(by_id, stores.users)
        drivers: dict[str, Any] = {}
        execution = Execution(
            drivers=drivers, journal=stores.journal, feed=stores.feed, intake=intake, reports=reports, clock=clock,
            confirm_timeout_s=0.2,
        )  # fmt: skip
        woken = asyncio.Event()
        planning = Planning(schedules=stores.schedules, automations=stores.automations, clock=clock)

        async def planned(home_id: str) -> None:
            home = await stores.users.home(home_id)
            assert home is not None
            await planning.plan(home)

        acts = Acts(
            users=users, devices=stores.devices, live=stores.live, automations=stores.automations, feed=stores.feed,
            intake=intake, clock=clock, permissions=stores.permissions, planned=planned,
        )  # fmt: skip
        commands = CommandService(
            users=stores.users, devices=stores.devices, live=stores.live, feed=stores.feed, journal=stores.journal,
            confirmations=stores.confirmations, audit=stores.audit, execution=execution, acts=acts.registry(),
            clock=clock,
        )  # fmt: skip
        decided: Any = _Decided()
        deciding = DecideAutomations(
            automations=stores.automations, live=stores.live, users=stores.users, intake=decided, clock=clock,
            clocks=clocks,
        )  # fmt: skip

        async def standing(automation: Automation) -> frozenset[str]:
            return frozenset(automation.approved) if automation.version == version_hash(automation) else frozenset()

        running = RunAutomations(
            automations=stores.automations, commands=commands, outbox=stores.outbox, users=stores.users,
            feed=stores.feed, intake=decided, clock=clock, clocks=clocks, standing=standing, journal=stores.journal,
            schedules=stores.schedules,
        )  # fmt: skip
        scheduler = Scheduler(
            schedules=stores.schedules, automations=stores.automations, live=stores.live, users=stores.users,
            intake=decided, ringing=Ringing(outbox=stores.outbox, clock=clock, clocks=clocks), clock=clock,
            clocks=clocks, by="here", changed=woken,
        )  # fmt: skip
        homes = Homes(
            stores=stores, clock=clock, commands=commands, clocks=clocks, decided=decided, deciding=deciding,
            running=running, scheduler=scheduler, by_id=by_id,
        )  # fmt: skip
        homes.ready.set()
        drivers["direct"] = DirectDriver(homes)
        watching_ready = asyncio.Event()
        watching = asyncio.create_task(reports.run(watching_ready))
        await watching_ready.wait()
        try:
            yield homes
        finally:
            watching.cancel()


async def rename(home: Attacked, device_id: str, name: str, kind: str = "") -> None:
    """What a device's next discovery says of it; the id and the binding stay."""
    device = await home.homes.stores.devices.get(home.id, device_id)
    assert device is not None
    kind = kind or device.type
    changed = replace(device, name=name, type=kind, capabilities=DEVICE_TYPES[kind].capabilities
                      if kind != device.type else device.capabilities)  # fmt: skip
    await home.homes.stores.devices.put([changed])
