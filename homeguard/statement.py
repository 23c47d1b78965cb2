"""Whether a person's own words name exactly this effect: then T2 need not ask again. When in doubt, they do not."""

import re
from collections.abc import Mapping, Sequence
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
    "set_hvac_mode": ("set", "switch", "turn", "put", "change"),
    "start": ("start", "run", "mow"),
}
#: Besides these, what people say of comfort when it is for later; whatever is asked about at once is not among them.
_LATER_VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "lock": ("lock", "bolt", "secure"),
    "set_brightness": ("dim", "set", "brighten", "put", "bring", "make", "turn", "to", "at", "brightness"),
    "set_color": ("set", "make", "turn", "change", "put", "to"),
    "set_color_temperature": ("set", "make", "turn", "change", "put", "to"),
    "set_temperature": ("put", "want", "to", "at", "keep"),
    "set_volume": ("set", "turn", "volume", "to"),
    "set_speed": ("set", "turn", "speed", "to"),
    "play": ("play", "start", "resume"),
    "pause": ("pause", "stop"),
    "turn_on": ("light", "lit"),
    "turn_off": ("kill", "out"),
}
#: A clause that says one of these says the opposite.
_OPPOSITE: Final[Mapping[str, tuple[str, ...]]] = {
    "turn_on": ("off", "stop", "disable", "deactivate"),
    "turn_off": ("on", "start", "enable", "activate"),
    "open": ("close", "shut"),
    "close": ("open", "stop"),
    "start": ("stop", "pause"),
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
_NOT: Final = re.compile(r"\b(don'?t|do not|does not|never|not|without|unless|cancel|except)\b")
_QUESTION: Final = re.compile(r"^\s*(did|do|does|is|are|was|were|has|have|who|what|when|why|how|which|where)\b")
_RULE: Final = re.compile(
    r"\b(when|whenever|if|every|each|at|between|automation|rule|routine|daily|weekdays?|weekends?|tonight|tomorrow"
    r"|sunset|sunrise|later|any ?time|(?:in|after|for|until) (?:\w+ ){1,4}?(?:seconds?|minutes?|mins?|hours?|days?))\b"
)
#: Not now: a command that is carried out at once is not what was said.
_LATER: Final = re.compile(
    r"\b(when|whenever|if|until|till|after|before|once|tomorrow|tonight|later|o'?clock)\b"
    r"|\bat \d|\bin (an?|half|\d+|two|three|five|ten) (hours?|minutes?|mins?)\b|\b\d ?[ap]m\b"
)
_TELL: Final = re.compile(r"\b(notify|ping|buzz|tell|alert|warn|message|inform|remind|let me know|send me)\b")
_WORD: Final = re.compile(r"[^\W_]+(?:\.\d+)?")
_BETWEEN: Final = re.compile(r"[,;.!]\s|\b(?:and|then|but|or|also)\b")


def names_effect(words: str, effect: Effect, device: Device | None, others: Sequence[Device] = ()) -> bool:
    """True when the words, without a "not" and not as a question, hold the verb, the target and the value.

    `others`: the devices of the home. The word of a kind ("the garage") names a device only where no other is of that
    kind, and "garage door 2" does not name "garage door".
    """
    text = words.casefold().replace("\u2019", "'")
    if _NOT.search(text) or text.rstrip().endswith("?"):
        return False
    if effect.kind == "create_automation":
        if not _RULE.search(text):
            return False
        if not effect.contains:
            return bool(_TELL.search(text))
        tokens = _tokens(text)
        return all(
            any(f" {v} " in tokens for v in (*_VERBS.get(e.command, ()), *_LATER_VERBS.get(e.command, ())))
            and _target(tokens, e, None, others)
            for e in effect.contains
        )
    if effect.kind != "device" or _QUESTION.search(text) or _LATER.search(text):
        return False
    return any(
        _target(part, effect, device, others) and _says(said, effect.command) and _value(part, effect)
        for part, said in _clauses(text)
    )


def _tokens(text: str) -> str:
    return f" {' '.join(_WORD.findall(text))} "


def _clauses(text: str) -> list[tuple[str, str]]:
    """The parts that "and" and commas join, each with the part that its verb is in: its own, or the nearest before."""
    parts = [_tokens(part) for part in _BETWEEN.split(text) if _WORD.search(part)]
    verbs = {verb for forms in _VERBS.values() for verb in forms} - {"degrees", "heat", "water"}
    found: list[tuple[str, str]] = []
    for part in parts:
        has_own = any(f" {verb} " in part for verb in verbs)
        found.append((part, part if has_own or not found else found[-1][1]))
    return found


def _says(part: str, command: str) -> bool:
    said = any(f" {v} " in part for v in _VERBS.get(command, (command.replace("_", " "),)))
    return said and not any(f" {v} " in part for v in _OPPOSITE.get(command, ()))


def _target(tokens: str, effect: Effect, device: Device | None, others: Sequence[Device]) -> bool:
    rivals = [d for d in others if d.id != effect.device_id]
    names = [effect.device_name, *(device.aliases if device is not None else ())]
    if effect.device_type == "lock" and effect.command == "lock":
        names.append(effect.device_name.casefold().removesuffix(" lock"))
    own = [said for name in names if (said := _tokens(name.casefold())).strip()]
    for other in rivals:
        for name in (other.name, *other.aliases):
            said = _tokens(name.casefold())
            if said.strip() and not any(said in mine for mine in own):
                tokens = tokens.replace(said, " \x1f ")
    if all(d.type != effect.device_type for d in rivals):
        own += [_tokens(word) for word in _TYPE_WORDS.get(effect.device_type, ())]
    return any(said in tokens for said in own)


def _value(tokens: str, effect: Effect) -> bool:
    if effect.command == "set_hvac_mode":
        return f" {str(effect.set.get('hvac_mode', '')).replace('_', ' ')} " in tokens
    wanted = (
        effect.set.get("target_c") if effect.command == "set_temperature" else effect.parameters.get("position_pct")
    )
    if not isinstance(wanted, int | float):
        return not effect.parameters
    numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", tokens)]
    forms = (wanted, celsius_to_fahrenheit(wanted)) if effect.command == "set_temperature" else (wanted,)
    return any(abs(n - form) < 0.6 for n in numbers for form in forms)
