"""Why something is as it is: one chain of causes as data, and how its links are recognised and told. All pure.

A cause is the id of what led there:
    "{turn}/{call}"           an assistant's call in a turn          "request:{id}[/{client}]"  a direct call
    "undo:{batch}"            what put a batch back                  "schedule:{rule}@{time}"   the clock
    any other                 a card, an event, a run
A batch is what has one root: all commands of a turn, of a direct call, of one run of an automation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from homeguard.clock import iso
from homeguard.commands import commands_of
from homeguard.model import Attributes, Command, Device, Event, UnitSystem, Value
from homeguard.observations import attributes_from
from homeguard.units import temperature_text

Kind = Literal[
    "report", "command", "confirmation", "turn", "request", "client", "automation", "event", "undo", "system", "unknown"
]
UNDO: Final = "undo:"
REQUEST: Final = "request:"
SCHEDULE: Final = "schedule:"
#: A device's word that comes this long after a command can still be its answer (a report may be late).
ANSWERS_WITHIN: Final = timedelta(seconds=90)
#: Two causes this close together are both named.
AT_ONCE: Final = timedelta(seconds=10)
#: Clocks of one machine that are read one after the other.
_SLACK: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One step of a chain: what `id` names, when (aware UTC), in a sentence. `is_certain` is False where only time and
    value speak for it."""

    kind: Kind
    id: str
    at: datetime | None
    text: str
    is_certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """An event that changed its device: `now` are the attributes that it changed, `was` what they were before (absent:
    not known)."""

    event: Event
    now: Attributes
    was: Attributes


def batch_of(cause: str) -> str:
    """The batch that a cause belongs to: `"t1"` for `"t1/c2"`, `"request:r"` for `"request:r/desktop"`."""
    return cause if cause.startswith(UNDO) else cause.partition("/")[0]


def client_of(cause: str) -> str:
    """The name of the client that made a direct call, `""` when a person did."""
    return cause.partition("/")[2] if cause.startswith(REQUEST) else ""


def call_of(cause: str) -> tuple[str, str]:
    """(turn, call) of an assistant's cause; the call is `""` where it does not say."""
    turn, _, call = cause.partition("/")
    return turn, call


def schedule_cause(automation_id: str, due_at: datetime) -> str:
    """The cause of what a rule does because a time of its came."""
    return f"{SCHEDULE}{automation_id}@{iso(due_at)}"


def undone_batch(cause: str) -> str:
    """The batch that an undo put back; `""` for another cause."""
    return cause.removeprefix(UNDO) if cause.startswith(UNDO) else ""


def changes(device: Device, events: Iterable[Event], attribute: str = "") -> list[Changed]:
    """Which of the events (any order) changed the device, oldest first. `attribute`: only changes of that one.

    A report that only says again what was known changes nothing. What a device that can be told things measures along
    the way (a temperature, a battery) is not a change of it, unless `attribute` names it.
    """
    settable = _settable(device)
    known: dict[str, Value] = {}
    found = []
    for event in sorted(events, key=lambda e: (e.at, e.received_at, e.event_id)):
        said = attributes_from(event.event_type, event.payload)
        names = [n for n in said if n == attribute] if attribute else [n for n in said if n in settable]
        new = {n: said[n] for n in names if n not in known or known[n] != said[n]}
        is_first = bool(new) and not any(n in known for n in new)
        if new and not (is_first and event.event_type in ("telemetry", "heartbeat")):
            found.append(Changed(event=event, now=new, was={n: known[n] for n in new if n in known}))
        known.update(said)
    return found


def _settable(device: Device) -> frozenset[str]:
    """What makes a change of this device: what its commands set, or all that a mere sensor says in so many words."""
    if not commands_of(device):
        return _SENSED
    return _SET


_SENSED: Final = frozenset(
    ("open", "motion", "occupancy", "smoke", "heat", "co", "gas", "water_leak", "glass_break", "vibration", "tamper",
     "on")
)  # fmt: skip
_SET: Final = frozenset(
    ("on", "brightness_pct", "hue", "saturation_pct", "color_temperature_k", "lock", "position_pct", "cover",
     "tilt_pct", "target_c", "hvac_mode", "fan_mode", "swing_mode", "preset", "speed", "speed_pct",
     "target_humidity_pct", "arm_state", "recording", "playback", "volume_pct", "muted", "source", "activity", "open")
)  # fmt: skip


def commands_behind(changed: Changed, commands: Sequence[Command]) -> list[tuple[Command, bool]]:
    """The commands that may have made the change, (command, is certain), the one that bears the device's word first.

    Certain is what the device itself names as its cause. Others are those that asked for just these values, at a time
    at which the device's word can be their answer; the latest of them first. `commands` are those of the device.
    """
    event = changed.event
    named = [c for c in commands if c.id == event.cause]
    fitting = [
        c
        for c in commands
        if c.id != event.cause
        and c.outcome not in ("refused", "failed")
        and timedelta() - _SLACK <= event.received_at - c.requested_at <= ANSWERS_WITHIN
        and _asked_for(c, changed)
    ]
    fitting.sort(key=lambda c: (c.requested_at, c.id), reverse=True)
    if not named and not fitting:
        return []
    first = named[0] if named else fitting.pop(0)
    at_once = [
        c
        for c in fitting
        if abs(c.requested_at - first.requested_at) <= AT_ONCE and not _was_borne_out_before(c, first)
    ]
    return [(first, bool(named)), *((c, False) for c in at_once)]


def _was_borne_out_before(command: Command, then: Command) -> bool:
    """The device had said that it did the one before the other was asked for."""
    return (
        command.outcome == "confirmed" and command.finished_at is not None and command.finished_at <= then.requested_at
    )


def _asked_for(command: Command, changed: Changed) -> bool:
    shared = [n for n in changed.now if n in command.set]
    return bool(shared) and all(_same(command.set[n], changed.now[n]) for n in shared)


def _same(wanted: Value, said: Value) -> bool:
    if isinstance(wanted, bool | str) or isinstance(said, bool | str):
        return wanted == said
    return abs(wanted - said) <= max(1.01, 0.01 * abs(wanted))


def set_off_by(ids: frozenset[str], events: Iterable[Event]) -> list[Event]:
    """What these ids led to, and what that led to in turn, oldest first, each once."""
    causes, left = set(ids), sorted(events, key=lambda e: (e.received_at, e.event_id))
    found: list[Event] = []
    while True:
        new = [e for e in left if e.cause in causes and e.event_id not in causes]
        if not new:
            return sorted(found, key=lambda e: (e.received_at, e.event_id))
        found += new
        for event in new:
            causes.add(event.event_id)
            causes.update(_carried_out(event))
        left = [e for e in left if e.event_id not in causes]


def _carried_out(event: Event) -> list[str]:
    """The commands that a run of a rule tells of."""
    actions = event.payload.get("actions")
    rows = actions if isinstance(actions, list | tuple) and event.event_type == "automation_ran" else ()
    return [str(row["command_id"]) for row in rows if isinstance(row, Mapping) and row.get("command_id")]


def state_words(values: Attributes, unit_system: UnitSystem = "si") -> str:
    """The values as a person says them: `unlocked`, `on, at 40% brightness`, `set to 21°C`; `""` for none."""
    if values.get("on") is False:
        return "off"
    said = []
    for name, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name == "on":
            said.append("on")
        elif name in _TRUE:
            said.append(_TRUE[name][0 if value else 1])
        elif name in _SPOKEN:
            said.append(str(value).replace("_", " "))
        elif name == "brightness_pct" and is_number:
            said.append(f"at {value:g}% brightness")
        elif name == "position_pct" and is_number:
            if "cover" not in values or (isinstance(value, int | float) and 0 < value < 100):
                said.append(f"{value:g}% open")
        elif name == "target_c" and is_number:
            said.append(f"set to {temperature_text(float(str(value)), unit_system)}")
        elif is_number:
            said.append(f"{name.rsplit('_', 1)[0].replace('_', ' ')} {value:g}")
        else:
            said.append(f"{name.replace('_', ' ')} {str(value)[:60]}")
    return ", ".join(dict.fromkeys(said))


_SPOKEN: Final = frozenset(("lock", "cover", "playback", "activity", "arm_state", "hvac_mode"))
_TRUE: Final[Mapping[str, tuple[str, str]]] = {
    "open": ("open", "closed"), "muted": ("muted", "not muted"), "recording": ("recording", "not recording"),
    "motion": ("seeing motion", "without motion"), "smoke": ("reporting smoke", "without smoke"),
    "occupancy": ("occupied", "empty"),
}  # fmt: skip
