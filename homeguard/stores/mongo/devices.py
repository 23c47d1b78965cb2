"""The devices of every home, one document each in `devices`."""

from collections.abc import Sequence
from typing import Final

from pymongo import ReplaceOne

from homeguard.clock import Clock
from homeguard.finite import refuse_unfinite
from homeguard.model import Device, Hardware
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.mongo.documents import Document, fitting, key, moment_or_none, searchable, times
from homeguard.stores.mongo.link import Link, until_placed

#: How many are written in one request: few enough for any server to answer in time.
_BATCH: Final = 100
_HOMES_NAMED: Final = 10


class MongoDevices:
    """A `DeviceStore`. `user_id` holds the home's id; a document is replaced whole, so each change is one."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._devices = link["devices"]

    async def put(self, devices: Sequence[Device]) -> None:
        for device in devices:
            refuse_unfinite(device.config, "config")
            refuse_unfinite(device.binding, "binding")
        updated = times(updated=self._clock.now())
        rows = [fitting(_document(device) | updated) for device in devices]
        for start in range(0, len(rows), _BATCH):
            changes = [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows[start : start + _BATCH]]
            async with self._link.answering():
                await until_placed(lambda changes=changes: self._devices.bulk_write(changes))  # type: ignore[misc]

    async def get(self, home_id: str, device_id: str) -> Device | None:
        async with self._link.answering():
            row = await self._devices.find_one({"_id": key(home_id, device_id)})
        return None if row is None else _device(row)

    async def of_home(self, home_id: str) -> list[Device]:
        async with self._link.answering():
            rows = await self._devices.find({"user_id": home_id}).to_list()
        # Sorted here: servers differ in how they order text beyond ASCII.
        return sorted((_device(row) for row in rows), key=lambda device: (device.name, device.id))

    async def delete(self, home_id: str, device_id: str) -> bool:
        async with self._link.answering():
            result = await self._devices.delete_one({"_id": key(home_id, device_id)})
        return result.deleted_count > 0

    async def by_device_id(self, device_id: str) -> list[Device]:
        """By home id."""
        async with self._link.answering():
            found = self._devices.find({"device_id": device_id}).sort("user_id", 1).limit(_HOMES_NAMED)
            rows = await found.to_list()
        return [_device(row) for row in rows]


def _document(device: Device) -> Document:
    hardware = device.hardware
    return {
        "_id": key(device.home_id, device.id),
        "user_id": device.home_id,
        "device_id": device.id,
        "name": device.name,
        "type": device.type,
        "model": None if hardware is None else hardware.model,
        "firmware_version": None if hardware is None else hardware.firmware,
        "hardware": None if hardware is None else {"id": hardware.id, "vendor": hardware.vendor},
        "location": {"zone": device.area, "floor": device.floor},
        "capabilities": list(device.capabilities),
        "aliases": list(device.aliases),
        "is_simulated": device.is_simulated,
        "config": searchable(device.config),
        "config_json": json_text(device.config),
        "binding_json": json_text(device.binding),
        **times(created=device.created_at),
    }


def _device(row: Document) -> Device:
    hardware = row["hardware"]
    return Device(
        home_id=row["user_id"],
        id=row["device_id"],
        name=row["name"],
        type=row["type"],
        capabilities=tuple(row["capabilities"]),
        area=row["location"]["zone"],
        floor=row["location"]["floor"],
        aliases=tuple(row["aliases"]),
        hardware=None
        if hardware is None
        else Hardware(
            id=hardware["id"], vendor=hardware["vendor"], model=row["model"], firmware=row["firmware_version"]
        ),
        config=json_value(row["config_json"]),
        binding=json_value(row["binding_json"]),
        is_simulated=row["is_simulated"],
        created_at=moment_or_none(row["created_us"]),
    )
