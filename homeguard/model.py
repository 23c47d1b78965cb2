"""The things that HomeGuard speaks of, as frozen values. Times are aware UTC; ids are text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

Scalar: TypeAlias = str | int | float | bool | None
Json: TypeAlias = "Scalar | Sequence[Json] | Mapping[str, Json]"
#: What an attribute of a device can hold.
Value: TypeAlias = bool | int | float | str
Attributes: TypeAlias = Mapping[str, Value]

Role: TypeAlias = Literal["owner", "member", "guest"]
Caller: TypeAlias = Literal["person", "agent", "client", "automation", "system"]
Scope: TypeAlias = Literal["read", "control", "sensitive", "manage"]
Lane: TypeAlias = Literal["safety", "state", "bulk"]
Trust: TypeAlias = Literal["device", "third_party", "core"]
Severity: TypeAlias = Literal["low", "medium", "high", "critical"]
Priority: TypeAlias = Literal["log", "normal", "high", "critical"]
HomeMode: TypeAlias = Literal["home", "away", "vacation", "party", "sleep"]
ArmState: TypeAlias = Literal["disarmed", "arming", "armed_home", "armed_away", "armed_night", "pending", "triggered"]
UnitSystem: TypeAlias = Literal["us", "si"]
#: A command's life: `pending` in the journal, then one of the four that a person is told, for good.
Outcome: TypeAlias = Literal["pending", "confirmed", "sent", "failed", "refused"]
ConfirmationState: TypeAlias = Literal["open", "approved", "denied", "expired"]

ALL_SCOPES: frozenset[Scope] = frozenset(("read", "control", "sensitive", "manage"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A tenant. `mode` and `arm_state` are the home's own state; `time_zone` is an IANA name.

    `latitude` and `longitude` in degrees, north and east positive; None: nobody said where the home stands.
    """

    id: str
    name: str
    time_zone: str = "UTC"
    unit_system: UnitSystem = "si"
    mode: HomeMode = "home"
    arm_state: ArmState = "disarmed"
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who can sign in; `role` is `admin` for the operator of the installation."""

    id: str
    email: str
    name: str
    role: Literal["user", "admin"] = "user"
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person's place in a home."""

    home_id: str
    user_id: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The sentence that an agent is working on: `words` are the person's own, of this turn only.

    `tainted`: text of third parties has entered the turn since, so its model may be saying what they want.
    """

    id: str
    thread_id: str
    words: str
    tainted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks, as the authenticated transport says. Never built from a caller's arguments.

    An agent or a client acts for `user_id` and has at most that person's rights. `cause` is the id of the event,
    command or turn that led here; `""` for a person's own act.
    """

    home_id: str
    user_id: str
    role: Role
    caller: Caller
    scopes: frozenset[Scope] = ALL_SCOPES
    name: str = ""
    session_id: str = ""
    turn: Turn | None = None
    cause: str = ""
    #: Fingerprints (`effects.fingerprint`) of effects that a person approved beforehand for this caller.
    standing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    id: str
    vendor: str = ""
    model: str = ""
    firmware: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One thing that a person would name. `id` is unique in its home and never changes.

    `config` is public: ranges, options, levels, placement (`vocabulary.Bounds` reads it). `binding` says how a
    driver reaches it (`{"driver": "simulated"}`, `{"driver": "mqtt", ...}`) and is never shown.
    """

    home_id: str
    id: str
    name: str
    type: str
    capabilities: tuple[str, ...]
    area: str = ""
    floor: str = ""
    aliases: tuple[str, ...] = ()
    hardware: Hardware | None = None
    config: Mapping[str, Json] = field(default_factory=dict)
    binding: Mapping[str, Json] = field(default_factory=dict)
    is_simulated: bool = False
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """What a device last said. `changed_at` holds, for each attribute, when its value last changed (device time)."""

    home_id: str
    device_id: str
    attributes: Attributes = field(default_factory=dict)
    changed_at: Mapping[str, datetime] = field(default_factory=dict)
    available: bool = False
    last_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    firmware_version: str | None = None
    signal_strength: int | None = None
    is_simulated: bool = False


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something happened, true at `at` by the device's clock. `event_id` is unique in its home.

    `payload` is kept as it was sent. `late` is derived: see `pipeline.envelope`.
    """

    home_id: str
    event_id: str
    event_type: str
    at: datetime
    received_at: datetime
    device_id: str = ""
    user_id: str = ""
    payload: Mapping[str, Json] = msgspec.field(default_factory=dict)
    metadata: Metadata = Metadata()
    source: str = "core"
    trust: Trust = "device"
    lane: Lane = "state"
    cause: str = ""
    traceparent: str = ""


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One measured number: `value` in `unit`, true at `at` (UTC, by the device's clock)."""

    home_id: str
    device_id: str
    metric: str
    value: float
    unit: str
    at: datetime
    event_id: str
    is_simulated: bool = False


class Window(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Readings of one metric over `[start, start + every)`."""

    start: datetime
    count: int
    average: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A detector's finding about one event or reading; `score` in 0..1, higher is stranger."""

    id: str
    home_id: str
    device_id: str
    at: datetime
    kind: str
    score: float
    severity: Severity
    explanation: str
    event_id: str
    metric: str = ""
    value: float | None = None
    expected_low: float | None = None
    expected_high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What a person should know. `id` is derived from its cause, so it is raised once."""

    id: str
    home_id: str
    at: datetime
    kind: str
    severity: Severity
    title: str
    text: str
    device_id: str = ""
    event_ids: tuple[str, ...] = ()
    state: Literal["open", "acknowledged", "resolved"] = "open"
    is_simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to a person, in the outbox: written first, delivered after."""

    id: str
    home_id: str
    at: datetime
    channel: str
    recipient: str
    priority: Priority
    title: str
    text: str
    cause: str = ""
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a request would do to one thing in the world: the gate judges this, never the words.

    `kind` is `device`, or the name of a home-level act (`set_mode`, `create_automation`, `delete_device`, ...).
    `set` is what the attributes would be after it, `before` what they are now (absent when unknown).
    """

    kind: str
    device_id: str = ""
    device_name: str = ""
    device_type: str = ""
    area: str = ""
    command: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    set: Attributes = field(default_factory=dict)
    before: Attributes = field(default_factory=dict)
    #: The effects that this one contains: what an automation would do when it runs.
    contains: tuple["Effect", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One absolute command to one device, as the journal keeps it."""

    id: str
    home_id: str
    device_id: str
    command: str
    parameters: Mapping[str, Json]
    set: Attributes
    before: Attributes
    tier: int
    caller: Caller
    user_id: str
    cause: str
    requested_at: datetime
    not_after: datetime
    outcome: Outcome = "pending"
    reason: str = ""
    finished_at: datetime | None = None
    grant_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A question to a person about exact effects. It lives five minutes of system time and is answered once.

    `outcome` holds, after an approval was executed, one entry per command: `{"command_id", "device_id", "outcome",
    "reason", "set"}`.
    """

    id: str
    home_id: str
    user_id: str
    text: str
    detail: str
    tier: int
    effects: tuple[Effect, ...]
    created_at: datetime
    expires_at: datetime
    caller: Caller
    state: ConfirmationState = "open"
    thread_id: str = ""
    turn_id: str = ""
    cause: str = ""
    decided_by: str = ""
    decided_at: datetime | None = None
    outcome: tuple[Mapping[str, Json], ...] = ()
    #: A secret that finds the question on a page of ours and allows nothing; kept, never listed.
    link: str = ""
    #: Said anew each time it is read: the press needs the home's PIN now.
    pin_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation:
    """A rule of a home. `trigger`, `conditions`, `actions` have the shapes of `homeguard.automation`."""

    id: str
    home_id: str
    name: str
    trigger: Mapping[str, Json]
    actions: tuple[Mapping[str, Json], ...]
    conditions: tuple[Mapping[str, Json], ...] = ()
    enabled: bool = True
    version: str = ""
    #: Fingerprints of its sensitive effects (T3) that a person approved with it; changing the rule drops them.
    approved: tuple[str, ...] = ()
    created_by: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line of a conversation. `calls`, `commands` and `confirmations` are what the turn did, as shown."""

    id: str
    home_id: str
    user_id: str
    thread_id: str
    turn_id: str
    role: Literal["user", "assistant"]
    text: str
    at: datetime
    calls: tuple[Mapping[str, Json], ...] = ()
    commands: tuple[Mapping[str, Json], ...] = ()
    confirmations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A conversation of one person in one home, newest `updated_at` first in lists."""

    id: str
    home_id: str
    user_id: str
    title: str
    created_at: datetime
    updated_at: datetime
