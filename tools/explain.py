"""Why something is as it is: from a device's word back to who or what wanted it, and on to what it set off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from homeguard.causes import Changed, Link, state_words
from homeguard.clock import iso
from homeguard.errors import NotFound
from homeguard.model import Device, Event, UnitSystem
from homeguard.units import wall_time
from tools.context import ToolContext, the_device, the_home, the_past
from tools.shapes import SHAPE
from tools.text import clean, moment, zone_of
from tools.tracing import Trace, Tracer

_AHEAD: Final = timedelta(minutes=1)
_HOME_KINDS: Final = ("mode_changed", "arm_state_changed")
#: What is told of the home as a whole: not the steps in between.
_STEPS: Final = frozenset(
    ("heartbeat", "telemetry", "trends", "canary", "command_requested", "command_result", "automation_ran",
     "device_online", "battery_low", "scenario_started", "scenario_stopped")
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLine:
    __pydantic_config__: ClassVar = SHAPE
    kind: str
    """report, command, confirmation, turn, request, client, automation, event, undo, system or unknown"""
    id: str
    at: str | None
    """When (UTC)"""
    text: str
    is_certain: bool
    """False: only time and value speak for it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    __pydantic_config__: ClassVar = SHAPE
    device_id: str
    """Empty for the home's mode and for what concerns the whole home"""
    device: str
    event_id: str
    """The event that is explained; empty: none is known"""
    at: str | None
    """When it happened (UTC)"""
    state: str
    """What changed then, in words"""
    is_known: bool
    """False: the chain ends outside HomeGuard, such as at a hand on the switch"""
    links: tuple[LinkLine, ...]
    """From what happened back to its root, the nearest first"""
    also: tuple[LinkLine, ...]
    """Other causes of the same seconds that wanted the same"""
    set_off: tuple[LinkLine, ...]
    """What it led to within ten minutes"""
    text: str
    """All of it in words"""


async def explain(
    context: ToolContext, *, device_id: str = "", event_id: str = "", at: str = "", attribute: str = ""
) -> Explanation:
    """The newest change of a device (or of one attribute of it) at or before `at`, or one event, with its causes.

    Without a device and an event: of the home's mode (`attribute` mode or arm_state), else what happened last.

    Raises:
        DeviceNotFound, NotFound, InvalidInput: there is no such device or event here, or `at` cannot be read.
    """
    home = await the_home(context)
    await the_past(context)
    zone = home.time_zone
    now = context.clocks.now(context.home_id)
    until = moment(at, zone, "at") if at else now + _AHEAD
    tracer = Tracer(context, home.unit_system)
    device = await the_device(context, device_id) if device_id else None
    if event_id:
        event = await context.events.get(context.home_id, event_id) if len(event_id) <= 200 else None
        if event is None:
            raise NotFound("there is no such event in this home", code="EVENT_NOT_FOUND", field="event_id")
        device = await context.devices.get(context.home_id, event.device_id) if event.device_id else None
        changed = await tracer.changed(device, event) if device is not None else None
    elif device is not None:
        changed = await tracer.newest(device, until, attribute)
        event = changed.event if changed is not None else None
    else:
        kinds = _HOME_KINDS if attribute in ("mode", "arm_state") else ()
        event = await _last(context, until, kinds)
        device = await context.devices.get(context.home_id, event.device_id) if event and event.device_id else None
        changed = await tracer.changed(device, event) if device is not None and event is not None else None
    if event is None:
        return _nothing(device, attribute)
    trace = await tracer.trace(event, device, changed)
    return _told(event, device, changed, trace, _Telling(zone=zone, now=now, unit_system=home.unit_system))


async def _last(context: ToolContext, until: datetime, kinds: Sequence[str]) -> Event | None:
    """The newest of these kinds, or of all that a person would call something that happened."""
    page = await context.events.query(
        context.home_id, start=until - timedelta(days=30), end=until, event_types=kinds, limit=500
    )
    return next((e for e in page.items if e.event_type not in _STEPS), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Telling:
    zone: str
    now: datetime
    unit_system: UnitSystem

    def when(self, at: datetime) -> str:
        """`at 18:02` (in the US `at 6:02 PM`), `yesterday at 18:02`, `on 3 March at 18:02`, by the home's own clock."""
        there, today = at.astimezone(zone_of(self.zone)), self.now.astimezone(zone_of(self.zone)).date()
        clock = f"at {wall_time(there, self.unit_system)}"
        if there.date() == today:
            return clock
        if there.date() == today - timedelta(days=1):
            return f"yesterday {clock}"
        return f"on {there.day} {there:%B} {clock}"


def _told(event: Event, device: Device | None, changed: Changed | None, trace: Trace, telling: _Telling) -> Explanation:
    name = clean(device.name) if device is not None else ""
    state = clean(
        state_words(changed.now, telling.unit_system) if changed is not None else event.event_type.replace("_", " ")
    )
    said = [_opening(event, name, changed, telling)]
    said += [_sentence(link, telling) for link in trace.links]
    if trace.also:
        said.append("At the same time: " + " ".join(_sentence(link, telling) for link in trace.also))
    if not trace.is_known:
        said.append(trace.unknown)
    if trace.set_off:
        said.append("It set this off: " + "; ".join(link.text.rstrip(".") for link in trace.set_off) + ".")
    first = Link(kind="report", id=event.event_id, at=event.at, text=said[0])
    ends = () if trace.is_known else (Link(kind="unknown", id="", at=None, text=trace.unknown),)
    return Explanation(
        device_id=event.device_id,
        device=name,
        event_id=clean(event.event_id),
        at=iso(event.at),
        state=state,
        is_known=trace.is_known,
        links=tuple(map(_line, (first, *trace.links, *ends))),
        also=tuple(map(_line, trace.also)),
        set_off=tuple(map(_line, trace.set_off)),
        text=clean(" ".join(said), 2000),
    )


def _opening(event: Event, name: str, changed: Changed | None, telling: _Telling) -> str:
    when = telling.when(event.at)
    if name and changed is not None and (words := state_words(changed.now, telling.unit_system)):
        return f"{name} said {when} that it is {clean(words)}."
    if event.event_type == "mode_changed":
        mode, arm = event.payload.get("mode"), str(event.payload.get("arm_state") or "").replace("_", " ")
        return f"The home went to {clean(mode)} mode{f' ({clean(arm)})' if arm else ''} {when}."
    what = event.event_type.replace("_", " ")
    return f"{name} reported '{what}' {when}." if name else f"'{what.capitalize()}' happened {when}."


def _sentence(link: Link, telling: _Telling) -> str:
    text = link.text.rstrip(".")
    if not link.is_certain:
        text = f"Probably: {text}"
    return f"{text} {telling.when(link.at)}." if link.at is not None else f"{text}."


def _line(link: Link) -> LinkLine:
    return LinkLine(
        kind=link.kind, id=clean(link.id), at=iso(link.at) if link.at is not None else None,
        text=clean(link.text, 600), is_certain=link.is_certain,
    )  # fmt: skip


def _nothing(device: Device | None, attribute: str) -> Explanation:
    what = clean(device.name) if device is not None else f"the home's {clean(attribute)}" if attribute else "this home"
    text = f"I don't know: I have no record of a change of {what}."
    return Explanation(
        device_id=device.id if device is not None else "", device=clean(device.name) if device is not None else "",
        event_id="", at=None, state="", is_known=False, links=(), also=(), set_off=(), text=text,
    )  # fmt: skip
