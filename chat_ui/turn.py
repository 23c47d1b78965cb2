"""One turn on the page: what is being done, its words as they come, and below them what was done."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import chainlit as cl

from chat_ui.board import Board
from chat_ui.deeds import Deeds, deed_props, element_id
from chat_ui.languages import Words
from chat_ui.threads import NAME

Json = dict[str, Any]

#: A token is a frame on the socket; so many a second are enough for the eye.
_BATCH_S: Final = 0.03
#: A turn that is over by then does not say what it is at.
_PATIENCE_S: Final = 0.4


class TurnView:
    """Shows the events of one turn in the current chat. `cards_of(turn)` gives the questions of a turn by id."""

    def __init__(
        self, board: Board, words: Words, said: str, *, me: str, cards_of: Callable[[str], dict[str, Json]]
    ) -> None:
        self.turn_id = ""
        self.text = ""
        self.deeds = Deeds(said=said)
        self._board = board
        self._words = words
        self._me = me
        self._cards_of = cards_of
        self._message: Any = None
        self._waiting = ""
        self._flush: asyncio.Task[None] | None = None
        self._patience: asyncio.Task[None] | None = None
        self._is_drawn = False

    @property
    def message_id(self) -> str | None:
        """The message with the answer, None while nothing was said or done."""
        return self._message.id if self._message is not None else None

    async def token(self, text: str) -> None:
        self._waiting += text
        if self._message is None:
            await self._send_waiting()  # the first words at once
        elif self._flush is None:
            self._flush = asyncio.create_task(self._flush_soon())

    async def tool_start(self, data: Json) -> None:
        await self._withdraw_words()
        self.deeds.started(data)
        if self._patience is None:
            self._patience = asyncio.create_task(self._draw_later())

    async def tool_end(self, data: Json) -> None:
        self.deeds.ended(data)
        if self._is_drawn:
            await self.draw_deeds()

    async def outcome(self, command: Json) -> None:
        self.deeds.came(command)

    async def answer(self, text: str) -> None:
        """The final words; they replace what was streamed when the evidence check corrected it."""
        await self._stop_flush()
        if not text:
            return
        await self._begin()
        self.text = text
        self._message.content = text
        await self._message.update()
        await self.draw_deeds()

    async def end(self) -> None:
        """Whatever still runs is closed; streamed words without a final answer stay as they are."""
        await self._stop_flush()
        if self._patience is not None:
            self._patience.cancel()
        if self._message is not None and not self.text:
            self.text = self._message.content
            await self._message.update()
        for call in self.deeds.calls:
            if call["status"] is None:
                call["status"] = "error"
        await self.draw_deeds()

    async def _draw_later(self) -> None:
        """A turn that takes long says at what it is; a short one goes straight to its answer."""
        await asyncio.sleep(_PATIENCE_S)
        await self.draw_deeds()

    async def draw_deeds(self) -> None:
        self._is_drawn = True
        if not self.deeds.calls or not self.turn_id:
            return
        await self._begin()
        props = deed_props(self.deeds, self._cards_of(self.turn_id), self._words, me=self._me)
        await self._board.put("DeedList", element_id(self.turn_id), self._message.id, props)

    async def _begin(self) -> None:
        if self._message is None:
            self._message = cl.Message(content="", author=NAME)
            await self._message.send()

    async def _flush_soon(self) -> None:
        await asyncio.sleep(_BATCH_S)
        self._flush = None
        await self._send_waiting()

    async def _send_waiting(self) -> None:
        text, self._waiting = self._waiting, ""
        if text:
            if self._message is None:
                self._message = cl.Message(content="", author=NAME)
            await self._message.stream_token(text)

    async def _stop_flush(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        await self._send_waiting()

    async def _withdraw_words(self) -> None:
        """Words said before a tool call belong to thinking; the answer comes behind it."""
        await self._stop_flush()
        if self._message is not None and self._message.content:
            self._message.content = ""
            await self._message.update()
