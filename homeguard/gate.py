"""The gate: allow, ask or refuse, for effects that are already resolved. Pure: no I/O, no model, no prompt text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from homeguard.lookalikes import plain_words
from homeguard.model import Device, Effect, Principal
from homeguard.policy import (
    AGENT_T3_BUDGET,
    CONTAINS,
    DOOR_WORDS,
    ENTRY_WORDS,
    EVIDENCE_ENTRY,
    EVIDENCE_ENTRY_CLOSE,
    EVIDENCE_HEAT,
    HARMLESS_WORDS,
    HEATING_WORDS,
    MEMORY_WRITES,
    OPENER_WORDS,
    OPENING_WORDS,
    RELAY_WORDS,
    RULES,
    SHADE_WORDS,
    UNLISTED,
    Rule,
)

#: Types that something else may hide behind: a relay says of itself no more than that it is a switch.
_PLAIN: Final = frozenset(("switch", "plug", "light", "appliance", "group", "scene", "fan", "button"))
#: A switch or a cover that says that it sits on one of these opens it.
_OPENINGS: Final = frozenset(("garage", "gate", "door"))
_STOPS_HEAT: Final = frozenset(("turn_off", "pause", "stop", "locate"))
#: What of a device's binding is not its name at its vendor's.
_NO_NAME: Final = frozenset(("driver", "vendor", "base"))
_CALLERS: Final = frozenset(("person", "agent", "client", "automation", "system"))
_MEMBERS: Final = frozenset(("owner", "member"))

Decision = Literal["allow", "ask", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says, by which row, and the sentence for whoever asked."""

    decision: Decision
    tier: int
    rule: str
    reason: str = ""


def tier_of(
    effect: Effect, device: Device | None, devices: Mapping[str, Device] = MappingProxyType({})
) -> tuple[int, str]:
    """The tier of one effect and the row that says so. Evidence in the device's own words can only raise it.

    `devices` are those of the effects that this one contains, by id.
    """
    rule = next((r for r in RULES if r.fits(effect)), UNLISTED)
    if device is not None and effect.kind == "device":
        rule = max(rule, _evidence(effect, device) or rule, key=lambda r: r.tier)
    inner = max((tier_of(e, devices.get(e.device_id), devices)[0] for e in effect.contains), default=0)
    if inner > max(rule.tier, 2):
        return inner, CONTAINS.id
    return rule.tier, rule.id


def is_sensitive(effect: Effect, device: Device | None = None) -> bool:
    """T3, so that it runs only where a person approved it; without its device by the table alone."""
    return tier_of(effect, device)[0] >= 3


def _evidence(effect: Effect, device: Device) -> Rule | None:
    placement = device.config.get("placement")
    if device.type == "cover":
        if placement in _OPENINGS or any(_is_door(_text(name)) for name in _known_as(device)):
            return EVIDENCE_ENTRY_CLOSE if effect.command in ("close", "stop") else EVIDENCE_ENTRY
        return None
    if device.type not in _PLAIN:
        return None
    text = _text(*_known_as(device))
    is_lamp = device.type == "light" and "brightness" in device.capabilities
    if placement in _OPENINGS or _names(text, OPENER_WORDS if is_lamp else ENTRY_WORDS):
        return EVIDENCE_ENTRY
    if _names(text, RELAY_WORDS) and _names(f"{text} {_text(device.area)}", OPENING_WORDS):
        return EVIDENCE_ENTRY
    if device.type in ("switch", "plug", "appliance") and _names(text, HEATING_WORDS):
        return EVIDENCE_HEAT if effect.command not in _STOPS_HEAT else None
    return None


def _is_door(name: str) -> bool:
    """The last word counts: a door curtain is a curtain, a curtain door is a door."""
    telling = [word for word in name.split() if word in DOOR_WORDS or word in SHADE_WORDS]
    return bool(telling) and telling[-1] in DOOR_WORDS


def _known_as(device: Device) -> list[str]:
    """Every name that it has or had: its id stays when a person renames it, and so does its name at its vendor's."""
    there = [str(v) for k, v in device.binding.items() if k not in _NO_NAME and isinstance(v, str)]
    model = [device.hardware.model] if device.hardware is not None else []
    return [device.name, *device.aliases, device.id, *model, *there]


def _text(*names: str) -> str:
    """The plain words of all names in one line, without the words of harmless things."""
    line = " | ".join(" ".join(plain_words(name)) for name in names)
    for words in HARMLESS_WORDS:
        line = f" {line} ".replace(f" {words} ", " | ").strip()
    return line


def _names(text: str, words: Iterable[str]) -> bool:
    """Whole words only: a clock is not a lock."""
    padded = f" {text} "
    return any(f" {word} " in padded for word in words)


def decide(
    effect: Effect,
    device: Device | None,
    principal: Principal,
    *,
    stated: bool,
    granted: bool,
    recent_t3: int,
    devices: Mapping[str, Device] = MappingProxyType({}),
) -> Verdict:
    """The verdict on one resolved effect.

    `stated`: the person's own words of this turn name exactly this effect. `granted`: a person pressed the card for it,
    or a standing permission covers it. `recent_t3`: T3 effects carried out for an agent here within the window.
    In a turn that third-party text has entered (`Turn.tainted`), words count no more: T2 asks, notes are not written.
    """
    tier, rule = tier_of(effect, device, devices)
    is_tainted = principal.turn is not None and principal.turn.tainted

    def verdict(decision: Decision, reason: str = "", by: str = rule) -> Verdict:
        return Verdict(decision=decision, tier=tier, rule=by, reason=reason)

    if principal.caller not in _CALLERS:
        return verdict("refuse", "HomeGuard does not know who this is", "unknown-caller")
    needed = ("read", "control", "sensitive", "sensitive", "manage")[tier]
    if tier > 0 and principal.role == "guest":
        return verdict("refuse", "guests can look but not change anything", "role-guest")
    if tier > 0 and principal.role not in _MEMBERS:
        return verdict("refuse", "only members of this home can change anything in it", "role-unknown")
    if needed not in principal.scopes:
        return verdict("refuse", f"this needs the scope '{needed}', which this caller does not have", f"scope-{needed}")
    if tier == 0:
        return verdict("allow")
    if tier >= 4:
        if principal.caller != "person" or principal.role != "owner":
            return verdict("refuse", "only the owner can do this, on HomeGuard's own screens", "never-for-others")
        return verdict("allow") if granted else verdict("ask")
    if is_tainted and effect.kind in MEMORY_WRITES:
        return verdict(
            "refuse", "others' text came up in this turn: tell me again, in a sentence of its own", "tainted"
        )
    if tier == 3 and principal.caller == "agent" and recent_t3 >= AGENT_T3_BUDGET:
        return verdict("refuse", "too many sensitive actions in ten minutes; do this one yourself", "budget-t3")
    if tier == 1 or granted:
        return verdict("allow")
    if principal.caller in ("automation", "system"):
        return verdict("allow") if tier == 2 else verdict("refuse", "no person approved this", "no-grant")
    if tier == 2 and principal.caller == "person":
        return verdict("allow")
    if tier == 2 and principal.caller == "agent" and stated:
        if not is_tainted:
            return verdict("allow")
        return verdict("ask", "others' text came up in this turn: a person of this home must confirm this", "tainted")
    return verdict("ask", "a person of this home must confirm this")
