"""A home in memory and a model's loop over it: scores can be measured without any server."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agent.models.offline.planner import OfflinePlanner
from agent.models.protocol import Model, Prompt, Said, Step, ToolResult
from evals.formats.turn import TurnResult
from homeguard.commands import commands_of, resolve_command
from homeguard.errors import HomeGuardError
from homeguard.model import Device, UnitSystem

_MAX_STEPS = 8


class VirtualHome:
    """Devices with their states; carries out commands at once and keeps what was sent.

    `events`, `readings` and `insights` are what the reading tools return; `states` are copied.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        states: Mapping[str, Mapping[str, Any]],
        *,
        unit_system: UnitSystem = "si",
        areas: Sequence[str] = (),
        floors: Sequence[str] = (),
        time_zone: str = "UTC",
        outputs: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.devices = {d.id: d for d in devices}
        self.states = {d.id: dict(states.get(d.id, {})) for d in devices}
        self.before = {d.id: dict(states.get(d.id, {})) for d in devices}
        self.unit_system, self.time_zone = unit_system, time_zone
        self.areas, self.floors = tuple(areas), tuple(floors)
        self.mode = "home"
        self.sent: list[dict[str, Any]] = []
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self._outputs = outputs or {}

    def summary(self) -> dict[str, Any]:
        """What `get_home_summary` returns."""
        rows = [self._row(d) for d in self.devices.values()]
        return {
            "home": {
                "id": "case", "name": "Home", "mode": self.mode, "arm_state": "disarmed",
                "unit_system": self.unit_system, "time_zone": self.time_zone,
            },
            "total_devices": len(rows), "online_devices": len(rows), "all_secure": True, "insecure": [],
            "devices": rows, "active_mode": None, "next_cursor": None,
            "areas": list(self.areas), "floors": list(self.floors),
        }  # fmt: skip

    def _row(self, d: Device) -> dict[str, Any]:
        state = self.states[d.id]
        return {
            "device_id": d.id, "name": d.name, "aliases": list(d.aliases), "type": d.type, "area": d.area,
            "floor": d.floor,
            "capabilities": list(d.capabilities), "commands": sorted(commands_of(d)), "state": dict(state),
            "levels": d.config.get("levels", {}),
            "options": d.config.get("options", {}), "ranges": d.config.get("ranges", {}),
            "placement": d.config.get("placement", ""),
            "online": True, "battery": state.get("battery_pct"), "last_event": None,
        }  # fmt: skip

    def call(self, call_id: str, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """The result of one tool call; what a command would refuse comes back as its error."""
        self.calls.append((name, arguments))
        if name == "get_home_summary":
            return ToolResult(call_id=call_id, name=name, status="ok", output=self.summary())
        try:
            if name == "control_device":
                output: Mapping[str, Any] = self._control(str(arguments["device_id"]), arguments)
            elif name == "control_devices":
                output = {"results": [self._control(str(d), arguments) for d in arguments["device_ids"]]}
            elif name == "set_home_mode":
                self.mode = str(arguments["mode"])
                output = {"outcome": "confirmed", "mode": self.mode}
            else:
                output = self._outputs.get(name, {})
        except HomeGuardError as error:
            return ToolResult(call_id=call_id, name=name, status="error", error=error.message)
        return ToolResult(call_id=call_id, name=name, status="ok", output=output)

    def _control(self, device_id: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        device = self.devices[device_id]
        command, parameters = str(arguments["command"]), dict(arguments.get("parameters") or {})
        result = resolve_command(device, command, parameters, "F" if self.unit_system == "us" else "C")
        self.states[device_id].update(result)
        self.sent.append({"device_id": device_id, "command": command, "parameters": parameters, "outcome": "confirmed"})
        return {
            "command_id": f"k{len(self.sent)}", "device_id": device_id, "device": device.name, "command": command,
            "set": result,
            "outcome": "confirmed", "reason": "",
        }  # fmt: skip

    def changes(self) -> dict[str, dict[str, Any]]:
        """Per device the attributes that differ from the beginning, with their values now."""
        found = {}
        for device_id, now in self.states.items():
            before = self.before[device_id]
            changed = {k: v for k, v in now.items() if before.get(k) != v}
            if changed:
                found[device_id] = changed
        return found


async def say(
    home: VirtualHome,
    words: str,
    *,
    now: datetime | None = None,
    area: str = "",
    device_id: str = "",
    model: Model | None = None,
    history: Sequence[Said] = (),
) -> tuple[TurnResult, list[Said]]:
    """One turn of a model in the home, and the conversation with it."""
    planner = model or OfflinePlanner()
    messages = [*history, Said(role="user", text=words)]
    refused: list[Mapping[str, str]] = []
    answer = ""
    for _ in range(_MAX_STEPS):
        prompt = Prompt(
            system="", messages=tuple(messages), tools=(), now=now or datetime.now(UTC), time_zone=home.time_zone,
            unit_system=home.unit_system, area=area, device_id=device_id,
        )  # fmt: skip
        step: Step | None = None
        async for piece in planner.stream(prompt):
            if isinstance(piece, Step):
                step = piece
        assert step is not None
        refused += step.refusals
        messages.append(Said(role="assistant", text=step.text, calls=step.calls))
        if not step.calls:
            answer = step.text
            break
        results = tuple(home.call(c.id, c.name, c.arguments) for c in step.calls)
        messages.append(Said(role="tool", results=results))
    turn = TurnResult(
        answer=answer, commands=tuple(home.sent), refused=tuple(refused), changes=home.changes(),
        calls=tuple({"tool": name, "arguments": arguments} for name, arguments in home.calls),
    )  # fmt: skip
    return turn, messages


async def perform_turn(
    devices: Sequence[Device],
    states: Mapping[str, Mapping[str, Any]],
    words: str,
    *,
    now: datetime | None,
    area: str,
    device_id: str,
    unit_system: UnitSystem = "si",
    areas: Sequence[str] = (),
    floors: Sequence[str] = (),
) -> TurnResult:
    """The offline planner in a home of its own."""
    home = VirtualHome(devices, states, unit_system=unit_system, areas=areas, floors=floors)
    return (await say(home, words, now=now, area=area, device_id=device_id))[0]
