"""What Chainlit 2.12 leaves open around its sockets: replay after a lost one, and an end that frees everything."""

import logging
from collections.abc import Callable
from typing import Any, Final

from chainlit.chat_context import chat_context, chat_contexts
from chainlit.context import context, init_ws_context
from chainlit.emitter import ChainlitEmitter
from chainlit.session import WebsocketSession
from chainlit.socket import sio
from chainlit.user_session import user_sessions

log = logging.getLogger("homeguard.chat")
_CONNECTED: Final = "connection_successful"


def mend(*, on_return: Callable[[Any], None], on_resumed: Callable[[Any], None], on_end: Callable[[str], None]) -> None:
    """Installs three corrections. `on_return(session)` runs when a socket is back, `on_resumed(session)` when the page
    has been sent a past conversation, which replaces whatever was on it, `on_end(session_id)` at the end.

    1. A session that ends also drops its messages (2.12 keeps them for ever).
    2. What was sent while the socket was away is sent again: same ids, so nothing doubles.
    3. The page learns the conversation's own id from us, not one that Chainlit made up.
    """
    original_delete = WebsocketSession.delete
    original_connected = sio.handlers["/"][_CONNECTED]

    async def delete(self: Any) -> None:
        chat_contexts.pop(self.id, None)
        user_sessions.pop(self.id, None)
        on_end(self.id)
        await original_delete(self)

    async def connected(sid: str) -> None:
        session = WebsocketSession.get(sid)
        returning = bool(session and session.restored and (session.has_first_interaction or session.chat_started))
        resuming = bool(session and session.thread_id_to_resume)
        await original_connected(sid)
        if session is None:
            return
        init_ws_context(session)
        if returning:
            for message in chat_context.get():
                await context.emitter.send_step(message.to_dict())
            on_return(session)
        elif resuming and session.thread_id_to_resume is None:
            on_resumed(session)

    async def no_first_interaction(self: Any, interaction: str) -> None:
        return None

    WebsocketSession.delete = delete
    sio.handlers["/"][_CONNECTED] = connected
    ChainlitEmitter.init_thread = no_first_interaction


async def leave(session: Any) -> None:
    """Closes the socket of one chat and forgets its session."""
    session.to_clear = True
    if sio.manager.is_connected(session.socket_id, "/"):
        await sio.disconnect(session.socket_id)
    else:
        await session.delete()
