"""The live stream of a home, as a WebSocket and as server-sent events on the same address."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request, Response, WebSocket, WebSocketDisconnect
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.access import Caller, Limits, Reader, authenticate, caller_of, require
from api.deps import ApiDeps, Deps
from api.errors import error_response, trace_id_of
from api.live import CHANNELS, Frames, follow, is_wanted, read_channels
from api.routing import API, router
from homeguard.errors import HomeGuardError, InvalidInput, NotSignedIn
from homeguard.ports.live_state import Live

routes = router("/events", "events")
#: Sockets judge their caller themselves, before they are accepted.
sockets = APIRouter()

SESSION_OVER: Final = 4401
_TOO_SLOW: Final = 1013
_TOO_MUCH: Final = 1008
_MAX_MESSAGE: Final = 4096
_BAD_MESSAGES: Final = 20
_SEND_S: Final = 10.0
_PING_S: Final = 20.0
#: Messages to one socket before others have their turn: what is ready is sent without waiting.
_STRETCH: Final = 64


@routes.get(
    "/stream",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "events named by their kind"}},
)
async def stream(
    principal: Reader,
    request: Request,
    deps: Deps,
    channels: Annotated[str | None, Query(max_length=100, description="comma-separated; all without it")] = None,
) -> Response:
    """What happens from now on, as server-sent events (the same address is a WebSocket)."""
    wanted = read_channels(channels.split(",")) if channels else frozenset(CHANNELS)
    return EventSourceResponse(
        _server_sent(caller_of(request), deps, request.app.state.frames, wanted), ping=15, send_timeout=_SEND_S
    )


async def _server_sent(
    caller: Caller, deps: ApiDeps, frames: Frames, wanted: frozenset[str]
) -> AsyncIterator[ServerSentEvent]:
    async with contextlib.aclosing(follow(caller, deps)) as items:
        try:
            async for item in items:
                if item is None:
                    yield ServerSentEvent(comment="connected")
                elif is_wanted(item, wanted):
                    yield ServerSentEvent(event=item.kind, data=frames.text(item))
        except NotSignedIn:
            return


@sockets.websocket(f"{API}/events/stream")
async def socket(websocket: WebSocket) -> None:
    """The live stream: `{"action": "subscribe", "channels": [...]}` narrows it; without that it carries everything."""
    deps: ApiDeps = websocket.app.state.deps
    limits: Limits = websocket.app.state.limits
    try:
        caller = await authenticate(websocket, deps)
        require(caller.principal, "read")
        await limits.check_person(caller.principal, f"WS {API}/events/stream")
    except HomeGuardError as error:
        await _refuse(websocket, error)
        return
    deps.metrics.websockets.inc()
    try:
        async with contextlib.aclosing(follow(caller, deps)) as happening:
            await anext(happening)
            await websocket.accept()
            await _Conversation(websocket, happening, websocket.app.state.frames).run()
    finally:
        deps.metrics.websockets.dec()


async def _refuse(websocket: WebSocket, error: HomeGuardError) -> None:
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(error_response(error, trace_id_of(websocket)))
    else:
        await websocket.close(SESSION_OVER if error.status == 401 else _TOO_MUCH)


class _Conversation:
    """One open socket: reads what the client wants, writes what happens, ends with the session."""

    def __init__(self, websocket: WebSocket, happening: AsyncIterator[Live | None], frames: Frames) -> None:
        self._websocket = websocket
        self._happening = happening
        self._frames = frames
        self._channels = frozenset(CHANNELS)
        self._bad = 0
        self._write = asyncio.Lock()

    async def run(self) -> None:
        jobs = [asyncio.create_task(job()) for job in (self._listen, self._tell, self._ping)]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
        code = next((c for job in done if not job.cancelled() for c in [_code_of(job)] if c), 0)
        if code:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(_SEND_S):
                    await self._websocket.close(code)

    async def _listen(self) -> None:
        while self._bad < _BAD_MESSAGES:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect
            raw = message.get("text") or message.get("bytes") or ""
            try:
                await self._obey(_read(raw))
            except InvalidInput as error:
                self._bad += 1
                await self._send({"type": "error", "error": {"code": error.code, "message": error.message}})
        raise InvalidInput("too many messages that cannot be read")

    async def _obey(self, asked: dict[str, Any]) -> None:
        match asked.get("action"):
            case "subscribe":
                self._channels = _names(asked)
            case "unsubscribe":
                self._channels -= _names(asked)
            case "ping":
                await self._send({"type": "pong"})
                return
            case _:
                raise InvalidInput("action is subscribe, unsubscribe or ping", field="action")
        await self._send({"type": "subscribed", "channels": sorted(self._channels)})

    async def _tell(self) -> None:
        told = 0
        async for item in self._happening:
            if item is not None and is_wanted(item, self._channels):
                await self._send_text(self._frames.text(item))
                told += 1
                if told % _STRETCH == 0:
                    await asyncio.sleep(0)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(_PING_S)
            await self._send({"type": "ping"})

    async def _send(self, message: dict[str, Any]) -> None:
        await self._send_text(msgspec.json.encode(message).decode())

    async def _send_text(self, text: str) -> None:
        async with asyncio.timeout(_SEND_S), self._write:
            await self._websocket.send_text(text)


def _code_of(job: "asyncio.Task[None]") -> int:
    error = job.exception()
    if isinstance(error, NotSignedIn):
        return SESSION_OVER
    if isinstance(error, TimeoutError):
        return _TOO_SLOW
    if isinstance(error, InvalidInput):
        return _TOO_MUCH
    return 0 if error is None or isinstance(error, WebSocketDisconnect | RuntimeError) else 1011


def _read(raw: str | bytes) -> dict[str, Any]:
    if len(raw) > _MAX_MESSAGE:
        raise InvalidInput(f"a message has at most {_MAX_MESSAGE} characters", field="")
    try:
        asked = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidInput("a message is a JSON object", field="") from error
    if not isinstance(asked, dict):
        raise InvalidInput("a message is a JSON object", field="")
    return asked


def _names(asked: dict[str, Any]) -> frozenset[str]:
    names = asked.get("channels")
    if not isinstance(names, list) or len(names) > 20 or not all(isinstance(n, str) for n in names):
        raise InvalidInput(f"channels is a list of {', '.join(CHANNELS)}", field="channels", allowed=list(CHANNELS))
    return read_channels(names)
