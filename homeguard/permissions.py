"""What a person allowed beforehand, and whether it stands for the card in the circumstances of this moment. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from homeguard.errors import InvalidInput
from homeguard.mode import FIRE, INTRUSION, AlarmKind
from homeguard.model import ArmState, Effect

PermissionKind: TypeAlias = Literal["fire_egress", "guest_window"]
KINDS: Final[tuple[PermissionKind, ...]] = ("fire_egress", "guest_window")

#: Two sources tell of one fire when they spoke within this time of each other and of now.
CORROBORATION: Final = timedelta(minutes=5)
#: A sensor that joined less than this ago counts for nothing: whoever pairs two sensors must not open a door.
NEWCOMER: Final = timedelta(hours=24)
MIN_SOURCES: Final = 2
#: What tells of a fire. Carbon monoxide and gas open no door by themselves.
FIRE_SOURCES: Final = frozenset(("smoke", "heat"))
#: A face is believed from here on; a permission may ask for more, never for less.
MIN_CONFIDENCE: Final = 0.85
#: A face or a code counts for this long.
SIGHTING: Final = timedelta(seconds=60)
#: The longest visit that is announced at once.
LONGEST_WINDOW: Final = timedelta(days=7)
MAX_DOORS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What must be shown before a permission counts.

    `fire_egress`: `sources`, and whether it counts with `when_away` too. `guest_window`: whose face (`person`, with
    `confidence`) or which code (`code_id`).
    """

    sources: int = MIN_SOURCES
    when_away: bool = False
    person: str = ""
    code_id: str = ""
    confidence: float = MIN_CONFIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A yes that was given beforehand: these doors, this command, in this time (of the home's clock), on this evidence.

    `valid_until` None: until it is revoked. A row stays when it is revoked, so that what it allowed can be explained.
    """

    id: str
    home_id: str
    name: str
    kind: PermissionKind
    device_ids: tuple[str, ...]
    commands: tuple[str, ...] = ("unlock",)
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    evidence: Evidence = Evidence()
    created_by: str = ""
    created_at: datetime
    revoked_by: str = ""
    revoked_at: datetime | None = None
    uses: int = 0
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One sensor's word of a fire. `hardware_id` is that of the thing it sits in; `at` when it last said so, by the
    home's clock; `joined_at` when HomeGuard first knew it (None: not known, which counts as just now)."""

    device_id: str
    kind: str
    at: datetime
    hardware_id: str = ""
    is_authenticated: bool = False
    is_healthy: bool = False
    joined_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Who is at the door: a recognised face (`confidence` in 0..1), or a code that was entered there."""

    by: Literal["face", "code"]
    who: str
    at: datetime
    confidence: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How things stand. `now` is the home's clock; None as `is_occupied`: nobody knows, which counts as nobody there.

    `intrusion`: an alarm about people is under way. `is_link_up`: devices can be heard now.
    """

    now: datetime
    sources: tuple[Source, ...] = ()
    sighting: Sighting | None = None
    is_occupied: bool | None = None
    intrusion: bool = False
    is_link_up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Does it stand for the card, and the words for it."""

    allowed: bool
    why: str


def is_intrusion(arm_state: ArmState, alarms: Iterable[AlarmKind]) -> bool:
    """Is an alarm about people under way? `alarms`: the kinds of those that are open now. A panel that went off for a
    reason that nobody knows counts."""
    kinds = set(alarms)
    if kinds & INTRUSION or arm_state == "pending":
        return True
    return arm_state == "triggered" and not kinds & FIRE


def ruling(permission: Permission, effect: Effect, seen: Circumstances) -> Ruling:
    """Does this permission stand for the card of this effect, as things are? Whatever is missing or odd is a no."""
    why = _unfit(permission, effect, seen) or (
        _no_fire(permission, seen) if permission.kind == "fire_egress" else _no_guest(permission, seen)
    )
    return Ruling(allowed=not why, why=why or f"'{permission.name}' allows it")


def checked(
    *,
    kind: str,
    device_ids: Sequence[str],
    locks: Iterable[str],
    valid_from: datetime | None,
    valid_until: datetime | None,
    evidence: Evidence,
    now: datetime,
) -> PermissionKind:
    """The kind of a permission that may be asked for at all. `locks` are the ids of the home's locks.

    Raises:
        InvalidInput: it names something that is no lock, is open for too long, or asks for too little evidence.
    """
    if kind not in KINDS:
        raise InvalidInput(f"a permission is one of {', '.join(KINDS)}", field="kind", allowed=list(KINDS))
    if not 0 < len(device_ids) <= MAX_DOORS or len(set(device_ids)) != len(device_ids):
        raise InvalidInput(f"name 1 to {MAX_DOORS} different doors", field="device_ids")
    known = set(locks)
    for device_id in device_ids:
        if device_id not in known:
            raise InvalidInput(f"'{device_id[:100]}' is no lock of this home", field="device_ids")
    if kind == "fire_egress":
        if evidence.sources < MIN_SOURCES:
            raise InvalidInput(f"a fire needs at least {MIN_SOURCES} sources", field="sources")
        return "fire_egress"
    if bool(evidence.person.strip()) == bool(evidence.code_id.strip()):
        raise InvalidInput("name either the guest's face or the code", field="person")
    if not MIN_CONFIDENCE <= evidence.confidence <= 1:
        raise InvalidInput(f"a face must be sure to {MIN_CONFIDENCE} at least", field="confidence")
    if valid_from is None or valid_until is None or not valid_from < valid_until:
        raise InvalidInput("a visit has a beginning and a later end", field="valid_until")
    if valid_until <= now:
        raise InvalidInput("this visit is over already", field="valid_until")
    if valid_until - valid_from > LONGEST_WINDOW:
        raise InvalidInput(f"a visit lasts at most {LONGEST_WINDOW.days} days", field="valid_until")
    return "guest_window"


def _unfit(permission: Permission, effect: Effect, seen: Circumstances) -> str:
    if permission.revoked_at is not None:
        return "it was revoked"
    if effect.kind != "device" or effect.device_type != "lock" or dict(effect.set) != {"lock": "unlocked"}:
        return "it is for unlocking a lock only"
    if effect.device_id not in permission.device_ids or effect.command not in permission.commands:
        return "it is for another door"
    if permission.valid_from is not None and seen.now < permission.valid_from:
        return "its time has not come"
    if permission.valid_until is not None and seen.now >= permission.valid_until:
        return "its time is over"
    if seen.intrusion:
        return "there may be a stranger in the home"
    if not seen.is_link_up:
        return "the devices cannot be heard now"
    return ""


def _no_fire(permission: Permission, seen: Circumstances) -> str:
    counted = [source for source in seen.sources if _counts(source, seen.now)]
    # a smoke and a heat sensor in one housing are one source: what breaks one of them may break both
    apart = {source.hardware_id or source.device_id for source in counted}
    things = {source.device_id for source in counted}
    if min(len(apart), len(things)) < max(MIN_SOURCES, permission.evidence.sources):
        return "too few sensors tell of a fire"
    if seen.is_occupied is not True and not permission.evidence.when_away:
        return "nobody is known to be at home"
    return ""


def _counts(source: Source, now: datetime) -> bool:
    age = now - source.at
    is_old_hand = source.joined_at is not None and now - source.joined_at >= NEWCOMER
    is_recent = timedelta() <= age <= CORROBORATION
    return source.kind in FIRE_SOURCES and source.is_authenticated and source.is_healthy and is_old_hand and is_recent


def _no_guest(permission: Permission, seen: Circumstances) -> str:
    sighting, evidence = seen.sighting, permission.evidence
    if permission.valid_from is None or permission.valid_until is None:
        return "it has no time"
    if sighting is None or not timedelta() <= seen.now - sighting.at <= SIGHTING:
        return "nobody was seen at the door just now"
    if sighting.by == "code":
        return "" if evidence.code_id and sighting.who == evidence.code_id else "it is another code"
    if not evidence.person or sighting.who.strip().casefold() != evidence.person.strip().casefold():
        return "it is another face"
    needed = max(MIN_CONFIDENCE, evidence.confidence)
    is_sure = not math.isnan(sighting.confidence) and needed <= sighting.confidence <= 1
    return "" if is_sure else "the face is not certain enough"
