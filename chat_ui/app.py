"""The chat itself: what happens when somebody comes in, writes, presses a button, leaves. Run by Chainlit."""

import asyncio
import os
from typing import Any, Final

import chainlit as cl
from chainlit.context import context

from chat_ui import sockets
from chat_ui.languages import LANGUAGE, words_in
from chat_ui.live import HomeStreams
from chat_ui.mounting import API_URL_VARIABLE
from chat_ui.rest import TOKEN, Rest, RestProblem
from chat_ui.starters import starters as fitting
from chat_ui.talk import Talk
from chat_ui.threads import ConversationView

_MESSAGE_LIMIT: Final = 8000
_REST: Final = Rest(os.environ[API_URL_VARIABLE])
_STREAMS: Final = HomeStreams(_REST.live)
_TALKS: Final[dict[str, Talk]] = {}


async def on_chat_start() -> None:
    talk = _talk()
    # In the background: while this runs, the chat does not take a message.
    talk.begin()


async def on_chat_resume(thread: dict[str, Any]) -> None:
    # From here on this is a chat like any other: a lost socket is replayed, not resumed again.
    context.session.thread_id_to_resume = None
    context.session.thread_id = thread["id"]
    _talk().resume(thread)


async def on_message(message: Any) -> None:
    text = str(message.content or "").strip()
    if not text:
        return
    if len(text) > _MESSAGE_LIMIT:
        words = words_in(LANGUAGE.get())
        await cl.ErrorMessage(content=words.say("problem.too_long", n=_MESSAGE_LIMIT)).send()
        return
    await _talk().say(text)


async def on_decide(action: Any) -> dict[str, Any]:
    """A press on a card. The payload comes from the browser; what it may do is for the REST API to say."""
    payload = action.payload if isinstance(action.payload, dict) else {}
    card_id, approve, pin = payload.get("id"), payload.get("approve"), payload.get("pin")
    known_shape = isinstance(card_id, str) and 0 < len(card_id) <= 100 and isinstance(approve, bool)
    if not known_shape or not (pin is None or (isinstance(pin, str) and len(pin) <= 32)):
        return {"ok": False}
    assert isinstance(card_id, str)
    await _talk().decide(card_id, approve=bool(approve), pin=pin or None)
    return {"ok": True}


async def on_logout(request: Any, response: Any) -> dict[str, Any]:
    try:
        await _REST.sign_out(TOKEN.get())
    except RestProblem as problem:
        return {"success": False, "problem": problem.sentence(words_in(LANGUAGE.get()))}
    return {"success": True}


async def starters(user: Any, language: str) -> list[Any]:
    try:
        devices = await _REST.devices(TOKEN.get())
    except RestProblem:
        devices = []
    found = fitting(devices, words_in(LANGUAGE.get()))
    return [cl.Starter(label=s.label, message=s.message, icon=f"/public/icons/{s.icon}.svg") for s in found]


def _talk() -> Talk:
    session = context.session
    if session.id not in _TALKS:
        _TALKS[session.id] = Talk(_REST, _STREAMS, session)
    return _TALKS[session.id]


def _returned(session: Any) -> None:
    if talk := _TALKS.get(session.id):
        talk.returned()


def _resumed(session: Any) -> None:
    if talk := _TALKS.get(session.id):
        talk.resumed()


def _ended(session_id: str) -> None:
    if talk := _TALKS.pop(session_id, None):
        talk.stop()


async def _closed() -> None:
    for session_id in list(_TALKS):
        _ended(session_id)
    await asyncio.sleep(0)  # lets the cancelled tasks see it before their HTTP client goes
    await _REST.close()


cl.on_chat_start(on_chat_start)
cl.on_chat_resume(on_chat_resume)
cl.on_message(on_message)
cl.on_logout(on_logout)
cl.set_starters(starters)
cl.action_callback("decide")(on_decide)
cl.data_layer(lambda: ConversationView(_REST, _closed))
sockets.mend(on_return=_returned, on_resumed=_resumed, on_end=_ended)
