"""What may be done and who must say yes: one table, pure data. The first row that fits an effect is its tier.

T0 reads; T1 never asks; T2 asks unless the person's own words name exactly this; T3 always takes a press on our own
card; T4 is never done for an agent, a client or an automation. What no row knows is T3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from homeguard.mode import ARM_STATES, lowers
from homeguard.model import Effect

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
    ("light", "switch", "plug", "media_player", "fan", "humidifier", "dehumidifier", "air_purifier", "diffuser",
     "vacuum", "appliance")
)  # fmt: skip
_HVAC: Final = frozenset(("thermostat", "air_conditioner", "heater", "water_heater"))
_HEATS: Final = frozenset(("heater", "water_heater"))
_CAMERAS: Final = frozenset(("camera", "doorbell"))
_ENTRIES: Final = frozenset(("garage_door", "gate"))
_WATER: Final = frozenset(("valve", "sprinkler"))
_DETECTORS: Final = frozenset(
    ("smoke", "heat", "co", "gas", "water_leak", "glass_break", "vibration", "motion", "presence", "contact")
)
_LIFE_SAFETY: Final = frozenset(("smoke", "co", "heat", "gas"))
#: Devices without which the home is guarded less.
_GUARDS: Final = _CAMERAS | _DETECTORS | frozenset(("siren", "alarm_panel", "lock"))
#: What a device of comfort is told; anything else that such a device claims to take is not comfort.
_COMFORT_COMMANDS: Final = frozenset(
    ("turn_on", "turn_off", "set_brightness", "set_color", "set_color_temperature", "set_level", "set_option",
     "set_speed", "set_humidity", "set_temperature", "set_hvac_mode", "set_fan_mode", "set_swing_mode", "set_preset",
     "play", "pause", "stop", "next", "previous", "set_volume", "mute", "unmute", "select_source", "play_media",
     "start", "return_to_base", "locate")
)  # fmt: skip
_WATERING: Final = frozenset(("turn_on", "open", "set_position", "start", "set_level", "set_option"))
_SHADING_COMMANDS: Final = frozenset(("open", "close", "stop", "set_position", "set_tilt"))
#: What no device of comfort sets, by whatever command: these are doors, locks, alarms and cameras.
_GUARDED: Final = frozenset(
    ("lock", "arm_state", "position_pct", "cover", "open", "recording", "streaming", *_DETECTORS, "tamper")
)
#: Notes about people: never written by an agent that has read what third parties wrote.
MEMORY_WRITES: Final = frozenset(("remember", "forget", "update_household"))

#: Words of a name, an alias or a model that say: this "lamp" drives something that opens, or something that heats.
ENTRY_WORDS: Final = frozenset(
    ("opener", "garage door", "garagedoor", "gate", "door lock", "doorlock", "lock", "deadbolt", "strike",
     "door release", "alarm", "garagentor", "turoffner", "tueroeffner", "schloss", "serrure", "cerradura", "cancello",
     "porton")
)  # fmt: skip
#: Those that count against a lamp that can be dimmed, too: what is only named after a gate has none of them.
OPENER_WORDS: Final = frozenset(("opener", "strike", "door release", "turoffner", "tueroeffner"))
#: Things whose names hold such a word and which open nothing.
HARMLESS_WORDS: Final = frozenset(
    ("alarm clock", "clock alarm", "alarm radio", "lock of hair", "child lock", "lock screen", "bottle opener",
     "can opener", "letter opener", "gate valve", "baby gate", "lucky strike")
)  # fmt: skip
#: A relay beside one of these words is taken for what moves it, whatever it is called now.
RELAY_WORDS: Final = frozenset(("relay", "dry contact", "impulse switch", "pulse switch", "actuator"))
OPENING_WORDS: Final = frozenset(("garage", "gate", "door", "portal", "driveway", "entrance"))
#: A cover with one of these hangs in front of an opening and closes none.
SHADE_WORDS: Final = frozenset(
    ("blind", "blinds", "curtain", "curtains", "shade", "shades", "shutter", "shutters", "awning", "drape", "drapes",
     "screen", "roller")
)  # fmt: skip
DOOR_WORDS: Final = frozenset(("door", "doors", "garage", "gate", "garagentor", "porton", "cancello"))
HEATING_WORDS: Final = frozenset(
    ("oven", "stove", "cooker", "cooktop", "hob", "hotplate", "hot plate", "iron", "fryer", "grill", "heater",
     "radiator", "boiler", "furnace", "kettle", "sauna", "fireplace")
)  # fmt: skip

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


def _shuts(effect: Effect) -> bool:
    """It ends wholly closed."""
    target = effect.set.get("position_pct")
    return effect.set.get("cover") == "closed" and isinstance(target, int | float) and target <= 0


def _opens(effect: Effect) -> bool:
    """Everything that may leave it open, and is not told to stand still."""
    return effect.command in ("open", "set_position") and not _shuts(effect)


def _less_water(effect: Effect) -> bool:
    """It ends closed, or at least more closed than it is known to be."""
    target, now = effect.set.get("position_pct"), effect.before.get("position_pct")
    if _shuts(effect):
        return True
    return isinstance(target, int | float) and isinstance(now, int | float) and target < now


def _is_unlocked(effect: Effect) -> bool:
    return effect.command == "unlock" or effect.set.get("lock", "locked") != "locked"


def _beyond_comfort(effect: Effect) -> bool:
    """A set point outside the comfort range, under whatever name the device has for it."""
    return any(
        not isinstance(value, int | float) or not COMFORT_C[0] <= value <= COMFORT_C[1]
        for name, value in effect.set.items()
        if name == "target_c" or (effect.device_type in _HVAC and "temp" in name)
    )


def _heats(effect: Effect) -> bool:
    """On, or in a mode, at a level or by an option that may be on."""
    return (
        effect.set.get("on") is True
        or effect.set.get("hvac_mode", "off") != "off"
        or effect.command in ("set_preset", "set_level", "set_option")
    )


def _blinds(effect: Effect) -> bool:
    return effect.command == "turn_off" or any(
        effect.set.get(name) is False for name in ("on", "recording", "streaming")
    )


def _is_comfort(effect: Effect) -> bool:
    return not _GUARDED & effect.set.keys()


def lowers_guard(effect: Effect) -> bool:
    """The home would be guarded less than it is; an arm state that is not known counts as the highest, and one that
    nobody knows as the lowest."""
    if "arm_state" not in effect.set:
        return False
    now, then = effect.before.get("arm_state"), effect.set["arm_state"]
    if then not in ARM_STATES:
        return True
    return lowers(now if now in ARM_STATES else "triggered", then)


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
    Rule("unlock", 3, test=_is_unlocked),
    Rule("entry-open", 3, types=_ENTRIES, test=_opens),
    Rule("guard-lowered", 3, _f("device", "set_mode"), test=lowers_guard),
    Rule("camera-off", 3, types=_CAMERAS, test=_blinds),
    Rule("siren-off", 3, types=_f("siren", "alarm_panel"), commands=_f("turn_off")),
    Rule("detector-off", 3, types=_DETECTORS, commands=_f("turn_off")),
    Rule("delete-guard", 3, _f("delete_device"), types=_GUARDS),
    Rule("permission", 3, _f("create_permission")),
    # T2: privacy, power, entrapment, rules of the house
    Rule("entry-close", 2, types=_ENTRIES, test=_shuts),
    Rule("entry-stop", 2, types=_ENTRIES, commands=_f("stop")),
    Rule("heat-on", 2, types=_HEATS, test=_heats),
    Rule("hvac-beyond", 2, types=_HVAC | _COMFORT, test=_beyond_comfort),
    Rule("water-on", 2, types=_WATER, commands=_WATERING, test=lambda e: not _less_water(e)),
    Rule("mower-start", 2, types=_f("mower"), commands=_f("start")),
    Rule("automation", 2, _f("create_automation", "update_automation", "delete_automation")),
    Rule("delete-device", 2, _f("delete_device")),
    Rule("disable-code", 2, _f("disable_code")),
    Rule("outward", 2, _f("message_contact", "webhook")),
    # T1: comfort, and everything that makes the home safer
    Rule("lock", 1, commands=_f("lock")),
    Rule("arm", 1, commands=_f("arm")),
    Rule("mode", 1, _f("set_mode")),
    Rule("notice", 1, _f("notify_household")),
    Rule("memory", 1, MEMORY_WRITES),
    Rule("timer", 1, _f("set_timer", "change_timer", "cancel_timer")),
    Rule("list", 1, _f("add_to_list", "complete_list_item", "remove_from_list")),
    Rule("permission-back", 1, _f("revoke_permission")),
    Rule("alarm-on", 1, types=_f("siren"), commands=_f("turn_on")),
    Rule("camera-on", 1, types=_CAMERAS, commands=_f("turn_on", "snapshot", "record")),
    Rule("shading", 1, types=_f("cover"), commands=_SHADING_COMMANDS),
    Rule("water-off", 1, types=_WATER, commands=_f("turn_off", "close", "stop", "set_position")),
    Rule("mower-home", 1, types=_f("mower"), commands=_f("pause", "stop", "return_to_base", "locate")),
    Rule("hvac", 1, types=_HVAC, commands=_COMFORT_COMMANDS, test=_is_comfort),
    Rule("comfort", 1, types=_COMFORT, commands=_COMFORT_COMMANDS, test=_is_comfort),
    # T0: one's own home, looked at
    Rule("read", 0, _f("read")),
)
UNLISTED: Final = Rule("unlisted", 3)
EVIDENCE_ENTRY: Final = Rule("evidence-entry", 3)
EVIDENCE_ENTRY_CLOSE: Final = Rule("evidence-entry-close", 2)
EVIDENCE_HEAT: Final = Rule("evidence-heat", 2)
CONTAINS: Final = Rule("contains", 3)
