"""The devices of every home: in `home.db`, and whole in memory, since every event asks for one."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import apsw

from homeguard.finite import refuse_unfinite
from homeguard.model import Device, Hardware
from homeguard.stores.json_text import json_text, json_value
from homeguard.stores.sqlite.columns import Cell, micros_or_none, moment_or_none
from homeguard.stores.sqlite.database import Database

_SELECT = (
    "SELECT home_id, id, name, type, capabilities, area, floor, aliases, hardware, config, binding, is_simulated,"
    " created_at FROM devices"
)
_PUT = (
    "INSERT OR REPLACE INTO devices (home_id, id, name, type, capabilities, area, floor, aliases, hardware, config,"
    " binding, is_simulated, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class SqliteDevices:
    """A `DeviceStore`. Memory follows the file: it changes when the write is on disk. This process is the only writer.

    `load` comes first.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._homes: dict[str, dict[str, Device]] = {}
        self._sorted: dict[str, list[Device]] = {}
        self._by_id: dict[str, dict[str, Device]] = {}
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read all devices into memory."""
        for row in await self._database.rows(_SELECT):
            self._keep(_device(row))

    async def put(self, devices: Sequence[Device]) -> None:
        for device in devices:
            refuse_unfinite(device.config, "config")
            refuse_unfinite(device.binding, "binding")
        rows = [_row(device) for device in devices]
        # Memory holds what a restart would read: what the caller keeps of it changes nothing here.
        kept = [_device(row) for row in rows]
        async with self._writing:
            await self._database.write(
                lambda c: c.executemany(_PUT, rows).fetchall(), then=lambda _: self._keep_all(kept)
            )

    def _keep_all(self, devices: Sequence[Device]) -> None:
        for device in devices:
            self._keep(device)

    def _keep(self, device: Device) -> None:
        self._homes.setdefault(device.home_id, {})[device.id] = device
        self._by_id.setdefault(device.id, {})[device.home_id] = device
        self._sorted.pop(device.home_id, None)

    async def get(self, home_id: str, device_id: str) -> Device | None:
        return self._homes.get(home_id, {}).get(device_id)

    async def of_home(self, home_id: str) -> list[Device]:
        if home_id not in self._sorted:
            if home_id not in self._homes:
                return []
            self._sorted[home_id] = sorted(self._homes[home_id].values(), key=lambda d: (d.name, d.id))
        return list(self._sorted[home_id])

    async def delete(self, home_id: str, device_id: str) -> bool:
        async with self._writing:
            if device_id not in self._homes.get(home_id, {}):
                return False

            def delete(c: apsw.Connection) -> None:
                c.execute("DELETE FROM devices WHERE home_id = ? AND id = ?", (home_id, device_id))

            await self._database.write(delete, then=lambda _: self._drop(home_id, device_id))
            return True

    def _drop(self, home_id: str, device_id: str) -> None:
        self._homes[home_id].pop(device_id, None)
        self._by_id[device_id].pop(home_id, None)
        self._sorted.pop(home_id, None)

    def let_go(self, homes: Collection[str]) -> None:
        """The devices of these homes are gone from the file: memory follows."""
        for home_id in homes:
            for device_id in list(self._homes.get(home_id, {})):
                self._drop(home_id, device_id)

    async def by_device_id(self, device_id: str) -> list[Device]:
        """By home id."""
        return [device for _, device in sorted(self._by_id.get(device_id, {}).items())[:10]]


def _row(device: Device) -> tuple[Cell, ...]:
    return (
        device.home_id, device.id, device.name, device.type, json_text(device.capabilities), device.area, device.floor,
        json_text(device.aliases), None if device.hardware is None else json_text(device.hardware),
        json_text(device.config), json_text(device.binding), int(device.is_simulated),
        micros_or_none(device.created_at),
    )  # fmt: skip


def _device(row: Any) -> Device:
    (home_id, id_, name, type_, capabilities, area, floor, aliases, hardware, config, binding, simulated, created) = row
    return Device(
        home_id=home_id, id=id_, name=name, type=type_, capabilities=tuple(json_value(capabilities)), area=area,
        floor=floor, aliases=tuple(json_value(aliases)),
        hardware=None if hardware is None else Hardware(**json_value(hardware)),
        config=json_value(config), binding=json_value(binding), is_simulated=bool(simulated),
        created_at=moment_or_none(created),
    )  # fmt: skip
