"""What sets an automation off, read into its normal form: something that happens, or the clock. Pure.

{"type": "device_event", "device_id"?, "event_type", "conditions"?: {"time_range", "arm_state", "mode"}}
{"type": "home_state", "mode"?: "away" | [...], "arm_state"?: "armed" | [...]}     # when it becomes one of these
{"type": "time", "at": "07:00", "days"?: ["mon", ...]}
{"type": "sun", "event": "sunrise" | "sunset", "offset_minutes"?: -30, "days"?: [...]}
{"type": "once", "at": "2026-05-01T07:00:00.000Z"}                 # or "in_minutes": 10, until the rule is made
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from homeguard.errors import InvalidInput
from homeguard.given import Shape, is_number, number_at, object_at, one_or_more, only, text_at
from homeguard.mode import ARM_STATES, MODES, is_armed
from homeguard.model import Event, Home, Json
from homeguard.occurrences import DAYS, no_place, zone
from homeguard.units import wall_time
from homeguard.vocabulary import EVENT_TYPES

SUN_EVENTS: Final = ("sunrise", "sunset")
GUARDS: Final = (*ARM_STATES, "armed")
#: How far from a rise or set of the sun something may be due, in minutes.
MOST_OFFSET: Final = 180
#: How far ahead a single moment may lie.
LONGEST_AHEAD: Final = timedelta(days=366)

_TYPES: Final = ("device_event", "home_state", "time", "sun", "once")
_CLOCK: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_LATER: Final = frozenset(("webhook", "scene"))
_GROUPS: Final = {"weekdays": DAYS[:5], "weekend": DAYS[5:], "daily": DAYS}
_NOT_TRIGGERS: Final = frozenset(("automation_ran", "alert_raised", "command_requested", "command_result", "canary"))


def read_trigger(value: object, home: Home | None, now: datetime | None) -> dict[str, Json]:
    """The trigger in its normal form. `home` and `now`, by the home's clock, are what times are judged by; without them
    a moment must name its zone, and whether it lies ahead is not looked at.

    Raises:
        InvalidInput: a part is missing, unknown or out of bounds; `details["field"]` is its path.
    """
    given = object_at(value, "trigger")
    match given.get("type", "device_event"):
        case "device_event":
            return _device_event(given)
        case "home_state":
            return _home_state(given)
        case "time":
            only(given, ("type", "at", "days"), "trigger")
            return {"type": "time", "at": clock_at(given.get("at"), "trigger.at"), **_days(given, "trigger")}
        case "sun":
            return _sun(given, home)
        case "once":
            return _once(given, home, now)
        case kind:
            raise unknown_kind(kind, "trigger.type", "a trigger", _TYPES)


def settled(trigger: Shape, now: datetime) -> Shape:
    """With the moment in the place of the minutes that are to pass from `now`, by the home's clock, on."""
    if trigger.get("type") != "once" or "in_minutes" not in trigger:
        return trigger
    return {"type": "once", "at": _text_of(now + timedelta(minutes=trigger["in_minutes"]))}


def event_type_of(trigger: Shape) -> str:
    """The event that sets it off; `""` where the clock does."""
    if trigger.get("type") == "home_state":
        return "mode_changed"
    return str(trigger.get("event_type") or "")


def is_set_off(trigger: Shape, event: Event) -> bool:
    """Whether the event is what the trigger waits for; the conditions in it are not looked at."""
    if event.event_type != event_type_of(trigger):
        return False
    if trigger.get("type") == "home_state":
        return all(_became(trigger[name], event.payload.get(name)) for name in ("mode", "arm_state") if name in trigger)
    return bool(trigger.get("device_id", event.device_id) == event.device_id)


def told(trigger: Shape, home: Home) -> str:
    """A trigger that goes by the clock, in words: `at 07:00 on mon, tue`, `30 minutes before sunset`, `once in 10
    minutes`; `""` for another."""
    days = f" on {', '.join(trigger['days'])}" if trigger.get("days") else ""
    match trigger.get("type"):
        case "time":
            return f"at {wall_time(time.fromisoformat(trigger['at']), home.unit_system)}{days}"
        case "sun":
            offset = int(trigger.get("offset_minutes", 0))
            near = f"{abs(offset)} minutes {'before' if offset < 0 else 'after'} " if offset else "at "
            return f"{near}{trigger['event']}{days}"
        case "once" if "in_minutes" in trigger:
            return f"once in {trigger['in_minutes']:g} minutes"
        case "once":
            at = datetime.fromisoformat(trigger["at"]).astimezone(zone(home))
            return f"once on {at:%a} {at.day} {at:%b} at {wall_time(at, home.unit_system)}"
    return ""


def clock_at(value: object, where: str) -> str:
    """A time of day as HH:MM. Raises InvalidInput: it is none."""
    if not isinstance(value, str) or _CLOCK.fullmatch(value) is None:
        raise InvalidInput(f"{where.rpartition('.')[2]} is a time of day as HH:MM", field=where)
    return value


def time_range_at(given: Shape, where: str) -> dict[str, Json]:
    only(given, ("type", "start", "end"), where)
    return {name: clock_at(given.get(name), f"{where}.{name}") for name in ("start", "end")}


def days_at(value: object, where: str) -> Sequence[str]:
    """Days in the order of the week, each once; `weekdays` and `weekend` stand for theirs."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words:
        raise InvalidInput(f"days is a list of {', '.join(DAYS)}", field=where, allowed=[*DAYS, *_GROUPS])
    found: set[str] = set()
    for word in words:
        if not isinstance(word, str) or word not in (*DAYS, *_GROUPS):
            raise InvalidInput(f"days are {', '.join(DAYS)}", field=where, allowed=[*DAYS, *_GROUPS])
        found.update(_GROUPS.get(word, (word,)))
    return [day for day in DAYS if day in found]


def moment_at(value: object, where: str, home: Home | None) -> datetime:
    """ISO 8601 as aware UTC; without a zone it is the home's. Raises InvalidInput: it cannot be read."""
    wrong = InvalidInput(
        f"{where} is a time such as 2026-05-01T17:00:00 (the home's own) or with its zone", field=where
    )
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 40 else None
        if at is not None and at.tzinfo is None:
            at = at.replace(tzinfo=zone(home)) if home is not None else None
        at = at.astimezone(UTC) if at is not None else None
    except (ValueError, OverflowError) as error:
        raise wrong from error
    if at is None or not 1970 <= at.year <= 9998:
        raise wrong
    return at


def unknown_kind(kind: object, where: str, what: str, allowed: Sequence[str]) -> InvalidInput:
    if isinstance(kind, str) and kind in _LATER:
        return InvalidInput(
            f"'{kind}' comes later; for now {what} is {' or '.join(allowed)}", field=where, allowed=list(allowed)
        )
    return InvalidInput(f"{what} has one of the types {', '.join(allowed)}", field=where, allowed=list(allowed))


def _device_event(given: Shape) -> dict[str, Json]:
    only(given, ("type", "device_id", "event_type", "conditions"), "trigger")
    event_type = given.get("event_type")
    if not isinstance(event_type, str) or event_type not in EVENT_TYPES or event_type in _NOT_TRIGGERS:
        raise InvalidInput(
            f"'{str(event_type)[:60]}' is not an event that an automation can wait for",
            field="trigger.event_type", allowed=sorted(set(EVENT_TYPES) - _NOT_TRIGGERS),
        )  # fmt: skip
    found: dict[str, Json] = {"type": "device_event", "event_type": event_type}
    if given.get("device_id") is not None:
        found["device_id"] = text_at(given["device_id"], "trigger.device_id", 128)
    extra = object_at(given.get("conditions") or {}, "trigger.conditions")
    only(extra, ("time_range", "arm_state", "mode"), "trigger.conditions")
    read: dict[str, Json] = {}
    for name, part in extra.items():
        where = f"trigger.conditions.{name}"
        if name == "time_range":
            read[name] = time_range_at(object_at(part, where), where)
        else:
            read[name] = one_or_more(part, where, MODES if name == "mode" else GUARDS)
    if read:
        found["conditions"] = read
    return found


def _home_state(given: Shape) -> dict[str, Json]:
    only(given, ("type", "mode", "arm_state"), "trigger")
    found: dict[str, Json] = {"type": "home_state"}
    for name, allowed in (("mode", MODES), ("arm_state", GUARDS)):
        if given.get(name) is not None:
            found[name] = one_or_more(given[name], f"trigger.{name}", allowed)
    if len(found) == 1:
        raise InvalidInput("say which mode or arm_state of the home sets it off", field="trigger.mode")
    return found


def _sun(given: Shape, home: Home | None) -> dict[str, Json]:
    only(given, ("type", "event", "offset_minutes", "days"), "trigger")
    found: dict[str, Json] = {"type": "sun", "event": sun_event_at(given.get("event"), "trigger.event", home)}
    offset = offset_at(given.get("offset_minutes", 0), "trigger.offset_minutes")
    if offset:
        found["offset_minutes"] = offset
    return found | _days(given, "trigger")


def sun_event_at(value: object, where: str, home: Home | None) -> str:
    """Raises InvalidInput: it is neither, or where the home stands is not known."""
    if value not in SUN_EVENTS:
        raise InvalidInput(f"this is {' or '.join(SUN_EVENTS)}", field=where, allowed=list(SUN_EVENTS))
    if home is not None and (home.latitude is None or home.longitude is None):
        raise no_place()
    return str(value)


def offset_at(value: object, where: str) -> int:
    """Whole minutes before (negative) or after."""
    return round(number_at(value, where, -MOST_OFFSET, MOST_OFFSET))


def _once(given: Shape, home: Home | None, now: datetime | None) -> dict[str, Json]:
    only(given, ("type", "at", "in_minutes"), "trigger")
    if (given.get("at") is None) == (given.get("in_minutes") is None):
        raise InvalidInput("say either at or in_minutes", field="trigger.at")
    if given.get("in_minutes") is not None:
        most = LONGEST_AHEAD / timedelta(minutes=1)
        if not is_number(given["in_minutes"]) or not 0 < given["in_minutes"] <= most:
            raise InvalidInput(f"in_minutes is more than 0, at most {most:g}", field="trigger.in_minutes")
        return {"type": "once", "in_minutes": given["in_minutes"]}
    at = moment_at(given["at"], "trigger.at", home)
    if now is not None and not now < at <= now + LONGEST_AHEAD:
        raise InvalidInput(
            f"{_text_of(at)} is over already" if at <= now else "at most a year ahead",
            field="trigger.at",
            now=_text_of(now),
        )
    return {"type": "once", "at": _text_of(at)}


def _days(given: Shape, where: str) -> dict[str, Json]:
    if given.get("days") is None:
        return {}
    days = days_at(given["days"], f"{where}.days")
    return {"days": list(days)} if len(days) < len(DAYS) else {}


def _text_of(at: datetime) -> str:
    """As `clock.iso` writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _became(wanted: Any, now: object) -> bool:
    words = (wanted,) if isinstance(wanted, str) else wanted
    return now in words or ("armed" in words and now in ARM_STATES and is_armed(now))
