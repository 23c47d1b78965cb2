"""In front of the chat library: a press on a page that the library does not know yet is told to come again."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from chainlit.session import WebsocketSession

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_PATH: Final = "/project/action"
#: The page's script waits and presses again when it reads this; nothing has happened until then.
_NOT_YET: Final = b'{"error": {"code": "NOT_YET", "message": "This page is not connected yet."}}'


class Presses:
    """ASGI. Pressed right after a restart or a lost connection, the library would answer with an error of its own."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(_PATH):
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more:  # the door bounds it
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = bool(message.get("more_body"))
        if _is_known(body):
            await self._app(scope, _again(body, receive), send)
            return
        kind, length = (b"content-type", b"application/json"), (b"content-length", str(len(_NOT_YET)).encode())
        await send({"type": "http.response.start", "status": 409, "headers": [kind, length]})
        await send({"type": "http.response.body", "body": _NOT_YET})


def _is_known(body: bytes) -> bool:
    """Whether a page of that id is connected; what cannot be read is for the library to refuse."""
    try:
        session_id = json.loads(body)["sessionId"]
    except (ValueError, KeyError, TypeError):
        return True
    return not isinstance(session_id, str) or WebsocketSession.get_by_id(session_id) is not None


def _again(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def given() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return given
