"""The questions of one step of a plan, put together: one for what words may approve, one for what takes the press."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from homeguard.effects import question
from homeguard.gate import Verdict
from homeguard.ids import derived_id
from homeguard.model import Confirmation, Effect, Home, Principal
from homeguard.policy import CONFIRMATION_TTL

#: The highest tier that a person's words may approve.
BY_WORDS = 2


@dataclass(slots=True)
class _Asked:
    principal: Principal
    effects: list[Effect] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


class Gathering:
    """What a step of a turn would have a person asked; nothing is stored before the step is through.

    The ids follow from the turn and the step, so that a step that is run again after a crash asks nothing twice.
    """

    def __init__(self, home: Home, turn_id: str, step: int) -> None:
        self._home = home
        self._by_words = derived_id("plan", home.id, turn_id, str(step), "words")
        self._by_card = derived_id("plan", home.id, turn_id, str(step), "card")
        self._asked: dict[str, _Asked] = {}
        #: The cards that an earlier run of this step stored, by id.
        self.earlier: dict[str, Confirmation] = {}

    @property
    def ids(self) -> tuple[str, str]:
        """Of the question for words and of the one for the press."""
        return self._by_words, self._by_card

    def before(self, device_id: str, command: str) -> tuple[Effect, Verdict] | None:
        """What an earlier run of this step made of this request, when a person was asked about it then."""
        return self._known(lambda e: e.device_id == device_id and command in (e.command, "toggle"))

    def before_act(self, effect: Effect) -> tuple[Effect, Verdict] | None:
        """The same for a home-level effect."""
        return self._known(lambda e: e.kind == effect.kind and e.parameters == effect.parameters)

    def _known(self, fits: Any) -> tuple[Effect, Verdict] | None:
        for card in self.earlier.values():
            for effect in card.effects:
                if fits(effect):
                    return effect, Verdict(decision="ask", tier=card.tier, rule="asked-before")
        return None

    def add(self, principal: Principal, effect: Effect, verdict: Verdict, now: datetime) -> Confirmation:
        """The question that this effect will be part of, as far as it is known; it is not stored yet."""
        card_id = self._by_words if verdict.tier <= BY_WORDS else self._by_card
        known = self.earlier.get(card_id)
        if known is not None:
            return known
        asked = self._asked.setdefault(card_id, _Asked(principal))
        asked.effects.append(effect)
        asked.verdicts.append(verdict)
        return Confirmation(
            id=card_id, home_id=self._home.id, user_id=principal.user_id,
            text=question(effect, self._home.unit_system), detail="", tier=verdict.tier, effects=(effect,),
            created_at=now, expires_at=now + CONFIRMATION_TTL, caller=principal.caller, cause=principal.cause,
        )  # fmt: skip

    def questions(self) -> Mapping[str, tuple[Principal, Sequence[Effect], Sequence[Verdict]]]:
        """By id, what is to be stored now."""
        return {i: (a.principal, a.effects, a.verdicts) for i, a in self._asked.items()}
