"""A small home on the embedded stores, with the real loop, gate and journal around simulated devices."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeguard.clock import HomeClocks, SystemClock
from homeguard.errors import DriverFailed
from homeguard.identity.passwords import Passwords
from homeguard.model import Attributes, Command, Device, Event, Home, Member, Principal, User
from homeguard.ports.log import EVENTS, HEARTBEATS
from homeguard.ports.stores import Stores
from homeguard.stores.sqlite.open import open_embedded
from homeguard.vocabulary import DEVICE_TYPES
from pipeline.command.acts import Acts
from pipeline.command.execution import Execution
from pipeline.command.pin import HomePin
from pipeline.command.recovery import Recovery
from pipeline.command.service import CommandService
from pipeline.command.standing import Standing
from pipeline.command.timers import Timers
from pipeline.command.waiting import Reports
from pipeline.command.words import CommandResult, DeviceRequest
from pipeline.drivers.simulated import SimulatedDriver
from pipeline.handlers.live_state import KeepLiveState
from pipeline.handlers.subscribers import TellSubscribers
from pipeline.intake.intake import Intake
from pipeline.processor import Processor

STATES = {
    "front_door_lock": {"lock": "locked"},
    "lamp": {"on": False},
    "silent_lamp": {"on": False},
    "heater": {"on": False},
    "thermostat": {"target_c": 21.0},
}


class ShiftedClock(SystemClock):
    """The machine's clock, which a test may set forward or back."""

    shift = timedelta()

    def now(self) -> datetime:
        return super().now() + self.shift


class PatientReports(Reports):
    """Waits long for devices that do answer, so that a busy machine makes no difference."""

    async def until(
        self, spoke: asyncio.Event, home_id: str, device_id: str, wanted: Attributes, wait_s: float
    ) -> bool:
        return await super().until(
            spoke, home_id, device_id, wanted, wait_s if device_id == "silent_lamp" else max(wait_s, 30)
        )


class SilentDriver:
    """Takes every command and never hears of it again."""

    def __init__(self) -> None:
        self.taken: list[Command] = []

    async def send(self, device: Device, command: Command) -> None:
        self.taken.append(command)


class BrokenDriver:
    async def send(self, device: Device, command: Command) -> None:
        raise DriverFailed("the radio is off")


def device(device_id: str, kind: str, driver: str = "simulated", name: str = "", **more: Any) -> Device:
    return Device(
        home_id="h",
        id=device_id,
        name=name or device_id.replace("_", " ").capitalize(),
        type=kind,
        capabilities=DEVICE_TYPES[kind].capabilities,
        binding={"driver": driver},
        **more,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    stores: Stores
    commands: CommandService
    acts: Acts
    execution: Execution
    recovery: Recovery
    silent: SilentDriver
    clock: ShiftedClock
    pin: HomePin

    def who(self, caller: str = "agent", role: str = "owner", user_id: str = "h", **more: Any) -> Principal:
        return Principal(**{"home_id": "h", "user_id": user_id, "role": role, "caller": caller, **more})

    async def tell(self, principal: Principal, device_id: str, command: str, **parameters: Any) -> CommandResult:
        request = DeviceRequest(device_id=device_id, command=command, parameters=parameters)
        return (await self.commands.perform(principal, [request]))[0]

    async def state(self, device_id: str) -> dict[str, Any]:
        state = await self.stores.live.get("h", device_id)
        return dict(state.attributes) if state is not None else {}

    async def rename(self, device_id: str, name: str) -> None:
        await self.stores.devices.put([device(device_id, "lock", name=name)])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = ShiftedClock()
    async with open_embedded(tmp_path, clock) as stores:
        now = datetime.now(UTC)
        await stores.users.put_user(User(id="h", email="h@x.com", name="H", created_at=now), "-")
        await stores.users.put_home(Home(id="h", name="Home", unit_system="us", time_zone="America/New_York"))
        await stores.users.put_member(Member(home_id="h", user_id="h", role="owner"))
        await stores.devices.put(
            [
                device("front_door_lock", "lock"),
                device("lamp", "light"),
                device("thermostat", "thermostat", config={"ranges": {"target_c": [7.2, 35]}}),
                device("silent_lamp", "light", "silent"),
                device("broken_lamp", "light", "broken"),
                device("lost_lamp", "light", "no-such-driver"),
                device("heater", "heater"),
            ]
        )
        clocks = HomeClocks(clock)
        intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)
        reports = PatientReports(feed=stores.feed, live=stores.live)
        silent = SilentDriver()
        execution = Execution(
            drivers={"simulated": SimulatedDriver(intake, clock, clocks), "silent": silent, "broken": BrokenDriver()},
            journal=stores.journal,
            feed=stores.feed,
            intake=intake,
            reports=reports,
            clock=clock,
            confirm_timeout_s=0.5,
        )
        acts = Acts(
            users=stores.users,
            devices=stores.devices,
            live=stores.live,
            automations=stores.automations,
            feed=stores.feed,
            intake=intake,
            clock=clock,
            permissions=stores.permissions,
        )
        pin = HomePin(pins=stores.pins, passwords=Passwords(threads=1), audit=stores.audit, clock=clock)
        commands = CommandService(
            users=stores.users,
            devices=stores.devices,
            live=stores.live,
            feed=stores.feed,
            journal=stores.journal,
            confirmations=stores.confirmations,
            audit=stores.audit,
            execution=execution,
            acts={
                **acts.registry(),
                **Timers(schedules=stores.schedules, clock=clock, clocks=clocks).registry(),
            },
            clock=clock,
            pin=pin,
            standing=Standing(stores.permissions),
        )
        recovery = Recovery(
            journal=stores.journal, confirmations=stores.confirmations, live=stores.live, execution=execution,
            acts=acts.registry(), is_done=acts.is_done, clock=clock,
        )  # fmt: skip
        handlers = [KeepLiveState(stores.live), TellSubscribers(stores.feed, clocks)]
        reflex = Processor(stores.log, "reflex", (EVENTS, HEARTBEATS), handlers, clock)
        stop, ready = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(reports.run(ready))
            looping = tasks.create_task(reflex.run(stop))
            await ready.wait()
            await intake.submit([started(now, device_id, payload) for device_id, payload in STATES.items()])
            await reflex.caught_up()
            yield World(
                stores=stores, commands=commands, acts=acts, execution=execution, recovery=recovery, silent=silent,
                clock=clock, pin=pin,
            )  # fmt: skip
            stop.set()
            watching.cancel()
            await looping
        pin.close()


def started(now: datetime, device_id: str, payload: dict[str, Any]) -> Event:
    return Event(
        home_id="h",
        event_id=f"start-{device_id}",
        event_type="state_changed",
        at=now,
        received_at=now,
        device_id=device_id,
        payload=payload,
    )
