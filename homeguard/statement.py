"""Whether a person's own words name exactly this effect: then T2 need not ask again. When in doubt, they do not."""

import re
from collections.abc import Mapping
from typing import Final

from homeguard.model import Device, Effect
from homeguard.units import celsius_to_fahrenheit

_VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "turn_on": ("turn on", "switch on", "put on", "start", "enable", "activate", "on"),
    "turn_off": ("turn off", "switch off", "off", "stop", "disable", "deactivate"),
    "open": ("open", "raise"),
    "close": ("close", "shut", "lower"),
    "stop": ("stop", "halt"),
    "set_position": ("set", "move", "open", "close", "raise", "lower"),
    "set_temperature": ("set", "make", "turn", "heat", "cool", "warm", "raise", "lower", "change", "degrees"),
    "start": ("start", "run", "mow"),
}
_TYPE_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "garage_door": ("garage", "garage door"),
    "gate": ("gate",),
    "thermostat": ("thermostat", "temperature", "heat", "heating", "ac"),
    "air_conditioner": ("air conditioner", "air conditioning", "ac", "temperature"),
    "heater": ("heater", "heating", "radiator"),
    "water_heater": ("water heater", "boiler", "hot water"),
    "valve": ("valve", "water"),
    "sprinkler": ("sprinkler", "sprinklers"),
    "mower": ("mower", "lawn mower"),
}
_NOT: Final = re.compile(r"\b(don'?t|do not|does not|never|not|without|unless|cancel)\b")
_QUESTION: Final = re.compile(r"^\s*(did|do|does|is|are|was|were|has|have|who|what|when|why|how|which|where)\b")
_RULE: Final = re.compile(r"\b(when|whenever|if|every|each|at|between|automation|rule|routine)\b")
_TELL: Final = re.compile(r"\b(notify|tell|alert|warn|message|inform|remind|let me know|send me)\b")
_WORD: Final = re.compile(r"[^\W_]+(?:\.\d+)?")


def names_effect(words: str, effect: Effect, device: Device | None) -> bool:
    """True when the words, without a "not" and not as a question, hold the verb, the target and the value."""
    text = words.casefold()
    if _NOT.search(text) or text.rstrip().endswith("?"):
        return False
    tokens = f" {' '.join(_WORD.findall(text))} "
    if effect.kind == "create_automation":
        if not _RULE.search(text):
            return False
        if not effect.contains:
            return bool(_TELL.search(text))
        return all(
            any(f" {v} " in tokens for v in _VERBS.get(e.command, (e.command,))) and _target(tokens, e, None)
            for e in effect.contains
        )
    if effect.kind != "device" or _QUESTION.search(text):
        return False
    verbs = _VERBS.get(effect.command, (effect.command.replace("_", " "),))
    return any(f" {v} " in tokens for v in verbs) and _target(tokens, effect, device) and _value(tokens, effect)


def _target(tokens: str, effect: Effect, device: Device | None) -> bool:
    names = (
        effect.device_name,
        *(device.aliases if device is not None else ()),
        *_TYPE_WORDS.get(effect.device_type, ()),
    )
    return any(name and f" {' '.join(_WORD.findall(name.casefold()))} " in tokens for name in names)


def _value(tokens: str, effect: Effect) -> bool:
    wanted = (
        effect.set.get("target_c") if effect.command == "set_temperature" else effect.parameters.get("position_pct")
    )
    if not isinstance(wanted, int | float):
        return True
    numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", tokens)]
    forms = (wanted, celsius_to_fahrenheit(wanted)) if effect.command == "set_temperature" else (wanted,)
    return any(abs(n - form) < 0.6 for n in numbers for form in forms)
