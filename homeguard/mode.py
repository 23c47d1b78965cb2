"""The home's mode and arm state: which belongs to which, what lowers the guard, and what is an alarm when."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from homeguard.model import ArmState, HomeMode, Severity

#: What an alarm is about. Intrusion alarms of one home within a minute are one story.
AlarmKind: TypeAlias = Literal[
    "glass_break", "smoke", "heat", "co", "gas", "water_leak", "tamper", "door_open", "window_open", "motion"
]

MODES: Final[tuple[HomeMode, ...]] = ("home", "away", "vacation", "party", "sleep")
ARM_STATES: Final[tuple[ArmState, ...]] = (
    "disarmed", "arming", "armed_home", "armed_away", "armed_night", "pending", "triggered",
)  # fmt: skip

#: The arm state that comes with a mode. At a party the perimeter is watched and the guests' door is not.
ARM_STATE_OF: Final[Mapping[HomeMode, ArmState]] = {
    "home": "disarmed",
    "away": "armed_away",
    "vacation": "armed_away",
    "sleep": "armed_night",
    "party": "armed_home",
}

#: How much a state guards: less than before is lowering. `arming`, `pending` and `triggered` guard fully: they are
#: on the way into, or in the middle of, an alarm, and leaving them for anything but `armed_away` gives something up.
_GUARD: Final[Mapping[ArmState, int]] = {
    "disarmed": 0, "armed_home": 1, "armed_night": 2, "arming": 3, "armed_away": 3, "pending": 3, "triggered": 3,
}  # fmt: skip

#: From each arm state, those that can follow.
TRANSITIONS: Final[Mapping[ArmState, frozenset[ArmState]]] = {
    "disarmed": frozenset(("arming", "armed_home", "armed_night", "armed_away", "triggered")),
    "arming": frozenset(("disarmed", "armed_home", "armed_night", "armed_away", "triggered")),
    "armed_home": frozenset(("disarmed", "arming", "armed_night", "armed_away", "pending", "triggered")),
    "armed_night": frozenset(("disarmed", "arming", "armed_home", "armed_away", "pending", "triggered")),
    "armed_away": frozenset(("disarmed", "armed_home", "armed_night", "pending", "triggered")),
    "pending": frozenset(("disarmed", "armed_home", "armed_night", "armed_away", "triggered")),
    "triggered": frozenset(("disarmed", "armed_home", "armed_night", "armed_away")),
}

_ALWAYS: Final[Mapping[str, AlarmKind]] = {
    "glass_break": "glass_break", "smoke_detected": "smoke", "heat_anomaly": "heat", "co_detected": "co",
    "gas_detected": "gas", "water_leak_detected": "water_leak", "tamper_detected": "tamper",
}  # fmt: skip
_PERIMETER: Final[Mapping[str, AlarmKind]] = {
    "door_open": "door_open", "garage_open": "door_open", "window_open": "window_open",
}  # fmt: skip
_INTERIOR: Final[Mapping[str, AlarmKind]] = {"motion_detected": "motion", "person_detected": "motion"}
_WATCHES_PERIMETER: Final = frozenset(("armed_home", "armed_night", "armed_away", "pending", "triggered"))
#: Inside, people move when they are at home: only a home that they left watches for it.
_WATCHES_INTERIOR: Final = frozenset(("armed_away", "pending", "triggered"))
_LEFT: Final = frozenset(("away", "vacation"))

INTRUSION: Final[frozenset[AlarmKind]] = frozenset(("glass_break", "door_open", "window_open", "motion", "tamper"))
FIRE: Final[frozenset[AlarmKind]] = frozenset(("smoke", "heat"))

_SEVERITY: Final[Mapping[AlarmKind, Severity]] = {
    "glass_break": "critical", "smoke": "critical", "heat": "critical", "co": "critical", "gas": "critical",
    "water_leak": "high", "tamper": "high", "door_open": "high", "window_open": "high", "motion": "high",
}  # fmt: skip
#: The kind of alert that a strange number is.
READING: Final = "reading_anomaly"
#: Kind of an alert -> what its title begins with; a colon and a device's name follow.
ALERT_TITLES: Final[Mapping[str, str]] = {
    "glass_break": "Glass break", "smoke": "Smoke", "heat": "Dangerous heat", "co": "Carbon monoxide",
    "gas": "Gas", "water_leak": "Water leak", "tamper": "Tampering", "door_open": "Door opened",
    "window_open": "Window opened", "motion": "Motion", READING: "Unusual reading",
}  # fmt: skip
SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")


def arm_state_of(mode: HomeMode) -> ArmState:
    """The arm state that a mode brings with it."""
    return ARM_STATE_OF[mode]


def can_follow(now: ArmState, then: ArmState) -> bool:
    """`then` may come after `now`; staying as it is always may."""
    return now == then or then in TRANSITIONS[now]


def lowers(now: ArmState, then: ArmState) -> bool:
    """Afterwards the home is guarded less: this is what must be confirmed."""
    return _GUARD[then] < _GUARD[now]


def is_armed(state: ArmState) -> bool:
    """Anything that guards: not `disarmed`, and not `arming`, which lets people leave."""
    return state in _WATCHES_PERIMETER


def alarm_of(event_type: str, arm_state: ArmState, mode: HomeMode) -> AlarmKind | None:
    """What kind of alarm an event is in a home in this state, None when it is none.

    Glass, fire, gas, water and tampering always are; doors and windows while armed; movement inside while the home
    is armed and its people left.
    """
    always = _ALWAYS.get(event_type)
    if always is not None:
        return always
    if arm_state in _WATCHES_PERIMETER and event_type in _PERIMETER:
        return None if mode == "party" and event_type == "door_open" else _PERIMETER[event_type]
    if arm_state in _WATCHES_INTERIOR and mode in _LEFT:
        return _INTERIOR.get(event_type)
    return None


def severity_of(kind: AlarmKind, *, strength: float | None = None, is_corroborated: bool = False) -> Severity:
    """How grave it is. A faint glass break (below 0.5) alone is `high`; an intrusion that a second device confirms is
    `critical`."""
    if kind in INTRUSION and is_corroborated:
        return "critical"
    if kind == "glass_break" and strength is not None and strength < 0.5:
        return "high"
    return _SEVERITY[kind]


def is_graver(severity: Severity, than: Severity) -> bool:
    return SEVERITIES.index(severity) > SEVERITIES.index(than)
