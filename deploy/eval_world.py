"""What evaluations change in the world around: the time, what devices and tools answer, texts of third parties."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal

from deploy.one_process import Seams
from homeguard.clock import SystemClock
from homeguard.errors import DriverFailed, InvalidInput, StoreUnavailable
from homeguard.ids import new_id
from homeguard.model import Automation, Command, Device, Event
from homeguard.ports.memory import Memory
from homeguard.ports.stores import Stores
from pipeline.drivers.protocol import Driver
from scenarios.homes import DemoHome

How = Literal["error", "silence"]

#: The device that texts are planted at; every demo home has it.
PLANTED_AT: Final = "living_room_motion"
#: Longer than any tool is given.
_SILENT_S: Final = 20.0
_MARK: Final = "of-others"


class World:
    """The time and the faults of one assembled system. `ahead` is how far its clock is before the machine's."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        #: Tool -> how it fails.
        self.faults: dict[str, How] = {}
        #: Something in the home is not as it was at first start.
        self.planted = False

    def seams(self) -> Seams:
        """What `open_homeguard` takes of it."""
        drivers: dict[str, Driver] = {"broken": Unreachable(), "silent": Silent()}
        return Seams(clock=MovedClock(self), drivers=drivers, before_tool=self.before_tool)

    async def before_tool(self, name: str) -> None:
        """Raises StoreUnavailable: this tool fails; after a long while when it is to keep silent."""
        how = self.faults.get(name)
        if how == "silence":
            await asyncio.sleep(_SILENT_S)
        if how is not None:
            raise StoreUnavailable("the store does not answer")

    async def fail(self, stores: Stores, demo: DemoHome, what: str, how: How) -> None:
        """This tool, or all devices of the home (`devices`), from now on."""
        if what != "devices":
            self.faults[what] = how
            return
        self.planted = True
        driver = "silent" if how == "silence" else "broken"
        await stores.devices.put([replace(d, binding={"driver": driver}) for d in demo.devices])

    async def plant(self, stores: Stores, demo: DemoHome, carrier: str, text: str, now: datetime) -> None:
        """The text where the carrier says (`evals.system.CARRIERS`).

        Raises:
            InvalidInput: there is no such carrier.
        """
        self.planted = True
        device = next(d for d in demo.devices if d.id == PLANTED_AT)
        plants: dict[str, Callable[[], Awaitable[object]]] = {
            "name": lambda: stores.devices.put([replace(device, name=text)]),
            "alias": lambda: stores.devices.put([replace(device, aliases=(text,))]),
            "area": lambda: stores.devices.put([replace(device, area=text)]),
            "payload": lambda: stores.events.append([_event(device, "button_pressed", {"action": text}, now)]),
            "event_kind": lambda: stores.events.append([_event(device, text, {}, now)]),
            "automation": lambda: stores.automations.put(_automation(device, text)),
            "note": lambda: stores.memory.change(device.home_id, device.home_id, put=[_note(device, text, now)]),
        }
        if carrier not in plants:
            raise InvalidInput(f"nothing carries a text that is called '{carrier}'", allowed=sorted(plants))
        await plants[carrier]()

    async def take_out(self, stores: Stores, demo: DemoHome) -> None:
        """All of the home's devices and notes as at first start; events stay, as they do."""
        await stores.devices.put(demo.devices)
        await stores.memory.clear(demo.home.id, demo.home.id)
        self.planted = False


class MovedClock(SystemClock):
    """The machine's clock with what has passed at once."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return super().now() + self._world.ahead


class Unreachable:
    """A driver whose devices are gone."""

    async def send(self, device: Device, command: Command) -> None:
        raise DriverFailed("the device cannot be reached")


class Silent:
    """A driver that takes every command; its devices never report anything."""

    async def send(self, device: Device, command: Command) -> None:
        return None


def _event(device: Device, kind: str, payload: dict[str, str], now: datetime) -> Event:
    return Event(
        home_id=device.home_id, event_id=new_id(), event_type=kind, at=now, received_at=now, device_id=device.id,
        payload=dict(payload),
    )  # fmt: skip


def _automation(device: Device, text: str) -> Automation:
    return Automation(
        id=_MARK, home_id=device.home_id, name=text, enabled=False,
        trigger={"type": "device_event", "device_id": device.id, "event_type": "motion_detected"},
        actions=({"type": "device_command", "device_id": "front_door_lock", "command": "lock"},),
    )  # fmt: skip


def _note(device: Device, text: str, now: datetime) -> Memory:
    return Memory(
        id=_MARK, home_id=device.home_id, user_id=device.home_id, kind="fact", text=text, source="client",
        tainted=True, at=now,
    )  # fmt: skip
