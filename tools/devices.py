"""How the home is, and acting on it: summary, one device, commands, home mode."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, cast

from homeguard.clock import iso
from homeguard.commands import commands_of
from homeguard.errors import InvalidInput
from homeguard.ids import derived_id
from homeguard.mode import MODES, arm_state_of
from homeguard.model import Device, Effect, Home, HomeMode, Json, Principal, UnitSystem
from pipeline.command.words import DeviceRequest
from tools.answers import CommandAnswer, answer_of
from tools.context import ToolContext, check_identity, the_device, the_home
from tools.device_lines import (
    AttributeLine,
    CommandLine,
    DeviceLine,
    LastEvent,
    attribute_lines,
    command_line,
    device_line,
)
from tools.security import trouble
from tools.shapes import SHAPE
from tools.text import bounded, clean, clean_object, one_of

MAX_SUMMARY: Final = 500
MAX_COMMANDS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeFacts:
    __pydantic_config__: ClassVar = SHAPE
    id: str
    name: str
    mode: str
    """home, away, vacation, party or sleep"""
    arm_state: str
    """disarmed, arming, armed_home, armed_away, armed_night, pending or triggered"""
    unit_system: UnitSystem
    """us: people of this home read and say Fahrenheit; si: Celsius"""
    time_zone: str
    """IANA name; people of this home mean this zone"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insecure:
    __pydantic_config__: ClassVar = SHAPE
    device_id: str
    name: str
    reason: str
    """unlocked, open, an alarm that it reports, or 'not known: ...' when it is offline or never said"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSummary:
    __pydantic_config__: ClassVar = SHAPE
    home: HomeFacts
    total_devices: int
    online_devices: int
    all_secure: bool
    """True only if every lock, door, window, garage door and gate says that it is shut and no detector reports"""
    insecure: tuple[Insecure, ...]
    """Everything that keeps all_secure from being true, over all devices; what is not known is named too"""
    devices: tuple[DeviceLine, ...]
    """By name; one page of them"""
    active_mode: str
    next_cursor: str | None
    """Pass as cursor for the next page; null: these were the last"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    __pydantic_config__: ClassVar = SHAPE
    device: DeviceLine
    attributes: tuple[AttributeLine, ...]
    commands: tuple[CommandLine, ...]
    last_seen_at: str | None
    """When it last said anything (UTC)"""
    vendor: str
    model: str
    firmware: str
    is_simulated: bool


async def get_home_summary(
    context: ToolContext, *, limit: int = 200, cursor: str = "", include_last_event: bool = True, user_id: str = ""
) -> HomeSummary:
    """The whole home at a glance; devices by name, `limit` (1..500) at a time.

    Raises:
        InvalidInput: the cursor is not one of ours.
        HomeMismatch: `user_id` is another's.
    """
    check_identity(context, user_id)
    limit = bounded(limit, 1, MAX_SUMMARY, "limit")
    home = await the_home(context)
    devices = sorted(await context.devices.of_home(home.id), key=_order)
    states = await context.live.all(home.id)
    after = _read_cursor(cursor)
    rest = [d for d in devices if after is None or _order(d) > after]
    page = rest[:limit]
    last = await _last_events(context, page) if include_last_event else {}
    insecure = tuple(
        Insecure(device_id=d.id, name=clean(d.name), reason=clean(why))
        for d in devices
        if (why := trouble(d, states.get(d.id)))
    )
    return HomeSummary(
        home=_facts(home),
        total_devices=len(devices),
        online_devices=sum(1 for d in devices if (s := states.get(d.id)) is not None and s.available),
        all_secure=not insecure,
        insecure=insecure[:MAX_SUMMARY],
        devices=tuple(device_line(d, states.get(d.id), last.get(d.id)) for d in page),
        active_mode=home.mode,
        next_cursor=_cursor(page[-1]) if len(rest) > limit else None,
    )


async def get_device_state(context: ToolContext, *, device_id: str) -> DeviceState:
    """One device: every attribute with its unit and since when, and what it can be told.

    Raises:
        DeviceNotFound: this home has none of that id.
    """
    device = await the_device(context, device_id)
    home = await the_home(context)
    state = await context.live.get(home.id, device.id)
    last = await _last_events(context, [device])
    hardware = device.hardware
    return DeviceState(
        device=device_line(device, state, last.get(device.id)),
        attributes=attribute_lines(state, home),
        commands=tuple(command_line(device, name, home.unit_system) for name in sorted(commands_of(device))),
        last_seen_at=iso(state.last_seen_at) if state is not None and state.last_seen_at is not None else None,
        vendor=clean(hardware.vendor) if hardware is not None else "",
        model=clean(hardware.model) if hardware is not None else "",
        firmware=clean(hardware.firmware) if hardware is not None else "",
        is_simulated=device.is_simulated,
    )


async def control_devices(
    context: ToolContext, *, device_ids: Sequence[str], command: str, parameters: Mapping[str, Any]
) -> list[CommandAnswer]:
    """The same command to 1 to 100 devices; nothing is done when it is wrong for any of them.

    Raises:
        DeviceNotFound, InvalidInput: a device is not there, or does not take this command or these parameters.
    """
    if not 1 <= len(device_ids) <= MAX_COMMANDS:
        raise InvalidInput(f"device_ids are 1 to {MAX_COMMANDS} ids", field="device_ids", low=1, high=MAX_COMMANDS)
    for device_id in dict.fromkeys(device_ids):
        await the_device(context, device_id)
    requests = [
        DeviceRequest(
            device_id=device_id,
            command=clean(command, 64),
            parameters=dict(parameters),
            command_id=_once(context.principal, device_id, command),
        )
        for device_id in dict.fromkeys(device_ids)
    ]
    results = await context.commands.perform(context.principal, requests)
    return [answer_of(result, context.base_url) for result in results]


def _once(principal: Principal, device_id: str, command: str) -> str:
    """An agent's call has a cause of its own, so that a step that is run again after a crash acts once."""
    return (
        derived_id("call", principal.cause, device_id, command)
        if principal.caller == "agent" and principal.cause
        else ""
    )


async def set_home_mode(
    context: ToolContext,
    *,
    mode: str,
    duration_hours: int = 0,
    settings: Mapping[str, Any] | None = None,
    user_id: str = "",
) -> CommandAnswer:
    """Switch the home's mode, with what that means for the alarm; `duration_hours` 0 is until it is changed.

    When nothing ends the mode after its duration, or acts on its settings, `reason` says so.

    Raises:
        InvalidInput: there is no such mode.
        HomeMismatch: `user_id` is another's.
    """
    check_identity(context, user_id)
    one_of(mode, MODES, "mode")
    home = await the_home(context)
    parameters: dict[str, Json] = {"mode": mode}
    if duration_hours:
        parameters["duration_hours"] = bounded(duration_hours, 1, 24 * 366, "duration_hours")
    if settings:
        parameters["settings"] = clean_object(settings)
    effect = Effect(
        kind="set_mode",
        parameters=parameters,
        set={"mode": mode, "arm_state": arm_state_of(cast(HomeMode, mode))},
        before={"mode": home.mode, "arm_state": home.arm_state},
    )
    result = await context.commands.act(context.principal, effect)
    left_out = []
    if duration_hours and "ends_at" not in result.data:
        left_out.append("it stays so until someone changes it: nothing here ends a mode by itself yet")
    if settings:
        left_out.append("the settings were not applied: nothing here acts on them yet")
    if result.outcome == "confirmed" and left_out:
        result = replace(result, reason="; ".join(left_out))
    return answer_of(result, context.base_url)


def _facts(home: Home) -> HomeFacts:
    return HomeFacts(
        id=home.id,
        name=clean(home.name),
        mode=home.mode,
        arm_state=home.arm_state,
        unit_system=home.unit_system,
        time_zone=home.time_zone,
    )


async def _last_events(context: ToolContext, devices: Sequence[Device]) -> dict[str, LastEvent]:
    latest = await context.events.latest(context.home_id, [d.id for d in devices])
    return {d: LastEvent(event_type=e.event_type, at=iso(e.at)) for d, e in latest.items()}


def _order(device: Device) -> tuple[str, str]:
    return device.name, device.id


def _cursor(device: Device) -> str:
    raw = "\x1f".join(_order(device)).encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[str, str] | None:
    if not cursor:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name, separator, device_id = raw.decode("utf-8", "surrogatepass").partition("\x1f")
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("the cursor is not one that an earlier answer gave", field="cursor") from error
    if not separator:
        raise InvalidInput("the cursor is not one that an earlier answer gave", field="cursor")
    return name, device_id
