"""The parts of an answer: calls to make with how their results are told, a sentence, a refusal or a question."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.models.offline.acting import Order
from agent.models.offline.home import Home
from agent.models.offline.wording import names_of, start, the
from agent.models.protocol import ToolResult
from homeguard.model import Device


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What becomes of one clause. `tell` words the results of `calls`, in their order; `why` makes it a refusal.

    `also`: what else came of the clause, such as the names of a list that are not here.
    `follow`: what else to read once these results are here; its results come behind them.
    """

    text: str
    calls: tuple[Call, ...] = ()
    say: str = ""
    why: str = ""
    asks: bool = False
    #: What a question of this part waits for, beside devices: `("timer", label)`.
    pending: tuple[str, ...] = ()
    also: tuple["Part", ...] = ()
    tell: Callable[[Sequence[ToolResult]], str] | None = None
    follow: Callable[[Sequence[ToolResult]], Sequence[Call]] | None = None


def refusal(text: str, why: str) -> Part:
    return Part(text=text, say=why, why=why)


def question(text: str, say: str) -> Part:
    return Part(text=text, say=say, asks=True)


_DONE: Mapping[str, str] = {
    "lock": "locked", "unlock": "unlocked", "open": "open", "close": "closed", "turn_on": "on", "turn_off": "off",
    "stop": "stopped",
    "play": "playing", "pause": "paused", "mute": "muted", "unmute": "unmuted", "start": "started",
    "return_to_base": "on its way to its base",
    "arm": "armed", "disarm": "disarmed", "next": "on the next track", "previous": "on the previous track",
    "locate": "making itself heard",
    "snapshot": "taking a picture", "record": "recording",
}  # fmt: skip
_DOING: Mapping[str, str] = {
    "lock": "lock", "unlock": "unlock", "open": "open", "close": "close", "turn_on": "turn on",
    "turn_off": "turn off", "stop": "stop",
    "return_to_base": "send home", "set_home_mode": "change the mode of",
}  # fmt: skip


def done(command: str, parameters: Mapping[str, Any], home: Home) -> str:
    """How a device is once it has carried out the command: `locked`, `at 40% brightness`."""
    if command in _DONE:
        return _DONE[command]
    if command == "set_hvac_mode":
        mode = str(parameters.get("hvac_mode", "")).replace("_", " ")
        return "off" if mode == "off" else f"in {mode} mode"
    if command == "set_temperature":
        return f"set to {parameters.get('value', 0):g}°{parameters.get('unit') or home.unit}"
    named = {
        "set_brightness": " brightness",
        "set_volume": " volume",
        "set_position": " open",
        "set_speed": " speed",
        "set_humidity": " humidity",
        "set_tilt": " tilt",
    }
    number = next((v for v in parameters.values() if isinstance(v, int | float)), None)
    if command in named and number is not None:
        return f"at {number:g}%{named[command]}"
    if command == "set_level":
        return f"set to {parameters.get('value', 0):g} ({str(parameters.get('name')).replace('_', ' ')})"
    if command == "set_color_temperature" and number is not None:
        return f"at {number:g} K"
    words = [str(v).replace("_", " ") for k, v in parameters.items() if k != "name" or command == "set_color"]
    return f"{'' if command == 'set_color' else 'set to '}{' '.join(words)}" if words else "done"


def doing(command: str, parameters: Mapping[str, Any], home: Home, whom: str) -> str:
    """The command as a verb with its object: `unlock the front door lock`, `set the thermostat to 72°F`."""
    if command in _DOING:
        return f"{_DOING[command]} {whom}"
    after = done(command, parameters, home).removeprefix("set to ").removeprefix("at ").removeprefix("in ")
    return (
        f"set {whom} to {after}" if command.startswith(("set_", "select_")) else f"{command.replace('_', ' ')} {whom}"
    )


def control(text: str, orders: Sequence[tuple[Device, Order]], home: Home) -> Part:
    """The calls for orders: one call for devices that get the same command."""
    groups: list[tuple[Order, list[Device]]] = []
    for device, order in orders:
        for known, members in groups:
            if known == order:
                members.append(device)
                break
        else:
            groups.append((order, [device]))
    calls = tuple(
        Call("control_device", {"device_id": m[0].id, "command": o.command, "parameters": dict(o.parameters)})
        if len(m) == 1
        else Call(
            "control_devices", {"device_ids": [d.id for d in m], "command": o.command, "parameters": dict(o.parameters)}
        )
        for o, m in groups
    )

    def tell(results: Sequence[ToolResult]) -> str:
        return " ".join(
            _told(result, order, members, home) for result, (order, members) in zip(results, groups, strict=False)
        )

    return Part(text=text, calls=calls, tell=tell)


def _told(result: ToolResult, order: Order, members: Sequence[Device], home: Home) -> str:
    verb = doing(order.command, order.parameters, home, names_of(members))
    after = done(order.command, order.parameters, home)
    if result.status == "asked":
        return f"I need your OK to {verb}: please confirm on the card."
    if result.status == "denied":
        return f"Okay, I did not {verb}."
    if result.status == "refused":
        return (
            f"I may not {verb}: {_reason(result.error or str(result.output.get('reason') or ''), 'it is not allowed')}."
        )
    if result.status == "error":
        return f"I could not {verb}: {_reason(result.error, 'the tool did not answer', members)}."
    rows = result.output.get("results")
    each = [r for r in rows if isinstance(r, Mapping)] if isinstance(rows, list | tuple) else [result.output]
    by_id = {str(r.get("device_id")): r for r in each}
    said = []
    outcomes: dict[tuple[str, str], list[Device]] = {}
    for at, device in enumerate(members):
        row = by_id.get(device.id) or (each[at] if at < len(each) else {})
        key = (str(row.get("outcome") or "sent"), str(row.get("reason") or ""))
        outcomes.setdefault(key, []).append(device)
    for (outcome, reason), devices in outcomes.items():
        whom, be = names_of(devices), "is" if len(devices) == 1 else "are"
        if outcome == "confirmed":
            said.append(f"{start(whom)} {be} {after}.")
        elif outcome == "sent":
            said.append(
                f"I sent that to {whom} ({after}), but {'it has' if be == 'is' else 'they have'} not confirmed it yet."
            )
        elif outcome == "refused":
            what = doing(order.command, order.parameters, home, whom)
            said.append(f"I may not {what}: {_reason(reason, 'it is not allowed')}.")
        else:
            said.append(f"{start(whom)} did not do it: {_reason(reason, 'no answer from the device')}.")
    return " ".join(said)


def plain_error(text: str, otherwise: str = "it did not work") -> str:
    """A tool's error as half a sentence for people: without its code, its field and what a program may send."""
    said = re.sub(r"^[A-Z][A-Z0-9_]+: ", "", (text or otherwise).strip())
    said = re.sub(r" \((?:field|allowed|details|hint)\b.*\)$", "", said, flags=re.DOTALL)
    said = re.sub(r"^\w+_pct is ([\d.]+) to ([\d.]+)", r"it takes \1 to \2%", said)
    said = re.sub(r"(\d) (%|°[CF])", r"\1\2", said)
    return said.rstrip(". ")


def _reason(text: str, otherwise: str, devices: Sequence[Device] = ()) -> str:
    said = plain_error(text, otherwise)
    for device in devices:
        if said.startswith(f"{device.name} "):
            return the(device) + said[len(device.name) :]
    return said


def failures(part: Part, results: Sequence[ToolResult]) -> list[dict[str, str]]:
    """What of a part was refused or failed outright, for `Step.refusals`."""
    found = []
    for result in results:
        if result.status in ("refused", "error"):
            found.append(
                {
                    "text": part.text,
                    "why": plain_error(result.error or str(result.output.get("reason") or result.status)),
                }
            )
            continue
        rows = result.output.get("results")
        for row in rows if isinstance(rows, list | tuple) else [result.output]:
            if isinstance(row, Mapping) and row.get("outcome") == "refused":
                why = str(row.get("reason") or "refused")
                found.append({"text": part.text, "why": why})
    return found


def unread(results: Sequence[ToolResult]) -> str:
    """What to say when a look-up failed."""
    reason = results[0].error if results else ""
    return f"I could not look that up: {_reason(reason, 'the tool did not answer')}."


def read(text: str, name: str, arguments: Mapping[str, Any], tell: Callable[[Mapping[str, Any]], str]) -> Part:
    """A reading call whose output `tell` words."""

    def told(results: Sequence[ToolResult]) -> str:
        if not results or results[0].status != "ok":
            return unread(results)
        return tell(results[0].output)

    return Part(text=text, calls=(Call(name, arguments),), tell=told)
