"""The live stream of a home, as a WebSocket and as server-sent events on the same address."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request, Response, WebSocket, WebSocketDisconnect
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.access import Caller, Callers, Limits, Reader, caller_of, require
from api.deps import ApiDeps, Deps
from api.errors import error_response, trace_id_of
from api.hub import Hub
from api.live import CHANNELS, read_channels
from api.reader import Batch, FrameWriter
from api.reader import Reader as Stream
from api.routing import API, router
from api.sse import EventStream
from homeguard.errors import HomeGuardError, InvalidInput, NotSignedIn

routes = router("/events", "events")
#: Sockets judge their caller themselves, before they are accepted.
sockets = APIRouter()

SESSION_OVER: Final = 4401
_TOO_SLOW: Final = 1013
_TOO_MUCH: Final = 1008
_MAX_MESSAGE: Final = 4096
_BAD_MESSAGES: Final = 20
_PING_S: Final = 20.0
#: What a server that can write several frames at once offers in the scope's extensions: `{"writer": FrameWriter}`.
FRAMES: Final = "homeguard.frames"


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
    hub: Hub = request.app.state.hub
    happening = _server_sent(caller_of(request), hub, wanted)
    return EventStream(happening, ping=15, send_timeout=deps.send_limit_s)


async def _server_sent(caller: Caller, hub: Hub, wanted: frozenset[str]) -> AsyncIterator[ServerSentEvent]:
    async with hub.reading(caller, wanted) as reader:
        yield ServerSentEvent(comment="connected")
        while True:
            await reader.ready.wait()
            try:
                batch = reader.take()
            except NotSignedIn:
                return
            for item in batch.items:
                yield ServerSentEvent(event=item.kind, data=item.text.decode())
            reader.written()
            # what is taken at once needs no waiting, so the others would have no turn
            await asyncio.sleep(0)


@sockets.websocket(f"{API}/events/stream")
async def socket(websocket: WebSocket) -> None:
    """The live stream: `{"action": "subscribe", "channels": [...]}` narrows it; without that it carries everything."""
    state = websocket.app.state
    deps: ApiDeps = state.deps
    callers: Callers = state.callers
    limits: Limits = state.limits
    hub: Hub = state.hub
    try:
        caller = await callers.of(websocket.scope)
        require(caller.principal, "read")
        await limits.check_person(caller.principal, f"WS {API}/events/stream")
    except HomeGuardError as error:
        await _refuse(websocket, error)
        return
    writer: FrameWriter | None = websocket.scope.get("extensions", {}).get(FRAMES, {}).get("writer")
    deps.metrics.websockets.inc()
    try:
        async with hub.reading(caller, writer=writer) as reader:
            await websocket.accept()
            await _Conversation(websocket, reader, writer, deps.send_limit_s).run()
    finally:
        deps.metrics.websockets.dec()


async def _refuse(websocket: WebSocket, error: HomeGuardError) -> None:
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(error_response(error, trace_id_of(websocket)))
    else:
        await websocket.close(SESSION_OVER if error.status == 401 else _TOO_MUCH)


class _Conversation:
    """One open socket: reads what the client wants, writes what happens, ends with the session."""

    def __init__(self, websocket: WebSocket, reader: Stream, writer: FrameWriter | None, send_limit_s: float) -> None:
        self._websocket = websocket
        self._reader = reader
        self._writer = writer
        self._send_limit_s = send_limit_s
        self._bad = 0

    async def run(self) -> None:
        jobs = [asyncio.create_task(job()) for job in (self._listen, self._tell)]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
        code = next((c for job in done if not job.cancelled() for c in [_code_of(job)] if c), 0)
        if code:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(self._send_limit_s):
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
                self._reader.channels = _names(asked)
            case "unsubscribe":
                self._reader.channels -= _names(asked)
            case "ping":
                await self._send({"type": "pong"})
                return
            case _:
                raise InvalidInput("action is subscribe, unsubscribe or ping", field="action")
        await self._send({"type": "subscribed", "channels": sorted(self._reader.channels)})

    async def _tell(self) -> None:
        """Sends what waits, and a word from time to time when there is nothing to say."""
        loop = asyncio.get_running_loop()
        ping_at = loop.time() + _PING_S
        while True:
            try:
                async with asyncio.timeout_at(ping_at):
                    await self._reader.ready.wait()
            except TimeoutError:
                await self._send({"type": "ping"})
                ping_at = loop.time() + _PING_S
                continue
            batch = self._reader.take()
            async with asyncio.timeout(self._send_limit_s):
                await self._write(batch)
            self._reader.written()
            # what is taken at once needs no waiting, so the others would have no turn
            await asyncio.sleep(0)

    async def _write(self, batch: Batch) -> None:
        if self._writer is not None:
            await self._writer.write(batch.frames)
            return
        for item in batch.items:
            await self._websocket.send_text(item.text.decode())

    async def _send(self, message: dict[str, Any]) -> None:
        async with asyncio.timeout(self._send_limit_s):
            await self._websocket.send_text(msgspec.json.encode(message).decode())


def _code_of(job: "asyncio.Task[None]") -> int:
    error = job.exception()
    if isinstance(error, NotSignedIn):
        return SESSION_OVER
    if isinstance(error, TimeoutError):
        return _TOO_SLOW
    if isinstance(error, InvalidInput):
        return _TOO_MUCH
    return 0 if error is None or isinstance(error, WebSocketDisconnect | RuntimeError | OSError) else 1011


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
