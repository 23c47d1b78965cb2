"""What may be done and who must say yes: one table, pure data. The first row that fits an effect is its tier.

T0 reads; T1 never asks; T2 asks unless the person's own words name exactly this; T3 always takes a press on our own
card; T4 is never done for an agent, a client or an automation. What no row knows is T3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast

from homeguard.mode import lowers
from homeguard.model import ArmState, Effect

#: HVAC set points that never ask, in Celsius: 60-80 F.
COMFORT_C: Final = (15.5, 26.7)
#: A question lives this long (system time).
CONFIRMATION_TTL: Final = timedelta(minutes=5)
#: A T3 command that could not be handed over within this time is not sent any more; others have longer.
SENSITIVE_TTL: Final = timedelta(seconds=10)
COMMAND_TTL: Final = timedelta(seconds=60)
#: At most this many T3 effects are carried out for an agent in a home within the window.
AGENT_T3_BUDGET: Final = 3
AGENT_T3_WINDOW: Final = timedelta(minutes=10)

_COMFORT: Final = frozenset(
    (
        "light",
        "switch",
        "plug",
        "media_player",
        "fan",
        "humidifier",
        "dehumidifier",
        "air_purifier",
        "diffuser",
        "vacuum",
        "appliance",
    )
)
_HVAC: Final = frozenset(("thermostat", "air_conditioner", "heater", "water_heater"))
_HEATS: Final = frozenset(("heater", "water_heater"))
_CAMERAS: Final = frozenset(("camera", "doorbell"))
_ENTRIES: Final = frozenset(("garage_door", "gate"))
_DETECTORS: Final = frozenset(
    ("smoke", "heat", "co", "gas", "water_leak", "glass_break", "vibration", "motion", "presence", "contact")
)
_LIFE_SAFETY: Final = frozenset(("smoke", "co", "heat", "gas"))
#: Words of a name, an alias or a model that say: this "lamp" drives something that opens, or something that heats.
ENTRY_WORDS: Final = frozenset(
    ("opener", "garage door", "gate", "door lock", "lock", "strike", "door release", "alarm")
)
#: Those that count against a lamp that can be dimmed, too: what is only named after a gate has none of them.
OPENER_WORDS: Final = frozenset(("opener", "strike", "door release"))
HEATING_WORDS: Final = frozenset(
    ("oven", "stove", "cooker", "hob", "iron", "fryer", "grill", "heater", "boiler", "kettle", "sauna", "fireplace")
)

Test = Callable[[Effect], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """A row. Empty `types` or `commands` mean any; `test` narrows further by what the effect would make true."""

    id: str
    tier: int
    kinds: frozenset[str] = frozenset(("device",))
    types: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()
    test: Test | None = None

    def fits(self, effect: Effect) -> bool:
        return (
            effect.kind in self.kinds
            and (not self.types or effect.device_type in self.types)
            and (not self.commands or effect.command in self.commands)
            and (self.test is None or self.test(effect))
        )


def _f(*words: str) -> frozenset[str]:
    return frozenset(words)


def _closes(effect: Effect) -> bool:
    """It ends closed, or at least more closed than it is known to be."""
    target, now = effect.set.get("position_pct"), effect.before.get("position_pct")
    if not isinstance(target, int | float):
        return False
    return target <= 0 or (isinstance(now, int | float) and target < now)


def _comfortable(effect: Effect) -> bool:
    target = effect.set.get("target_c")
    return isinstance(target, int | float) and COMFORT_C[0] <= target <= COMFORT_C[1]


def lowers_guard(effect: Effect) -> bool:
    """The home would be guarded less than it is; an arm state that is not known counts as the highest."""
    if "arm_state" not in effect.set:
        return False
    return lowers(cast(ArmState, effect.before.get("arm_state", "triggered")), cast(ArmState, effect.set["arm_state"]))


RULES: Final[tuple[Rule, ...]] = (
    # T4: a person on a screen of ours, never anyone else
    Rule(
        "people-and-rights",
        4,
        _f(
            "change_user",
            "change_role",
            "create_token",
            "set_pin",
            "change_policy",
            "change_audit",
            "permanent_code",
            "firmware",
        ),
    ),
    Rule("life-safety-off", 4, types=_LIFE_SAFETY, commands=_f("turn_off")),
    # T3: lowers security or can hurt
    Rule("unlock", 3, commands=_f("unlock")),
    Rule("entry-open", 3, types=_ENTRIES, test=lambda e: e.command in ("open", "set_position") and not _closes(e)),
    Rule("guard-lowered", 3, _f("device", "set_mode"), test=lowers_guard),
    Rule("camera-off", 3, types=_CAMERAS, commands=_f("turn_off")),
    Rule("siren-off", 3, types=_f("siren", "alarm_panel"), commands=_f("turn_off")),
    Rule("detector-off", 3, types=_DETECTORS, commands=_f("turn_off")),
    # T2: privacy, power, entrapment, rules of the house
    Rule("entry-close", 2, types=_ENTRIES, test=_closes),
    Rule("entry-stop", 2, types=_ENTRIES, commands=_f("stop")),
    Rule("heat-on", 2, types=_HEATS, commands=_f("turn_on")),
    Rule("hvac-beyond", 2, types=_HVAC, commands=_f("set_temperature"), test=lambda e: not _comfortable(e)),
    Rule("water-on", 2, types=_f("valve"), test=lambda e: e.command in ("open", "set_position") and not _closes(e)),
    Rule("sprinkler-on", 2, types=_f("sprinkler"), commands=_f("turn_on")),
    Rule("mower-start", 2, types=_f("mower"), commands=_f("start")),
    Rule("automation", 2, _f("create_automation", "delete_automation")),
    Rule("delete-device", 2, _f("delete_device")),
    Rule("disable-code", 2, _f("disable_code")),
    Rule("outward", 2, _f("message_contact", "webhook")),
    # T1: comfort, and everything that makes the home safer
    Rule("lock", 1, commands=_f("lock")),
    Rule("arm", 1, commands=_f("arm")),
    Rule("mode", 1, _f("set_mode")),
    Rule("household", 1, _f("notify_household", "remember", "forget")),
    Rule("alarm-on", 1, types=_f("siren"), commands=_f("turn_on")),
    Rule("camera-on", 1, types=_CAMERAS, commands=_f("turn_on", "snapshot", "record")),
    Rule("shading", 1, types=_f("cover")),
    Rule("water-off", 1, types=_f("valve", "sprinkler")),
    Rule("mower-home", 1, types=_f("mower")),
    Rule("hvac", 1, types=_HVAC),
    Rule("comfort", 1, types=_COMFORT),
)
UNLISTED: Final = Rule("unlisted", 3)
EVIDENCE_ENTRY: Final = Rule("evidence-entry", 3)
EVIDENCE_HEAT: Final = Rule("evidence-heat", 2)
CONTAINS: Final = Rule("contains", 3)
