"""The gate: allow, ask or refuse, for effects that are already resolved. Pure: no I/O, no model, no prompt text."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from homeguard.model import Device, Effect, Principal
from homeguard.policy import (
    AGENT_T3_BUDGET,
    CONTAINS,
    ENTRY_WORDS,
    EVIDENCE_ENTRY,
    EVIDENCE_HEAT,
    HEATING_WORDS,
    OPENER_WORDS,
    RULES,
    UNLISTED,
    Rule,
)

#: Types that cannot hide something else behind a switch.
_PLAIN = frozenset(("switch", "plug", "light", "appliance", "group", "scene", "fan", "button"))
#: A switch that says that it sits on one of these opens it.
_OPENINGS = frozenset(("garage", "gate", "door"))
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says, by which row, and the sentence for whoever asked."""

    decision: Literal["allow", "ask", "refuse"]
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
    if device is not None:
        rule = max(rule, _evidence(effect, device) or rule, key=lambda r: r.tier)
    inner = max((tier_of(e, devices.get(e.device_id))[0] for e in effect.contains), default=0)
    if inner > max(rule.tier, 2):
        return inner, CONTAINS.id
    return rule.tier, rule.id


def is_sensitive(effect: Effect) -> bool:
    """T3 by the table alone, so that it runs only where a person approved it."""
    return tier_of(effect, None)[0] >= 3


def _evidence(effect: Effect, device: Device) -> Rule | None:
    if device.type not in _PLAIN:
        return None
    model = device.hardware.model if device.hardware is not None else ""
    text = " ".join(_WORD.findall(" ".join((device.name, *device.aliases, model)).casefold()))
    is_lamp = device.type == "light" and "brightness" in device.capabilities
    opens = device.config.get("placement") in _OPENINGS
    if opens or _names(text, OPENER_WORDS if is_lamp else ENTRY_WORDS):
        return EVIDENCE_ENTRY
    if effect.set.get("on") is True and device.type in ("switch", "plug", "appliance") and _names(text, HEATING_WORDS):
        return EVIDENCE_HEAT
    return None


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
    """
    tier, rule = tier_of(effect, device, devices)

    def verdict(decision: Literal["allow", "ask", "refuse"], reason: str = "", by: str = rule) -> Verdict:
        return Verdict(decision=decision, tier=tier, rule=by, reason=reason)

    if tier == 0:
        return verdict("allow")
    if principal.role == "guest":
        return verdict("refuse", "guests can look but not change anything", "role-guest")
    needed = "control" if tier == 1 else "sensitive" if tier <= 3 else "manage"
    if needed not in principal.scopes:
        return verdict("refuse", f"this needs the scope '{needed}', which this caller does not have", f"scope-{needed}")
    if tier >= 4:
        if principal.caller != "person" or principal.role != "owner":
            return verdict("refuse", "only the owner can do this, on HomeGuard's own screens", "never-for-others")
        return verdict("allow") if granted else verdict("ask")
    if tier <= 1 or granted:
        if tier == 3 and principal.caller == "agent" and recent_t3 >= AGENT_T3_BUDGET:
            return verdict("refuse", "too many sensitive actions in ten minutes; do this one yourself", "budget-t3")
        return verdict("allow")
    if principal.caller in ("automation", "system"):
        return verdict("allow") if tier == 2 else verdict("refuse", "no person approved this", "no-grant")
    if tier == 2 and (stated or principal.caller == "person"):
        return verdict("allow")
    if tier == 3 and principal.caller == "agent" and recent_t3 >= AGENT_T3_BUDGET:
        return verdict("refuse", "too many sensitive actions in ten minutes; do this one yourself", "budget-t3")
    return verdict("ask", "a person of this home must confirm this")
