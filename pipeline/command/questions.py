"""What people are asked: each question once, those of one step of a plan together, and told to whoever shows them."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from homeguard.clock import Clock
from homeguard.effects import describe, fingerprint, question
from homeguard.gate import Verdict
from homeguard.ids import new_id
from homeguard.model import Confirmation, Effect, Home, Principal
from homeguard.named import home_named
from homeguard.policy import CONFIRMATION_TTL
from homeguard.ports.journal import Confirmations
from homeguard.ports.live_state import Live, LiveFeed
from homeguard.ports.users import UserStore
from pipeline.command.gathering import Gathering
from pipeline.command.grants import is_over
from pipeline.command.pin import PIN_TIER, HomePin
from pipeline.command.show import show_confirmation

#: What finds a question on our page cannot be guessed.
_LINK_BYTES: Final = 24


class Questions:
    """Asks, and shows what was asked. Without `pin` no home has one."""

    def __init__(
        self, *, users: UserStore, confirmations: Confirmations, feed: LiveFeed, pin: HomePin | None, clock: Clock
    ) -> None:
        self._users = users
        self._confirmations = confirmations
        self._feed = feed
        self._pin = pin
        self._clock = clock
        self._gatherings: dict[tuple[str, str], Gathering] = {}

    @asynccontextmanager
    async def gathering(self, home_id: str, turn_id: str, step: int) -> AsyncIterator[dict[str, str]]:
        """As `CommandService.gathering`."""
        gathering, asked = Gathering(await home_named(self._users, home_id), turn_id, step), {}
        for card_id in gathering.ids:
            known = await self._confirmations.get(home_id, card_id)
            if known is not None:
                gathering.earlier[card_id] = known
                asked[card_id] = card_id
        self._gatherings[home_id, turn_id] = gathering
        try:
            yield asked
        finally:
            del self._gatherings[home_id, turn_id]
        home = await home_named(self._users, home_id)
        for card_id, (principal, effects, verdicts) in gathering.questions().items():
            asked[card_id] = (await self._ask(principal, home, effects, verdicts, card_id)).id

    def gathering_of(self, principal: Principal) -> Gathering | None:
        """The one that is open for the turn in which this principal acts."""
        turn = principal.turn
        return self._gatherings.get((principal.home_id, turn.id)) if turn is not None else None

    async def ask(
        self, principal: Principal, home: Home, effects: Sequence[Effect], verdicts: Sequence[Verdict]
    ) -> list[Confirmation | None]:
        """The question of each effect that needs one, None for the others. All share one, unless they are gathered."""
        gathering, now = self.gathering_of(principal), self._clock.now()
        asked = [i for i, v in enumerate(verdicts) if v.decision == "ask"]
        cards: list[Confirmation | None] = [None] * len(effects)
        if gathering is not None:
            for i in asked:
                cards[i] = gathering.add(principal, effects[i], verdicts[i], now)
        elif asked:
            card = await self._ask(principal, home, [effects[i] for i in asked], [verdicts[i] for i in asked])
            for i in asked:
                cards[i] = card
        return cards

    async def as_shown(self, card: Confirmation) -> Confirmation:
        """Whether the press needs the PIN depends on whether one is set now."""
        if self._pin is None or card.state != "open" or card.tier < PIN_TIER:
            return card
        return replace(card, pin_required=await self._pin.is_set(card.home_id))

    async def publish(self, card: Confirmation) -> None:
        """Tell whoever shows it, as it is now."""
        data = {"type": "confirmation", "confirmation": show_confirmation(card)}
        await self._feed.publish([Live(home_id=card.home_id, kind="confirmation", data=data)])

    async def _ask(
        self,
        principal: Principal,
        home: Home,
        effects: Sequence[Effect],
        verdicts: Sequence[Verdict],
        card_id: str = "",
    ) -> Confirmation:
        thread_id, turn_id = (principal.turn.thread_id, principal.turn.id) if principal.turn is not None else ("", "")
        now = self._clock.now()
        prints = sorted(map(fingerprint, effects))
        for known in await self._confirmations.open(home.id, now):
            asker = (known.user_id, known.caller, known.thread_id)
            is_same_asker = asker == (principal.user_id, principal.caller, thread_id)
            if is_same_asker and not is_over(known, now) and sorted(map(fingerprint, known.effects)) == prints:
                return await self.as_shown(known)
        card = Confirmation(
            id=card_id or new_id(),
            home_id=home.id,
            user_id=principal.user_id,
            text=_text(effects, home),
            detail=f"Asked by {_asker(principal)}. Nothing happens until you press.",
            tier=max(v.tier for v in verdicts),
            effects=tuple(effects),
            created_at=now,
            expires_at=now + CONFIRMATION_TTL,
            caller=principal.caller,
            thread_id=thread_id,
            turn_id=turn_id,
            cause=principal.cause,
            link=secrets.token_urlsafe(_LINK_BYTES),
        )
        card = await self.as_shown(await self._confirmations.ask(card))
        await self.publish(card)
        return card


def _text(effects: Sequence[Effect], home: Home) -> str:
    if len(effects) == 1:
        return question(effects[0], home.unit_system)
    return f"{len(effects)} things need your yes: " + "; ".join(describe(e, home.unit_system) for e in effects)


def _asker(principal: Principal) -> str:
    if principal.caller == "client":
        return f"the app '{principal.name or 'MCP client'}'"
    return "the assistant" if principal.caller == "agent" else "you"
