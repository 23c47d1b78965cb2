"""The ids of each home's devices, in memory: who is spoken of must be known, or be made from its first event."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from homeguard.clock import Clock
from homeguard.errors import DeviceNotFound
from homeguard.model import Device
from homeguard.ports.devices import DeviceStore
from homeguard.vocabulary import DEVICE_TYPES

#: Homes whose device ids are remembered; the one that was filled first goes first.
MAX_CACHED_HOMES: Final = 1_000

#: What a device must be when nothing is known but one event of it.
_TYPE_OF_EVENT: Final[Mapping[str, str]] = {
    "motion_detected": "motion", "motion_stopped": "motion", "door_open": "contact", "door_closed": "contact",
    "window_open": "contact", "window_closed": "contact", "door_locked": "lock", "door_unlocked": "lock",
    "garage_open": "garage_door", "garage_closed": "garage_door", "glass_break": "glass_break",
    "smoke_detected": "smoke", "smoke_cleared": "smoke", "heat_anomaly": "heat", "heat_cleared": "heat",
    "co_detected": "co", "gas_detected": "gas", "water_leak_detected": "water_leak",
    "water_leak_cleared": "water_leak", "doorbell_pressed": "doorbell", "person_detected": "camera",
    "person_left": "camera", "face_recognized": "camera", "package_detected": "camera", "button_pressed": "button",
}  # fmt: skip


class KnownDevices:
    """Asks the store once a home, and again for an id that it did not have then. Whoever deletes a device says so."""

    def __init__(self, devices: DeviceStore, clock: Clock) -> None:
        self._devices = devices
        self._clock = clock
        self._known: dict[str, set[str]] = {}
        self._forgotten = 0

    async def of(self, home_id: str) -> set[str]:
        """The ids of that home's devices; `check` adds to the set."""
        known = self._known.get(home_id)
        return await self._fill(home_id) if known is None else known

    async def check(
        self, known: set[str], home_id: str, device_id: str, event_type: str, *, may_make: bool, is_simulated: bool
    ) -> None:
        """One that joined after the home was filled is found; `may_make` makes one that is nowhere.

        Raises:
            DeviceNotFound: the home has no such device.
        """
        if device_id in known:
            return
        if await self._devices.get(home_id, device_id) is None:
            if not may_make:
                raise no_device(device_id)
            made = _device_from(home_id, device_id, event_type, self._clock.now(), is_simulated=is_simulated)
            await self._devices.put([made])
        known.add(device_id)

    def forget(self, home_id: str) -> None:
        """The home's devices changed: ask the store again before the next event."""
        self._known.pop(home_id, None)
        self._forgotten += 1

    async def _fill(self, home_id: str) -> set[str]:
        before = self._forgotten
        known = _ids(await self._devices.of_home(home_id))
        # What was read while somebody forgot may be what they forgot: it serves what came now only.
        if before == self._forgotten:
            while len(self._known) >= MAX_CACHED_HOMES:
                del self._known[next(iter(self._known))]
            self._known[home_id] = known
        return known


def no_device(device_id: str) -> DeviceNotFound:
    return DeviceNotFound(f"this home has no device '{device_id[:100]}'", field="device_id", device_id=device_id[:100])


def _ids(devices: Iterable[Device]) -> set[str]:
    return {device.id for device in devices}


def _device_from(home_id: str, device_id: str, event_type: str, now: datetime, *, is_simulated: bool) -> Device:
    device_type = _TYPE_OF_EVENT.get(event_type, "sensor")
    return Device(
        home_id=home_id,
        id=device_id,
        name=device_id.replace("_", " ").replace("-", " ").title(),
        type=device_type,
        capabilities=DEVICE_TYPES[device_type].capabilities,
        is_simulated=is_simulated,
        created_at=now,
    )
