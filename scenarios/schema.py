"""What a scenario is: a story in YAML, read and checked before anything happens."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from importlib import resources
from typing import Any, Final, cast, get_args
from zoneinfo import ZoneInfo

import yaml

from homeguard.clock import parse_time
from homeguard.errors import InvalidInput, NotFound
from homeguard.model import ArmState, HomeMode, Json
from homeguard.vocabulary import CORE_EVENTS, EVENT_TYPES

_KEYS: Final = frozenset(
    ("name", "description", "duration", "events", "expected_agent_behavior", "home", "given", "expect")
)
_GIVEN: Final = frozenset(("mode", "arm_state", "clock", "devices", "who"))
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)?")
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_MAX_BEATS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One event of a story, `at` after its start. `device` is empty for what no device says."""

    at: timedelta
    type: str
    device: str = ""
    payload: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """How things are when the story begins; what is None or empty stays as it is.

    `clock` is a time of day in the home's zone or a moment. `devices` are entries as in `scenarios/homes/*.yaml`:
    those that the home lacks exist for the length of the story.
    """

    mode: HomeMode | None = None
    arm_state: ArmState | None = None
    clock: str = ""
    who: str = ""
    devices: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A story. `flags` are the owner's words for what the agent should do; `expect` the checks behind them."""

    name: str
    description: str
    duration: timedelta
    beats: tuple[Beat, ...]
    flags: Mapping[str, bool] = field(default_factory=dict)
    home: str = ""
    given: Given = Given()
    expect: Mapping[str, Json] = field(default_factory=dict)


def library() -> list[str]:
    """The names of the stories that come with HomeGuard, sorted."""
    folder = resources.files("scenarios") / "library"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def load_scenario(name: str) -> Scenario:
    """One of the library.

    Raises:
        NotFound: there is none of that name.
    """
    if name not in library():
        raise NotFound(f"there is no scenario '{name[:60]}'; there are {', '.join(library())}")
    text = (resources.files("scenarios") / "library" / f"{name}.yaml").read_text(encoding="utf-8")
    return read_scenario(yaml.safe_load(text))


def read_scenario(document: object) -> Scenario:
    """A scenario from its document, its beats in order of time (equal times in the order of the file).

    Raises:
        InvalidInput: a key, a type or a time is wrong; the message names the place.
    """
    top = _mapping(document, "the scenario", _KEYS)
    name = top.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_]{1,60}", name):
        raise InvalidInput("name is small letters, digits and underscores", field="name")
    duration = span(top.get("duration"), "duration")
    beats = _beats(top.get("events"))
    if beats and beats[-1].at > duration:
        raise InvalidInput(f"events: {beats[-1].type} comes after the end ({top['duration']})", field="events")
    return Scenario(
        name=name,
        description=str(top.get("description") or ""),
        duration=duration,
        beats=beats,
        flags=_flags(top.get("expected_agent_behavior")),
        home=str(top.get("home") or ""),
        given=_given(top.get("given")),
        expect=_mapping(top.get("expect") or {}, "expect"),
    )


def span(value: object, where: str) -> timedelta:
    """`30s`, `5m`, `1h`, `250ms`, or a number of seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 30 * 86_400:
        return timedelta(seconds=value)
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InvalidInput(f"{where} is a span such as 30s, 5m or 1h", field=where)
    seconds = float(match[1]) * _SECONDS[match[2] or "s"]
    if seconds > 30 * 86_400:
        raise InvalidInput(f"{where} is at most 30 days", field=where)
    return timedelta(seconds=seconds)


def starts_at(given: Given, zone: str, now: datetime) -> datetime:
    """When the story begins on the home's clock: now, a moment, or the last time that it was that time of day.

    Raises:
        InvalidInput: the clock cannot be read.
    """
    if not given.clock:
        return now
    try:
        local = now.astimezone(ZoneInfo(zone))
        at = datetime.combine(local.date(), time.fromisoformat(given.clock), tzinfo=ZoneInfo(zone))
        return (at if at <= local else at - timedelta(days=1)).astimezone(UTC)
    except ValueError:
        pass
    try:
        return parse_time(given.clock)
    except ValueError as error:
        raise InvalidInput(f"given.clock: {error}", field="given.clock") from error


def _beats(value: object) -> tuple[Beat, ...]:
    if not isinstance(value, list) or len(value) > _MAX_BEATS:
        raise InvalidInput("events is a list", field="events")
    found: list[tuple[timedelta, int, Beat]] = []
    for index, entry in enumerate(value):
        where = f"events[{index}]"
        item = _mapping(entry, where, frozenset(("at", "type", "device", "payload")))
        kind = item.get("type")
        if kind not in EVENT_TYPES or kind in CORE_EVENTS:
            raise InvalidInput(f"{where}: a device reports no '{kind}'", field=f"{where}.type")
        payload = _mapping(item.get("payload") or {}, f"{where}.payload")
        beat = Beat(
            at=span(item.get("at"), f"{where}.at"),
            type=str(kind),
            device=str(item.get("device") or ""),
            payload=payload,
        )
        found.append((beat.at, index, beat))
    return _with_devices([beat for _, _, beat in sorted(found, key=lambda f: f[:2])])


def _with_devices(beats: list[Beat]) -> tuple[Beat, ...]:
    """A `motion_stopped` that names no device is the one that saw motion last."""
    told: list[Beat] = []
    for beat in beats:
        if not beat.device:
            moved = [b.device for b in told if b.type == "motion_detected"]
            if beat.type != "motion_stopped" or not moved:
                raise InvalidInput(f"events: {beat.type} names no device", field="events")
            beat = Beat(at=beat.at, type=beat.type, device=moved[-1], payload=beat.payload)
        told.append(beat)
    return tuple(told)


def _flags(value: object) -> dict[str, bool]:
    """A list of one-key mappings, or one mapping."""
    entries = value if isinstance(value, list) else [value] if value else []
    found: dict[str, bool] = {}
    for entry in entries:
        for name, flag in _mapping(entry, "expected_agent_behavior").items():
            if not isinstance(flag, bool):
                raise InvalidInput(f"expected_agent_behavior: {name} is true or false", field="expected_agent_behavior")
            found[name] = flag
    return found


def _given(value: object) -> Given:
    item = _mapping(value or {}, "given", _GIVEN)
    mode, arm_state, devices = item.get("mode"), item.get("arm_state"), item.get("devices") or []
    if mode is not None and mode not in get_args(HomeMode):
        raise InvalidInput(f"given.mode: there is no mode '{mode}'", field="given.mode")
    if arm_state is not None and arm_state not in get_args(ArmState):
        raise InvalidInput(f"given.arm_state: there is no '{arm_state}'", field="given.arm_state")
    if not isinstance(devices, list):
        raise InvalidInput("given.devices is a list", field="given.devices")
    return Given(
        mode=cast(HomeMode | None, mode),
        arm_state=cast(ArmState | None, arm_state),
        clock=str(item.get("clock") or ""),
        who=str(item.get("who") or ""),
        devices=tuple(_mapping(d, f"given.devices[{i}]") for i, d in enumerate(devices)),
    )


def _mapping(value: object, where: str, keys: frozenset[str] = frozenset()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{where} is a mapping", field=where)
    unknown = sorted(str(k) for k in set(value) - keys) if keys else []
    if unknown:
        raise InvalidInput(f"{where} has an unknown key '{unknown[0]}'", field=where)
    return value
