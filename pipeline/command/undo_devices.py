"""The half of an undo that concerns devices: each that still is as it was left is led back, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from homeguard.errors import HomeGuardError
from homeguard.ids import derived_id
from homeguard.model import Command, Device, Principal
from homeguard.ports.devices import DeviceStore
from homeguard.ports.journal import Journal
from homeguard.ports.live_state import LiveStateStore
from pipeline.command.batches import Batch
from pipeline.command.inverse import Change, Inverse, Step, inverse, merged
from pipeline.command.waiting import matches
from pipeline.command.words import CommandResult, Commands, DeviceRequest, Restored

#: The worst of its steps is what came of a device.
_GRAVITY: Final = ("confirmed", "sent", "asked", "refused", "failed")


@dataclass(slots=True, kw_only=True)
class _Plan:
    """One device's way back, and what came of its steps so far."""

    name: str
    device_id: str
    marker_id: str = ""
    alone: str = ""
    steps: tuple[Step, ...] = ()
    lost: tuple[str, ...] = ()
    results: list[CommandResult] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        return not self.alone and all(r.outcome in ("confirmed", "sent") for r in self.results)

    def command_id(self, at: int) -> str:
        return derived_id(self.marker_id, self.device_id, str(at))

    def request(self, at: int) -> DeviceRequest:
        command, parameters = self.steps[at]
        return DeviceRequest(
            device_id=self.device_id, command=command, parameters=parameters, command_id=self.command_id(at)
        )

    def told(self) -> Restored:
        if self.alone:
            return Restored(name=self.name, device_id=self.device_id, outcome="left_alone", reason=self.alone)
        last = self.results[-1]
        worst = max(self.results, key=lambda r: _GRAVITY.index(r.outcome))
        made = {name: value for result in self.results for name, value in result.set.items()}
        reason = worst.reason
        if self.lost and worst.outcome in ("confirmed", "sent"):
            what = ", ".join(name.removesuffix("_pct").replace("_", " ") for name in self.lost)
            reason = f"except {what}: that cannot be brought back"
        return Restored(
            name=self.name, device_id=self.device_id, outcome=worst.outcome, reason=reason, command=last.command,
            command_id=last.command_id, set=made, confirmation=worst.confirmation,
        )  # fmt: skip


class UndoDevices:
    """Changes devices only through `commands`."""

    def __init__(self, *, commands: Commands, journal: Journal, devices: DeviceStore, live: LiveStateStore) -> None:
        self._commands = commands
        self._journal = journal
        self._devices = devices
        self._live = live

    async def restore(
        self, acting: Principal, batch: Batch, marker: Command, batches: Sequence[Batch]
    ) -> list[Restored]:
        """One row a device. The steps of all devices go side by side; `batches`: what else was done here."""
        changed = [change for change in merged(batch.commands) if not change.is_nothing]
        plans = [await self._plan(acting, change, batch, marker, batches) for change in changed]
        for at in range(max((len(p.steps) for p in plans), default=0)):
            due = [p for p in plans if at < len(p.steps) and p.goes_on]
            for plan, result in zip(due, await self._perform(acting, [p.request(at) for p in due]), strict=True):
                plan.results.append(result)
        return [plan.told() for plan in plans]

    async def _plan(
        self, acting: Principal, change: Change, batch: Batch, marker: Command, batches: Sequence[Batch]
    ) -> _Plan:
        device = await self._devices.get(acting.home_id, change.device_id)
        if device is None:
            return _Plan(name=change.device_id, device_id=change.device_id, alone="it is not in this home any more")
        plan = _Plan(name=device.name, device_id=device.id, marker_id=marker.id)
        way = inverse(device, change)
        plan.steps, plan.lost = way.steps, way.lost
        if plan.steps and await self._journal.command(acting.home_id, plan.command_id(0)) is not None:
            return plan  # the same call again: each step tells what came of it then
        plan.alone = await self._left_alone(device, change, way, batch, batches)
        return plan

    async def _left_alone(
        self, device: Device, change: Change, way: Inverse, batch: Batch, batches: Sequence[Batch]
    ) -> str:
        """Why a device is not touched; `""` when it still is as the batch left it and there is a way back."""
        own = max(c.requested_at for c in batch.commands if c.device_id == device.id)
        for other in batches:
            for c in other.commands if other.id != batch.id else ():
                is_later = c.device_id == device.id and c.requested_at > own and c.outcome in ("confirmed", "sent")
                if is_later and c.set.keys() & change.set.keys() and not matches(c.set, c.before):
                    return "it was told something else since"
        state = await self._live.get(device.home_id, device.id)
        now = state.attributes if state is not None else {}
        if not matches(change.set, now):
            was_so = change.before.keys() == change.set.keys() and matches(change.before, now)
            moved = "it was changed since" if change.is_certain else "it never confirmed that it did that"
            return "it is as it was before" if was_so else moved
        if way.steps:
            return ""
        if not set(way.lost) & change.before.keys():
            return "it is not known how it was before"
        return "it has no command that leads back"

    async def _perform(self, acting: Principal, requests: Sequence[DeviceRequest]) -> list[CommandResult]:
        if not requests:
            return []
        try:
            return await self._commands.perform(acting, requests)
        except HomeGuardError as error:
            if len(requests) == 1:
                r = requests[0]
                return [_failed(r.device_id, r.command, r.command_id, error.message)]
        # one that cannot be told does not hold up the others
        return [(await self._perform(acting, [request]))[0] for request in requests]


def _failed(device_id: str, command: str, command_id: str, reason: str) -> CommandResult:
    return CommandResult(command_id=command_id, outcome="failed", device_id=device_id, command=command, reason=reason)
