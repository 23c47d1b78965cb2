"""The tier of every command on every type of device, whatever it claims to take: run it for `policy_table.txt`."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from homeguard.effects import resolve
from homeguard.gate import tier_of
from homeguard.mode import ARM_STATES
from homeguard.model import Device, Effect, LiveState
from homeguard.vocabulary import CAPABILITIES, DEVICE_TYPES

#: What an option can be called and set to: some of it is what only locks, alarms and cameras have.
_OPTIONS: Final = {
    "program": ["eco", "boost"],
    "lock": ["locked", "unlocked"],
    "arm_state": [*ARM_STATES, "asleep"],
}
_LEVELS: Final = {
    "spin": {"min": 0, "max": 2000},
    "max_temp": {"min": 0, "max": 300},
    "position_pct": {"min": 0, "max": 100},
}
#: command -> further ways to say it, (what is shown, parameters, state before).
_WAYS: Final[Mapping[str, tuple[tuple[str, dict[str, Any], dict[str, Any]], ...]]] = {
    "set_brightness": (("", {"brightness_pct": 40}, {}),),
    "set_color": (("", {"name": "red"}, {}),),
    "set_color_temperature": (("", {"kelvin": 2700}, {}),),
    "set_position": (
        ("0", {"position_pct": 0}, {}),
        ("0.01", {"position_pct": 0.01}, {}),
        ("1", {"position_pct": 1}, {"position_pct": 0}),
        ("30 of 80", {"position_pct": 30}, {"position_pct": 80}),
        ("30 of 30", {"position_pct": 30}, {"position_pct": 30}),
        ("30 of ?", {"position_pct": 30}, {}),
        ("100", {"position_pct": 100}, {"position_pct": 0}),
    ),
    "set_tilt": (("", {"tilt_pct": 10}, {}),),
    "set_temperature": tuple(
        (f"{value}", {"value": value, "unit": "C"}, {}) for value in (15.4, 15.5, 21, 26.7, 26.8, 90)
    ),
    "set_hvac_mode": (("off", {"hvac_mode": "off"}, {}), ("heat", {"hvac_mode": "heat"}, {})),
    "set_fan_mode": (("", {"fan_mode": "low"}, {}),),
    "set_swing_mode": (("", {"swing_mode": "wide"}, {}),),
    "set_preset": (("", {"preset": "boost"}, {}),),
    "set_speed": (("", {"speed_pct": 20}, {}),),
    "set_humidity": (("", {"target_humidity_pct": 40}, {}),),
    "set_level": tuple(
        (f"{name} {value}", {"name": name, "value": value}, {})
        for name, value in (("spin", 800), ("max_temp", 20), ("max_temp", 90), ("position_pct", 100))
    ),
    "set_option": tuple(
        (f"{name} {option}", {"name": name, "option": option}, {})
        for name, options in _OPTIONS.items()
        for option in options
    ),
    "arm": tuple(
        (f"{mode} of {before}", {"mode": mode}, {"arm_state": before} if before != "?" else {})
        for mode in ("home", "away")
        for before in ("disarmed", "armed_home", "armed_away", "?")
    ),
    "disarm": (("of disarmed", {}, {"arm_state": "disarmed"}), ("of ?", {}, {})),
    "record": (("", {"duration_s": 10}, {}),),
    "set_volume": (("", {"volume_pct": 20}, {}),),
    "select_source": (("", {"source": "HDMI"}, {}),),
    "play_media": (("", {"query": "jazz"}, {}),),
}


@cache
def resolved() -> Mapping[str, tuple[Device, tuple[tuple[str, Effect], ...]]]:
    """Every command on a device of each type that claims to take all of them, with how it is shown."""
    made = {}
    for kind in DEVICE_TYPES:
        device = Device(
            home_id="h", id="d", name="Thing", type=kind, capabilities=tuple(CAPABILITIES),
            config={"options": _OPTIONS, "levels": _LEVELS},
        )  # fmt: skip
        effects = []
        for command in dict.fromkeys(c for capability in CAPABILITIES.values() for c in capability.commands):
            for shown, parameters, before in _WAYS.get(command, (("", {}, {}),)):
                state = LiveState(home_id="h", device_id="d", attributes=before)
                effects.append((f"{command} {shown}".strip(), resolve(device, state, command, parameters, "si")))
        made[kind] = device, tuple(effects)
    return made


def rows() -> Iterator[str]:
    """One line for each type and row of the policy: `type rule(tier): commands`."""
    for kind, (device, effects) in resolved().items():
        found: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
        for shown, effect in effects:
            found[tier_of(effect, device)].append(shown)
        for (tier, rule), commands in sorted(found.items(), reverse=True):
            yield f"{kind} {rule}({tier}): {', '.join(commands)}"
    for kind in HOME_LEVEL:
        tier, rule = tier_of(Effect(kind=kind), None)
        yield f"- {kind} {rule}({tier})"
    for kind in DEVICE_TYPES:
        tier, rule = tier_of(Effect(kind="delete_device", device_type=kind), None)
        yield f"- delete_device {kind} {rule}({tier})"


#: Effects on the home itself, some that nothing knows.
HOME_LEVEL: Final = (
    "read", "notify_household", "remember", "forget", "update_household", "create_automation", "update_automation",
    "delete_automation", "set_timer", "change_timer", "cancel_timer", "add_to_list", "complete_list_item",
    "remove_from_list", "create_permission", "revoke_permission", "disable_code", "message_contact", "webhook",
    "set_mode", "change_user",
    "change_role", "create_token", "set_pin", "change_policy", "change_audit", "permanent_code", "firmware",
    "publish_raw", "run_script", "",
)  # fmt: skip

if __name__ == "__main__":
    print("\n".join(rows()))
