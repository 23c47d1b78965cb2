"""What puts a device back as it was: the commands that lead from one state to an earlier one. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from homeguard.commands import attributes_of, commands_of, resolve_command
from homeguard.errors import InvalidInput
from homeguard.model import Attributes, Command, Device, Json, Value
from pipeline.command.waiting import matches

Step = tuple[str, Mapping[str, Json]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What commands of one batch made of one device, taken together: from `before` to `set`.

    `before` lacks what was not known. `is_certain`: the device has reported all of it.
    """

    device_id: str
    before: Attributes
    set: Attributes
    is_certain: bool = True

    @property
    def is_nothing(self) -> bool:
        """It was so already."""
        return matches(self.set, self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inverse:
    """The steps, in order, and the attributes that they cannot bring back."""

    steps: tuple[Step, ...]
    lost: tuple[str, ...]


def merged(commands: Sequence[Command]) -> list[Change]:
    """One change a device, in the order in which the devices were first told. `commands` are oldest first; those that
    changed nothing (failed, refused, or without a known effect) are passed over."""
    before: dict[str, dict[str, Value]] = {}
    now: dict[str, dict[str, Value]] = {}
    unsure: set[str] = set()
    for command in commands:
        if command.outcome not in ("confirmed", "sent") or not command.device_id:
            continue
        was, becomes = before.setdefault(command.device_id, {}), now.setdefault(command.device_id, {})
        for name, value in command.set.items():
            if name not in becomes and name in command.before:
                was[name] = command.before[name]
            becomes[name] = value
        if command.outcome == "sent":
            unsure.add(command.device_id)
    return [
        Change(device_id=device_id, before=before[device_id], set=becomes, is_certain=device_id not in unsure)
        for device_id, becomes in now.items()
    ]


def inverse(device: Device, change: Change) -> Inverse:
    """From `change.set` back to `change.before`, as near as the device's own commands lead."""
    state: dict[str, Value] = dict(change.set)
    wanted = {name: change.before[name] for name in change.set if name in change.before}
    steps: list[Step] = []
    for step_for in _WAYS:
        if matches(wanted, state):
            break
        step = step_for(device, wanted, state)
        if step is None:
            continue
        try:
            state.update(resolve_command(device, step[0], step[1], "C"))
        except InvalidInput:
            continue
        steps.append(step)
    lost = tuple(n for n in change.set if n not in wanted or not matches({n: wanted[n]}, state))
    return Inverse(steps=tuple(steps), lost=lost)


_Way = Callable[[Device, Attributes, Attributes], Step | None]

#: attribute -> value -> the command without parameters that leads there.
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "lock": {"locked": "lock", "unlocked": "unlock"},
    "playback": {"playing": "play", "paused": "pause", "idle": "stop", "off": "turn_off"},
    "activity": {
        "cleaning": "start", "paused": "pause", "idle": "stop", "returning": "return_to_base",
        "docked": "return_to_base",
    },
}  # fmt: skip
#: attribute -> the command and its parameter that takes the value as it is.
_VALUES: Final[Mapping[str, tuple[str, str]]] = {
    "brightness_pct": ("set_brightness", "brightness_pct"),
    "color_temperature_k": ("set_color_temperature", "kelvin"),
    "tilt_pct": ("set_tilt", "tilt_pct"),
    "hvac_mode": ("set_hvac_mode", "hvac_mode"),
    "fan_mode": ("set_fan_mode", "fan_mode"),
    "swing_mode": ("set_swing_mode", "swing_mode"),
    "preset": ("set_preset", "preset"),
    "speed": ("set_speed", "speed"),
    "speed_pct": ("set_speed", "speed_pct"),
    "target_humidity_pct": ("set_humidity", "target_humidity_pct"),
    "volume_pct": ("set_volume", "volume_pct"),
    "source": ("select_source", "source"),
}


def _differs(name: str, wanted: Attributes, state: Attributes) -> bool:
    return name in wanted and not matches({name: wanted[name]}, state)


def _words(attribute: str) -> _Way:
    def way(device: Device, wanted: Attributes, state: Attributes) -> Step | None:
        if not _differs(attribute, wanted, state):
            return None
        command = _WORDS[attribute].get(str(wanted[attribute]), "")
        return (command, {}) if command in commands_of(device) else None

    return way


def _values(attribute: str) -> _Way:
    command, parameter = _VALUES[attribute]

    def way(device: Device, wanted: Attributes, state: Attributes) -> Step | None:
        if not _differs(attribute, wanted, state) or command not in commands_of(device):
            return None
        return command, {parameter: wanted[attribute]}

    return way


def _position(device: Device, wanted: Attributes, state: Attributes) -> Step | None:
    if not (_differs("position_pct", wanted, state) or _differs("cover", wanted, state)):
        return None
    position, offers = wanted.get("position_pct"), commands_of(device)
    if isinstance(position, int | float) and "set_position" in offers and 0 < position < 100:
        return "set_position", {"position_pct": position}
    is_open = position == 100 if position is not None else wanted.get("cover") == "open"
    is_closed = position == 0 if position is not None else wanted.get("cover") == "closed"
    command = "open" if is_open else "close" if is_closed else ""
    return (command, {}) if command in offers else None


def _color(device: Device, wanted: Attributes, state: Attributes) -> Step | None:
    if not (_differs("hue", wanted, state) or _differs("saturation_pct", wanted, state)):
        return None
    if not {"hue", "saturation_pct"} <= wanted.keys() or "set_color" not in commands_of(device):
        return None
    return "set_color", {"hue": wanted["hue"], "saturation_pct": wanted["saturation_pct"]}


def _temperature(device: Device, wanted: Attributes, state: Attributes) -> Step | None:
    if not _differs("target_c", wanted, state) or "set_temperature" not in commands_of(device):
        return None
    return "set_temperature", {"value": wanted["target_c"], "unit": "C"}


def _arm(device: Device, wanted: Attributes, state: Attributes) -> Step | None:
    if not _differs("arm_state", wanted, state):
        return None
    before = str(wanted["arm_state"])
    if before == "disarmed":
        return "disarm", {}
    return ("arm", {"mode": before.removeprefix("armed_")}) if before.startswith("armed_") else None


def _muted(device: Device, wanted: Attributes, state: Attributes) -> Step | None:
    return ("mute" if wanted["muted"] else "unmute", {}) if _differs("muted", wanted, state) else None


def _declared(device: Device, wanted: Attributes, state: Attributes) -> Step | None:
    """One of the levels and options that the device itself declares: a command sets one of them."""
    slots, offers = attributes_of(device), commands_of(device)
    for command, value_name, kind in (("set_level", "value", "levels"), ("set_option", "option", "options")):
        declared = device.config.get(kind)
        for name in declared if isinstance(declared, Mapping) else ():
            if command in offers and name in slots and _differs(name, wanted, state):
                return command, {"name": name, value_name: wanted[name]}
    return None


def _power(device: Device, wanted: Attributes, state: Attributes) -> Step | None:
    if not _differs("on", wanted, state):
        return None
    command = "turn_on" if wanted["on"] else "turn_off"
    return (command, {}) if command in commands_of(device) else None


#: What only a running device takes comes first; whether it is on comes last, for most of the others turn it on.
_WAYS: Final[tuple[_Way, ...]] = (
    _words("lock"), _arm, _position, _temperature, _color, _declared, _muted, *map(_values, _VALUES),
    _words("playback"), _words("activity"), _power,
)  # fmt: skip
