"""One turn on the page: its tool calls as steps, its words as they come, its cards."""

import asyncio
import json
from typing import Any, Final

import chainlit as cl
from chainlit.context import local_steps
from chainlit.utils import utc_now

from chat_ui import words
from chat_ui.threads import NAME

Json = dict[str, Any]

#: A token is a frame on the socket; so many a second are enough for the eye.
_BATCH_S: Final = 0.03
_SHOWN: Final = 4000


class TurnView:
    """Shows the events of one turn in the current chat. `failed` is the sentence of an error, empty if none."""

    def __init__(self) -> None:
        self.failed = ""
        self._steps: dict[str, Any] = {}
        self._message: Any = None
        self._waiting = ""
        self._flush: asyncio.Task[None] | None = None
        self.text = ""

    @property
    def message_id(self) -> str | None:
        """The message with the answer, None if nothing was said."""
        return self._message.id if self._message is not None else None

    async def token(self, text: str) -> None:
        self._waiting += text
        if self._flush is None:
            self._flush = asyncio.create_task(self._flush_soon())

    async def tool_start(self, data: Json) -> None:
        await self._withdraw_words()
        call_id, tool, arguments = str(data.get("id")), str(data.get("tool") or ""), data.get("arguments") or {}
        step = cl.Step(
            name=words.step_title(tool, arguments, None), type="tool", show_input="json", icon=words.step_icon(tool)
        )
        around = local_steps.get() or []
        step.parent_id = around[-1].id if around else None
        step.start = utc_now()
        step.input = arguments or ""
        step.metadata = {"tool": tool}
        self._steps[call_id] = (step, tool, arguments)
        await step.send()

    async def tool_end(self, data: Json) -> None:
        if str(data.get("id")) not in self._steps:
            await self.tool_start(data)
        step, tool, arguments = self._steps.pop(str(data.get("id")))
        status = str(data.get("status") or "ok")
        step.name = words.step_title(tool, arguments, status)
        step.output = _short(data.get("result"))
        step.is_error = status == "error"
        step.end = utc_now()
        await step.update()

    async def answer(self, text: str) -> None:
        """The final words; they replace what was streamed when the evidence check corrected it."""
        await self._stop_flush()
        if not text:
            return
        if self._message is None:
            self._message = cl.Message(content="", author=NAME)
        self.text = text
        self._message.content = text
        await self._message.send()

    async def end(self) -> None:
        """Whatever still runs is closed; streamed words without a final answer stay as they are."""
        await self._stop_flush()
        if self._message is not None and not self.text:
            self.text = self._message.content
            await self._message.send()
        for step, tool, arguments in self._steps.values():
            step.name, step.end = words.step_title(tool, arguments, "error"), utc_now()
            await step.update()
        self._steps.clear()

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
        """Words said before a tool call belong to thinking; the answer comes after the steps."""
        await self._stop_flush()
        if self._message is not None:
            await self._message.remove()
            self._message = None


def _short(result: Any) -> Any:
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, indent=2, default=str)
    if len(text) > _SHOWN:
        return text[:_SHOWN] + "\n…"
    return result if result is not None else ""
