"""The rules of a home: reading and checking them, what they would do, and whether they are set off. All pure.

    trigger     as in `homeguard.triggers`
    conditions  [{"type": "time_range", "start": "22:00", "end": "06:00"}, {"type": "days", "days": ["sat", "sun"]},
                 {"type": "sun", "after"?: "sunset", "before"?: "sunrise", "offset_minutes"?: 30},
                 {"type": "device_state", "device_id", "attribute", "operator"?, "value"},
                 {"type": "value_compare", "field", "operator", "value"},           # a field of the event's payload
                 {"type": "mode", "mode": "away" | [...]}, {"type": "arm_state", "arm_state": "armed" | [...]}]
    actions     [{"type": "device_command", "device_id", "command", "parameters"?},
                 {"type": "notification", "channel"?, "message"},
                 {"type": "delay", "seconds": 600}]                                 # never the last

A time range is `[start, end)` in the home's zone; one whose end is not behind its start crosses midnight.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any, Final

from homeguard.commands import resolve_command
from homeguard.errors import DeviceNotFound, InvalidInput
from homeguard.given import Shape, is_number, list_at, number_at, object_at, one_or_more, only, text_at
from homeguard.mode import MODES, is_armed
from homeguard.model import Automation, Device, Effect, Event, Home, Json, LiveState
from homeguard.occurrences import TIMED, is_day, sun_on, zone
from homeguard.sun import stays_up
from homeguard.triggers import (
    GUARDS,
    days_at,
    is_set_off,
    offset_at,
    read_trigger,
    sun_event_at,
    time_range_at,
    unknown_kind,
)

MAX_ACTIONS: Final = 20
MAX_CONDITIONS: Final = 20
MAX_NAME: Final = 100
MAX_MESSAGE: Final = 1_000
OPERATORS: Final = ("eq", "ne", "gt", "lt", "gte", "lte", "contains")
CHANNELS: Final = ("app", "push")

#: The longest wait between two actions.
LONGEST_DELAY_S: Final = 86_400


def parse(
    body: Shape,
    *,
    home_id: str,
    automation_id: str,
    created_by: str = "",
    now: datetime | None = None,
    home: Home | None = None,
    home_now: datetime | None = None,
) -> Automation:
    """An automation from its JSON object, in its normal form and with its version; unknown keys are refused.

    `home` and `home_now`, by its own clock, are what its times are read by (`triggers.read_trigger`).

    Raises:
        InvalidInput: a part is missing, unknown or out of bounds; `details["field"]` is its path.
    """
    given = object_at(body, "automation")
    only(given, ("name", "trigger", "conditions", "actions", "enabled"), "")
    enabled = given.get("enabled", True)
    if not isinstance(enabled, bool):
        raise InvalidInput("enabled is true or false", field="enabled")
    automation = Automation(
        id=automation_id,
        home_id=home_id,
        name=text_at(given.get("name"), "name", MAX_NAME),
        trigger=read_trigger(given.get("trigger"), home, home_now),
        conditions=tuple(
            _condition(item, f"conditions[{i}]", home)
            for i, item in enumerate(list_at(given.get("conditions", ()), "conditions", 0, MAX_CONDITIONS))
        ),
        actions=tuple(
            _action(item, f"actions[{i}]")
            for i, item in enumerate(list_at(given.get("actions"), "actions", 1, MAX_ACTIONS))
        ),
        enabled=enabled,
        created_by=created_by,
        created_at=now,
        updated_at=now,
    )
    _check_together(automation)
    return replace(automation, version=version_hash(automation))


def is_timed(automation: Automation) -> bool:
    """The clock sets it off, and nothing that happens."""
    return automation.trigger.get("type") in TIMED


def version_hash(automation: Automation) -> str:
    """16 hex digits over what the automation does and when: its name and whether it is enabled are not part of it."""
    parts = [automation.trigger, list(automation.conditions), list(automation.actions)]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def compile(automation: Automation, devices: Sequence[Device], unit: str = "C") -> tuple[Effect, ...]:
    """What each device action would make of its device, checked against it, in the order of the actions.

    `unit` is what a bare temperature means in this home.

    Raises:
        DeviceNotFound: the trigger, a condition or an action names a device that the home does not have.
        InvalidInput: a device does not take the command, or not with these parameters.
    """
    by_id = {device.id: device for device in devices}
    named = [("trigger.device_id", automation.trigger.get("device_id"))]
    named += [(f"conditions[{i}].device_id", c.get("device_id")) for i, c in enumerate(automation.conditions)]
    named += [(f"actions[{i}].device_id", a.get("device_id")) for i, a in enumerate(automation.actions)]
    for field, device_id in named:
        if device_id is not None and device_id not in by_id:
            raise DeviceNotFound(f"this home has no device '{str(device_id)[:100]}'", field=field)
    effects = []
    for i, action in enumerate(automation.actions):
        if action["type"] != "device_command":
            continue
        device = by_id[str(action["device_id"])]
        command, parameters = str(action["command"]), object_at(action.get("parameters", {}), "parameters")
        try:
            result = resolve_command(device, command, parameters, unit)
        except InvalidInput as error:
            details = {**error.details, "field": f"actions[{i}].{error.details.get('field', 'command')}"}
            raise InvalidInput(error.message, code=error.code, **details) from error
        effects.append(
            Effect(
                kind="device", device_id=device.id, device_name=device.name, device_type=device.type,
                area=device.area, command=command, parameters=parameters, set=result,
            )
        )  # fmt: skip
    return tuple(effects)


def evaluate(
    automation: Automation, event: Event, states: Mapping[str, LiveState], home: Home, now_local: datetime
) -> bool:
    """This event sets the automation off: it is enabled, the trigger fits, and every condition holds.

    `now_local` is the time of the event in the home's zone; `states` are the home's, by device id. What is not known
    (no such attribute, no such field) does not hold.
    """
    if not automation.enabled or event.home_id != automation.home_id or not is_set_off(automation.trigger, event):
        return False
    extra = object_at(automation.trigger.get("conditions", {}), "conditions")
    from_trigger: list[Shape] = [
        {"type": name, **(value if name == "time_range" else {name: value})} for name, value in extra.items()
    ]
    return all(
        _holds(condition, event, states, home, now_local) for condition in (*from_trigger, *automation.conditions)
    )


def conditions_hold(automation: Automation, states: Mapping[str, LiveState], home: Home, now_local: datetime) -> bool:
    """Every condition of one that the clock sets off holds at `now_local`, in the home's zone."""
    return all(_holds(condition, None, states, home, now_local) for condition in automation.conditions)


def in_time_range(start: str, end: str, local: datetime) -> bool:
    """`[start, end)` on the wall clock, across midnight when `end` is not behind `start`; equal: the whole day."""
    clock = f"{local.hour:02}:{local.minute:02}"
    if start < end:
        return start <= clock < end
    return clock >= start or clock < end


# -- evaluating ------------------------------------------------------------------------------------------------------


def _holds(
    condition: Shape, event: Event | None, states: Mapping[str, LiveState], home: Home, now_local: datetime
) -> bool:
    match condition["type"]:
        case "time_range":
            return in_time_range(condition["start"], condition["end"], now_local)
        case "days":
            return is_day(condition["days"], now_local.date())
        case "sun":
            return _sun_stands(condition, home, now_local)
        case "mode":
            return home.mode in _words(condition["mode"])
        case "arm_state":
            wanted = _words(condition["arm_state"])
            return home.arm_state in wanted or ("armed" in wanted and is_armed(home.arm_state))
        case "device_state":
            state = states.get(condition["device_id"])
            known = state.attributes if state is not None else {}
            if condition["attribute"] not in known:
                return False
            return _compare(known[condition["attribute"]], condition["operator"], condition["value"])
        case "value_compare" if event is not None:
            found, value = _field_of(event, condition["field"])
            return found and _compare(value, condition["operator"], condition["value"])
    return False


def _sun_stands(condition: Shape, home: Home, now_local: datetime) -> bool:
    """`after` sunset and `before` sunrise is the night, across midnight; a place that is not known has neither."""
    if home.latitude is None or home.longitude is None:
        return False
    offset = timedelta(minutes=condition.get("offset_minutes", 0))

    def is_behind(event: str) -> bool:
        """The sun has risen (set) on this day of the home."""
        at = sun_on(event, now_local.date(), home)
        if at is not None:
            return now_local >= at + offset
        noon = datetime.combine(now_local.date(), time(12), zone(home))
        return stays_up(noon, home.latitude or 0.0) is (event == "sunrise")

    after, before = condition.get("after"), condition.get("before")
    if after == "sunset" and before == "sunrise":
        return is_behind("sunset") or not is_behind("sunrise")
    return (after is None or is_behind(after)) and (before is None or not is_behind(before))


def _words(value: Any) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value


def _field_of(event: Event, path: str) -> tuple[bool, Any]:
    """A field of the payload by its dotted path; of a telemetry also by the bare name of a metric."""
    for root in (event.payload, event.payload.get("metrics"), event.payload.get("measurements")):
        node: Any = root
        for part in path.split("."):
            node = node[part] if isinstance(node, Mapping) and part in node else _ABSENT
        if node is not _ABSENT:
            return True, node
    return False, None


_ABSENT: Final = object()

_ORDERED: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "gt": lambda a, b: a > b,
    "lt": lambda a, b: a < b,
    "gte": lambda a, b: a >= b,
    "lte": lambda a, b: a <= b,
}


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    """Numbers by value, all else by kind and value: `1` is not `true`, and a text is no number."""
    if operator == "contains":
        if isinstance(value, str):
            return isinstance(wanted, str) and wanted.casefold() in value.casefold()
        return isinstance(value, list | tuple) and wanted in value
    if operator in _ORDERED:
        return is_number(value) and is_number(wanted) and _ORDERED[operator](value, wanted)
    if isinstance(value, str) and isinstance(wanted, str):
        same = value.casefold() == wanted.casefold()
    elif isinstance(value, bool) or isinstance(wanted, bool):
        same = value is wanted
    else:
        same = bool(value == wanted)
    return same if operator == "eq" else not same


# -- reading ---------------------------------------------------------------------------------------------------------


def _check_together(automation: Automation) -> None:
    """What one part asks of another."""
    if automation.actions[-1]["type"] == "delay":
        where = f"actions[{len(automation.actions) - 1}].type"
        raise InvalidInput("after a delay something is to be done", field=where)
    if is_timed(automation):
        for i, condition in enumerate(automation.conditions):
            if condition["type"] == "value_compare":
                raise InvalidInput(
                    "value_compare looks at the event that set the rule off; this one goes by the clock",
                    field=f"conditions[{i}].type",
                )


def _condition(value: object, where: str, home: Home | None) -> dict[str, Json]:
    given = object_at(value, where)
    kind = given.get("type")
    match kind:
        case "time_range":
            return {"type": kind, **time_range_at(given, where)}
        case "days":
            only(given, ("type", "days"), where)
            return {"type": kind, "days": list(days_at(given.get("days"), f"{where}.days"))}
        case "sun":
            return _sun_condition(given, where, home)
        case "mode" | "arm_state":
            only(given, ("type", kind), where)
            allowed = MODES if kind == "mode" else GUARDS
            return {"type": kind, kind: one_or_more(given.get(kind), f"{where}.{kind}", allowed)}
        case "device_state":
            only(given, ("type", "device_id", "attribute", "operator", "value"), where)
            device_id = text_at(given.get("device_id"), f"{where}.device_id", 128)
            attribute = text_at(given.get("attribute"), f"{where}.attribute", 64)
            return {"type": kind, "device_id": device_id, "attribute": attribute, **_comparison(given, where)}
        case "value_compare":
            only(given, ("type", "field", "operator", "value"), where)
            return {
                "type": kind,
                "field": text_at(given.get("field"), f"{where}.field", 200),
                **_comparison(given, where),
            }
    kinds = ("time_range", "days", "sun", "device_state", "value_compare", "mode", "arm_state")
    raise unknown_kind(kind, f"{where}.type", "a condition", kinds)


def _sun_condition(given: Shape, where: str, home: Home | None) -> dict[str, Json]:
    only(given, ("type", "after", "before", "offset_minutes"), where)
    found: dict[str, Json] = {"type": "sun"}
    for name in ("after", "before"):
        if given.get(name) is not None:
            found[name] = sun_event_at(given[name], f"{where}.{name}", home)
    if len(found) == 1:
        raise InvalidInput("say after or before what: sunrise or sunset", field=f"{where}.after")
    offset = offset_at(given.get("offset_minutes", 0), f"{where}.offset_minutes")
    return {**found, "offset_minutes": offset} if offset else found


def _action(value: object, where: str) -> dict[str, Json]:
    given = object_at(value, where)
    kind = given.get("type")
    if kind == "device_command":
        only(given, ("type", "device_id", "command", "parameters"), where)
        return {
            "type": kind,
            "device_id": text_at(given.get("device_id"), f"{where}.device_id", 128),
            "command": text_at(given.get("command"), f"{where}.command", 64),
            "parameters": _plain(given.get("parameters") or {}, f"{where}.parameters"),
        }
    if kind == "notification":
        only(given, ("type", "channel", "message"), where)
        channel = given.get("channel", "app")
        if channel not in CHANNELS:
            raise InvalidInput(
                f"a notification goes to {' or '.join(CHANNELS)}; other channels come later",
                field=f"{where}.channel", allowed=list(CHANNELS),
            )  # fmt: skip
        return {
            "type": kind,
            "channel": channel,
            "message": text_at(given.get("message"), f"{where}.message", MAX_MESSAGE),
        }
    if kind == "delay":
        only(given, ("type", "seconds"), where)
        return {"type": kind, "seconds": number_at(given.get("seconds"), f"{where}.seconds", 1, LONGEST_DELAY_S)}
    raise unknown_kind(kind, f"{where}.type", "an action", ("device_command", "notification", "delay"))


def _comparison(given: Shape, where: str) -> dict[str, Json]:
    operator = given.get("operator", "eq")
    if operator not in OPERATORS:
        raise InvalidInput(
            f"an operator is one of {', '.join(OPERATORS)}", field=f"{where}.operator", allowed=list(OPERATORS)
        )
    value = given.get("value")
    if not (isinstance(value, bool) or (isinstance(value, str) and len(value) <= 200) or is_number(value)):
        raise InvalidInput("a value is a text, a number, true or false", field=f"{where}.value")
    if operator in _ORDERED and not is_number(value):
        raise InvalidInput(f"{operator} compares numbers", field=f"{where}.value")
    return {"operator": operator, "value": value}


def _plain(value: object, where: str) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, part in object_at(value, where).items():
        if not (isinstance(part, str | bool) or is_number(part)) or len(str(part)) > 200:
            raise InvalidInput("a parameter is a text, a number, true or false", field=f"{where}.{name[:64]}")
        found[name] = part
    return found
