"""The rules of a home: reading and checking them, what they would do, and whether an event sets one off. All pure.

    trigger     {"type": "device_event", "device_id"?, "event_type", "conditions"?: {"time_range", "arm_state", "mode"}}
    conditions  [{"type": "time_range", "start": "22:00", "end": "06:00"},
                 {"type": "device_state", "device_id", "attribute", "operator"?, "value"},
                 {"type": "value_compare", "field", "operator", "value"},           # a field of the event's payload
                 {"type": "mode", "mode": "away" | [...]}, {"type": "arm_state", "arm_state": "armed" | [...]}]
    actions     [{"type": "device_command", "device_id", "command", "parameters"?},
                 {"type": "notification", "channel"?, "message"}]

A time range is `[start, end)` in the home's zone; one whose end is not behind its start crosses midnight.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from homeguard.commands import resolve_command
from homeguard.errors import DeviceNotFound, InvalidInput
from homeguard.mode import ARM_STATES, MODES, is_armed
from homeguard.model import Automation, Device, Effect, Event, Home, Json, LiveState
from homeguard.vocabulary import EVENT_TYPES

MAX_ACTIONS: Final = 20
MAX_CONDITIONS: Final = 20
MAX_NAME: Final = 100
MAX_MESSAGE: Final = 1_000
OPERATORS: Final = ("eq", "ne", "gt", "lt", "gte", "lte", "contains")
CHANNELS: Final = ("app", "push")

_CLOCK: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_LATER: Final = frozenset(("webhook", "delay", "schedule", "wait", "scene"))
_NOT_TRIGGERS: Final = frozenset(("automation_ran", "alert_raised", "command_requested", "command_result", "canary"))

Shape = Mapping[str, Any]


def parse(
    body: Shape, *, home_id: str, automation_id: str, created_by: str = "", now: datetime | None = None
) -> Automation:
    """An automation from its JSON object, in its normal form and with its version; unknown keys are refused.

    Raises:
        InvalidInput: a part is missing, unknown or out of bounds; `details["field"]` is its path.
    """
    given = _object(body, "automation")
    _only(given, ("name", "trigger", "conditions", "actions", "enabled"), "")
    enabled = given.get("enabled", True)
    if not isinstance(enabled, bool):
        raise InvalidInput("enabled is true or false", field="enabled")
    automation = Automation(
        id=automation_id,
        home_id=home_id,
        name=_text(given.get("name"), "name", MAX_NAME),
        trigger=_trigger(given.get("trigger")),
        conditions=tuple(
            _condition(item, f"conditions[{i}]")
            for i, item in enumerate(_list(given.get("conditions", ()), "conditions", 0, MAX_CONDITIONS))
        ),
        actions=tuple(
            _action(item, f"actions[{i}]")
            for i, item in enumerate(_list(given.get("actions"), "actions", 1, MAX_ACTIONS))
        ),
        enabled=enabled,
        created_by=created_by,
        created_at=now,
        updated_at=now,
    )
    return replace(automation, version=version_hash(automation))


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
        command, parameters = str(action["command"]), _object(action.get("parameters", {}), "parameters")
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
    trigger = automation.trigger
    if not automation.enabled or event.home_id != automation.home_id or event.event_type != trigger["event_type"]:
        return False
    if trigger.get("device_id", event.device_id) != event.device_id:
        return False
    extra = _object(trigger.get("conditions", {}), "conditions")
    from_trigger: list[Shape] = [
        {"type": name, **(value if name == "time_range" else {name: value})} for name, value in extra.items()
    ]
    return all(
        _holds(condition, event, states, home, now_local) for condition in (*from_trigger, *automation.conditions)
    )


def in_time_range(start: str, end: str, local: datetime) -> bool:
    """`[start, end)` on the wall clock, across midnight when `end` is not behind `start`; equal: the whole day."""
    clock = f"{local.hour:02}:{local.minute:02}"
    if start < end:
        return start <= clock < end
    return clock >= start or clock < end


# -- evaluating ------------------------------------------------------------------------------------------------------


def _holds(condition: Shape, event: Event, states: Mapping[str, LiveState], home: Home, now_local: datetime) -> bool:
    match condition["type"]:
        case "time_range":
            return in_time_range(condition["start"], condition["end"], now_local)
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
        case "value_compare":
            found, value = _field_of(event, condition["field"])
            return found and _compare(value, condition["operator"], condition["value"])
    return False


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
        return _is_number(value) and _is_number(wanted) and _ORDERED[operator](value, wanted)
    if isinstance(value, str) and isinstance(wanted, str):
        same = value.casefold() == wanted.casefold()
    elif isinstance(value, bool) or isinstance(wanted, bool):
        same = value is wanted
    else:
        same = bool(value == wanted)
    return same if operator == "eq" else not same


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


# -- reading ---------------------------------------------------------------------------------------------------------


def _trigger(value: object) -> dict[str, Json]:
    given = _object(value, "trigger")
    kind = given.get("type", "device_event")
    if kind != "device_event":
        raise _unknown_kind(kind, "trigger.type", "a trigger", ("device_event",))
    _only(given, ("type", "device_id", "event_type", "conditions"), "trigger")
    event_type = given.get("event_type")
    if not isinstance(event_type, str) or event_type not in EVENT_TYPES or event_type in _NOT_TRIGGERS:
        raise InvalidInput(
            f"'{str(event_type)[:60]}' is not an event that an automation can wait for",
            field="trigger.event_type", allowed=sorted(set(EVENT_TYPES) - _NOT_TRIGGERS),
        )  # fmt: skip
    found: dict[str, Json] = {"type": "device_event", "event_type": event_type}
    if given.get("device_id") is not None:
        found["device_id"] = _text(given["device_id"], "trigger.device_id", 128)
    extra = _object(given.get("conditions") or {}, "trigger.conditions")
    _only(extra, ("time_range", "arm_state", "mode"), "trigger.conditions")
    read: dict[str, Json] = {}
    for name, part in extra.items():
        where = f"trigger.conditions.{name}"
        if name == "time_range":
            read[name] = _time_range(_object(part, where), where)
        else:
            read[name] = _one_or_more(part, where, MODES if name == "mode" else (*ARM_STATES, "armed"))
    if read:
        found["conditions"] = read
    return found


def _condition(value: object, where: str) -> dict[str, Json]:
    given = _object(value, where)
    kind = given.get("type")
    match kind:
        case "time_range":
            _only(given, ("type", "start", "end"), where)
            return {"type": kind, **_time_range(given, where)}
        case "mode" | "arm_state":
            _only(given, ("type", kind), where)
            allowed = MODES if kind == "mode" else (*ARM_STATES, "armed")
            return {"type": kind, kind: _one_or_more(given.get(kind), f"{where}.{kind}", allowed)}
        case "device_state":
            _only(given, ("type", "device_id", "attribute", "operator", "value"), where)
            device_id = _text(given.get("device_id"), f"{where}.device_id", 128)
            attribute = _text(given.get("attribute"), f"{where}.attribute", 64)
            return {"type": kind, "device_id": device_id, "attribute": attribute, **_comparison(given, where)}
        case "value_compare":
            _only(given, ("type", "field", "operator", "value"), where)
            return {
                "type": kind,
                "field": _text(given.get("field"), f"{where}.field", 200),
                **_comparison(given, where),
            }
    kinds = ("time_range", "device_state", "value_compare", "mode", "arm_state")
    raise _unknown_kind(kind, f"{where}.type", "a condition", kinds)


def _action(value: object, where: str) -> dict[str, Json]:
    given = _object(value, where)
    kind = given.get("type")
    if kind == "device_command":
        _only(given, ("type", "device_id", "command", "parameters"), where)
        return {
            "type": kind,
            "device_id": _text(given.get("device_id"), f"{where}.device_id", 128),
            "command": _text(given.get("command"), f"{where}.command", 64),
            "parameters": _plain(given.get("parameters") or {}, f"{where}.parameters"),
        }
    if kind == "notification":
        _only(given, ("type", "channel", "message"), where)
        channel = given.get("channel", "app")
        if channel not in CHANNELS:
            raise InvalidInput(
                f"a notification goes to {' or '.join(CHANNELS)}; other channels come later",
                field=f"{where}.channel", allowed=list(CHANNELS),
            )  # fmt: skip
        return {
            "type": kind,
            "channel": channel,
            "message": _text(given.get("message"), f"{where}.message", MAX_MESSAGE),
        }
    raise _unknown_kind(kind, f"{where}.type", "an action", ("device_command", "notification"))


def _time_range(given: Shape, where: str) -> dict[str, Json]:
    _only(given, ("type", "start", "end"), where)
    found: dict[str, Json] = {}
    for name in ("start", "end"):
        text = given.get(name)
        if not isinstance(text, str) or _CLOCK.fullmatch(text) is None:
            raise InvalidInput(f"{name} is a time of day as HH:MM", field=f"{where}.{name}")
        found[name] = text
    return found


def _comparison(given: Shape, where: str) -> dict[str, Json]:
    operator = given.get("operator", "eq")
    if operator not in OPERATORS:
        raise InvalidInput(
            f"an operator is one of {', '.join(OPERATORS)}", field=f"{where}.operator", allowed=list(OPERATORS)
        )
    value = given.get("value")
    if not (isinstance(value, bool) or (isinstance(value, str) and len(value) <= 200) or _is_number(value)):
        raise InvalidInput("a value is a text, a number, true or false", field=f"{where}.value")
    if operator in _ORDERED and not _is_number(value):
        raise InvalidInput(f"{operator} compares numbers", field=f"{where}.value")
    return {"operator": operator, "value": value}


def _one_or_more(value: object, where: str, allowed: Sequence[str]) -> Json:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words or any(word not in allowed for word in words):
        raise InvalidInput(f"this is one or more of {', '.join(allowed)}", field=where, allowed=list(allowed))
    return value if isinstance(value, str) else list(words)


def _plain(value: object, where: str) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, part in _object(value, where).items():
        if not (isinstance(part, str | bool) or _is_number(part)) or len(str(part)) > 200:
            raise InvalidInput("a parameter is a text, a number, true or false", field=f"{where}.{name[:64]}")
        found[name] = part
    return found


def _object(value: object, where: str) -> Shape:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise InvalidInput(f"{where} is an object", field=where)
    return value


def _list(value: object, where: str, least: int, most: int) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        raise InvalidInput(f"{where} is a list of {least} to {most}", field=where)
    return value


def _text(value: object, where: str, most: int) -> str:
    if (
        not isinstance(value, str)
        or not value.strip()
        or len(value) > most
        or not value.replace("\n", "").isprintable()
    ):
        raise InvalidInput(f"{where} is a text of 1 to {most} characters", field=where)
    return value.strip()


def _only(given: Shape, allowed: Sequence[str], where: str) -> None:
    for name in given:
        if name not in allowed:
            path = f"{where}.{name[:64]}" if where else name[:64]
            raise InvalidInput(f"'{path}' is not known here; known are {', '.join(allowed)}", field=path)


def _unknown_kind(kind: object, where: str, what: str, allowed: Sequence[str]) -> InvalidInput:
    if isinstance(kind, str) and kind in _LATER:
        return InvalidInput(
            f"'{kind}' comes later; for now {what} is {' or '.join(allowed)}", field=where, allowed=list(allowed)
        )
    return InvalidInput(f"{what} has one of the types {', '.join(allowed)}", field=where, allowed=list(allowed))
