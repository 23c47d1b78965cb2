"""Sends a command to a device behind the MQTT link, in the words of its vendor."""

from homeguard.errors import DriverFailed
from homeguard.model import Command, Device
from pipeline.mqtt.link import MqttLink
from pipeline.vendors.zigbee2mqtt.discovery import VENDOR
from pipeline.vendors.zigbee2mqtt.orders import order


class MqttDriver:
    """The report that follows comes from the device itself, so it carries no cause: the state is what confirms."""

    def __init__(self, link: MqttLink) -> None:
        self._link = link

    async def send(self, device: Device, command: Command) -> None:
        """Returns when the broker has the order.

        Raises:
            DriverFailed: the link is down, the broker did not confirm in time, or the device has no such property.
        """
        if device.binding.get("vendor") != VENDOR:
            raise DriverFailed(f"{device.name} speaks no language that can be sent over MQTT")
        try:
            topic, payload = order(device, command)
        except ValueError as error:
            raise DriverFailed(f"{device.name}: {error}") from error
        await self._link.publish(topic, payload)
