"""Where a device lies: inside the house, or outdoors. Pure."""

from typing import Final

from agent.models.offline.words import those
from homeguard.kinds import name_words
from homeguard.model import Device

_OUTDOORS: Final = those(
    "porch patio garden yard backyard driveway drive outside outdoor exterior terrace deck balcony veranda pool "
    "lawn street"
)


def is_outdoors(device: Device) -> bool:
    """Whether its name or its area lies outside the house."""
    return bool(_OUTDOORS & {*name_words(device.name), *name_words(device.area)})
