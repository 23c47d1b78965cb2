"""Server-sent events to a reader that may stop reading: its connection ends, and that is no defect of ours."""

import asyncio
import logging
from typing import Final

from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

#: What a server that can end a connection at once offers in the scope's extensions: `{"now": Callable[[], None]}`.
LEAVE: Final = "homeguard.leave"

_log = logging.getLogger("homeguard.api")


class EventStream(EventSourceResponse):
    """Ends when what was sent is not taken within `send_timeout`, and the connection with it: nobody would ever read
    the end of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("a reader of %s does not read any more", scope["path"])
            leave = scope.get("extensions", {}).get(LEAVE)
            if leave is not None:
                leave["now"]()
                # the server hears that the connection is gone before it hears that the answer has no end
                await asyncio.sleep(0)
