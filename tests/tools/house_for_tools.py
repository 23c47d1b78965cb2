"""A home on the embedded stores, and a way to act that applies commands at once: what tool tests start from."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from homeguard import gate
from homeguard.clock import HomeClocks
from homeguard.effects import question, resolve
from homeguard.errors import DeviceNotFound, InvalidInput, NotFound
from homeguard.ids import new_id
from homeguard.model import (
    Automation,
    Confirmation,
    Device,
    Effect,
    Event,
    Home,
    Json,
    Member,
    Principal,
    Reading,
    User,
)
from homeguard.ports.live_state import StateChange
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from homeguard.triggers import settled
from memory.remember import Memories
from pipeline.command.lists import ListActs
from pipeline.command.timers import Timers
from pipeline.command.words import CommandResult, DeviceRequest
from tools.context import ToolContext

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
BASE_URL = "http://127.0.0.1:8000"


class ManualClock:
    """Stands still; `sleep` moves it on."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, delay_s: float) -> None:
        self.seconds += delay_s
        self.at += timedelta(seconds=delay_s)
        await asyncio.sleep(0)


KINDS = frozenset(
    ("set_mode", "create_automation", "update_automation", "delete_automation", "remember", "forget", "set_timer",
     "change_timer", "cancel_timer", "add_to_list", "complete_list_item", "remove_from_list")
)  # fmt: skip


class DirectCommands:
    """Resolves and gates like the real one, and then simply sets the state; `press` is the person's yes or no."""

    def __init__(self, stores: Stores, clock: ManualClock) -> None:
        self.stores = stores
        self.clock = clock
        self.carried_out: list[tuple[str, str]] = []

    async def perform(self, principal: Principal, requests: Sequence[DeviceRequest]) -> list[CommandResult]:
        home = await self._home(principal)
        effects, devices = [], []
        for request in requests:
            device = await self.stores.devices.get(home.id, request.device_id)
            if device is None:
                raise DeviceNotFound(f"no {request.device_id}")
            state = await self.stores.live.get(home.id, device.id)
            effects.append(resolve(device, state, request.command, request.parameters, home.unit_system))
            devices.append(device)
        asked = [e for e, d in zip(effects, devices, strict=True) if self._verdict(e, d, principal).decision == "ask"]
        card = await self._card(principal, home, asked) if asked else None
        results = []
        for effect, device in zip(effects, devices, strict=True):
            verdict = self._verdict(effect, device, principal)
            if verdict.decision == "allow":
                await self._apply(home.id, effect)
                results.append(_result(effect, "confirmed"))
            elif verdict.decision == "ask":
                results.append(replace(_result(effect, "asked", verdict.reason), confirmation=card))
            else:
                results.append(_result(effect, "refused", verdict.reason))
        return results

    async def act(self, principal: Principal, effect: Effect) -> CommandResult:
        if effect.kind not in KINDS:
            raise InvalidInput(f"cannot {effect.kind}", field="kind")
        home = await self._home(principal)
        verdict = self._verdict(effect, None, principal)
        if verdict.decision == "ask":
            card = await self._card(principal, home, [effect])
            return replace(_result(effect, "asked", verdict.reason), confirmation=card)
        if verdict.decision == "refuse":
            return _result(effect, "refused", verdict.reason)
        return replace(_result(effect, "confirmed"), data=await self._home_level(principal, effect))

    async def confirmation(self, principal: Principal, confirmation_id: str) -> Confirmation:
        card = await self.stores.confirmations.get(principal.home_id, confirmation_id)
        if card is None:
            raise NotFound("no such confirmation")
        return replace(card, state="expired") if card.state == "open" and self.clock.now() >= card.expires_at else card

    async def press(self, home_id: str, confirmation_id: str, *, approve: bool = True) -> None:
        decided = await self.stores.confirmations.decide(
            home_id, confirmation_id, approve=approve, by="someone", now=self.clock.now(), commands=()
        )
        assert decided is not None
        outcome: list[Mapping[str, Json]] = []
        for effect in decided.effects if approve else ():
            if effect.kind == "device":
                await self._apply(home_id, effect)
            result = _result(effect, "confirmed")
            outcome.append(
                {
                    "command_id": result.command_id, "outcome": "confirmed", "device_id": effect.device_id,
                    "command": result.command, "set": dict(effect.set), "reason": "",
                }
            )  # fmt: skip
        if approve:
            await self.stores.confirmations.settle(home_id, confirmation_id, outcome)

    async def _home(self, principal: Principal) -> Home:
        home = await self.stores.users.home(principal.home_id)
        assert home is not None
        return home

    def _verdict(self, effect: Effect, device: Device | None, principal: Principal) -> gate.Verdict:
        return gate.decide(effect, device, principal, stated=False, granted=False, recent_t3=0)

    async def _card(self, principal: Principal, home: Home, effects: Sequence[Effect]) -> Confirmation:
        now = self.clock.now()
        card = Confirmation(
            id=new_id(), home_id=home.id, user_id=principal.user_id,
            text=" ".join(question(e, home.unit_system) for e in effects), detail="Nothing happens until you press.",
            tier=3, effects=tuple(effects), created_at=now, expires_at=now + timedelta(minutes=5),
            link="s3cret",
            caller=principal.caller,
        )  # fmt: skip
        return await self.stores.confirmations.ask(card)

    async def _apply(self, home_id: str, effect: Effect) -> None:
        self.carried_out.append((effect.device_id, effect.command))
        await say(self.stores, home_id, effect.device_id, self.clock.now(), **dict(effect.set))

    async def _home_level(self, principal: Principal, effect: Effect) -> dict[str, Json]:
        p = effect.parameters
        if effect.kind in ("remember", "forget"):
            memories = Memories(
                self.stores.memory, self.clock, self.stores.conversations, is_yes=lambda words: words == "yes"
            )
            acts = memories.registry()
            return dict(await acts[effect.kind](principal, effect, new_id()))
        clocks = HomeClocks(self.clock)
        timed = {
            **Timers(schedules=self.stores.schedules, clock=self.clock, clocks=clocks).registry(),
            **ListActs(lists=self.stores.lists, clock=self.clock).registry(),
        }
        if effect.kind in timed:
            return dict(await timed[effect.kind](principal, effect, new_id()))
        if effect.kind == "set_mode":
            await self.stores.users.set_mode(principal.home_id, p["mode"], effect.set["arm_state"])  # type: ignore[arg-type]
            return {"mode": p["mode"]}
        if effect.kind == "delete_automation":
            await self.stores.automations.delete(principal.home_id, str(p["id"]))
            return {"deleted": True}
        made = Automation(
            id=str(p.get("id") or new_id()), home_id=principal.home_id, name=str(p["name"]),
            trigger=settled(p["trigger"], self.clock.now()), enabled=p.get("enabled") is not False,  # type: ignore[arg-type]
            conditions=tuple(p["conditions"]), actions=tuple(p["actions"]),  # type: ignore[arg-type]
            created_at=self.clock.now(),
        )  # fmt: skip
        await self.stores.automations.put(made)
        return {"automation_id": made.id, "name": made.name}


def _result(effect: Effect, outcome: str, reason: str = "") -> CommandResult:
    return CommandResult(
        command_id=new_id(), outcome=outcome, device_id=effect.device_id, device_name=effect.device_name,  # type: ignore[arg-type]
        command=effect.command or effect.kind, set=effect.set, before=effect.before, reason=reason,
    )  # fmt: skip


class Sequences:
    """Orders state changes of equal time."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        self.last += 1
        return self.last


SEQUENCES = Sequences()


async def say(stores: Stores, home_id: str, device_id: str, at: datetime, **attributes: bool | float | str) -> None:
    """The device reports these attributes."""
    change = StateChange(
        home_id=home_id, device_id=device_id, at=at, sequence=SEQUENCES.next(), attributes=attributes, available=True
    )
    await stores.live.apply([change])


class House:
    """Two homes: `ann` (US units, New York) with seven devices, `bob` (SI) with one lock."""

    def __init__(self, stores: Stores, clock: ManualClock) -> None:
        self.stores = stores
        self.clock = clock
        self.clocks = HomeClocks(clock)
        self.commands = DirectCommands(stores, clock)
        self.history_ready = asyncio.Event()
        self.history_ready.set()

    def context(self, principal: Principal) -> ToolContext:
        s = self.stores
        return ToolContext(
            principal=principal, users=s.users, devices=s.devices, live=s.live, events=s.events, readings=s.readings,
            anomalies=s.anomalies, alerts=s.alerts, automations=s.automations, memory=s.memory, journal=s.journal,
            schedules=s.schedules, lists=s.lists,
            commands=self.commands, clock=self.clock, clocks=self.clocks, base_url=BASE_URL,
            history_ready=self.history_ready,
        )  # fmt: skip

    def ann(self, **changes: object) -> ToolContext:
        return self.context(replace(ANN, **changes))  # type: ignore[arg-type]

    async def happened(self, event_type: str, device_id: str, at: datetime, **payload: Json) -> Event:
        event = Event(
            home_id="ann", event_id=new_id(), event_type=event_type, at=at, received_at=at, device_id=device_id,
            payload=payload,
        )  # fmt: skip
        await self.stores.events.append([event])
        return event

    async def measured(self, device_id: str, metric: str, unit: str, points: Sequence[tuple[datetime, float]]) -> None:
        await self.stores.readings.append(
            [
                Reading(home_id="ann", device_id=device_id, metric=metric, value=v, unit=unit, at=at, event_id=new_id())
                for at, v in points
            ]
        )


ANN = Principal(home_id="ann", user_id="ann", role="owner", caller="client", name="tests")
BOB = Principal(home_id="bob", user_id="bob", role="owner", caller="client", name="tests")


def device(home_id: str, device_id: str, name: str, kind: str, *capabilities: str, **more: object) -> Device:
    return Device(
        home_id=home_id, id=device_id, name=name, type=kind, capabilities=capabilities, is_simulated=True, **more  # type: ignore[arg-type]
    )  # fmt: skip


@asynccontextmanager
async def open_house(folder: Path, clock: ManualClock | None = None) -> AsyncIterator[House]:
    """The two homes, freshly made in that folder: everything of ann's is shut but the back door lock."""
    clock = clock or ManualClock()
    async with open_embedded(folder, clock) as stores:
        for name, zone, units in (("ann", "America/New_York", "us"), ("bob", "Europe/Berlin", "si")):
            user = User(id=name, email=f"{name}@example.com", name=name.title(), created_at=NOW)
            await stores.users.put_user(user, "no password")
            home = Home(id=name, name=f"{name.title()}'s home", time_zone=zone, unit_system=units)  # type: ignore[arg-type]
            await stores.users.put_home(home)
            await stores.users.put_member(Member(home_id=name, user_id=name, role="owner"))
        await stores.devices.put(
            [
                device("ann", "front_door_lock", "Front Door Lock", "lock", "lock", "battery", area="Hall"),
                device("ann", "back_door_lock", "Back Door Lock", "lock", "lock", "battery", area="Kitchen"),
                device("ann", "kitchen_window", "Kitchen Window", "contact", "contact", config={"placement": "window"}),
                device("ann", "garage_door", "Garage Door", "garage_door", "position"),
                device("ann", "lamp", "Lamp", "light", "on_off", "brightness", "power", area="Living Room"),
                device("ann", "thermostat", "Thermostat", "thermostat", "thermostat", "climate",
                       config={"ranges": {"target_c": [7.2, 35.0]}}),
                device("ann", "hall_motion", "Hall Motion", "motion", "motion", "battery", area="Hall"),
                device("bob", "bobs_lock", "Bob's Lock", "lock", "lock"),
            ]
        )  # fmt: skip
        earlier = NOW - timedelta(hours=1)
        await say(stores, "ann", "front_door_lock", earlier, lock="locked", battery_pct=80)
        await say(stores, "ann", "back_door_lock", earlier, lock="unlocked", battery_pct=60)
        await say(stores, "ann", "kitchen_window", earlier, open=False)
        await say(stores, "ann", "garage_door", earlier, position_pct=0, cover="closed")
        await say(stores, "ann", "lamp", earlier, on=True, brightness_pct=50)
        await say(stores, "ann", "thermostat", earlier, target_c=21.1, temperature_c=20.5, hvac_mode="heat")
        await say(stores, "ann", "hall_motion", earlier, motion=False)
        await say(stores, "bob", "bobs_lock", earlier, lock="locked")
        yield House(stores, clock)
