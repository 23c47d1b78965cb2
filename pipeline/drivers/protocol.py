"""What a driver is: it hands one absolute command to one device's transport."""

from typing import Protocol

from homeguard.model import Command, Device


class Driver(Protocol):
    async def send(self, device: Device, command: Command) -> None:
        """Hand the command over, at most once; returns when the transport has taken it.

        What the device then does comes back as its own report through the intake, with `cause` set to the command's id
        where the transport can carry that.

        Raises:
            DriverFailed: the device cannot be reached, or its transport refused.
        """
        ...
