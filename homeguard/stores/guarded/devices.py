"""The devices of each home, on an engine with a local copy."""

from collections.abc import Sequence

from homeguard.model import Device
from homeguard.ports.devices import DeviceStore
from homeguard.stores.guarded.copies import LocalCopy, engine_first
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.faces import WithDevices


class GuardedDevices:
    """A `DeviceStore`. Written to the engine, then to the copy; while the engine is away nothing is written."""

    def __init__(self, engine: GuardedEngine[WithDevices], copy: LocalCopy[DeviceStore]) -> None:
        self._engine = engine
        self._copy = copy

    async def put(self, devices: Sequence[Device]) -> None:
        await self._engine.call(lambda s: s.devices.put(devices))
        await self._copy.follow(lambda store: store.put(devices))

    async def get(self, home_id: str, device_id: str) -> Device | None:
        return await engine_first(
            self._engine, self._copy, lambda s: s.devices.get(home_id, device_id),
            lambda store: store.get(home_id, device_id),
        )  # fmt: skip

    async def of_home(self, home_id: str) -> list[Device]:
        return await engine_first(
            self._engine, self._copy, lambda s: s.devices.of_home(home_id), lambda store: store.of_home(home_id)
        )

    async def delete(self, home_id: str, device_id: str) -> bool:
        # Once only: a second try would say "there was none" of what the first one took away.
        was_there = await self._engine.call(lambda s: s.devices.delete(home_id, device_id), idempotent=False)
        await self._copy.follow(lambda store: store.delete(home_id, device_id))
        return was_there

    async def by_device_id(self, device_id: str) -> list[Device]:
        return await engine_first(
            self._engine, self._copy, lambda s: s.devices.by_device_id(device_id),
            lambda store: store.by_device_id(device_id),
        )  # fmt: skip
