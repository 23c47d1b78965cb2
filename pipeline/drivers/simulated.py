"""Devices that are not there: a command is carried out by the report that a real device would have sent."""

from collections.abc import Callable
from typing import Final

from homeguard.clock import Clock, HomeClocks
from homeguard.ids import derived_id
from homeguard.model import Command, Device, Event, Json, Metadata
from homeguard.vocabulary import EVENT_TYPES
from pipeline.intake.intake import Intake

_LOCKS: Final = {"locked": "door_locked", "unlocked": "door_unlocked"}


class SimulatedDriver:
    """Reports what was commanded, once per command id, with the command as its cause.

    `on_command` is told of each command: the simulator leaves such a device alone for a while.
    """

    def __init__(
        self,
        intake: Intake,
        clock: Clock,
        clocks: HomeClocks,
        *,
        on_command: Callable[[Device, Command], None] | None = None,
    ) -> None:
        self._intake = intake
        self._clock = clock
        self._clocks = clocks
        self._on_command = on_command

    async def send(self, device: Device, command: Command) -> None:
        """Returns when the report is on disk; errors of the log pass through."""
        if self._on_command is not None:
            self._on_command(device, command)
        event_type, payload = report_of(device, command)
        await self._intake.submit(
            [
                Event(
                    home_id=device.home_id,
                    event_id=derived_id("report", device.home_id, command.id),
                    event_type=event_type,
                    at=self._clocks.now(device.home_id),
                    received_at=self._clock.now(),
                    device_id=device.id,
                    payload=payload,
                    metadata=Metadata(is_simulated=True),
                    source="simulator",
                    lane=EVENT_TYPES[event_type].lane,
                    cause=command.id,
                )
            ]
        )


def report_of(device: Device, command: Command) -> tuple[str, dict[str, Json]]:
    """The event that says that the command was carried out: the fitting word where there is one."""
    payload: dict[str, Json] = dict(command.set)
    if set(command.set) == {"lock"} and command.set["lock"] in _LOCKS:
        return _LOCKS[str(command.set["lock"])], {"method": "remote", **payload}
    if device.type == "garage_door" and command.set.get("position_pct") in (0, 100) and len(command.set) == 2:
        return ("garage_closed" if command.set["position_pct"] == 0 else "garage_open"), payload
    if command.command == "stop" and "position" in device.capabilities:
        # It stands where it stood: only whether that is open or closed is known.
        position = command.before.get("position_pct")
        if isinstance(position, int | float):
            payload["position_pct"] = position
    return "state_changed", payload
