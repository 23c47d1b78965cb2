"""The questions on one open page: a card for each, which says what became of it, wherever it was answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import chainlit as cl

from chat_ui import cards
from chat_ui.board import Board
from chat_ui.languages import Words
from chat_ui.rest import Rest, RestProblem, SignedOut
from chat_ui.threads import NAME

Json = dict[str, Any]
log = logging.getLogger("homeguard.chat")

CARD: Final = "ConfirmCard"


class Questions:
    """`on_change(card)` is told of every card that was shown in a state of its own."""

    def __init__(
        self,
        rest: Rest,
        token: str,
        board: Board,
        words: Words,
        *,
        me: str,
        on_change: Callable[[Json], Awaitable[None]],
    ) -> None:
        self._rest = rest
        self._token = token
        self._board = board
        self._words = words
        self._me = me
        self._on_change = on_change
        self._placed: dict[str, str] = {}  # card id -> id of the message that carries it
        self._cards: dict[str, Json] = {}
        self._drawing = asyncio.Lock()

    def know(self, card_id: str, message_id: str, state: str) -> None:
        """A card that the page has already, from a conversation of before."""
        self._placed[card_id] = message_id
        self._cards[card_id] = {"id": card_id, "state": state}

    def is_placed(self, card_id: str) -> bool:
        return card_id in self._placed

    def of_turn(self, turn_id: str) -> dict[str, Json]:
        return {i: card for i, card in self._cards.items() if turn_id and card.get("turn_id") == turn_id}

    def turn_of(self, card_id: str) -> str:
        return str(self._cards.get(card_id, {}).get("turn_id") or "")

    async def answer(self, card_id: str, *, approve: bool, pin: str | None) -> Json | None:
        """Sends the press and shows what came of it; a wrong PIN leaves the card open. None: it was not taken.

        Raises:
            SignedOut: the session is over.
        """
        self._board.forget(cards.element_id(card_id))
        try:
            card = await self._rest.answer(self._token, card_id, approve=approve, pin=pin)
        except SignedOut:
            raise
        except RestProblem as problem:
            await self.refresh(card_id, problem="" if problem.status == 409 else problem.sentence(self._words))
            return None
        card = card.get("confirmation") or card
        await self.show(card)
        return card

    async def refresh(self, card_id: str, *, problem: str = "") -> None:
        """Shows it as it is now."""
        try:
            card = await self._rest.card(self._token, card_id)
        except RestProblem as error:
            card = self._cards.get(card_id, {})
            if "expires_at" not in card:
                # how it is cannot be said; the page goes on showing how it was
                log.warning("a question could not be read: %s", error)
                if problem:
                    await cl.ErrorMessage(content=problem, author=NAME).send()
                return
            problem = problem or error.sentence(self._words)
        await self.show(card.get("confirmation") or card, problem=problem)

    async def refresh_open(self, *, but: set[str]) -> None:
        for card_id, card in list(self._cards.items()):
            if card.get("state") == "open" and card_id not in but:
                await self.refresh(card_id)

    async def draw_again(self, *, but: set[str]) -> None:
        """The page may have missed what was sent of them; those of `but` have been read just now."""
        for card_id in list(self._placed):
            self._board.forget(cards.element_id(card_id))
            if card_id in but and card_id in self._cards:
                await self.show(self._cards[card_id])
            else:
                await self.refresh(card_id)

    async def show(self, card: Json, *, problem: str = "", under: str | None = None) -> None:
        """Puts a card on the page, below the message `under`, or changes the one that is there already."""
        card_id = str(card.get("id") or "")
        if not card_id:
            return
        async with self._drawing:
            await self._draw(card_id, card, problem, under)
        await self._on_change(self._cards.get(card_id, card))

    async def _draw(self, card_id: str, card: Json, problem: str, under: str | None) -> None:
        known, state = self._placed.get(card_id), card.get("state", "open")
        if known is None and state != "open":
            return
        if state == "open" and self._cards.get(card_id, card).get("state", "open") != "open":
            return  # it was read before it was answered
        self._cards[card_id] = card
        message_id = self._placed.setdefault(card_id, under or cards.message_id(card_id))
        props = cards.card_props(card, datetime.now(UTC), self._words, me=self._me, problem=problem)
        if known is None and under is None:
            await cl.Message(id=message_id, content="", author=NAME).send()
        await self._board.put(CARD, cards.element_id(card_id), message_id, props)


def card_of(data: Mapping[str, Any]) -> Json:
    """The card in an event or an answer that carries one."""
    card = data.get("confirmation")
    return dict(card if isinstance(card, Mapping) else data)
