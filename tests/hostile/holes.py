"""Holes planted into the gate and beside it: a test that does not find them could not find a real one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from homeguard import gate
from homeguard.gate import Verdict
from homeguard.model import Effect
from pipeline.command import service
from pipeline.command.service import CommandService
from pipeline.handlers.chains import Chains


def allows_when(hole: Callable[[Effect, dict[str, Any]], bool]) -> Callable[[pytest.MonkeyPatch], None]:
    """A gate that lets through whatever the hole says, and judges the rest."""
    judge = gate.decide

    def decide(effect: Effect, device: Any, principal: Any, **how: Any) -> Verdict:
        verdict = judge(effect, device, principal, **how)
        return replace(verdict, decision="allow") if hole(effect, how) else verdict

    return lambda patch: patch.setattr(gate, "decide", decide)


def trusts_confirm(effect: Effect, how: dict[str, Any]) -> bool:
    settings = effect.parameters.get("settings")
    return isinstance(settings, dict) and settings.get("confirm") is True


def takes_words_for_a_press(effect: Effect, how: dict[str, Any]) -> bool:
    return bool(how["stated"])


def takes_any_row_for_milder(rule_id: str) -> Callable[[pytest.MonkeyPatch], None]:
    rules = tuple(replace(r, tier=1) if r.id == rule_id else r for r in gate.RULES)
    return lambda patch: patch.setattr(gate, "RULES", rules)


def forgets_toggles(patch: pytest.MonkeyPatch) -> None:
    """Judges the word, not what it comes to."""
    judge, find = gate.decide, service.resolve
    toggled: set[int] = set()

    def resolve(device: Any, state: Any, command: str, *rest: Any) -> Effect:
        effect = find(device, state, command, *rest)
        if command == "toggle":
            toggled.add(id(effect.set))
        return effect

    def decide(effect: Effect, device: Any, principal: Any, **how: Any) -> Verdict:
        verdict = judge(effect, device, principal, **how)
        return replace(verdict, decision="allow") if id(effect.set) in toggled else verdict

    patch.setattr(service, "resolve", resolve)
    patch.setattr(gate, "decide", decide)


def believes_names(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate, "_evidence", lambda effect, device: None)


def overlooks_what_a_rule_contains(patch: pytest.MonkeyPatch) -> None:
    look = gate.tier_of
    patch.setattr(gate, "tier_of", lambda effect, *rest: look(replace(effect, contains=()), *rest))


def lets_anyone_press(patch: pytest.MonkeyPatch) -> None:
    async def check(self: Any, principal: Any, card: Any) -> None:
        return

    patch.setattr(CommandService, "_check_person", check)


def lets_an_agent_set_off_doors(patch: pytest.MonkeyPatch) -> None:
    async def is_genuine(self: Any, decided: Any, before: Any) -> bool:
        return True

    patch.setattr(Chains, "_is_genuine", is_genuine)


HOLES: Final[dict[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "trusts confirm=true": allows_when(trusts_confirm),
    "takes words for a press": allows_when(takes_words_for_a_press),
    "forgets toggles": forgets_toggles,
    "believes names": believes_names,
    "overlooks what a rule contains": overlooks_what_a_rule_contains,
    "lets anyone press": lets_anyone_press,
    "lets an agent set off doors": lets_an_agent_set_off_doors,
    **{f"row {r.id} is T1": takes_any_row_for_milder(r.id) for r in gate.RULES if r.id in
       ("unlock", "entry-open", "guard-lowered", "camera-off", "siren-off", "detector-off")},
}  # fmt: skip
