"""The home and the device that somebody names, or the word that there is none."""

from homeguard.errors import DeviceNotFound, NotFound
from homeguard.model import Device, Home
from homeguard.ports.devices import DeviceStore
from homeguard.ports.users import UserStore


async def home_named(users: UserStore, home_id: str) -> Home:
    """Raises NotFound."""
    home = await users.home(home_id)
    if home is None:
        raise NotFound("there is no such home", code="HOME_NOT_FOUND")
    return home


async def device_named(devices: DeviceStore, home_id: str, device_id: str) -> Device:
    """Raises DeviceNotFound."""
    device = await devices.get(home_id, device_id)
    if device is None:
        raise DeviceNotFound(f"this home has no device '{device_id[:100]}'", device_id=device_id[:100])
    return device
